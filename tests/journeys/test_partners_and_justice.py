"""Police, a partner under an agreement, a prosecutor, an institute and a court: each story through the API of each agency, on its
own database, and read from each one's own records.

| story | test |
|---|---|
| hand-over in time, warned before, late and alarmed after | `test_a_complaint_is_handed_over_…` |
| she says no to the prosecutor; a complaint is withdrawn | `test_her_no_and_a_withdrawal_stop_the_clock` |
| what the prosecutor's office is told | `test_the_prosecutor_is_told_the_request_and_nothing_else` |
| hearing and verdict, with consent and without | `test_a_hearing_and_a_verdict_are_told_…` |
| a hearing is put off | `test_a_hearing_that_is_put_off_is_another_hearing`, `test_a_hearing_that_is_put_off_without_…` |
| the examination before its order | `test_an_examination_may_begin_before_its_order` |
| inside the agreement, and outside it | `test_a_partner_is_asked_…`, `test_what_is_outside_…` |
| the agreement ends while something is open | `test_nothing_is_closed_when_an_agreement_ends` |
| a shelter shows an area only | `test_a_shelter_shows_its_area_only` |
"""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, Refused, TestAgency, World, consent, open_case
from coast import COURT, INSTITUTE, LAW, OFFICE, REFUGE, STATION, ask, at, coast_world, complaint, with_rules
from shift import at_work
from sqlalchemy import select
from sqlmodel import col
from statements import statements_of

from services.police.complaints.tables import Telling
from services.police.hand_overs import views as hand_overs
from shared.casework.alarms.tables import Alarm
from shared.casework.cases.tables import Case
from shared.casework.circles.tables import Progress
from shared.casework.directory.network import parse_network
from shared.casework.here import SYSTEM
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role
from shared.contracts.casework.minimal_data import REQUEST_FIELDS
from shared.exchange.tables import InboxRow, OutboxRow
from shared.kit.errors import RefnetError, Sentence
from shared.programmes.rules import answers
from shared.programmes.situation import Message, Situation, Verdict
from shared.programmes.terms import Act, Fact


@pytest.fixture
async def coast(tmp_path: Path) -> AsyncIterator[World]:
    async with coast_world(tmp_path) as world:
        yield world


async def alarms(world: World, agency: str) -> list[tuple[str, int]]:
    """Open alarms of an agency: kind and level."""
    async with world[agency].database.read() as tx:
        query = select(col(Alarm.kind), col(Alarm.level)).where(col(Alarm.resolved_at).is_(None)).order_by(col(Alarm.kind))
        return [(kind, level) for kind, level in (await tx.session.execute(query)).tuples()]


async def after(world: World, **time: float) -> None:
    """Time passes, and every watcher looks."""
    world.clock.advance(timedelta(**time))
    for agency in world.agencies.values():
        await agency.watcher.tick()


async def counted(world: World) -> tuple[dict[str, int], list[float]]:
    """Hand-overs of this year as the police count them, and their hours."""
    boss = await world["police"].sign_in(f"boss-{world.clock.now():%d-%H%M%S}", Role.SUPERVISOR)
    told = await boss.get(f"/counts?year={world.clock.now().year}")
    (hours,) = [one["hours"] for one in told["hours"] if one["duration"] == "hand_over_time"]
    return {row["measure"]: row["count"] for row in told["counts"] if row["measure"].startswith("hand_overs")}, hours


async def stands(desk: Desk, case_id: str) -> str:
    (one,) = (await desk.get(f"/cases/{case_id}/hand-overs"))["items"]
    return str(one["stands"])


# --- to the prosecutor -------------------------------------------------------------------------------------------------


async def test_a_complaint_is_handed_over_in_time(coast: World) -> None:
    desk, clerk = await at(coast, "police", STATION), await at(coast, "justice", OFFICE)
    case_id, incident_id, _complaint = await complaint(desk)
    assert await stands(desk, case_id) == "due"
    (due,) = (await desk.get("/hand-overs"))["items"]
    assert due["incident_id"] == incident_id
    await after(coast, hours=18)
    assert (await stands(desk, case_id), await alarms(coast, "police")) == ("due_soon", [("hand_over_due", 0)])
    coast.clock.advance(timedelta(hours=6))  # the last moment itself
    sent = await ask(desk, case_id, incident_id, f"justice/{OFFICE}", "prosecution")
    assert (await stands(desk, case_id), (await desk.get("/hand-overs"))["items"]) == ("in_time", [])
    await coast.settle()
    (waits,) = (await clerk.get("/hand-overs"))["items"]
    assert waits["referral_id"] == sent["id"]
    await clerk.post(f"/referrals/{sent['id']}/accept")
    assert (await clerk.get("/hand-overs"))["items"] == []
    await coast.settle()
    await after(coast, minutes=1)
    assert ((await desk.get(f"/referrals/{sent['id']}"))["status"], await alarms(coast, "police")) == ("accepted", [])


