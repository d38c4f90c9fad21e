"""What agencies count of their programme's measures: each from records that were made through the API, at the end that knows it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, Refused, World, consent, open_case, refer
from box import BATCH, CLINIC, STATION, came, certified, count, give, stock
from counting import YEAR, Seen, lead, of_all, seen
from hotline import CALL, HUYE, HUYE_2, LATE, NYANZA, on_duty, room, with_hotline
from sqlalchemy import func, select
from sqlmodel import col

from shared.casework.accounts.tables import CaseRead
from shared.casework.cases.tables import Case
from shared.casework.consents.her_own import Caregiver, StandIn, keep_childs_word
from shared.casework.figures.words import DURATIONS
from shared.casework.here import Actor
from shared.casework.paper.commands import SheetKind, print_sheets
from shared.casework.paper.tables import Sheet
from shared.casework.referrals.tables import Referral, WalkIn
from shared.contracts.casework.codes import Role, Ternary
from shared.kit.ids import new_id
from shared.programmes.indicators import Duration
from shared.programmes.tallies import Counted

ACUTE = "referrals_acknowledged_in_time"


async def looks(world: World) -> int:
    found = 0
    for agency in world.agencies.values():
        async with agency.database.read() as tx:
            found += (await tx.session.execute(select(func.count()).select_from(CaseRead))).scalar_one()
    return found


async def sent(world: World, desk: Desk, hours: float = 20, *items: str, **more: Any) -> tuple[str, str, str]:
    """A case that was sent to the clinic: (case, incident, referral)."""
    case_id, incident_id = await came(world, desk, hours)
    await consent(desk, case_id, "health", "needs", *items)
    return case_id, incident_id, (await refer(desk, case_id, incident_id, "health", **more))["id"]


async def test_reports_the_rate_of_referral_and_her_no(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    await sent(world, desk)
    again, first, _referral = await sent(world, desk)
    at = (world.clock.now() - timedelta(hours=2)).isoformat()
    second = (await desk.post(f"/cases/{again}/incidents", {"incident_type": "rape", "earliest_at": at, "latest_at": at}))["id"]
    await refer(desk, again, second, "health")
    alone, _incident = await came(world, desk)  # and is not referred
    other = (await desk.post("/cases", {"facility": STATION}))["id"]
    await desk.post(f"/cases/{other}/incidents", {"incident_type": "denial_of_resources"})  # nobody knows when
    left_out, _incident, _referral = await sent(world, desk)
    async with world["police"].database.write() as tx:
        (await tx.session.get_one(Case, UUID(left_out))).not_counted = True  # as she has said
    before = await looks(world)
    found = await seen(await lead(world["police"]))
    assert {name: found(name, STATION) for name in (
        "reports", "reports_sexual_violence", "cases_sexual_violence", "cases_referred_to_health", "referrals_issued",
        "health_offered", "health_declined_by_her", "acute_consented", "referrals_from_specialists",
    )} == {
        "reports": 5, "reports_sexual_violence": 4, "cases_sexual_violence": 3, "cases_referred_to_health": 2,
        "referrals_issued": 3, "health_offered": 2, "health_declined_by_her": 0, "acute_consented": 3,
        "referrals_from_specialists": 3,
    }  # fmt: skip
    # There is no desk here that is not specialised, so that their share is not nought: an alarm would stand for ever.
    assert "referrals_from_others" not in {row["measure"] for row in found.answer["counts"]}
    assert found.hours("report_delay") == found.hours("sexual_report_delay") == [2.0, 20.0, 20.0, 20.0]
    indicators, counted = world["police"].here.programme.indicators, Counted([found.answer])
    assert [indicators[name].value(counted) for name in ("care_offered", "care_declined", "reported_3d", "reported_5d")] == [
        2,
        0,
        1,
        0,
    ]
    assert await looks(world) == before, "nobody was shown a case"
    assert first
    await consent(desk, alone, "health", "needs")
    await refer(desk, alone, None, "health")  # for the case as a whole, as a program may
    found = await seen(await lead(world["police"]))
    assert (found("cases_sexual_violence"), found("cases_referred_to_health", STATION)) == (3, 3)


async def test_who_could_not_be_asked_is_in_neither_half_of_the_share_that_came_in_time(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, CLINIC)
    case_id, incident_id = await open_case(desk)
    vital = {"basis": "vital_interest", "how": "none_unconscious", "items": ["req", "needs"]}
    await desk.post(f"/cases/{case_id}/consents", {"recipient": "health", "purpose": "care", "language": "bem", **vital})
    referral = (await refer(desk, case_id, incident_id, "health"))["id"]
    await world.settle()
    await nurse.post(f"/referrals/{referral}/arrive")
    found = await of_all(world)
    assert (found["health"]("referrals_arrived"), found["health"]("arrivals_within_pep")) == (1, 0)
    assert found["police"]("acute_consented") == 0


async def test_each_measure_belongs_to_the_end_that_knows_it_and_her_no_to_feedback_hides_nothing(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, CLINIC)
    ids = [(await sent(world, desk, hours, *items))[2] for hours, items in ((20, ("fb",)), (71, ()), (73, ()), (20, ()))]
    await world.settle()
    world.clock.advance(timedelta(minutes=30))
    for referral in ids[:3]:
        await nurse.post(f"/referrals/{referral}/arrive", {"feedback": referral == ids[0]})
        await nurse.post(f"/referrals/{referral}/start")
    await nurse.post(f"/referrals/{ids[0]}/close", {"outcome_code": "served", "feedback": True})
    await nurse.post(f"/referrals/{ids[1]}/close", {"outcome_code": "served_partly", "feedback": False})
    await nurse.post(f"/referrals/{ids[2]}/close", {"outcome_code": "referred_on", "feedback": False})
    await world.settle()
    found = await of_all(world)
    police, health = found["police"], found["health"]
    for name, number in {
        "referrals_issued": 4, "referrals_acknowledged": 3, "referrals_acknowledged_in_time": 3, "referrals_with_feedback": 1,
        "referrals_lost": 0, "referrals_accepted": 0, "acute_consented": 4,
    }.items():  # fmt: skip
        assert police(name) == number, name
    for name, number in {
        "referrals_accepted": 3, "referrals_arrived": 3, "referrals_served": 2, "refused_for_lack_of_place": 0,
        "arrivals_within_pep": 2, "referrals_issued": 0,
    }.items():  # fmt: skip
        assert health(name, CLINIC if number else None) == number, name
    assert police.hours("acknowledge_time") == [0.5, 0.5, 0.5]
    assert health.hours("arrival_delay") == [20.5, 71.5, 73.5], "worked out of the deadlines that came with the request"
    assert police("arrivals_within_pep") is health("reports") is health("doses") is health("health_offered") is None
    world.clock.advance(timedelta(days=30))
    late = await of_all(world)
    assert late["police"]("referrals_lost") == 1, "open, and its time has passed"
    assert late["health"]("referrals_lost") == 0, "three are over, and the fourth nobody has promised to serve"
    await nurse.post(f"/referrals/{ids[3]}/accept")
    await world.settle()
    late = await of_all(world)
    assert (late["police"]("referrals_lost"), late["health"]("referrals_lost")) == (0, 1)
    both = Counted([one.answer for one in found.values()])
    programme = world["police"].here.programme
    assert programme.indicators["completed"].value(both) == 0.5
    assert programme.indicators["pep_in_time"].value(both) == 0.5
    assert programme.indicators["referred_to_health"].value(both) == 1.0
    after_all = (await sent(world, desk, 337))[2]  # every window was over when it was sent
    await world.settle()
    await nurse.post(f"/referrals/{after_all}/arrive", {"feedback": False})
    last = (await of_all(world))["health"]
    assert (last("referrals_arrived"), len(last.hours("arrival_delay") or ())) == (4, 3)
    assert "of requests sent while a window of care was open" in DURATIONS[Duration.ARRIVAL_DELAY], "it says so beside it"


async def test_what_the_clinic_gave_to_those_who_came_in_time(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, CLINIC)
    first, second, late, found_later = [(await sent(world, desk, hours))[2] for hours in (20, 70, 73, 20)]
    await world.settle()
    for referral in (first, second, late):
        await nurse.post(f"/referrals/{referral}/arrive", {"feedback": False})
    walk_in = (await nurse.post("/arrivals", {}))["arrival_id"]  # who says only afterwards that there is a request
    await nurse.post(f"/arrivals/{walk_in}/care", {"care": "sti_prophylaxis", "result": "given"})
    await nurse.post(f"/arrivals/{walk_in}/match", {"referral_id": found_later})
    kept = [
        (first, "pep", "refused"), (first, "pep", "given"), (first, "emergency_contraception", "given"),
        (first, "sti_prophylaxis", "none_in_stock"), (first, "tetanus", "given"), (second, "pep", "given"),
        (second, "emergency_contraception", "given"), (second, "emergency_contraception", "refused"), (late, "pep", "given"),
    ]  # fmt: skip
    for referral, care, result in kept:
        await nurse.post(f"/referrals/{referral}/care", {"care": care, "result": result})
        world.clock.advance(timedelta(minutes=1))
    found = await of_all(world)
    names = ("arrivals_within_pep", "arrivals_given_ec", "arrivals_given_pep", "arrivals_given_sti")
    assert [found["health"](name, CLINIC) for name in names] == [3, 1, 2, 1], "what was kept last; who came late is in none"
    async with world["health"].database.write() as tx:
        case_id = (await tx.session.get_one(Referral, UUID(first))).case_id
        (await tx.session.get_one(Case, case_id)).not_counted = True  # as she has said
    without = await seen(await lead(world["health"]))
    assert [without(name) for name in names] == [2, 0, 1, 1]
    assert [found["police"](name) for name in names] == [None] * 4, "what the clinic gave is known to the clinic alone"


async def test_what_was_given_before_consent_was_taken_back_counts_for_the_request_that_follows(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, CLINIC)
    case_id, incident_id = await came(world, desk, 20)
    agreed = await consent(desk, case_id, "health", "needs")
    first = (await refer(desk, case_id, incident_id, "health"))["id"]
    await world.settle()
    await nurse.post(f"/referrals/{first}/arrive", {"feedback": False})
    await nurse.post(f"/referrals/{first}/care", {"care": "pep", "result": "given"})
    await desk.take_back(case_id, agreed)
    await world.settle()
    await consent(desk, case_id, "health", "needs")
    second = (await refer(desk, case_id, incident_id, "health"))["id"]
    await world.settle()
    async with world["health"].database.read() as tx:
        stayed = (await tx.session.execute(select(col(WalkIn.id)).where(col(WalkIn.after_referral) == UUID(first)))).scalar_one()
    await nurse.post(f"/arrivals/{stayed}/match", {"referral_id": second})
    await nurse.post(f"/referrals/{second}/care", {"care": "emergency_contraception", "result": "given"})
    found = (await of_all(world))["health"]
    names = ("arrivals_within_pep", "arrivals_given_pep", "arrivals_given_ec")
    assert [found(name, CLINIC) for name in names] == [1, 1, 1]


async def test_why_not_is_counted_where_it_is_known(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, CLINIC)
    ids = [(await sent(world, desk))[2] for _ in range(6)]
    await world.settle()
    for referral, reason in zip(ids, ("no_supplies", "not_eligible"), strict=False):
        await nurse.post(f"/referrals/{referral}/decline", {"reason_code": reason})
    for referral, outcome in zip(ids[2:], ("she_declined", "not_available", "not_reached_safely", "served"), strict=True):
        await nurse.post(f"/referrals/{referral}/arrive", {"feedback": False})
        await nurse.post(f"/referrals/{referral}/start")
        await nurse.post(f"/referrals/{referral}/close", {"outcome_code": outcome, "feedback": False})
    found = (await of_all(world))["health"]
    names = ("referrals_said_no_there", "referrals_not_available", "referrals_not_reached", "referrals_served")
    assert [found(name, CLINIC) for name in names] == [1, 2, 1, 1]


async def test_a_no_counts_when_it_is_said_and_another_one_again(world: World) -> None:
    police = world["police"]
    desk = await police.sign_in("desk", Role.OFFICER, STATION)
    case_id, _incident = await came(world, desk)
    for recipient in ("health", "social_welfare"):
        await desk.post(f"/cases/{case_id}/refusals", {"recipient": recipient, "how": "spoken", "language": "bem"})
    found = await seen(await lead(police))
    assert (found("consents_refused", STATION), found("health_declined_by_her")) == (2, 1)
    assert (await seen(await lead(police), YEAR - 1))("consents_refused") == 0
    async with police.database.write() as tx:
        (await tx.session.get_one(Case, UUID(case_id))).not_counted = True
    assert (await seen(await lead(police)))("consents_refused") == 0


async def test_what_is_on_paper_counts_by_its_original_times_and_years_by_the_wall_clock(world: World) -> None:
    new_year = datetime.fromisoformat(f"{YEAR}-12-31T22:00:00+00:00")  # midnight in Lusaka
    world.clock.advance(new_year - timedelta(minutes=10) - world.clock.now())
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, CLINIC)
    await sent(world, desk)
    case_id, incident_id = await came(world, desk)
    await consent(desk, case_id, "health", "needs")
    world.clock.advance(timedelta(hours=40))
    written = (new_year - timedelta(minutes=5)).isoformat()
    on_paper = (await refer(desk, case_id, incident_id, "health", occurred_at=written))["id"]
    await world.settle()
    seen_at = (new_year + timedelta(minutes=40)).isoformat()
    world.clock.advance(timedelta(hours=1))
    await nurse.post(f"/referrals/{on_paper}/acknowledge", {"occurred_at": seen_at, "entered_for": CLINIC})
    await sent(world, desk)
    await world.settle()
    police = await lead(world["police"])
    old, new = await seen(police), await seen(police, YEAR + 1)
    assert (old("referrals_issued"), new("referrals_issued"), old("reports"), new("reports")) == (2, 1, 2, 1)
    assert (old(ACUTE), new(ACUTE), old.hours("acknowledge_time")) == (1, 0, [0.75])


async def test_doses_boxes_and_what_went_wrong(world: World) -> None:
    desk, second = await certified(world), await certified(world, "officer-2")
    await stock(desk, 5)
    for hours, upto in ((10, 10), (100, 119), (119, 121)):
        await give(desk, *await came(world, desk, hours, upto=upto))
    await give(desk, *await came(world, desk), outcome="declined")
    again = await came(world, desk)
    for outcome in ("none_here", "declined"):  # for one incident: she could have one dose
        await give(desk, *again, outcome=outcome)
    case_id, _incident = await came(world, desk)
    await desk.post("/dispensing/reports", {"product": "emergency_contraception", "code": "sold", "batch": BATCH})
    await desk.post("/dispensing/reports", {"product": "emergency_contraception", "code": "allergic_reaction", "case_id": case_id})
    supervisor = await lead(world["police"])
    found = await seen(supervisor)
    assert {name: found(name) for name in ("doses", "doses_in_time", "doses_eligible", "adverse_events", "misuse")} == {
        "doses": 3, "doses_in_time": 2, "doses_eligible": 5, "adverse_events": 1, "misuse": 1,
    }  # fmt: skip
    assert (found("stock_counted"), found.hours("dose_delay")) == (None, [10.0, 119.0, 121.0]), "nobody has counted the box"
    in_time = world["police"].here.programme.indicators["ec_in_time"]
    assert (in_time.value(Counted([found.answer])), "for which a dose was offered" in in_time.name.in_("en", "en")) == (0.4, True)
    assert (found("boxes", STATION), found("boxes_counted")) == (1, 0)
    await count(desk, second, {BATCH: 2})
    await stock(desk, 3)  # after the count: it is compared with the next one
    found = await seen(supervisor)
    assert [found(f"stock_{name}", STATION) for name in ("opening", "received", "dispensed", "discarded", "counted")] == [
        0,
        5,
        3,
        0,
        2,
    ]
    assert found("stock_out_days", STATION) == 0
    assert (found("boxes"), found("boxes_counted", STATION)) == (1, 1)
    variance = world["police"].here.programme.indicators["box_variance"]
    assert variance.value(Counted([found.answer])) == 0
    world.clock.advance(timedelta(days=1))
    await count(desk, second, {BATCH: 4})
    assert variance.value(Counted([(await seen(supervisor)).answer])) == 1
    world.clock.advance(timedelta(days=1))
    await count(desk, second, {BATCH: 7})
    assert variance.value(Counted([(await seen(supervisor)).answer])) == 2, "what is too much is no less unexplained"


async def test_complaints_as_far_as_they_came_with_pressure_and_mediation(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    for codes in (("statement_taken", "suspect_known", "charged", "charged", "verdict"), ("suspect_known",), ()):
        case_id, _incident = await came(world, desk)
        made = await desk.post(f"/cases/{case_id}/complaints", {})
        path = f"/cases/{case_id}/complaints/{made['id']}"
        for code in codes:
            await desk.post(f"{path}/steps", {"code": code})
            world.clock.advance(timedelta(minutes=1))
        await desk.post(f"{path}/steps", {"code": "hearing_date", "hearing_on": f"{YEAR}-01-0{8 if codes else 9}"})
    pressed = {"asked_by": "family", "where": "court", "pressure": "yes", "asked_alone": True, "is_safe": "no"}
    await desk.post(f"{path}/withdrawals", pressed)
    await desk.post(f"/cases/{case_id}/progress", {"code": "pressure_to_settle"})
    await desk.post(f"/cases/{case_id}/breaches", {"code": "mediation_attempted", "by_whom": "family"})
    await desk.post(f"/cases/{case_id}/breaches", {"code": "police_report_demanded", "by_whom": "health"})
    world.clock.advance(datetime.fromisoformat(f"{YEAR}-01-09T12:00:00+00:00") - world.clock.now())
    found = await seen(await lead(world["police"]))
    assert {name: found(name, STATION) for name in (
        "investigated", "charged", "tried", "verdicts", "reports_withdrawn", "pressure_to_settle", "mediations",
        "reports_withdrawn_at_station", "reports_withdrawn_in_court",
    )} == {
        "investigated": 2, "charged": 1, "tried": 2, "verdicts": 1, "reports_withdrawn": 1, "pressure_to_settle": 1,
        "mediations": 1, "reports_withdrawn_at_station": 0, "reports_withdrawn_in_court": 1,
    }  # fmt: skip
    so_far = ("reports", "reports_investigated", "reports_charged", "reports_tried", "reports_with_verdict")
    assert [found(name, STATION) for name in so_far] == [3, 2, 2, 2, 1], "who was heard in court was charged, whoever wrote it down"
    indicators = world["police"].here.programme.indicators
    assert [
        indicators[name].value(Counted([found.answer]))
        for name in ("reports_investigated", "investigated_charged", "charged_tried", "tried_verdict", "fee_ratio")
    ] == [pytest.approx(2 / 3), 1, 1, 0.5, None]


async def test_days_without_stock_count_at_the_place_of_care_too(world: World) -> None:
    matron = await lead(world["health"])
    line = {"product": "emergency_contraception", "batch": BATCH, "expires_on": "2027-06-30", "quantity": 5, "facility": CLINIC}
    assert (await seen(matron))("stock_out_days") is None, "no store keeps a book"
    await matron.post("/supplies/entries", {**line, "kind": "received"})
    world.clock.advance(timedelta(days=1))
    await matron.post("/supplies/entries", {**line, "kind": "destroyed"})
    world.clock.advance(timedelta(days=2))
    found = await seen(matron)
    assert found("stock_out_days", CLINIC) == 3
    assert world["health"].here.programme.indicators["stock_out_days"].value(Counted([found.answer])) == 3


async def test_consent_taken_back_and_honoured_within_the_hour(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    given = []
    for _ in range(2):
        case_id, incident_id = await came(world, desk)
        given.append((case_id, await consent(desk, case_id, "health", "needs")))
        await refer(desk, case_id, incident_id, "health")
    await world.settle()
    await desk.take_back(*given[0])
    await world.settle()
    await desk.take_back(*given[1])
    world.clock.advance(timedelta(minutes=61))
    await world.settle()
    found = await of_all(world)
    names = ("consents_taken_back", "consents_honoured_in_time", "consent_breaches", "health_declined_by_her")
    assert [found["police"](name) for name in names] == [2, 1, 0, 0]
    assert found["health"]("referrals_accepted") == 0


async def test_calls_and_ready_desks(world: World) -> None:
    police = with_hotline(world)
    desk, taker = await on_duty(police, HUYE), await room(police)
    call = await taker.post("/calls", CALL)
    world.clock.advance(timedelta(minutes=12))
    await desk.post(f"/calls/{call['id']}/seen")
    await taker.post("/calls", {"channel": "voice", "what": "wrong_number"})
    await taker.post("/calls", CALL)  # which no desk ever sees
    await taker.post("/calls", {"channel": "voice", "what": "information"})  # which no desk is to see
    world.clock.advance(LATE)
    await taker.post("/calls", CALL)  # whose time has not come
    found = await seen(await lead(police))
    names = ("calls", "calls_routed", "calls_wrong_number", "calls_due", "calls_seen_in_time", "stations", "desks_ready")
    assert {name: found(name) for name in names} == {
        "calls": 5, "calls_routed": 4, "calls_wrong_number": 1, "calls_due": 2, "calls_seen_in_time": 1, "stations": 4,
        "desks_ready": 1,
    }  # fmt: skip
    assert (found("desks_ready", HUYE), found("desks_ready", NYANZA), found("calls", HUYE)) == (1, 0, 3)
    assert found.hours("dispatch_time") == [0.2]
    assert found("doses") is None, "no product is given here"
    counted = Counted([found.answer])
    indicators = police.here.programme.indicators
    assert indicators["station_coverage_pct"].value(counted) == 25
    assert indicators["calls_unrouted"].value(counted) == 0
    assert indicators["dispatched_in_time"].value(counted) == 0.5
    assert indicators["desks"].value(counted) == 4


async def test_what_desks_have_is_what_they_have_said_in_this_shift(world: World) -> None:
    police = with_hotline(world, {NYANZA: {"open_hours": "08:00-16:00"}})
    desk = await on_duty(police, HUYE)
    other = await on_duty(police, NYANZA)
    await other.post("/hotline/desk", {"facility": NYANZA, "assets": ["interview_room", "computer"]})
    await desk.post("/hotline/desk", {"facility": HUYE, "assets": ["interview_room", "motorcycle", "computer"], "is_trained": True})
    supervisor = await lead(police)
    names = ("desks", "desks_staffed", "desks_with_room", "desks_with_vehicle", "places_day_and_night")
    found = await seen(supervisor)
    assert [found(name) for name in names] == [4, 2, 2, 1, 4], "the room of the line and three desks are open at night"
    assert (found("desks_with_room", HUYE), found("places_day_and_night", NYANZA)) == (1, 0)
    world.clock.advance(timedelta(hours=13))
    later = await seen(await lead(police))
    assert [later(name) for name in names] == [4, 0, 0, 0, 4], "nobody is there any more, and nobody has said what is"
    assets = {id_: one for id_, one in police.here.programme.assets.items() if not one.is_transport}
    police.edge.here = replace(police.edge.here, programme=police.here.programme.model_copy(update={"assets": assets}))
    asked = await seen(await lead(police))
    assert [asked(name) for name in names] == [4, 0, 0, None, 4], "of what the programme asks no desk for, nothing is known"


async def test_two_desks_of_a_station_are_one_station(world: World) -> None:
    police = with_hotline(world, {HUYE: {"at": "huye_station"}, HUYE_2: {"at": "huye_station"}}, {"huye_station": "huye"})
    await on_duty(police, HUYE)
    found = await seen(await lead(police))
    assert (found("stations"), found("stations_ready"), found("stations_ready", HUYE), found("desks_ready")) == (3, 1, 1, 1)
    board = await (await room(police)).get("/hotline")
    assert (board["stations"], board["stations_ready"], board["station_coverage_pct"], board["desks"]) == (3, 1, 33.3, 4)


async def test_facilities_and_districts_are_those_of_the_network(world: World) -> None:
    found = await of_all(world)
    counted, programme = Counted([one.answer for one in found.values()]), world["police"].here.programme
    facilities = {place for one in world.agencies.values() for place in one.here.entry.facilities}
    assert set(counted.places()) == facilities
    assert programme.indicators["stations"].value(counted) == len(counted.places("vsu_station")) == 2
    kinds = [row for row in found["police"].answer["counts"] if row["measure"] == "districts"]
    assert {row["kind"]: row["count"] for row in kinds} == {None: 2, "vsu_station": 2}


@pytest.mark.parametrize("role", [Role.OFFICER, Role.ADMINISTRATOR])
async def test_only_a_supervisor_is_answered_and_only_for_the_places_that_she_looks_after(world: World, role: Role) -> None:
    police = world["police"]
    desk = await police.sign_in("desk", Role.OFFICER, STATION)
    await sent(world, desk)
    other = await police.sign_in("other", role, None if role is Role.ADMINISTRATOR else STATION)
    with pytest.raises(Refused) as refused:
        await other.get(f"/counts?year={YEAR}")
    assert (refused.value.status, refused.value.problem["detail"]) == (404, "There is nothing at this address.")
    assert (await other.ask("GET", "/counts?year=95")).status_code == 422
    elsewhere = await seen(await lead(police, "masaiti_vsu"))
    assert (elsewhere("reports"), elsewhere("facilities"), elsewhere.hours("report_delay")) == (0, 2, [])
    assert (await seen(await lead(police, STATION)))("reports") == 1


def test_an_answer_says_nought_apart_from_nothing_kept() -> None:
    found = Seen({"counts": [{"measure": "misuse", "place": None, "count": 0}], "hours": []})
    assert (found("misuse"), found("doses")) == (0, None)


async def test_a_service_that_answers_nothing_for_thirty_days_is_counted_once_and_not_once_it_has_said_anything(
    world: World,
) -> None:
    first = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    await sent(world, first, 20)
    world.clock.advance(timedelta(days=2))
    second = await world["police"].sign_in("second", Role.OFFICER, "masaiti_vsu")
    for _ in range(2):
        _case, _incident, referral = await sent(world, second, 20)
    await world.settle()
    silent = "services_silent"
    for days, at_first, at_second in ((27, 0, 0), (1, 1, 0), (3, 1, 0)):
        world.clock.advance(timedelta(days=days))
        found = await seen(await lead(world["police"]))
        assert (found(silent, STATION), found(silent, "masaiti_vsu")) == (at_first, at_second), days
    assert (await seen(await lead(world["police"], "masaiti_vsu")))(silent) == 0, "it waits longest elsewhere"
    assert (await seen(await lead(world["police"]), YEAR - 1))(silent) == 0
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, CLINIC)
    await nurse.post(f"/referrals/{referral}/acknowledge")
    await world.settle()
    found = await seen(await lead(world["police"]))
    assert found(silent) == 0, "one of its answers is enough, whoever it was for"
    world.clock.advance(timedelta(days=31))
    found = await seen(await lead(world["police"]))
    assert (found(silent, STATION), found(silent, "masaiti_vsu")) == (1, 0), "the other two wait still"


async def test_words_by_phone_an_end_and_a_no_are_answers(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    for path, body in (
        ("told-by-phone", {"post": "duty_nurse"}), ("cancel", {"reason_code": "no_longer_needed"}), ("decline", None),
    ):  # fmt: skip
        _case, _incident, referral = await sent(world, desk)
        await world.settle()
        world.clock.advance(timedelta(days=31))
        assert (await seen(await lead(world["police"])))("services_silent") == 1, path
        desk = await world["police"].sign_in(f"desk-{path}", Role.OFFICER, STATION)
        nurse = await world["health"].sign_in(f"nurse-{path}", Role.CLINICIAN, CLINIC)
        who, said = (desk, body) if body is not None else (nurse, {"reason_code": "no_place"})
        await who.post(f"/referrals/{referral}/{path}", said)
        await world.settle()
        assert (await seen(await lead(world["police"])))("services_silent") == 0, path


async def test_places_that_wrote_anything_down_and_sheets_that_are_out(world: World) -> None:
    before = await seen(await lead(world["police"]))
    assert (before("places_reported"), before("sheets_out")) == (0, 0)
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    await sent(world, desk)
    _case, _incident, referral = await sent(world, desk)
    printer = Actor(new_id(), "printer", Role.OFFICER, STATION)
    async with world["police"].database.write() as tx:
        batch = await print_sheets(tx, world["police"].here, printer, SheetKind.VISIT, STATION, 3)
    await world.settle()
    found = await of_all(world)
    police, health = found["police"], found["health"]
    assert (police("places_reported", STATION), police("places_reported", "masaiti_vsu")) == (1, 0)
    assert (police("sheets_out", STATION), police("sheets_out")) == (3, 3)
    assert health("places_reported") == 0, "what was told to a place is not written down by it"
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, CLINIC)
    await nurse.post(f"/referrals/{referral}/acknowledge")
    assert (await seen(await lead(world["health"])))("places_reported", CLINIC) == 1
    async with world["police"].database.write() as tx:
        sheet = (await tx.session.execute(select(Sheet).where(col(Sheet.batch) == batch).limit(1))).scalar_one()
        sheet.entered_at = tx.clock.now()
    assert (await seen(await lead(world["police"])))("sheets_out") == 2
    await world["health"].sign_in("nobody", Role.CLINICIAN, "ndola_hospital")
    cancelled = (await refer(desk, _case, None, "health", to_facility="ndola_hospital", services=["follow_up_care"]))["id"]
    await world.settle()
    await desk.post(f"/referrals/{cancelled}/cancel", {"reason_code": "no_longer_needed"})
    await world.settle()
    assert (await seen(await lead(world["health"])))("places_reported") == 1, "what is cancelled unseen is, without anybody"
    nobody_then = await seen(await lead(world["police"]), YEAR - 1)
    assert (nobody_then("places_reported"), nobody_then("sheets_out")) == (0, 0)


async def test_another_adult_who_stands_in_for_a_child_counts_where_the_case_began(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    officer = Actor(new_id(), "officer", Role.OFFICER, STATION)
    for caregiver, stands_in in (
        ("safe", None),
        ("not_this_one", "teacher"),
        ("not_this_one", "not_found"),
        ("nobody", "relative"),
    ):
        case_id, _incident, _referral = await sent(world, desk)
        async with world["police"].database.write() as tx:
            adult = StandIn(stands_in) if stands_in else None
            await keep_childs_word(UUID(case_id), Ternary.YES, Caregiver(caregiver), adult, tx, officer)
    await world.settle()
    found = await of_all(world)
    assert (found["police"]("adults_replaced", STATION), found["health"]("adults_replaced")) == (2, 0)
    assert (await seen(await lead(world["police"]), YEAR - 1))("adults_replaced") == 0
