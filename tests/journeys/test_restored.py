"""Yesterday's backup: what peers hold comes home, what they said comes again, and referrals end as if nothing had been lost."""

import asyncio
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, Refused, World, consent, open_case, refer
from schema import sqlite_at_head
from sqlalchemy import insert, select, update
from sqlmodel import col

from shared.casework.cases.tables import Case
from shared.casework.circles.commands import note_off
from shared.casework.circles.tables import Progress
from shared.casework.consents.tables import Consent
from shared.casework.homecoming import SAID_AGAIN_WITHIN
from shared.casework.lines.recovery import recovery_of
from shared.casework.referrals import story
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import events
from shared.contracts.casework.codes import Role
from shared.exchange.inbox import lay_tombstone
from shared.exchange.incarnations import open_incarnation
from shared.exchange.registry import Returned
from shared.exchange.tables import InboxRow, InboxState, ReceivedHead
from shared.kit.ids import new_id


@pytest.fixture
async def town(tmp_path: Path) -> World:
    agencies = ("police", "health", "social_welfare")
    return await World.make({one: await asyncio.to_thread(sqlite_at_head, tmp_path / f"{one}.db", one) for one in agencies})


async def stands(world: World, agency: str, referral_id: str) -> dict:
    desk = await world[agency].sign_in(f"eyes_{world.clock.now().timestamp():.0f}_{len(world[agency].line)}_{referral_id[-4:]}")
    return await desk.get(f"/referrals/{referral_id}")


SAME = (
    "status",
    "issued_at",
    "acknowledged_at",
    "accepted_at",
    "arrived_at",
    "services",
    "urgency",
    "to_facility",
    "from_facility",
)


async def sent_to_the_clinic(town: World) -> tuple[Desk, Desk, dict[str, Any]]:
    """An officer, a nurse, and a request of the one that lies before the other."""
    officer, nurse = await town["police"].sign_in("officer"), await town["health"].sign_in("nurse")
    case, incident = await open_case(officer)
    await consent(officer, case, "health", "needs", "fb")
    sent = await refer(officer, case, incident, "health")
    await town.settle()
    return officer, nurse, sent


async def test_the_desk_is_restored_to_before_it_sent_her(town: World) -> None:
    officer, nurse = await town["police"].sign_in("officer"), await town["health"].sign_in("nurse")
    image = await town.back_up("police")
    case, incident = await open_case(officer)
    await consent(officer, case, "health", "needs", "fb")
    sent = await refer(officer, case, incident, "health")
    await town.settle()
    for step in ("acknowledge", "accept"):
        await nurse.post(f"/referrals/{sent['id']}/{step}")
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    await town.settle()
    before = await officer.get(f"/referrals/{sent['id']}")
    await town.restore("police", image)
    await town.settle_restored()
    after = await stands(town, "police", sent["id"])
    assert {name: after[name] for name in SAME} == {name: before[name] for name in SAME}
    async with town["police"].database.read() as tx:
        view = await recovery_of(tx)
    assert [one.peer for one in view.peers if one.answered_at is None] == []
    assert sum(one.waiting for one in view.peers) == 0
    assert len(view.thin_cases) == 1
    await town.close()


async def test_the_clinic_is_restored_to_before_it_heard_of_her(town: World) -> None:
    officer, nurse = await town["police"].sign_in("officer"), await town["health"].sign_in("nurse")
    image = await town.back_up("health")
    case, incident = await open_case(officer)
    await consent(officer, case, "health", "needs", "fb")
    sent = await refer(officer, case, incident, "health")
    await town.settle()
    await nurse.post(f"/referrals/{sent['id']}/accept")
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    await nurse.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served", "feedback": True})
    await town.settle()
    await town.restore("health", image)
    await town.settle_restored()
    after = await stands(town, "health", sent["id"])
    assert (after["status"], after["arrived_at"] is not None) == ("closed", True)
    assert (await officer.get(f"/referrals/{sent['id']}"))["status"] == "closed"
    await town.close()


async def test_consent_taken_back_wins_over_what_comes_home(town: World) -> None:
    officer = await town["police"].sign_in("officer")
    image = await town.back_up("police")
    case, incident = await open_case(officer)
    given = await consent(officer, case, "health", "needs")
    sent = await refer(officer, case, incident, "health")
    await town.settle()
    await officer.take_back(case, given)
    await town.settle()
    await town.restore("police", image)
    await town.settle_restored()
    with pytest.raises(Refused) as refused:
        await stands(town, "police", sent["id"])
    assert refused.value.status == 404  # its words went with the consent, and nobody can give them back
    again = await town["police"].sign_in("again")
    async with town["police"].database.read() as tx:
        (kept,) = (await tx.session.execute(select(Consent))).scalars()
    assert kept.taken_back_at is not None
    with pytest.raises(Refused) as refused:
        await refer(again, str(kept.case_id), None, "health")
    assert refused.value.status == 422
    assert [a["kind"] for a in (await again.get("/alarms"))["items"] if a["kind"] == "parked"] == []
    await town.close()