async def test_a_complaint_is_handed_over_late_and_never_too_late(coast: World) -> None:
    desk = await at(coast, "police", STATION)
    case_id, incident_id, _complaint = await complaint(desk)
    await after(coast, hours=24)
    assert await stands(desk, case_id) == "due_soon"
    await after(coast, seconds=1)
    assert (await stands(desk, case_id), await alarms(coast, "police")) == ("late", [("hand_over_late", 1)])
    await after(coast, hours=1)
    assert [kind for kind, _level in await alarms(coast, "police")] == ["hand_over_late"]  # said once, and it climbs
    sent = await ask(desk, case_id, incident_id, f"justice/{OFFICE}", "prosecution")
    await after(coast, minutes=1)
    assert (await stands(desk, case_id), await alarms(coast, "police")) == ("handed_late", [])
    await coast.settle()
    clerk = await at(coast, "justice", OFFICE)
    await clerk.post(f"/referrals/{sent['id']}/decline", {"reason_code": "conflict_of_interest"})
    await coast.settle()
    await after(coast, minutes=1)
    assert (await stands(desk, case_id), await alarms(coast, "police")) == ("late", [("hand_over_late", 1)])  # nobody has it


async def test_what_happened_again_after_a_hand_over_is_handed_over_anew(coast: World) -> None:
    """The first request named no incident: it is about what was known when it was sent, and no more."""
    desk = await at(coast, "police", STATION)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "justice")
    await desk.post(f"/cases/{case_id}/complaints", {"incident_id": incident_id})
    await ask(desk, case_id, None, f"justice/{OFFICE}", "prosecution")
    assert await stands(desk, case_id) == "in_time"
    coast.clock.advance(timedelta(days=2))
    again = await desk.post(f"/cases/{case_id}/incidents", {"incident_type": "physical_assault"})
    await desk.post(f"/cases/{case_id}/complaints", {"incident_id": again["id"]})
    assert [one["stands"] for one in (await desk.get(f"/cases/{case_id}/hand-overs"))["items"]] == ["in_time", "due"]
    assert [one["incident_id"] for one in (await desk.get("/hand-overs"))["items"]] == [again["id"]]
    await coast.settle()
    await after(coast, hours=24, seconds=1)
    assert ("hand_over_late", 1) in await alarms(coast, "police")


async def test_hand_overs_are_counted_with_their_hours(coast: World) -> None:
    desk = await at(coast, "police", STATION)
    for hours in (10, 30):
        case_id, incident_id = await open_case(desk)
        await consent(desk, case_id, "justice")
        await desk.post(f"/cases/{case_id}/complaints", {"incident_id": incident_id})
        coast.clock.advance(timedelta(hours=hours))
        await ask(desk, case_id, incident_id, f"justice/{OFFICE}", "prosecution")
    waiting, _incident, made = await complaint(desk)
    case_id, _incident = await open_case(desk)
    await desk.post(f"/cases/{case_id}/complaints", {})
    await desk.take_back(case_id, await consent(desk, case_id, "justice"))
    coast.clock.advance(timedelta(hours=24))
    assert await counted(coast) == ({"hand_overs": 2, "hand_overs_in_time": 1, "hand_overs_due": 2}, [10.0, 30.0])
    coast.clock.advance(timedelta(seconds=1))
    numbers, _hours = await counted(coast)
    assert numbers["hand_overs_due"] == 3  # one was never handed over; of the other she said no
    withdrawal = {"asked_by": "she", "pressure": "no", "asked_alone": False}
    await desk.post(f"/cases/{waiting}/complaints/{made}/withdrawals", withdrawal)
    coast.clock.advance(timedelta(seconds=1))
    numbers, _hours = await counted(coast)
    assert numbers["hand_overs_due"] == 2


async def test_a_late_hand_over_stays_late_when_the_complaint_goes_on(coast: World) -> None:
    desk = await at(coast, "police", STATION)
    case_id, incident_id, made = await complaint(desk)
    coast.clock.advance(timedelta(hours=30))
    await ask(desk, case_id, incident_id, f"justice/{OFFICE}", "prosecution")
    path = f"/cases/{case_id}/complaints/{made}"
    coast.clock.advance(timedelta(hours=1))
    await desk.post(f"{path}/withdrawals", {"asked_by": "she", "pressure": "no", "asked_alone": False})
    coast.clock.advance(timedelta(hours=1))
    await desk.post(f"{path}/reopenings", {"reason": "she_asks"})
    assert await stands(desk, case_id) == "handed_late"
    numbers, hours = await counted(coast)
    assert (numbers["hand_overs"], numbers["hand_overs_in_time"], hours) == (1, 0, [30.0])


