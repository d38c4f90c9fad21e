"""A case that another agency's word has opened without naming a place: supervisors see it, its alarms climb, it can be opened where
a life is in danger, and whatever was kept of it goes to the place that looks after it in the end."""

from datetime import timedelta

import pytest
from agencies import TestAgency, World, consent, open_case, refer
from shift import at_work
from signing_in import PIN
from sqlalchemy import select, update
from sqlmodel import col

from services.police.complaints.tables import Complaint
from shared.casework.accounts.commands import disable_account
from shared.casework.alarms.commands import raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.breaches.tables import Breach
from shared.casework.cases.tables import Case
from shared.casework.conferences.tables import Conference
from shared.casework.here import NOWHERE
from shared.contracts.casework.codes import Role, Urgency
from shared.kit.ids import new_id

NDOLA, MASAITI = "ndola_central_vsu", "masaiti_vsu"


async def invited(world: World) -> tuple[str, str, str]:
    """A case at the police that an invitation has opened: (case there, case and incident at the office)."""
    worker, police = await world["social_welfare"].sign_in("worker"), world["police"]
    case_id, incident_id = await open_case(worker)
    await consent(worker, case_id, "police", "needs", "prog")
    called = {"on_date": "2026-01-20", "part": "morning", "agenda": ["needs"], "agencies": ["police"]}
    await worker.post(f"/cases/{case_id}/conferences", called)
    await world.settle()
    async with police.database.read() as tx:
        case = (await tx.session.execute(select(Case))).scalar_one()
    assert case.facility == NOWHERE
    return str(case.id), case_id, incident_id


async def alarmed(police: TestAgency) -> Alarm:
    async with police.database.read() as tx:
        return (await tx.session.execute(select(Alarm).where(col(Alarm.kind) == "not_erased"))).scalar_one()


async def with_an_alarm(world: World, case_id: str) -> TestAgency:
    police = world["police"]
    async with police.database.write() as tx:
        (case,) = (await tx.session.execute(select(Case))).scalars()
        await raise_alarm(tx, police.here, "not_erased", new_id(), case.facility, Urgency.URGENT, case.id, {"peer": "health"})
    return police


@pytest.mark.parametrize("placed_by", ["a supervisor", "a request"])
async def test_what_was_kept_of_it_lies_at_the_place_that_looks_after_it(world: World, placed_by: str) -> None:
    case_id, there, incident_id = await invited(world)
    police = await with_an_alarm(world, case_id)
    whole = await police.sign_in("whole", Role.SUPERVISOR)
    await whole.post(f"/cases/{case_id}/complaints", {})
    await whole.post(f"/cases/{case_id}/breaches", {"code": "fee_demanded", "by_whom": "health"})
    async with police.database.write() as tx:
        await tx.session.execute(update(Alarm).values(climbs_at=None))
    if placed_by == "a supervisor":
        await whole.post(f"/cases/{case_id}/place", {"facility": NDOLA})
    else:
        worker = await world["social_welfare"].sign_in("again")
        await refer(worker, there, incident_id, "police", urgency="urgent")
        await world.settle()
    async with police.database.read() as tx:
        found = [
            set((await tx.session.execute(select(column))).scalars())
            for column in (
                col(Case.facility), col(Alarm.facility), col(Breach.facility), col(Complaint.facility), col(Conference.desk),
            )
        ]  # fmt: skip
        alarms = list((await tx.session.execute(select(Alarm))).scalars())
    assert found == [{NDOLA}] * 5
    assert {one.post in police.here.posts(NDOLA) for one in alarms} == {True}
    assert all(one.climbs_at is not None for one in alarms if one.level + 1 < len(police.here.posts(NDOLA)))
    officer = await police.sign_in("officer", Role.OFFICER, NDOLA)
    assert {one["kind"] for one in (await officer.get("/alarms"))["items"]} >= {"not_erased", "breach"}


async def test_its_alarms_climb_until_somebody_takes_them_and_are_given_back_with_the_account(world: World) -> None:
    case_id, _there, _incident = await invited(world)
    police = await with_an_alarm(world, case_id)
    before = await alarmed(police)
    for _step in range(len(police.here.posts(NOWHERE))):
        world.clock.advance(timedelta(hours=30))
        await police.watcher.tick()
    assert (await alarmed(police)).level == len(police.here.posts(NOWHERE)) - 1 > before.level
    chief = await police.sign_in("chief", Role.SUPERVISOR, MASAITI)
    await chief.post(f"/alarms/{before.id}/take")
    assert (await alarmed(police)).taken_by is not None
    async with police.database.write() as tx:
        await disable_account(tx, police.here, "chief")
    assert (await alarmed(police)).taken_by is None


async def test_nothing_is_sent_from_nowhere_and_it_is_said_so(world: World) -> None:
    case_id, _there, _incident = await invited(world)
    police = world["police"]
    whole = await police.sign_in("whole", Role.SUPERVISOR)
    await consent(whole, case_id, "health", "needs")
    page = await (await at_work(world, "police", "whole-2", Role.SUPERVISOR, None)).open(f"/cases/{case_id}/refer")
    assert "No place looks after this case yet" in page.words
    body = {
        "case_id": case_id,
        "to_agency": "health",
        "to_facility": "ndola_clinic",
        "services": ["acute_care"],
        "urgency": "urgent",
    }
    refused = await whole.ask("POST", "/referrals", body, **{"Idempotency-Key": "once"})
    assert (refused.status_code, "No place looks after this case yet" in refused.json()["detail"]) == (409, True)
    chief = await police.sign_in("chief", Role.SUPERVISOR, MASAITI)
    assert (await chief.post("/referrals", body))["from_facility"] == MASAITI  # she has a place of her own


async def test_it_is_found_by_two_exact_things_and_opened_where_a_life_is_in_danger(world: World) -> None:
    case_id, _there, _incident = await invited(world)
    async with world["police"].database.read() as tx:
        case = (await tx.session.execute(select(Case))).scalar_one()
    officer = await at_work(world, "police", "at-night", Role.OFFICER, MASAITI)
    known = {"number": case.number, "opened_on": case.opened_at.date().isoformat()}
    page = await officer.send((await officer.open("/look-up")).form("/look-up"), None, **known)
    assert "no place looks after it yet" in page.words
    page = await officer.send(page.form("/look-up"), ("open", "yes"), **known, why="life_threat", own_pin=PIN)
    assert (page.status, page.path) == (200, f"/cases/{case_id}")


async def test_a_supervisor_places_it_at_a_place_of_her_own(world: World) -> None:
    case_id, _there, _incident = await invited(world)
    chief = await world["police"].sign_in("chief", Role.SUPERVISOR, MASAITI)
    assert (await chief.ask("POST", f"/cases/{case_id}/place", {"facility": NDOLA})).status_code == 404
    assert (await chief.ask("POST", f"/cases/{case_id}/place", {"facility": MASAITI})).status_code == 200