async def test_a_hearing_that_was_put_off_comes_home_as_that_and_one_that_was_set_again_stands(town: World) -> None:
    """Two members were told: the second one's copy of an old word takes nothing back that was said since."""
    officer = await town["police"].sign_in("officer")
    image = await town.back_up("police")
    case, incident = await open_case(officer)
    for peer in ("health", "social_welfare"):
        await consent(officer, case, peer, "needs", "prog")
        await refer(officer, case, incident, peer)
    complaint = await officer.post(f"/cases/{case}/complaints", {})

    async def hearing(day: str) -> int:
        town.clock.advance(timedelta(minutes=1))
        found = await officer.post(f"/cases/{case}/complaints/{complaint['id']}/steps", {"code": "hearing_date", "hearing_on": day})
        return int(next(one["step"] for one in found["steps"] if one["hearing_on"] == day))

    async def off(step: int) -> None:
        town.clock.advance(timedelta(minutes=1))
        await officer.post(f"/cases/{case}/hearing-off", {"step": step})

    async def days() -> list[str]:
        async with town["police"].database.read() as tx:
            query = select(col(Progress.on_date), col(Progress.was_on)).where(col(Progress.code) == "hearing_date")
            return [
                f"{on}, was {was}" for on, was in (await tx.session.execute(query.order_by(col(Progress.occurred_at)))).tuples()
            ]

    await off(await hearing("2026-03-01"))
    await off(await hearing("2026-03-02"))
    await hearing("2026-03-01")
    before = await days()
    assert before == ["None, was 2026-03-01", "None, was 2026-03-02", "2026-03-01, was None"]
    await town.settle()
    await town.restore("police", image)
    await town.settle_restored()
    assert await days() == before
    async with town["police"].database.write() as tx:  # once more, as another member's copy of the first would say it
        (of,) = (await tx.session.execute(select(col(Case.id)))).scalars()
        first = select(col(Progress.off_occurred_at)).where(col(Progress.off_occurred_at).is_not(None))
        at = (await tx.session.execute(first.order_by(col(Progress.occurred_at)).limit(1))).scalar_one()
        assert at is not None
        await note_off(tx, of, "police", date(2026, 3, 1), at)
    assert await days() == before


async def test_what_was_cancelled_before_it_left_is_not_sent_by_a_restored_desk(town: World) -> None:
    officer = await town["police"].sign_in("officer")
    case, incident = await open_case(officer)
    await consent(officer, case, "health", "needs", "fb")
    sent = await refer(officer, case, incident, "health")
    image = await town.back_up("police")
    await officer.post(f"/referrals/{sent['id']}/cancel", {"reason_code": "sent_elsewhere"})
    await town.settle()  # its blank place is signed for
    await town.restore("police", image)
    officer = await town["police"].sign_in("officer_again")
    assert (await officer.get(f"/referrals/{sent['id']}"))["status"] == "issued"
    for word in ("told-by-phone", "set-out"):  # what the desk may say before it knows better
        body = {"post": "duty_nurse"} if word == "told-by-phone" else {"mode": "on_foot", "escort": "alone"}
        await officer.post(f"/referrals/{sent['id']}/{word}", body)
    await town.settle_restored()
    assert (await officer.get(f"/referrals/{sent['id']}"))["status"] == "cancelled"
    assert [a["kind"] for a in (await officer.get("/alarms"))["items"] if a["about"] == sent["id"]] == ["never_left"]
    chief = await town["health"].sign_in("chief", Role.SUPERVISOR)
    assert (await chief.get("/referrals"))["items"] == []
    assert (await chief.get("/parked"))["items"] == []
    await town.close()


async def test_while_it_recovers_nothing_is_declined_and_care_goes_on(town: World) -> None:
    officer, nurse, sent = await sent_to_the_clinic(town)
    image = await town.back_up("health")
    await nurse.post(f"/referrals/{sent['id']}/accept")
    await town.settle()
    await town.restore("health", image)
    nurse = await town["health"].sign_in("nurse_again")
    with pytest.raises(Refused) as refused:
        await nurse.post(f"/referrals/{sent['id']}/decline", {"reason_code": "no_place", "next_place": "health/ndola_hospital"})
    assert refused.value.status == 409
    assert "restored" in refused.value.problem["detail"]
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    await town.settle_restored()
    assert (await stands(town, "health", sent["id"]))["status"] == "arrived"
    assert (await officer.get(f"/referrals/{sent['id']}"))["status"] == "arrived"
    await nurse.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served", "feedback": True})
    await town.settle()
    assert (await officer.get(f"/referrals/{sent['id']}"))["status"] == "closed"
    await town.close()