async def test_what_waits_is_counted_before_the_list_is_cut(coast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a few statements do for however many."""
    monkeypatch.setattr(hand_overs, "LIST_MAX", 2)
    desk, police = await at(coast, "police", STATION), coast["police"]
    said: list[int] = []
    for number in range(5):
        case_id, _incident = await open_case(desk)
        if number < 2:
            await desk.take_back(case_id, await consent(desk, case_id, "justice"))
        await desk.post(f"/cases/{case_id}/complaints", {})
        async with police.database.read() as tx:
            with statements_of(police) as asked:
                lines = await hand_overs.work_lines(tx, police.here, SYSTEM)
        said.append(len(asked))
    assert [line.params["count"] for _way, line in lines if isinstance(line, Sentence)] == [3]
    assert len((await desk.get("/hand-overs"))["items"]) == 2
    assert said == [said[0]] * 5


async def test_her_no_and_a_withdrawal_stop_the_clock(coast: World) -> None:
    desk = await at(coast, "police", STATION)
    case_id, _incident = await open_case(desk)
    held = await consent(desk, case_id, "justice")
    made = await desk.post(f"/cases/{case_id}/complaints", {})
    await after(coast, hours=20)
    assert [kind for kind, _level in await alarms(coast, "police")] == ["hand_over_due"]
    await desk.take_back(case_id, held)
    await after(coast, hours=20)
    assert (await stands(desk, case_id), await alarms(coast, "police")) == ("said_no", [("not_erased", 0)])  # nothing was delivered
    await consent(desk, case_id, "justice")
    assert await stands(desk, case_id) == "late"
    path = f"/cases/{case_id}/complaints/{made['id']}"
    await desk.post(f"{path}/withdrawals", {"asked_by": "she", "pressure": "no", "asked_alone": False})
    await after(coast, hours=1)
    assert (await stands(desk, case_id), await alarms(coast, "police")) == ("withdrawn", [("not_erased", 0)])
    await desk.post(f"{path}/reopenings", {"reason": "she_asks"})
    assert await stands(desk, case_id) == "due"  # counted anew from the day on which it went on


async def test_her_no_to_the_prosecutor_stands_where_an_institute_is_an_agency_of_its_own(coast: World) -> None:
    police = coast["police"]
    net = police.here.network
    institute = net.agencies["justice"].model_copy(
        update={"facilities": {INSTITUTE: net.agencies["justice"].facilities[INSTITUTE]}}
    )
    apart = net.model_copy(
        update={"agencies": {**net.agencies, "institute": institute}, "pairs": (*net.pairs, ("institute", "police"))}
    )
    coast.agencies["police"] = TestAgency(replace(police.here, network=apart), police.parts, police.database)
    desk = await at(coast, "police", STATION)
    case_id, _incident, _complaint = await complaint(desk)
    (held,) = (await desk.get(f"/cases/{case_id}/consents"))["items"]
    await after(coast, hours=20)
    await desk.take_back(case_id, held)  # and nobody has asked her about the institute
    assert await stands(desk, case_id) == "said_no"
    await after(coast, hours=20)
    assert "hand_over_late" not in [kind for kind, _level in await alarms(coast, "police")]


async def test_the_prosecutor_is_told_the_request_and_nothing_else(coast: World) -> None:
    desk = await at(coast, "police", STATION)
    case_id, incident_id, _complaint = await complaint(desk, "needs", "type", "given", "safety", "relay", "fb", "prog")
    sent = await ask(desk, case_id, incident_id, f"justice/{OFFICE}", "prosecution")
    await coast.settle()
    async with coast["justice"].database.read() as tx:
        row = await tx.session.get_one(Referral, UUID(sent["id"]))
        assert row.said is not None
        assert {name for name, value in row.said.items() if value not in (None, [], {})} <= REQUEST_FIELDS
        heard = set((await tx.session.execute(select(col(InboxRow.type)))).scalars())
    assert heard <= {"referral.issued", "circle.announced"}  # none of the steps of the police
    async with coast["police"].database.read() as tx:
        (kept,) = (await tx.session.execute(select(OutboxRow).where(col(OutboxRow.type) == "referral.issued"))).scalars()
    assert kept.recipient == "justice"


# --- in court ----------------------------------------------------------------------------------------------------------


async def in_court(coast: World, *items: str) -> tuple[Desk, str, Desk, str]:
    """A case that was handed over and accepted, and what she agreed to at the prosecutor's: (desk, case, clerk, case there)."""
    desk, clerk = await at(coast, "police", STATION), await at(coast, "justice", OFFICE)
    case_id, incident_id, _complaint = await complaint(desk)
    sent = await ask(desk, case_id, incident_id, f"justice/{OFFICE}", "prosecution")
    await coast.settle()
    await clerk.post(f"/referrals/{sent['id']}/accept")
    there = (await clerk.get(f"/referrals/{sent['id']}"))["case_id"]
    if items:
        await consent(clerk, there, "police", *items)
    return desk, case_id, clerk, there


async def told_at(world: World, agency: str, of: str) -> list[tuple[str, date | None]]:
    async with world[agency].database.read() as tx:
        query = select(col(Progress.code), col(Progress.on_date)).where(col(Progress.agency) == of)
        return sorted((await tx.session.execute(query)).tuples().all(), key=str)


@pytest.mark.parametrize("items", [("prog",), ("needs",), ()])
async def test_a_hearing_and_a_verdict_are_told_to_the_police_where_she_agreed(coast: World, items: tuple[str, ...]) -> None:
    desk, case_id, clerk, there = await in_court(coast, *items)
    day = coast.clock.now().date() + timedelta(days=3)
    await clerk.post(f"/cases/{there}/charge", {})
    hearing = await clerk.post(f"/cases/{there}/hearings", {"on_date": day.isoformat()})
    assert [one["id"] for one in (await clerk.get("/hearings"))["items"]] == [hearing["id"]]
    await clerk.post(f"/cases/{there}/verdicts", {"outcome": "acquitted"})
    await coast.settle()
    expected = [("charged", None), ("hearing_date", day), ("verdict", None)] if "prog" in items else []
    assert await told_at(coast, "police", "justice") == expected
    lines = (await desk.get(f"/cases/{case_id}/timeline?limit=200"))["items"]
    assert sum(line["kind"] == "case.progress" and line["agency"] == "justice" for line in lines) == len(expected)
    async with coast["police"].database.read() as tx:
        assert not [row for row in (await tx.session.execute(select(InboxRow))).scalars() if row.state in ("parked", "waiting")]
    assert "acquitted" not in str(lines)


async def test_a_hearing_that_is_put_off_is_another_hearing(coast: World) -> None:
    _desk, _case, clerk, there = await in_court(coast, "prog")
    today = coast.clock.now().date()
    first = await clerk.post(f"/cases/{there}/hearings", {"on_date": (today + timedelta(days=3)).isoformat()})
    with pytest.raises(Refused) as twice:
        await clerk.post(f"/cases/{there}/hearings", {"on_date": (today + timedelta(days=3)).isoformat()})
    assert twice.value.status == 409
    with pytest.raises(Refused) as early:
        await clerk.post(f"/hearings/{first['id']}/answer", {"state": "held"})
    assert early.value.status == 409
    await clerk.post(f"/hearings/{first['id']}/answer", {"state": "put_off", "next_on": (today + timedelta(days=6)).isoformat()})
    found = await clerk.get(f"/cases/{there}/proceedings")
    assert ([one["state"] for one in found["hearings"]], found["next_on"]) == (
        ["put_off", "set"], (today + timedelta(days=6)).isoformat(),
    )  # fmt: skip
    coast.clock.advance(timedelta(days=9))
    (left,) = (await clerk.get("/hearings"))["items"]  # it has been, and nobody has said what became of it
    await clerk.post(f"/hearings/{left['id']}/answer", {"state": "held"})
    assert (await clerk.get("/hearings"))["items"] == []
    for wrong in ({"state": "set"}, {"state": "held", "next_on": today.isoformat()}):
        with pytest.raises(Refused) as error:
            await clerk.post(f"/hearings/{left['id']}/answer", wrong)
        assert error.value.status == 422


@pytest.mark.parametrize("items", [("prog",), ()])
async def test_a_hearing_that_is_put_off_without_a_day_is_an_alarm_and_she_hears_by_whoever_sent_her(
    coast: World, items: tuple[str, ...]
) -> None:
    desk, case_id, clerk, there = await in_court(coast, *items)
    today = coast.clock.now().date()
    path = f"/cases/{there}/hearings"
    first = await clerk.post(path, {"on_date": (today + timedelta(days=3)).isoformat()})
    await clerk.post(f"/hearings/{first['id']}/answer", {"state": "put_off"})
    found = await clerk.get(f"/cases/{there}/proceedings")
    assert (found["waits_for_day"], found["next_on"]) == (True, None)
    await after(coast, days=14)
    assert "hearing_without_day" not in {kind for kind, _level in await alarms(coast, "justice")}
    await after(coast, seconds=1)
    await after(coast, seconds=1)
    assert [kind for kind, _level in await alarms(coast, "justice")].count("hearing_without_day") == 1
    visitor = await at_work(coast, "justice", "clerk-of-court", Role.OFFICER, OFFICE)
    page = (await visitor.open(f"/cases/{there}/proceedings")).words
    assert ("they have been told that the day does not hold" in page) is bool(items)
    assert ("it is said on the next visit here" in page) is not bool(items)
    assert "Do not visit or call the survivor." in page
    await coast.settle()
    off = [one["detail"]["on_date"] for one in (await desk.get(f"/cases/{case_id}/timeline?limit=200"))["items"]
           if one["kind"] == "case.hearing_off"]  # fmt: skip
    assert off == [(today + timedelta(days=3)).isoformat()] * bool(items)
    second = await clerk.post(path, {"on_date": (today + timedelta(days=40)).isoformat()})
    assert "hearing_without_day" not in {kind for kind, _level in await alarms(coast, "justice")}
    await clerk.post(f"/hearings/{second['id']}/answer", {"state": "cancelled"})  # and she has no day again
    assert (await clerk.get(f"/cases/{there}/proceedings"))["waits_for_day"]
    await after(coast, days=14, seconds=1)
    assert [kind for kind, _level in await alarms(coast, "justice")].count("hearing_without_day") == 1  # told a second time
    left = await clerk.post(path, {"on_date": (today + timedelta(days=90)).isoformat()})
    await clerk.post(f"/cases/{there}/verdicts", {"outcome": "dismissed"})
    await after(coast, seconds=1)
    await clerk.post(f"/hearings/{left['id']}/answer", {"state": "cancelled"})  # which is not needed any more
    await after(coast, days=15)
    assert "hearing_without_day" not in {kind for kind, _level in await alarms(coast, "justice")}
    assert not (await clerk.get(f"/cases/{there}/proceedings"))["waits_for_day"]
    await coast.settle()
    assert bool(await told_at(coast, "police", "justice")) is bool(items)  # where she agreed to nothing nobody hears of any of it


async def test_a_day_in_court_that_does_not_hold_stands_on_nobodys_list_any_more(coast: World) -> None:
    """The police told her to come on it: they see at once that she is to be told something else."""
    _desk, case_id, clerk, there = await in_court(coast, "prog")
    day = coast.clock.now().date() + timedelta(days=3)
    hearing = await clerk.post(f"/cases/{there}/hearings", {"on_date": day.isoformat()})
    await coast.settle()
    officer = await at_work(coast, "police", "sees-days", Role.OFFICER, STATION)

    async def next_day_of() -> str:
        return re.search(r"(Next: [^.]*|No date is set)", (await officer.open(f"/cases/{case_id}")).words)[0]  # type: ignore[index]

    assert "Hearing" in await next_day_of()
    await clerk.post(f"/hearings/{hearing['id']}/answer", {"state": "put_off"})
    await coast.settle()
    assert await next_day_of() == "No date is set"
    assert "will not be on the day that was told" in (await officer.open(f"/cases/{case_id}")).words
    async with coast["police"].database.read() as tx:
        days = select(col(Progress.on_date)).where(col(Progress.code) == "hearing_date")
        assert list((await tx.session.execute(days)).scalars()) == [None]
    await clerk.post(f"/cases/{there}/hearings", {"on_date": day.isoformat()})  # it is on that day after all
    await coast.settle()
    assert "Hearing" in await next_day_of()


async def test_what_justice_told_of_is_told_to_her_by_her_safe_way_and_again_when_it_does_not_hold(coast: World) -> None:
    desk, case_id, clerk, there = await in_court(coast, "prog")
    day = (coast.clock.now().date() + timedelta(days=3)).isoformat()

    async def to_tell() -> list[dict[str, Any]]:
        return [one for one in (await desk.get(f"/cases/{case_id}/to-tell"))["steps"] if one["agency"] == "justice"]

    hearing = await clerk.post(f"/cases/{there}/hearings", {"on_date": day})
    await coast.settle()
    (step,) = await to_tell()
    assert (step["code"], step["hearing_on"], step["is_off"]) == ("hearing_date", day, False)
    officer = await at_work(coast, "police", "tells-her", Role.OFFICER, STATION)
    assert "To tell the complainant" in (await officer.open("/work")).words
    await desk.post(f"/cases/{case_id}/told", {"step": step["step"], "outcome": "told", "how": "when_she_came"})
    assert await to_tell() == []
    coast.clock.advance(timedelta(minutes=5))
    assert (await officer.open(f"/cases/{case_id}/complaint")).words.count("Will not be on this day") == 0  # it is not theirs
    with pytest.raises(Refused) as foreign:
        await desk.post(f"/cases/{case_id}/hearing-off", {"step": step["step"]})
    assert foreign.value.status == 409
    await clerk.post(f"/hearings/{hearing['id']}/answer", {"state": "cancelled"})
    await coast.settle()
    (off,) = await to_tell()
    assert (off["step"], off["is_off"], off["was_on"]) == (step["step"], True, day)
    assert "will not be on the day that was told" in (await officer.open(f"/cases/{case_id}/complaint")).words
    await desk.post(f"/cases/{case_id}/told", {"step": step["step"], "outcome": "told", "how": "when_she_came"})
    assert await to_tell() == []
    agreed = next(one for one in (await clerk.get(f"/cases/{there}/consents"))["items"] if one["recipient"] == "police")
    await clerk.take_back(there, agreed)  # what was told under it goes, and that she was told of it
    await coast.settle()
    async with coast["police"].database.read() as tx:
        assert not list((await tx.session.execute(select(Telling).where(col(Telling.position) == step["step"]))).scalars())
        assert not [row for row in (await tx.session.execute(select(Progress))).scalars() if row.agency == "justice"]


async def test_a_file_goes_from_the_prosecutor_to_the_court_within_justice(coast: World) -> None:
    desk, case_id, clerk, _there = await in_court(coast)
    (sent,) = (await desk.get("/referrals?direction=out"))["items"]
    await clerk.post(f"/referrals/{sent['id']}/redirect", {"to_facility": COURT})
    registrar = await at(coast, "justice", COURT)
    assert [one["id"] for one in (await registrar.get("/referrals?direction=in"))["items"]] == [sent["id"]]
    assert await stands(desk, case_id) == "in_time"


# --- at the institute --------------------------------------------------------------------------------------------------


async def examined(coast: World) -> tuple[Desk, str]:
    """Somebody was sent to the institute and has come: (examiner, case there)."""
    desk, examiner = await at(coast, "police", STATION), await at(coast, "justice", INSTITUTE)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "justice")
    sent = await ask(desk, case_id, incident_id, f"justice/{INSTITUTE}", "examination_and_report")
    await coast.settle()
    await examiner.post(f"/referrals/{sent['id']}/arrive")
    return examiner, (await examiner.get(f"/referrals/{sent['id']}"))["case_id"]


