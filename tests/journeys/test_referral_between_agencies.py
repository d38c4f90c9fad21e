"""A referral between agencies, through their APIs and over lines that a test carries: what each end sees, and what none may."""

import json
import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import PLACES, Desk, Refused, World, consent, open_case, refer
from sqlalchemy import and_, select
from sqlmodel import col

from shared.casework.alarms import watcher
from shared.casework.alarms.commands import climb, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.tables import ReferralFact
from shared.contracts.casework import events
from shared.contracts.casework.codes import PROVIDED_BY, AgencyKind, Role, Urgency
from shared.exchange.tables import InboxRow, ReceivedSlot
from shared.kit.db import Transaction
from shared.kit.ids import new_id

SENT_FROM = "police/ndola_central_vsu"


async def desks(world: World) -> dict[str, Desk]:
    return {a: await agency.sign_in("one", facility=PLACES[a][0]) for a, agency in world.agencies.items()}


async def at(desk: Desk, referral: Any) -> Any:
    return await desk.get(f"/referrals/{referral['id']}")


async def test_a_referral_goes_to_the_clinic_and_back_and_is_signed_for(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "needs", "type", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    assert (sent["status"], sent["sent_at"], sent["delivered_at"]) == ("issued", None, None)
    await world.settle()
    issued = await at(desk["police"], sent)
    assert issued["sent_at"]
    assert issued["delivered_at"]
    got = await at(desk["health"], sent)
    assert got["content"]["needs"]["language"] == "bem"
    assert got["content"]["incident_class"] == "rape"
    assert {w["care"] for w in got["content"]["windows"]} >= {"pep", "emergency_contraception"}
    for move, body in (
        ("acknowledge", {}),
        ("accept", {}),
        ("arrive", {"feedback": True}),
        ("start", {}),
        ("close", {"outcome_code": "served"}),
    ):
        await desk["health"].post(f"/referrals/{sent['id']}/{move}", body)
    await world.settle()
    closed = await at(desk["police"], sent)
    assert (closed["status"], closed["outcome_code"], closed["fhir_status"]) == ("closed", "served", "completed")
    assert all(closed[f"{step}_at"] for step in ("acknowledged", "accepted", "arrived", "in_service", "ended"))


async def test_nothing_leaves_that_she_did_not_say_yes_to(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    content = (await at(desk["health"], sent))["content"]
    assert not {"needs", "incident_class", "given", "safety", "relay"} & content.keys()


async def test_without_consent_nothing_is_sent_and_the_missing_one_is_named(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    with pytest.raises(Refused) as refused:
        await refer(desk["police"], case_id, incident_id, "health")
    assert refused.value.status == 422
    assert refused.value.problem["consent"] == {"recipient": "health", "item": "req"}
    assert (await desk["police"].get("/referrals"))["items"] == []


async def test_without_feedback_the_desk_learns_of_no_arrival_and_no_outcome(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    await desk["health"].post(f"/referrals/{sent['id']}/arrive")
    await desk["health"].post(f"/referrals/{sent['id']}/close", {"outcome_code": "served"})
    await world.settle()
    seen = await at(desk["police"], sent)
    assert (seen["status"], seen["arrived_at"], seen["outcome_code"]) == ("accepted", None, None)
    timeline = json.dumps((await desk["police"].get(f"/cases/{case_id}/timeline"))["items"])
    assert "arrived" not in timeline
    world.clock.advance(timedelta(days=7, hours=1))
    await world["health"].watcher.tick()
    await world.settle()
    seen = await at(desk["police"], sent)
    assert seen["no_feedback"]
    assert seen["status"] == "accepted"


async def test_a_late_yes_tells_what_was_kept_back_with_its_original_times(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    came = world.clock.now()
    await desk["health"].post(f"/referrals/{sent['id']}/arrive")
    world.clock.advance(timedelta(hours=2))
    await desk["health"].post(f"/referrals/{sent['id']}/close", {"outcome_code": "served", "feedback": True})
    await world.settle()
    seen = await at(desk["police"], sent)
    assert seen["status"] == "closed"
    assert seen["arrived_at"] == came.isoformat().replace("+00:00", "Z")


async def test_a_referral_that_has_not_left_is_cancelled_by_the_desk_alone(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    cancelled = await desk["police"].post(f"/referrals/{sent['id']}/cancel", {"reason_code": "entered_in_error"})
    assert cancelled["status"] == "cancelled"
    await world.settle()
    assert (await desk["health"].get("/referrals"))["items"] == []
    assert (await desk["health"].get("/cases"))["items"] == []


async def test_a_cancel_after_acceptance_is_answered_by_a_person(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    await desk["health"].post(f"/referrals/{sent['id']}/accept")
    await desk["police"].post(f"/referrals/{sent['id']}/cancel", {"reason_code": "she_changed_her_mind"})
    await world.settle()
    assert (await at(desk["health"], sent))["cancel_pending"]
    await desk["health"].post(f"/referrals/{sent['id']}/refuse-cancel")
    await world.settle()
    seen = await at(desk["police"], sent)
    assert (seen["status"], seen["cancel_pending"]) == ("accepted", False)
    await desk["police"].post(f"/referrals/{sent['id']}/cancel", {"reason_code": "she_changed_her_mind"})
    await world.settle()
    await desk["health"].post(f"/referrals/{sent['id']}/confirm-cancel")
    await world.settle()
    assert (await at(desk["police"], sent))["status"] == "cancelled"


async def test_consent_taken_back_acts_at_once_on_both_ends_and_stops_what_comes_later(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    given = await consent(desk["police"], case_id, "health", "needs", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    await desk["health"].post(f"/referrals/{sent['id']}/accept")
    await desk["police"].post(f"/referrals/{sent['id']}/set-out", {"mode": "car", "escort": "officer"})
    assert (await desk["police"].take_back(case_id, given))["taken_back_at"]
    assert (await at(desk["police"], sent))["status"] == "cancelled"
    await world.settle()
    theirs = await at(desk["health"], sent)
    assert (theirs["status"], theirs["reason_code"], theirs["content"]) == ("cancelled", "consent_taken_back", None)
    assert theirs["set_out_at"] is None  # blanked before it left
    with pytest.raises(Refused) as refused:
        await refer(desk["police"], case_id, incident_id, "health")
    assert refused.value.status == 422


async def test_the_social_worker_follows_the_case_across_agencies(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "needs", "fb")
    await consent(desk["police"], case_id, "social_welfare", "needs", "prog")
    to_clinic = await refer(desk["police"], case_id, incident_id, "health")
    to_office = await refer(desk["police"], case_id, incident_id, "social_welfare", urgency="urgent")
    await world.settle()
    office_case = (await at(desk["social_welfare"], to_office))["case_id"]
    await desk["social_welfare"].post("/subscriptions", {"case_id": office_case})
    await desk["health"].post(f"/referrals/{to_clinic['id']}/accept")
    progress = await desk["police"].post(f"/cases/{case_id}/progress", {"code": "hearing_date", "on_date": "2026-03-01"})
    assert progress["told"] == ["social_welfare"]
    silent = await desk["police"].post(f"/cases/{case_id}/progress", {"code": "suspect_known"})
    assert silent["told"] == []
    await world.settle()
    kinds = [line["kind"] for line in (await desk["social_welfare"].get("/updates"))["items"]]
    assert "case.progress" in kinds
    lines = (await desk["social_welfare"].get(f"/cases/{office_case}/timeline?limit=200"))["items"]
    assert ("police", "circle.referral_progress", "accepted") in {(x["agency"], x["kind"], x["detail"].get("state")) for x in lines}
    assert "suspect_known" not in json.dumps(lines)
    classes = {tuple(x["detail"]["services"]) for x in lines if x["kind"] == "circle.referral_progress"}
    assert classes == {tuple(sorted(PROVIDED_BY[AgencyKind.HEALTH]))}  # the class of service, never what was asked for
    assert (await desk["health"].get("/cases"))["items"][0]["id"] not in json.dumps(lines)


async def heard(world: World, agency: str) -> list[tuple[str, str]]:
    """What an agency was told, with what became of it, in the order of its streams."""
    async with world[agency].database.read() as tx:
        slot = (col(ReceivedSlot.sender) == col(InboxRow.sender), col(ReceivedSlot.event_id) == col(InboxRow.event_id))
        query = select(col(InboxRow.type), col(InboxRow.state)).join(ReceivedSlot, and_(*slot))
        return [(kind, state) for kind, state in await tx.session.execute(query.order_by(col(ReceivedSlot.seq)))]


async def test_a_member_is_told_who_tells_it_before_it_is_told_anything_else(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "social_welfare", "prog")
    await desk["police"].post(f"/cases/{case_id}/progress", {"code": "statement_taken"})  # nobody was sent anything yet
    await world.settle()
    assert await heard(world, "social_welfare") == [("circle.announced", "applied"), ("case.progress", "applied")]
    await consent(desk["police"], case_id, "health")
    await desk["police"].post(f"/cases/{case_id}/progress", {"code": "charged"})
    await world.settle()
    assert await heard(world, "health") == []  # to tell one member something tells nobody who is only being thought about
    await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    told = [("case.progress", "applied"), ("circle.announced", "applied"), ("circle.referral_progress", "applied")]
    assert (await heard(world, "social_welfare"))[2:] == told


async def test_a_member_knows_who_tells_it_though_the_first_announcement_was_never_opened(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    first = await consent(desk["police"], case_id, "social_welfare", "prog")
    await refer(desk["police"], case_id, incident_id, "social_welfare")
    await world["police"].flush()  # numbered: it cannot be blanked any more
    await consent(desk["police"], case_id, "social_welfare", "prog")
    await desk["police"].take_back(case_id, first)
    await world["police"].flush()
    line = world["police"].line
    taken_back = max(line, key=lambda record: record.position if record.is_express else 0)
    await world["social_welfare"].hear("police", [taken_back.envelope])  # by the other topic, before what it takes back
    await desk["police"].post(f"/cases/{case_id}/progress", {"code": "statement_taken"})
    await world.settle()
    states = await heard(world, "social_welfare")
    assert ("circle.announced", "tombstoned") in states
    assert states[-1] == ("case.progress", "applied")
    assert "parked" not in dict(states).values()


async def test_each_agency_can_issue_and_receive(world: World) -> None:
    desk = await desks(world)
    case = await desk["health"].post("/cases", {"needs": {"age_band": "25-49", "sex": "female", "language": "en"}})
    await consent(desk["health"], case["id"], "police", "needs")
    await consent(desk["health"], case["id"], "social_welfare", "needs")
    to_police = await refer(desk["health"], case["id"], None, "police", urgency="routine")
    to_office = await refer(desk["health"], case["id"], None, "social_welfare", urgency="routine")
    await world.settle()
    await desk["police"].post(f"/referrals/{to_police['id']}/accept")
    await desk["social_welfare"].post(f"/referrals/{to_office['id']}/acknowledge")
    await world.settle()
    assert (await at(desk["health"], to_police))["status"] == "accepted"
    assert (await at(desk["health"], to_office))["status"] == "acknowledged"


async def test_doubled_and_shuffled_lines_change_nothing(world: World) -> None:
    desk, chance = await desks(world), random.Random(7)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await desk["police"].post(f"/referrals/{sent['id']}/set-out", {"mode": "car", "escort": "officer"})
    await desk["police"].post(f"/referrals/{sent['id']}/told-by-phone", {"post": "duty_nurse"})
    await world.deliver("police", "health", chance=chance)
    await world["health"].inbox.sweep()
    for move in ("acknowledge", "accept", "hold", "resume"):
        await desk["health"].post(f"/referrals/{sent['id']}/{move}")
    await desk["health"].post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    await world.deliver("health", "police", chance=chance)
    await world.settle()
    here, there = await at(desk["police"], sent), await at(desk["health"], sent)
    assert here["status"] == there["status"] == "arrived"
    kinds = [
        x["kind"] for x in (await desk["police"].get(f"/cases/{case_id}/timeline?limit=200"))["items"] if x["agency"] == "health"
    ]
    assert kinds == [f"referral.{k}" for k in ("acknowledged", "accepted", "on_hold", "resumed", "arrived")]


async def test_arrival_by_code_without_one_and_matched_later(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    assert (await desk["health"].post("/arrivals", {"code": "no such"}))["matched"] is False
    hospital = await world["health"].sign_in("doctor", facility="ndola_hospital")
    came = await hospital.post("/arrivals", {"code": sent["arrival_code"]})
    assert not came["matched"]  # it is open at another door: who sent her, and when?
    said = {"code": sent["arrival_code"], "sent_from": SENT_FROM, "sent_on": "2026-01-05", "feedback": True}
    came = await hospital.post(f"/arrivals/{came['arrival_id']}/match", said)
    assert came["referral"]["facility"] == "ndola_hospital"
    second = await desk["police"].post(
        f"/cases/{case_id}/incidents",
        {"incident_type": "physical_assault", "earliest_at": "2026-01-05T06:00:00Z", "latest_at": "2026-01-05T06:00:00Z"},
    )
    again = await refer(desk["police"], case_id, second["id"], "health")
    await world.settle()
    walk_in = await desk["health"].post("/arrivals")
    assert not walk_in["matched"]
    matched = await desk["health"].post(f"/arrivals/{walk_in['arrival_id']}/match", {"referral_id": again["id"]})
    assert matched["referral"]["status"] == "arrived"


async def test_guessing_arrival_codes_is_stopped(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    wrong = "000000" if sent["arrival_code"] != "000000" else "000001"
    for _ in range(5):
        came = await desk["health"].post("/arrivals", {"code": wrong})
        assert not came["matched"]
        assert came["arrival_id"]  # she is at the door all the same
    late = await desk["health"].post("/arrivals", {"code": sent["arrival_code"]})
    assert not late["matched"]  # no further code is looked up for a while, and nobody is turned away
    assert late["arrival_id"]
    world.clock.advance(timedelta(minutes=16))
    assert (await desk["health"].post("/arrivals", {"code": sent["arrival_code"]}))["matched"]


async def test_an_arrival_by_code_after_the_end_is_kept_and_told(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    await desk["police"].post(f"/referrals/{sent['id']}/cancel", {"reason_code": "no_longer_needed"})
    await world.settle()
    came = await desk["health"].post("/arrivals", {"code": sent["arrival_code"]})
    said = {"code": sent["arrival_code"], "sent_from": SENT_FROM, "sent_on": "2026-01-05", "feedback": True}
    assert (await desk["health"].post(f"/arrivals/{came['arrival_id']}/match", said))["matched"]
    await world.settle()
    assert "came_after_the_end" in {a["kind"] for a in (await desk["health"].get("/alarms"))["items"]}
    lines = (await desk["police"].get(f"/cases/{case_id}/timeline?limit=200"))["items"]
    assert "referral.came_without_referral" in {line["kind"] for line in lines}


async def test_an_older_consent_never_revives(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "needs", "type", "fb")
    narrower = await consent(desk["police"], case_id, "health")
    await desk["police"].take_back(case_id, narrower)
    with pytest.raises(Refused) as refused:
        await refer(desk["police"], case_id, incident_id, "health")
    assert refused.value.status == 422


async def test_what_was_told_under_a_consent_is_blanked_when_it_is_taken_back(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    given = await consent(desk["police"], case_id, "health", "needs")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    theirs = await at(desk["health"], sent)
    assert (await desk["health"].get(f"/cases/{theirs['case_id']}"))["needs"]
    await desk["police"].take_back(case_id, given)
    await world.settle()
    assert (await desk["health"].get(f"/cases/{theirs['case_id']}"))["needs"] is None


async def test_how_she_travels_is_blanked_in_the_story_when_consent_is_taken_back(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    given = await consent(desk["police"], case_id, "health", "needs")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await desk["police"].post(f"/referrals/{sent['id']}/set-out", {"mode": "car", "escort": "alone"})
    await world.settle()
    way = select(col(ReferralFact.data)).where(col(ReferralFact.type) == events.SetOut.type)
    async with world["health"].database.read() as tx:
        assert [data["mode"] for data in (await tx.session.execute(way)).scalars()] == ["car"]
    await desk["police"].take_back(case_id, given)
    await world.settle()
    async with world["health"].database.read() as tx:
        assert (await tx.session.execute(way)).scalars().all() == [{}]
    async with world["health"].database.write() as tx:
        referral = await story.lock(tx, UUID(sent["id"]))
        assert referral is not None
        await story.refold(tx, world["health"].here, referral)  # what a restore reads is all there
        assert story.standing_of(referral).consent_taken_back


async def test_an_alarm_moves_with_its_referral_and_returns_when_nothing_changed(world: World) -> None:
    desk = await desks(world)
    hospital = await world["health"].sign_in("doctor", facility="ndola_hospital")
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    world.clock.advance(timedelta(hours=2))
    await world["health"].watcher.tick()
    (alarm,) = [a for a in (await desk["health"].get("/alarms"))["items"] if a["kind"] == "unacknowledged"]
    await desk["health"].post(f"/alarms/{alarm['id']}/resolve", {"note": "somebody looks"})
    world.clock.advance(timedelta(minutes=31))
    await world["health"].watcher.tick()
    assert "unacknowledged" in {a["kind"] for a in (await desk["health"].get("/alarms"))["items"]}
    await desk["health"].post(f"/referrals/{sent['id']}/redirect", {"to_facility": "ndola_hospital"})
    await world["health"].watcher.tick()
    assert "unacknowledged" in {a["kind"] for a in (await hospital.get("/alarms"))["items"]}
    assert "unacknowledged" not in {a["kind"] for a in (await desk["health"].get("/alarms"))["items"]}


async def test_how_she_travels_is_not_told_where_the_table_does_not_list_it(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["health"])
    await consent(desk["health"], case_id, "police", "needs")
    sent = await refer(desk["health"], case_id, incident_id, "police")
    await world.settle()
    await desk["health"].post(f"/referrals/{sent['id']}/set-out", {"mode": "car", "escort": "alone"})
    await world.settle()
    assert (await at(desk["police"], sent))["set_out_at"] is None


async def test_alarms_climb_the_ladder_survive_a_restart_and_clear_by_themselves(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    world.clock.advance(timedelta(minutes=6))
    await world["police"].watcher.tick()
    (alarm,) = (await desk["police"].get("/alarms"))["items"]
    assert (alarm["kind"], alarm["post"], alarm["level"]) == ("undelivered", "duty_officer", 0)
    world.clock.advance(timedelta(minutes=31))
    await type(world["police"].watcher)(world["police"].database, world["police"].here).tick()  # a restarted one
    (alarm,) = (await desk["police"].get("/alarms"))["items"]
    assert (alarm["post"], alarm["level"]) == ("vsu_inspector", 1)
    await desk["police"].post(f"/alarms/{alarm['id']}/take")
    world.clock.advance(timedelta(hours=5))
    await world["police"].watcher.tick()
    by_kind = {a["kind"]: a for a in (await desk["police"].get("/alarms"))["items"]}
    assert by_kind["undelivered"]["level"] == 1
    assert by_kind["unacknowledged"]["level"] == 1  # whose care is a matter of hours: past the hour no officer is waited for
    await world.settle()
    assert [(await at(desk[one], sent))["status"] for one in ("police", "health")] == ["issued"] * 2  # no alarm ends anything
    await desk["health"].post(f"/referrals/{sent['id']}/accept")
    await world.settle()
    await world["police"].watcher.tick()
    assert (await desk["police"].get("/alarms"))["items"] == []
    assert (await at(desk["police"], sent))["flags"] == []


async def test_when_every_window_and_every_clock_is_over_it_is_open_still_and_she_is_cared_for(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health", "type", "fb")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    windows = (await at(desk["health"], sent))["content"]["windows"]
    assert windows
    last = max(datetime.fromisoformat(one["until"]) for one in windows)
    for day in (1, 30, 90):
        world.clock.advance(last + timedelta(days=day) - world.clock.now())
        desk = {kind: await world[kind].sign_in(f"{kind}-{day}") for kind in ("police", "health")}
        for kind in desk:
            await world[kind].watcher.tick()
        await world.settle()
        assert [(await at(desk[kind], sent))["status"] for kind in desk] == ["issued"] * 2
    for move, more in (("arrive", {"feedback": True}), ("start", {}), ("close", {"outcome_code": "served"})):
        await desk["health"].post(f"/referrals/{sent['id']}/{move}", more)
    await world.settle()
    assert (await at(desk["police"], sent))["status"] == "closed"


async def test_many_alarms_climb_page_by_page_and_one_that_cannot_holds_nobody_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "CLIMB_BATCH", 2)
    police, chief = world["police"], await world["police"].sign_in("chief", Role.SUPERVISOR)
    async with police.database.write() as tx:
        for number in range(5):
            await raise_alarm(tx, police.here, f"kind_{number}", new_id(), "ndola_central_vsu", Urgency.ACUTE)
    world.clock.advance(timedelta(minutes=31))
    climbing, pages = police.watcher._climbing, []

    async def page_of(after: UUID | None) -> list[UUID]:
        pages.append(found := await climbing(after))
        return found

    async def fail_one(tx: Transaction, here: Here, alarm: Alarm, urgency: Urgency) -> None:
        if alarm.kind == "kind_1":
            raise ZeroDivisionError
        await climb(tx, here, alarm, urgency)

    monkeypatch.setattr(police.watcher, "_climbing", page_of)
    monkeypatch.setattr(watcher, "climb", fail_one)
    await police.watcher.tick()
    levels = {alarm["kind"]: alarm["level"] for alarm in (await chief.get("/alarms"))["items"]}
    assert levels == {"kind_0": 1, "kind_1": 0, "kind_2": 1, "kind_3": 1, "kind_4": 1}
    assert [len(found) for found in pages] == [2, 2, 1, 0]


async def test_declining_an_acute_referral_without_a_next_place_alarms_the_clinic(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    await desk["health"].post(f"/referrals/{sent['id']}/decline", {"reason_code": "no_staff"})
    assert [a["kind"] for a in (await desk["health"].get("/alarms"))["items"]] == ["declined_without_next_place"]
    await world.settle()
    assert (await at(desk["police"], sent))["status"] == "declined"


async def test_a_suggestion_is_issued_elsewhere_and_asks_the_first_one_back(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health")
    await consent(desk["police"], case_id, "social_welfare")
    first = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    await desk["health"].post(f"/referrals/{first['id']}/suggest", {"to_agency": "social_welfare"})
    await world.settle()
    assert (await at(desk["police"], first))["status"] == "issued"
    await refer(desk["police"], case_id, incident_id, "social_welfare", in_place_of=first["id"])
    await world.settle()
    assert (await at(desk["police"], first))["status"] == (await at(desk["health"], first))["status"] == "cancelled"


async def test_redirecting_moves_it_to_another_desk_of_the_agency(world: World) -> None:
    desk = await desks(world)
    case_id, incident_id = await open_case(desk["police"])
    await consent(desk["police"], case_id, "health")
    sent = await refer(desk["police"], case_id, incident_id, "health")
    await world.settle()
    await desk["health"].post(f"/referrals/{sent['id']}/redirect", {"to_facility": "ndola_hospital"})
    hospital = await world["health"].sign_in("doctor", facility="ndola_hospital")
    assert [r["id"] for r in (await hospital.get("/referrals?direction=in"))["items"]] == [sent["id"]]
    with pytest.raises(Refused) as refused:
        await at(desk["health"], sent)
    assert refused.value.status == 404
    await world.settle()
    assert (await at(desk["police"], sent))["facility"] == "ndola_hospital"
