"""Who had come was somebody else: she is expected again, whoever was told hears of it, and nothing of the other one stays."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, World, consent, open_case, refer
from sqlalchemy import select
from sqlmodel import col

from shared.casework.referrals import story
from shared.casework.referrals.tables import Referral, ReferralFact, WalkIn
from shared.contracts.casework import lifecycle
from shared.exchange.tables import Activity

HOSPITAL = "ndola_hospital"
on_sqlite = pytest.mark.parametrize("world", ["sqlite"], indirect=True)  # whose backups this process can make


async def sent(world: World, *items: str, urgency: str = "acute") -> tuple[Desk, Desk, Any]:
    """The officer, the clinic's nurse, and a request that has reached the clinic."""
    officer = await world["police"].sign_in("officer", facility="ndola_central_vsu")
    nurse = await world["health"].sign_in("nurse", facility="ndola_clinic")
    case_id, incident_id = await open_case(officer)
    await consent(officer, case_id, "health", "fb", "needs", *items)
    issued = await refer(officer, case_id, incident_id, "health", urgency=urgency)
    await world.settle()
    return officer, nurse, issued


async def at(desk: Desk, referral: Any) -> Any:
    return await desk.get(f"/referrals/{referral['id']}")


async def alarms(desk: Desk, referral: Any) -> list[str]:
    found = (await desk.get("/alarms"))["items"]
    return [a["kind"] for a in found if a["about"] == referral["id"] and a["kind"] == "came_in_error"]


async def test_the_desk_that_was_told_hears_at_once_and_the_alarm_ends_when_she_comes(world: World) -> None:
    officer, nurse, issued = await sent(world)
    of = f"/referrals/{issued['id']}"
    await nurse.post(f"{of}/arrive", {"feedback": True})
    await world.settle()
    assert (await at(officer, issued))["status"] == "arrived"
    await nurse.post(f"{of}/not-here")
    await world.settle()
    for desk in (officer, nurse):
        seen = await at(desk, issued)
        assert (seen["status"], seen["arrived_at"]) == ("accepted", None)
    assert await alarms(officer, issued) == ["came_in_error"]
    assert await alarms(nurse, issued) == []
    await nurse.post(f"{of}/arrive")  # she was not asked yet: the other one's yes is not hers
    await world.settle()
    assert (await at(officer, issued))["status"] == "accepted"
    assert await alarms(officer, issued) == ["came_in_error"]
    await nurse.post(f"{of}/close", {"outcome_code": "served", "feedback": True})
    await world.settle()
    seen = await at(officer, issued)
    assert (seen["status"], seen["arrived_at"] is not None) == ("closed", True)
    assert await alarms(officer, issued) == []


async def test_the_desk_that_was_not_told_hears_nothing_and_a_later_yes_tells_nothing_of_the_other_one(world: World) -> None:
    officer, nurse, issued = await sent(world)
    of = f"/referrals/{issued['id']}"
    await nurse.post(f"{of}/arrive", {"feedback": False})
    await nurse.post(f"{of}/not-here")
    await world.settle()
    assert (await at(officer, issued))["status"] == "accepted"
    assert await alarms(officer, issued) == []
    async with world["health"].database.read() as tx:
        kept = select(ReferralFact).where(col(ReferralFact.is_kept_back))
        assert (await tx.session.execute(kept)).scalars().all() == []
    came = world.clock.now()
    await nurse.post(f"{of}/arrive", {"feedback": True})
    await world.settle()
    seen = await at(officer, issued)
    assert (seen["status"], seen["arrived_at"]) == ("arrived", came.isoformat().replace("+00:00", "Z"))
    lines = (await officer.get(f"/cases/{seen['case_id']}/timeline?limit=200"))["items"]
    assert [line["kind"] for line in lines if "arrived" in line["kind"]] == ["referral.arrived"]


async def test_at_another_door_it_lies_again_where_she_is_expected_and_the_matched_arrival_is_one_of_its_own(world: World) -> None:
    _officer, nurse, issued = await sent(world)
    doctor = await world["health"].sign_in("doctor", facility=HOSPITAL)
    walk_in = (await doctor.post("/arrivals"))["arrival_id"]
    said = {"code": issued["arrival_code"], "sent_from": "police/ndola_central_vsu", "sent_on": "2026-01-05"}
    await doctor.post(f"/arrivals/{walk_in}/match", said)
    assert (await at(doctor, issued))["facility"] == HOSPITAL
    await doctor.post(f"/referrals/{issued['id']}/not-here")
    back = await at(nurse, issued)
    assert (back["status"], back["facility"]) == ("accepted", "ndola_clinic")
    assert (await doctor.ask("GET", f"/referrals/{issued['id']}")).status_code == 404  # and no longer at the hospital
    async with world["health"].database.read() as tx:
        free = (await tx.session.execute(select(WalkIn))).scalars().one()
    assert (str(free.id), free.referral_id, free.matched_at, free.ended_at) == (walk_in, None, None, None)


async def test_what_is_written_down_of_whoever_came_is_not_moved_by_a_button(world: World) -> None:
    officer, nurse, issued = await sent(world)
    of = f"/referrals/{issued['id']}"
    await nurse.post(f"{of}/arrive")
    await nurse.post(f"{of}/care", {"care": "pep", "result": "given"})
    refused = await nurse.ask("POST", f"{of}/not-here")
    assert (refused.status_code, "written down" in refused.json()["detail"]) == (409, True)
    assert (await at(nurse, issued))["status"] == "arrived"
    await world.settle()
    assert (await officer.ask("POST", f"{of}/not-here")).status_code == 409  # only who received it does this