async def test_an_examination_may_begin_before_its_order(coast: World) -> None:
    examiner, case_id = await examined(coast)
    for wrong in ({"post": "examiner"}, {"post": "examiner", "agreed": False}):  # never without her yes
        with pytest.raises(Refused) as error:
            await examiner.post(f"/cases/{case_id}/examinations", wrong)
        assert error.value.status == 422
    begun = await examiner.post(f"/cases/{case_id}/examinations", {"post": "examiner", "agreed": True})
    assert (begun["order_state"], begun["order_number"]) == ("awaited", None)
    asked = await examiner.post(f"/examinations/{begun['id']}/order-asked", {"asked_of": "police"})
    assert (asked["order_state"], asked["order_asked_of"]) == ("asked", "police")
    sample = await examiner.post(f"/cases/{case_id}/specimens", {"kind": "swab", "post": "examiner", "name": "Canary Collector"})
    sealed = await examiner.post(f"/specimens/{sample['id']}/entries", {"act": "sealed", "post": "examiner", "seal": "IN-1"})
    assert (sealed["state"], sealed["gaps"]) == ("sealed", [])
    await examiner.post(f"/examinations/{begun['id']}/done", {})
    await after(coast, hours=47)
    assert (await alarms(coast, "justice"), len((await examiner.get("/examinations"))["items"])) == ([], 1)
    await after(coast, hours=1, seconds=1)
    assert [kind for kind, _level in await alarms(coast, "justice")] == ["order_missing"]
    came = await examiner.post(f"/examinations/{begun['id']}/order-came", {"order_number": "ORD/7/26"})
    assert (came["order_state"], await alarms(coast, "justice")) == ("came", [])
    assert (await examiner.get("/examinations"))["items"] == []
    await coast.settle()
    async with coast["police"].database.read() as tx:  # nothing of it has left: neither order nor sample
        heard = set((await tx.session.execute(select(col(InboxRow.type)))).scalars())
    assert heard <= {"referral.arrived", "referral.acknowledged", "referral.accepted", "circle.announced",
                     "referral.no_feedback_by_choice"}  # fmt: skip


