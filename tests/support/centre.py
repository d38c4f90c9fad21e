"""Bangladesh in this process, without its NGO partners: a centre and its thanas, hospitals and the ministry; who works there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from agencies import Desk, TestAgency, World
from schema import sqlite_at_head

from shared.casework.directory.of_programme import network_of
from shared.contracts.casework.codes import AgencyKind, Role
from shared.programmes.profile import load_programme
from shared.programmes.records import Readers

CENTRE, THANA, HOSPITAL, MINISTRY = "dhaka_vsc", "thana_1", "dhaka_hospital", "ministry_office_dhaka"
PLANNED = "vsc_planned_1"
WITHOUT_PARTNERS = (AgencyKind.POLICE, AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE)


@asynccontextmanager
async def centre_world(folder: Path) -> AsyncIterator[World]:
    """Its agencies on fresh SQLite files; lines are carried by hand."""
    programme = load_programme("bd-vsc")
    net = network_of(programme, "test", WITHOUT_PARTNERS)
    urls = {
        agency: await asyncio.to_thread(sqlite_at_head, folder / f"{agency}.db", str(entry.kind))
        for agency, entry in net.agencies.items()
    }
    world = await World.make(urls, programme, net)
    try:
        yield world
    finally:
        await world.close()


async def officer(world: World, name: str = "officer", role: Role = Role.OFFICER) -> Desk:
    """Somebody at the centre."""
    return await world["police"].sign_in(name, role, CENTRE)


async def came(desk: Desk, **more: Any) -> str:
    """A woman with an acid burn, whose case is open: its id."""
    person = {"needs": {"age_band": "18-24", "sex": "female", "language": "bn"}, **more}
    case_id: str = (await desk.post("/cases", person))["id"]
    await desk.post(f"/cases/{case_id}/incidents", {"incident_type": "physical_assault", "contexts": []})
    return case_id


async def stays(desk: Desk, case_id: str, *with_her: str, **more: Any) -> Any:
    """She stays, with whoever came along."""
    return await desk.post(f"/cases/{case_id}/stays", {"post": "desk_officer", "with_her": list(with_her), **more})


async def then(desk: Desk, stay: Any, kind: str, **more: Any) -> Any:
    """Something happens in a stay."""
    return await desk.post(f"/stays/{stay['id']}/facts", {"kind": kind, **more})


async def open_alarms(desk: Desk, case_id: str) -> dict[str, str]:
    """The alarms about a case that nobody has resolved, with the post of each."""
    rows = (await desk.get("/alarms?limit=200"))["items"]
    return {one["kind"]: one["post"] for one in rows if one["case_id"] == case_id and not one["resolved_at"]}


async def taken_by_the_ministry(world: World, desk: Desk, case_id: str) -> Any:
    """The ministry has accepted to shelter her: the request, as sent."""
    body = {"recipient": "social_welfare", "purpose": "support", "items": ["req", "needs", "fb"], "how": "spoken", "language": "bn"}
    await desk.post(f"/cases/{case_id}/consents", body)
    sent = await desk.post(
        "/referrals",
        {
            "case_id": case_id,
            "to_agency": "social_welfare",
            "to_facility": MINISTRY,
            "services": ["shelter"],
            "urgency": "urgent",
        },
    )
    await world.settle()
    worker = await world["social_welfare"].sign_in(f"worker-{sent['id'][-6:]}", None, MINISTRY)
    await worker.post(f"/referrals/{sent['id']}/accept")
    await world.settle()
    return sent


def keeps_as_a_centre(world: World) -> None:
    """The world's police keep what a centre keeps, from now on, in the same database: stays, things, counselling and enquiries."""
    before, of = world["police"], load_programme("bd-vsc")
    own = before.here.programme
    rules = {name: of.rules[name] for name in ("stay", "home_only_checked", "status_by_her_word", "property_back")}
    log = load_programme("tests/support/programmes/xx-anywhere.yaml").records["tide_log"]  # one that no feature keeps
    log = log.model_copy(update={"agency": "police", "kept_at": (), "readers": Readers()})
    records = {**own.records, **of.records, "tide_log": log}
    programme = own.model_copy(update={"rules": {**own.rules, **rules}, "records": records})
    world.agencies["police"] = TestAgency(replace(before.here, programme=programme), before.parts, before.database)
