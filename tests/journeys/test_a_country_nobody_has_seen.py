"""A profile for a country that nobody here has seen loads, makes its network, and carries a referral, without a line of Python."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from agencies import World, consent
from schema import sqlite_at_head
from signing_in import settled_account, sign_in
from visitor import Visitor

from services.kinds import MODULES
from shared.casework.directory.of_programme import network_of
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role
from shared.programmes.profile import Programme, load_programme

XX = Path(__file__).parents[1] / "support" / "programmes" / "xx-anywhere.yaml"


@pytest.fixture
def anywhere() -> Programme:
    return load_programme(str(XX))


@pytest.fixture
async def islands(anywhere: Programme, tmp_path: Path) -> AsyncIterator[World]:
    """Its three agencies that this software runs, whose ids are not the words for their kinds."""
    net = network_of(anywhere, "test", MODULES)
    urls = {
        agency: await asyncio.to_thread(sqlite_at_head, tmp_path / f"{agency}.db", str(entry.kind))
        for agency, entry in net.agencies.items()
    }
    world = await World.make(urls, anywhere, net)
    yield world
    await world.close()


async def test_a_referral_goes_from_a_quiet_room_to_a_sick_bay_and_comes_back_served(islands: World) -> None:
    guardian = await islands["guardians"].sign_in("guardian", facility="harbour_room")
    healer = await islands["healers"].sign_in("healer", facility="malas_bay")
    case = await guardian.post("/cases", {"needs": {"age_band": "25-49", "sex": "female", "language": "dv"}})
    now = islands.clock.now()
    times = {"earliest_at": now.isoformat(), "latest_at": now.isoformat()}
    incident = await guardian.post(f"/cases/{case['id']}/incidents", {"incident_type": "rape", **times})
    await consent(guardian, case["id"], "healers", "needs", "fb", language="dv", purpose="care")
    sent = await guardian.post(
        "/referrals",
        {"case_id": case["id"], "incident_id": incident["id"], "to_agency": "healers", "to_facility": "malas_bay",
         "services": ["acute_care", "examination_and_report"], "urgency": "acute",
         "report_form": {"form": "atoll_form", "form_version": 4}},
    )  # fmt: skip
    await islands.settle()
    (come,) = (await healer.get("/referrals?direction=in"))["items"]
    async with islands["healers"].database.read() as tx:
        row = await tx.session.get_one(Referral, UUID(come["id"]))
    until = {window["care"]: datetime.fromisoformat(window["until"]) - now for window in (row.said or {})["windows"]}
    assert until["emergency_contraception"] == timedelta(hours=96)  # as this country has it; and as everywhere:
    assert until["pep"] == timedelta(hours=72)
    for act in ("acknowledge", "accept"):
        await healer.post(f"/referrals/{come['id']}/{act}")
    await healer.post("/arrivals", {"code": sent["arrival_code"], "feedback": True})
    await healer.post(f"/referrals/{come['id']}/close", {"outcome_code": "served"})
    await islands.settle()
    assert (await guardian.get(f"/referrals/{sent['id']}"))["status"] == "closed"


async def test_a_form_that_is_not_the_countrys_is_refused_with_its_own(islands: World) -> None:
    guardian = await islands["guardians"].sign_in("guardian", facility="harbour_room")
    case = await guardian.post("/cases", {})
    await consent(guardian, case["id"], "healers", purpose="care")
    answer = await guardian.ask(
        "POST", "/referrals",
        {"case_id": case["id"], "to_agency": "healers", "to_facility": "malas_bay", "services": ["examination_and_report"],
         "urgency": "urgent", "report_form": {"form": "zp_form_32", "form_version": 1}}, **{"Idempotency-Key": "a"},
    )  # fmt: skip
    assert (answer.status_code, "atoll_form" in answer.text) == (422, True)


async def test_its_pages_speak_of_its_places_and_languages(islands: World) -> None:
    visitor = Visitor(islands["guardians"].app)
    await sign_in(visitor, await settled_account(islands["guardians"], "guardian-1", Role.OFFICER), "guardian-1")
    page = await visitor.open("/cases/new")
    assert page.status == 200
    assert "dv" in page.form("/cases/new").choices["language"]