async def test_where_the_order_must_come_first_it_is_said(coast: World) -> None:
    rules = coast["justice"].here.programme.rules
    with_rules(coast, rules={**rules, "order_may_follow": rules["order_may_follow"].model_copy(update={"may_follow": False})})
    examiner, case_id = await examined(coast)
    with pytest.raises(Refused) as error:
        await examiner.post(f"/cases/{case_id}/examinations", {"post": "examiner", "agreed": True})
    assert (error.value.status, "order" in error.value.problem["detail"]) == (409, True)
    begun = await examiner.post(
        f"/cases/{case_id}/examinations", {"post": "examiner", "agreed": True, "order_number": "ORD/8/26"}
    )  # fmt: skip
    assert begun["order_state"] == "there"
    situation = Situation(Act.EXAMINE, coast.clock.now(), not_so=frozenset({Fact.POLICE_ORDER}))
    said = answers(coast["justice"].here.programme, situation)  # the rule itself says the same
    assert (said[0].verdict, said[0].message) == (Verdict.REFUSED, Message.NEEDED_FIRST)


# --- partners ----------------------------------------------------------------------------------------------------------


async def wants(coast: World, *items: str) -> tuple[Desk, str, str]:
    desk = await at(coast, "police", STATION)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "partner", *items)
    return desk, case_id, incident_id