@pytest.mark.parametrize(
    ("restored", "act", "body"),
    [
        ("health", "decline", {"reason_code": "no_place", "next_place": "health/ndola_hospital"}),
        ("health", "close", {"outcome_code": "referred_on"}),
        ("health", "confirm-cancel", {}),
        ("police", "cancel", {"reason_code": "sent_elsewhere"}),
    ],
)
async def test_each_act_that_could_contradict_the_other_end_waits_for_its_word(
    town: World, restored: str, act: str, body: dict[str, str]
) -> None:
    officer, nurse, sent = await sent_to_the_clinic(town)
    await nurse.post(f"/referrals/{sent['id']}/accept")
    await town.settle()
    if act == "confirm-cancel":
        await officer.post(f"/referrals/{sent['id']}/cancel", {"reason_code": "sent_elsewhere"})
        await town.settle()
    image = await town.back_up(restored)
    await town.restore(restored, image)
    desk = await town[restored].sign_in("again")
    before = await desk.get(f"/referrals/{sent['id']}")
    with pytest.raises(Refused) as refused:
        await desk.post(f"/referrals/{sent['id']}/{act}", body)
    assert (refused.value.status, "records were restored" in refused.value.problem["detail"]) == (409, True)
    assert await desk.get(f"/referrals/{sent['id']}") == before
    await town.settle_restored()
    await desk.post(f"/referrals/{sent['id']}/{act}", body)  # nothing else had stood in its way
    await town.close()


async def test_a_request_to_cancel_waits_for_what_the_clinic_had_promised(town: World) -> None:
    officer, nurse, sent = await sent_to_the_clinic(town)
    image = await town.back_up("health")
    await nurse.post(f"/referrals/{sent['id']}/accept")
    await town.settle()
    await town.restore("health", image)
    await officer.post(f"/referrals/{sent['id']}/cancel", {"reason_code": "sent_elsewhere"})
    await town.settle_restored()
    await town["health"].watcher.tick()
    await town.settle()
    there, here = await stands(town, "health", sent["id"]), await officer.get(f"/referrals/{sent['id']}")
    assert (there["status"], here["status"]) == ("accepted", "accepted")  # a person decides: it had been accepted
    await town.close()


async def test_a_request_to_cancel_what_had_ended_untold_is_answered_once_the_clinic_has_recovered(town: World) -> None:
    officer, nurse, sent = await sent_to_the_clinic(town)
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": False})
    await nurse.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served", "feedback": False})
    await town.settle()
    image = await town.back_up("health")
    other, another = await open_case(officer)
    await consent(officer, other, "health")
    await refer(officer, other, another, "health")
    await town.settle()
    await town.restore("health", image)
    await officer.post(f"/referrals/{sent['id']}/cancel", {"reason_code": "sent_elsewhere"})
    await town.settle_restored()
    await town["health"].watcher.tick()
    await town.settle()
    async with town["police"].database.read() as tx:
        asked = story.load((await tx.session.get_one(Referral, UUID(sent["id"]))).standing)
    assert (asked.cancel_pending, asked.undisclosed) == (None, True)
    await town.close()


async def test_a_restore_on_both_sides_at_once_ends_in_agreement(town: World) -> None:
    officer, nurse = await town["police"].sign_in("officer"), await town["health"].sign_in("nurse")
    police, health = await town.back_up("police"), await town.back_up("health")
    case, incident = await open_case(officer)
    await consent(officer, case, "health", "needs", "fb")
    lost = await refer(officer, case, incident, "health")
    await town.settle()
    await nurse.post(f"/referrals/{lost['id']}/accept")
    await town.settle()
    await town.restore("police", police)
    await town.restore("health", health)
    await town.settle_restored()
    for agency in ("police", "health"):
        desk = await town[agency].sign_in(f"after_{agency}")
        with pytest.raises(Refused) as refused:
            await desk.get(f"/referrals/{lost['id']}")
        assert refused.value.status == 404
        async with town[agency].database.read() as tx:
            assert all(one.answered_at is not None for one in (await recovery_of(tx)).peers)
    await town.close()


async def test_a_recovery_ends_where_she_took_her_consent_back_since(town: World) -> None:
    officer, nurse = await town["police"].sign_in("officer"), await town["health"].sign_in("nurse")
    image = await town.back_up("health")
    case, incident = await open_case(officer)
    given = await consent(officer, case, "health", "needs", "fb")
    sent = await refer(officer, case, incident, "health")
    await town.settle()
    await nurse.post(f"/referrals/{sent['id']}/accept")
    await town.settle()
    await town.restore("health", image)
    await officer.take_back(case, given)
    await town.settle_restored()
    with pytest.raises(Refused) as refused:
        await stands(town, "health", sent["id"])
    assert refused.value.status == 404  # what is said again under a consent that is over opens nothing
    async with town["health"].database.read() as tx:
        view = await recovery_of(tx)
    assert [one.peer for one in view.peers if one.answered_at is None] == []
    assert sum(one.waiting for one in view.peers) == 0
    await town.close()