@on_sqlite
async def test_after_a_restore_she_is_here_whatever_was_taken_back_before_and_told_to_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, nurse, issued = await sent(world)
    stands_still = world.clock.now

    def goes_on() -> datetime:
        world.clock.advance(timedelta(milliseconds=1))  # as clocks do between two lines of one transaction
        return stands_still()

    monkeypatch.setattr(world.clock, "now", goes_on)
    of = f"/referrals/{issued['id']}"
    await nurse.post(f"{of}/arrive", {"feedback": False})
    await nurse.post(f"{of}/not-here")
    await nurse.post(f"{of}/arrive", {"feedback": True})
    await nurse.post(f"{of}/start")
    image = await world.back_up("health")
    await nurse.post(f"{of}/hold")
    await world.settle()
    await world.restore("health", image)
    await world.settle_restored()
    async with world["health"].database.read() as tx:
        referral = await tx.session.get_one(Referral, UUID(issued["id"]))
        end = await story.recipient_end(tx, world["health"].here, referral)
    assert (end.standing.state, end.standing.arrived, referral.arrived_at is not None) == ("on_hold", True, True)
    async with world["police"].database.read() as tx:
        theirs = story.standing_of(await tx.session.get_one(Referral, UUID(issued["id"])))
    assert lifecycle.agree(theirs, end)
    assert (await at(officer, issued))["status"] == "on_hold"


@on_sqlite
async def test_after_a_restore_the_matched_arrival_is_one_of_its_own_again_and_her_own_is_kept(world: World) -> None:
    officer, nurse, issued = await sent(world)
    of, walk_in = f"/referrals/{issued['id']}", (await nurse.post("/arrivals"))["arrival_id"]
    await nurse.post(f"/arrivals/{walk_in}/match", {"referral_id": issued["id"], "feedback": True})
    await world.settle()
    image = await world.back_up("health")
    world.clock.advance(timedelta(minutes=5))
    await nurse.post(f"{of}/not-here")
    await world.settle()
    world.clock.advance(timedelta(minutes=5))
    await world.restore("health", image)
    again = await world["health"].sign_in("after")
    await again.post(f"{of}/arrive", {"feedback": True})  # she comes before the clinic knows again what it had said
    await world.settle_restored()
    async with world["health"].database.read() as tx:
        referral = await tx.session.get_one(Referral, UUID(issued["id"]))
        free = (await tx.session.execute(select(WalkIn))).scalars().one()
    assert (free.referral_id, free.matched_at) == (None, None)
    assert (story.standing_of(referral).arrived, referral.arrived_at is not None, referral.feedback) == (True, True, True)
    assert (await at(officer, issued))["status"] == "arrived"


async def test_that_there_is_no_more_news_is_taken_back_where_it_was_said_because_of_somebody_else(world: World) -> None:
    officer, nurse, issued = await sent(world)
    of = f"/referrals/{issued['id']}"
    await nurse.post(f"{of}/arrive")
    world.clock.advance(timedelta(days=7, hours=1))
    await world["health"].watcher.tick()
    await world.settle()
    assert (await at(officer, issued))["no_feedback"]
    await nurse.post(f"{of}/not-here", {"feedback": True})  # nobody is asked
    await world.settle()
    seen = await at(officer, issued)
    assert (seen["status"], seen["no_feedback"]) == ("accepted", False)
    assert await alarms(officer, issued) == []  # they had not said that she came
    lines = (await officer.get(f"/cases/{seen['case_id']}/timeline?limit=200"))["items"]
    assert "referral.arrived" not in {line["kind"] for line in lines}


async def test_the_alarm_ends_where_she_takes_her_consent_back(world: World) -> None:
    officer, nurse, issued = await sent(world)
    await nurse.post(f"/referrals/{issued['id']}/arrive", {"feedback": True})
    await nurse.post(f"/referrals/{issued['id']}/not-here")
    await world.settle()
    assert await alarms(officer, issued) == ["came_in_error"]
    case_id = (await at(officer, issued))["case_id"]
    given = next(one for one in (await officer.get(f"/cases/{case_id}/consents"))["items"] if one["recipient"] == "health")
    await officer.take_back(case_id, given)
    assert await alarms(officer, issued) == []


async def test_a_late_yes_is_told_of_her_coming_and_never_of_the_other_ones(world: World) -> None:
    _officer, nurse, issued = await sent(world)
    of = f"/referrals/{issued['id']}"
    await nurse.post(f"{of}/arrive")
    await nurse.post(f"{of}/not-here")
    await nurse.post(f"{of}/arrive")
    await nurse.post(f"{of}/close", {"outcome_code": "served", "feedback": True})
    async with world["health"].database.read() as tx:
        query = select(Activity).where(col(Activity.kind) == "referral.arrived").order_by(col(Activity.position))
        assert [line.event_id is not None for line in (await tx.session.execute(query)).scalars()] == [False, True]


async def test_a_page_that_was_left_open_keeps_no_care_of_another_one(world: World) -> None:
    _officer, nurse, issued = await sent(world)
    of = f"/referrals/{issued['id']}"
    await nurse.post(f"{of}/arrive")
    await nurse.post(f"{of}/not-here")
    refused = await nurse.ask("POST", f"{of}/care", {"care": "pep", "result": "given"}, **{"Idempotency-Key": str(UUID(int=7))})
    assert (refused.status_code, "Nobody is here on this request" in refused.json()["detail"]) == (409, True)
    assert (await nurse.get(f"{of}/care"))["items"] == []