async def refusal(desk: Desk, case_id: str, incident_id: str, place: str, *services: str) -> str:
    with pytest.raises(Refused) as error:
        await ask(desk, case_id, incident_id or None, place, *services)
    assert error.value.status == 409
    return str(error.value.problem["detail"])


async def test_a_partner_is_asked_within_its_agreement_answers_and_closes(coast: World) -> None:
    desk, case_id, incident_id = await wants(coast, "fb")
    sent = await ask(desk, case_id, incident_id, f"partner/{REFUGE}", "shelter")
    await coast.settle()
    intake = await at(coast, "partner", REFUGE)
    for act, more in (("acknowledge", {}), ("accept", {}), ("arrive", {"feedback": True}), ("start", {})):
        await intake.post(f"/referrals/{sent['id']}/{act}", more)
    await intake.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served"})
    await coast.settle()
    assert (await desk.get(f"/referrals/{sent['id']}"))["status"] == "closed"


async def test_what_is_outside_the_agreement_is_refused_in_one_sentence_that_names_others(coast: World) -> None:
    desk, case_id, incident_id = await wants(coast)
    assert coast.clock.now().date() < date(2026, 2, 1)
    said = await refusal(desk, case_id, incident_id, f"partner/{LAW}", "legal_aid")
    assert said == "The agreement with partner begins only on 2026-02-01; the directory has for this: nobody_else."
    assert "does not cover: reintegration" in await refusal(desk, case_id, incident_id, f"partner/{LAW}", "reintegration")
    coast.clock.advance(date(2026, 4, 1) - coast.clock.now().date())
    said = await refusal(desk, case_id, incident_id, f"partner/{REFUGE}", "psychosocial")
    assert said.startswith("The agreement with partner ended on 2026-03-31; the directory has for this: social_welfare/")
    await ask(desk, case_id, incident_id, f"partner/{LAW}", "legal_aid")
    worker = await at(coast, "social_welfare", "ndola_district_office")  # another agency has signed none with the law clinic
    case = await worker.post("/cases", {})
    await consent(worker, case["id"], "partner")
    said = await refusal(worker, case["id"], "", f"partner/{LAW}", "legal_aid")
    assert said.startswith("partner has signed no agreement with this agency for this place;")