@pytest.mark.parametrize("because", ["its consent was taken back", "its first word was blank", "it has not come again yet"])
async def test_a_word_of_ours_waits_only_for_a_referral_that_may_still_come(world: World, because: str) -> None:
    clinic, now, referral, agreed = world["health"], world.clock.now(), new_id(), new_id()
    word = Returned(new_id(), events.Accepted.type, events.Accepted.version, referral, now, now, agreed, {})
    async with clinic.database.write() as tx:
        if because == "its consent was taken back":
            await lay_tombstone(tx, "police", agreed)
        elif because == "its first word was blank":
            row = {"sender": "police", "event_id": new_id(), "subject": referral, "type": events.ReferralIssued.type}
            await tx.session.execute(
                insert(InboxRow).values(**row, dataversion=1, state=InboxState.WITHHELD, received_at=now, settled_at=now)
            )
        waits = await clinic.hooks.came_home("police", [word], tx)
    assert waits == ({word.id} if because == "it has not come again yet" else set())


async def test_a_word_about_a_referral_that_both_ends_lost_waits_for_nothing(world: World) -> None:
    clinic, now = world["health"], world.clock.now()
    async with clinic.database.write() as tx:
        await open_incarnation(tx, ["police"], "restored")
    asked = Returned(new_id(), events.CancelRequested.type, 1, new_id(), now, now, new_id(), {"reason_code": "duplicate"})
    answered = Returned(new_id(), events.Accepted.type, 1, new_id(), now, now, new_id(), {})
    async with clinic.database.write() as tx:
        assert await clinic.hooks.came_home("police", [asked, answered], tx) == {answered.id}
    world.clock.advance(SAID_AGAIN_WITHIN)
    head = {"sender": "police", "incarnation": new_id(), "upto": 1, "held": 1, "frontier": b"", "highest": 1, "announced": 2}
    async with clinic.database.write() as tx:
        await tx.session.execute(insert(ReceivedHead).values(**head))
        assert await clinic.hooks.came_home("police", [answered], tx) == {answered.id}  # the desk has more to say
        await tx.session.execute(update(ReceivedHead).values(upto=2))
        assert await clinic.hooks.came_home("police", [answered], tx) == set()


async def test_after_a_restore_the_law_opens_no_more_than_before(town: World) -> None:
    officer = await town["police"].sign_in("officer")
    image = await town.back_up("police")
    case, incident = await open_case(officer)
    by_law = {"basis": "legal_basis", "legal_duty": "child_protection_law", "how": "spoken", "language": "bem"}
    told = {"recipient": "social_welfare", "purpose": "protection", "items": ["req"], **by_law}
    await officer.post(f"/cases/{case}/consents", told)
    sent = await refer(officer, case, incident, "social_welfare", services=["child_protection"])
    await town.settle()
    await town.restore("police", image)
    await town.settle_restored()
    officer = await town["police"].sign_in("officer_2")
    case = (await officer.get(f"/referrals/{sent['id']}"))["case_id"]
    async with town["police"].database.read() as tx:
        (kept,) = (await tx.session.execute(select(Consent))).scalars()
    assert (kept.basis, kept.legal_duty) == ("legal_basis", "child_protection_law")
    with pytest.raises(Refused, match="what the law asks for"):
        await refer(officer, case, None, "social_welfare")
    await town.close()


async def test_consents_that_were_put_back_are_listed_like_any_other(town: World) -> None:
    officer = await town["police"].sign_in("officer")
    image = await town.back_up("police")
    case, incident = await open_case(officer)
    to_clinic = await consent(officer, case, "health", "needs")
    to_office = await consent(officer, case, "social_welfare")
    await refer(officer, case, incident, "health")
    await refer(officer, case, incident, "social_welfare")
    await town.settle()
    await officer.take_back(case, to_office)
    await town.settle()
    await town.restore("police", image)
    await town.settle_restored()
    desk = await town["police"].sign_in("eyes")
    (put_back,) = (await desk.get("/cases"))["items"]
    listed = (await desk.get(f"/cases/{put_back['id']}/consents"))["items"]
    assert {one["id"]: one["taken_back_at"] is not None for one in listed} == {to_clinic["id"]: False, to_office["id"]: True}
    first = await desk.get(f"/cases/{put_back['id']}/consents?limit=1")
    rest = await desk.get(f"/cases/{put_back['id']}/consents?limit=1&cursor={first['next_cursor']}")
    assert len({one["id"] for page in (first, rest) for one in page["items"]}) == 2
    await town.close()
