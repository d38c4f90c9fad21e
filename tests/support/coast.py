"""The agencies of a made-up country with partners and justice (programmes/xy-court.yaml), in this process, for tests."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from agencies import Desk, TestAgency, World, open_case
from agencies import consent as agreed
from schema import sqlite_at_head

from services.kinds import MODULES
from shared.casework.directory.of_programme import network_of
from shared.contracts.casework.codes import AgencyKind, Role
from shared.programmes.profile import Programme, load_programme

FILE = Path(__file__).parent / "programmes" / "xy-court.yaml"
STATION, REFUGE, LAW = "ndola_central_vsu", "refuge_1", "law_clinic_1"
OFFICE, INSTITUTE, COURT = "prosecutor_1", "institute_1", "court_1"
AGENCIES = ("police", "health", "social_welfare", "partner", "justice")

BESIDE: dict[str, Any] = {  # two kinds that the demo has none of, each with two places
    "partner": {"kind": "partner", "name": "Partner", "facilities": {
        "refuge": {"name": "Refuge", "district": "ndola", "services": ["shelter"], "posts": ["intake"]},
        "law_clinic": {"name": "Law clinic", "district": "ndola", "services": ["legal_aid"], "posts": ["lawyer"]},
    }},
    "justice": {"kind": "justice", "name": "Justice", "facilities": {
        "office": {"name": "Office", "district": "ndola", "services": ["prosecution"], "posts": ["examiner"]},
        "court": {"name": "Court", "district": "ndola", "services": ["prosecution"], "posts": ["registrar"]},
    }},
}  # fmt: skip


def coast() -> Programme:
    """Its programme."""
    return load_programme(str(FILE))


@asynccontextmanager
async def coast_world(folder: Path) -> AsyncIterator[World]:
    """All five, on SQLite."""
    folder.mkdir(exist_ok=True)
    async with world_of(coast(), MODULES, folder) as world:
        yield world


@asynccontextmanager
async def world_of(programme: Programme, kinds: Collection[AgencyKind], folder: Path) -> AsyncIterator[World]:
    """A programme's agencies of these kinds, on SQLite; lines are carried by hand."""
    net = network_of(programme, "test", kinds)
    urls = {id_: await asyncio.to_thread(sqlite_at_head, folder / f"{id_}.db", str(one.kind)) for id_, one in net.agencies.items()}
    world = await World.make(urls, programme, net)
    try:
        yield world
    finally:
        await world.close()


def with_rules(world: World, **change: Any) -> None:
    """The same agencies under a programme with other parts; what they have stays."""
    for name, agency in world.agencies.items():
        here = replace(agency.here, programme=agency.here.programme.model_copy(update=change))
        world.agencies[name] = TestAgency(here, agency.parts, agency.database)


async def at(world: World, agency: str, facility: str | None, name: str | None = None, role: Role | None = None) -> Desk:
    """Somebody at a place."""
    return await world[agency].sign_in(name or f"at-{facility}".replace("_", "-"), role, facility)


async def complaint(desk: Desk, *items: str, to: str = "justice") -> tuple[str, str, str]:
    """A case with an incident, a yes for justice and a registered complaint: (case, incident, complaint)."""
    case_id, incident_id = await open_case(desk)
    await agreed(desk, case_id, to, *items)
    made = await desk.post(f"/cases/{case_id}/complaints", {"number": f"FIR/{date(2026, 1, 5).year}/1", "incident_id": incident_id})
    return case_id, incident_id, made["id"]


async def ask(desk: Desk, case_id: str, incident_id: str | None, place: str, *services: str, **more: Any) -> Any:
    """A referral to agency/facility."""
    agency, facility = place.split("/")
    body = {"case_id": case_id, "incident_id": incident_id, "to_agency": agency, "to_facility": facility,
            "services": list(services), "urgency": "urgent", **more}  # fmt: skip
    return await desk.post("/referrals", body)