async def test_a_sheet_that_was_written_within_the_agreement_counts_by_its_own_day(coast: World) -> None:
    desk, case_id, incident_id = await wants(coast)
    coast.clock.advance(date(2026, 4, 1) - coast.clock.now().date())
    written = (coast.clock.now() - timedelta(days=2)).isoformat()
    sent = await ask(desk, case_id, incident_id, f"partner/{REFUGE}", "shelter", occurred_at=written)
    assert sent["status"] == "issued"


async def test_nothing_is_closed_when_an_agreement_ends(coast: World) -> None:
    desk, case_id, incident_id = await wants(coast, "fb")
    sent = await ask(desk, case_id, incident_id, f"partner/{REFUGE}", "shelter")
    await coast.settle()
    intake = await at(coast, "partner", REFUGE)
    await intake.post(f"/referrals/{sent['id']}/accept")
    with pytest.raises(Refused) as early:
        await intake.post(f"/referrals/{sent['id']}/afterwards", {"plan": "goes_on_here"})
    assert early.value.status == 409
    await coast.settle()
    coast.clock.advance(date(2026, 2, 28) - coast.clock.now().date())  # 31 days before its last
    await after(coast, seconds=1)
    ends = [(agency, level) for agency in coast.agencies for kind, level in await alarms(coast, agency) if kind == "agreement_ends"]
    assert ends == []
    await after(coast, days=1)
    ends = [(agency, level) for agency in coast.agencies for kind, level in await alarms(coast, agency) if kind == "agreement_ends"]
    assert sorted(ends) == [("partner", 0), ("police", 1), ("social_welfare", 1)]  # who has not signed it is not told
    (left,) = (await intake.get("/afterwards"))["items"]
    assert (left["referral_id"], left["agreement"], left["plan"]) == (sent["id"], "refuge_2026", None)
    await intake.post(f"/referrals/{sent['id']}/afterwards", {"plan": "another_place"})
    await intake.post(f"/referrals/{sent['id']}/afterwards", {"plan": "goes_on_here"})
    await after(coast, days=40)  # and the last day has passed; a program's token has not lasted as long
    intake, desk = await at(coast, "partner", REFUGE, "intake-2"), await at(coast, "police", STATION, "desk-2")
    (left,) = (await intake.get("/afterwards"))["items"]
    assert left["plan"] == "goes_on_here"
    for agency, by in (("partner", intake), ("police", desk)):
        (one,) = [one for one in (await by.get("/agreements"))["items"] if one["id"] == "refuge_2026"]
        assert (agency, one["standing"], one["open_now"]) == (agency, "ended", 1)
        assert (await by.get(f"/referrals/{sent['id']}"))["status"] == "accepted"
    await intake.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})  # and it goes on, after the last day too
    await intake.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served"})
    await coast.settle()
    assert (await desk.get(f"/referrals/{sent['id']}"))["status"] == "closed"
    assert (await intake.get("/afterwards"))["items"] == []


async def test_an_agreement_that_is_prolonged_ends_its_alarm(coast: World) -> None:
    coast.clock.advance(date(2026, 3, 10) - coast.clock.now().date())
    await after(coast, seconds=1)
    assert ("agreement_ends", 0) in await alarms(coast, "partner")
    longer = {id_: one.model_copy(update={"ends_on": None}) for id_, one in coast["partner"].here.programme.agreements.items()}
    with_rules(coast, agreements=longer)
    await after(coast, seconds=1)
    assert await alarms(coast, "partner") == []


async def test_a_shelter_shows_its_area_only(coast: World) -> None:
    net = coast["police"].here.network
    content: dict[str, Any] = net.model_dump(mode="json")
    assert net.agencies["partner"].facilities[REFUGE].journeys == {}
    for agency, facility, start in (("partner", REFUGE, STATION), ("health", "ndola_clinic", REFUGE)):
        told = parse_network(content, "of this test").model_dump(mode="json")
        told["agencies"][agency]["facilities"][facility]["journeys"] = {start: {"km": 4, "minutes": 9}}
        with pytest.raises(RefnetError, match="is a shelter, which shows an area only"):
            parse_network(told, "of this test")


# --- a day that does not hold, and a telephone that was not safe ------------------------------------------------------------


async def of_justice(desk: Desk, case_id: str) -> list[dict[str, Any]]:
    """What justice told and she is to be told."""
    return [one for one in (await desk.get(f"/cases/{case_id}/to-tell"))["steps"] if one["agency"] == "justice"]


async def test_a_message_that_was_not_safe_once_is_safe_at_no_hour_also_after_what_it_was_of_is_gone(coast: World) -> None:
    desk, case_id, clerk, there = await in_court(coast, "prog")
    async with coast["police"].database.write() as tx:
        (await tx.session.get_one(Case, UUID(case_id))).relay = {"safe_hours": "morning"}
    await clerk.post(f"/cases/{there}/hearings", {"on_date": (coast.clock.now().date() + timedelta(days=3)).isoformat()})
    await coast.settle()
    assert (await desk.get(f"/cases/{case_id}/to-tell"))["safe_hours"] == "morning"
    (step,) = await of_justice(desk, case_id)
    await desk.post(f"/cases/{case_id}/told", {"step": step["step"], "outcome": "not_safe"})
    (agreed,) = [one for one in (await clerk.get(f"/cases/{there}/consents"))["items"] if one["recipient"] == "police"]
    await clerk.take_back(there, agreed)
    await coast.settle()
    found = await desk.get(f"/cases/{case_id}/to-tell")
    assert (found["safe_hours"], await of_justice(desk, case_id)) == (None, [])
    async with coast["police"].database.read() as tx:
        tellings = (await tx.session.execute(select(col(Telling.position), col(Telling.outcome)))).tuples().all()
    assert (None, "not_safe") in tellings
    told = {"step": found["steps"][0]["step"], "outcome": "told", "how": "in_safe_hours"}
    with pytest.raises(Refused) as refused:
        await desk.post(f"/cases/{case_id}/told", told)
    assert refused.value.status == 409


@pytest.mark.parametrize("in_the_backup", [True, False])
async def test_who_may_have_been_told_a_day_before_a_restore_is_told_that_it_does_not_hold(
    coast: World, in_the_backup: bool
) -> None:
    desk, case_id, clerk, there = await in_court(coast, "prog")
    await coast.settle()
    image = await coast.back_up("police")
    day = (coast.clock.now().date() + timedelta(days=3)).isoformat()
    hearing = await clerk.post(f"/cases/{there}/hearings", {"on_date": day})
    await coast.settle()
    image = await coast.back_up("police") if in_the_backup else image
    (step,) = await of_justice(desk, case_id)
    await desk.post(f"/cases/{case_id}/told", {"step": step["step"], "outcome": "told", "how": "when_she_came"})
    coast.clock.advance(timedelta(minutes=5))
    await clerk.post(f"/hearings/{hearing['id']}/answer", {"state": "cancelled"})
    await coast.settle()
    await coast.restore("police", image)
    await coast.settle_restored()
    desk = await at(coast, "police", STATION, "later")
    (waits,) = await of_justice(desk, case_id)
    assert (waits["is_off"], waits["was_on"]) == (True, day)
    officer = await at_work(coast, "police", "after", Role.OFFICER, STATION)
    assert str(waits["was_on"][-1]) in (await officer.open(f"/cases/{case_id}/complaint")).words
    assert f"/cases/{case_id}/complaint" in (await officer.open("/")).text, "it stands on the work list too"
    await desk.post(f"/cases/{case_id}/told", {"step": waits["step"], "outcome": "told", "how": "when_she_came", "is_off": True})
    assert await of_justice(desk, case_id) == []
    await clerk.post(f"/cases/{there}/hearings", {"on_date": day})
    await coast.settle()
    (fresh,) = await of_justice(desk, case_id)
    assert not fresh["is_off"]
