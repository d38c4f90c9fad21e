"""A station that is offline: numbers at once, who has confirmed them, gaps, both versions, original times, and sticks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agencies import Desk, Refused, World, consent, open_case, refer
from schema import as_application, postgres_at_head
from sqlalchemy import delete, func, select, update
from sqlmodel import col
from stations import STATION, Sticks, world_with_stations

from services.police.stations.tables import Registration, StationCounter, StationEntry
from shared.casework.alarms.tables import Alarm
from shared.casework.directory.stations import station_subject
from shared.casework.lines.views import SILENT_AFTER
from shared.contracts.casework.codes import Role
from shared.exchange.tables import OutboxRow
from shared.kit.ids import new_id

OFFLINE = timedelta(hours=40)


@pytest.fixture
async def far(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """The demo's three agencies and a station in the north; where a test asks for it the police and the station on PostgreSQL."""
    on = {}
    if getattr(request, "param", "sqlite") == "postgresql":
        server = request.getfixturevalue("postgres")
        for agency in ("police", STATION):
            on[agency] = as_application(await asyncio.to_thread(postgres_at_head, server, "police"))
    made = await world_with_stations(tmp_path / "world", STATION, on=on)
    yield made
    await made.close()
    for url in on.values():
        request.getfixturevalue("postgres").drop_database(url.rpartition("/")[2])


ON_BOTH = pytest.mark.parametrize("far", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def sticks(far: World, tmp_path: Path) -> Sticks:
    return Sticks(far, tmp_path)


async def a_complaint(desk: Desk, at: str | None = None) -> Any:
    case, _ = await open_case(desk)
    body = {} if at is None else {"occurred_at": at}
    return await desk.post(f"/cases/{case}/complaints", body)


async def a_referral(desk: Desk) -> Any:
    case, incident = await open_case(desk)
    await consent(desk, case, "health", "needs", "fb")
    return await refer(desk, case, incident, "health")


async def at_mother(world: World) -> tuple[Desk, Any]:
    inspector = await world["police"].sign_in(f"inspector-{world.clock.now().timestamp()}", Role.SUPERVISOR)
    (station,) = (await inspector.get("/stations"))["items"]
    return inspector, station


async def alarms(world: World, agency: str, kind: str) -> list[Alarm]:
    async with world[agency].database.read() as tx:
        query = select(Alarm).where(col(Alarm.kind) == kind, col(Alarm.resolved_at).is_(None))
        return list((await tx.session.execute(query)).scalars())


@ON_BOTH
async def test_everything_is_numbered_at_once_without_any_line_and_nobody_has_confirmed_it(far: World) -> None:
    desk = await far[STATION].sign_in("corporal")
    made = await a_complaint(desk)
    sent = await a_referral(desk)
    assert made["reference"] == "00001-C"
    register = await desk.get("/register")
    assert [(one["number"], one["what"], one["about"]) for one in register["items"]] == [
        (2, "referral", sent["id"]), (1, "complaint", made["id"]),
    ]  # fmt: skip
    assert (register["last"], register["unconfirmed"], register["missing"]) == (2, 2, [])
    assert not any(one["confirmed"] for one in register["items"])
    log = (await desk.get(f"/cases/{sent['case_id']}/access-log"))["items"]
    assert ("corporal", "list") in {(one["account"], one["what"]) for one in log}  # to read the register is a look at its cases
    assert (await desk.get(f"/referrals/{sent['id']}"))["status"] == "issued"
    at_home = await far["police"].sign_in("constable")
    assert (await a_complaint(at_home))["reference"] is None  # who is no station gives no such numbers
    with pytest.raises(Refused) as error:
        await at_home.get("/register")
    assert error.value.status == 404


@ON_BOTH
async def test_forty_hours_offline_then_a_line_keeps_original_times_and_delivers_all_once(far: World) -> None:
    desk = await far[STATION].sign_in("corporal")
    made, sent = await a_complaint(desk, "2026-01-04T20:00:00Z"), await a_referral(desk)
    registered_at = far.clock.now()
    far.clock.advance(OFFLINE)
    await far.settle()  # a line at last
    async with far["police"].database.read() as tx:
        rows = list((await tx.session.execute(select(StationEntry).order_by(col(StationEntry.number)))).scalars())
    assert [(one.number, one.what) for one in rows] == [(1, "complaint"), (2, "referral")]
    assert rows[0].occurred_at.isoformat() == "2026-01-04T20:00:00+00:00"  # when it was
    assert {one.recorded_at for one in rows} == {registered_at}  # when the station wrote it
    assert all(one.received_at - one.recorded_at >= OFFLINE for one in rows)  # when it came
    nurse = await far["health"].sign_in("nurse")
    there = await nurse.get(f"/referrals/{sent['id']}")
    assert there["issued_at"] == sent["issued_at"]
    register = await desk.get("/register")
    assert register["unconfirmed"] == 0
    assert {one["number"]: one["mother_at"] is not None for one in register["items"]} == {1: True, 2: True}
    assert (await desk.get(f"/cases/{made['case_id']}/complaints"))["items"][0]["reference"] == made["reference"]
    async with far[STATION].database.read() as tx:
        query = select(func.count()).where(col(OutboxRow.delivered_at).is_(None))
        assert (await tx.session.execute(query)).scalar_one() == 0
    await far.settle()
    assert (await at_mother(far))[1]["held"] == 2


async def test_a_round_trip_of_the_stick_ends_with_a_confirmation_and_no_line_ever(far: World, sticks: Sticks) -> None:
    desk = await far[STATION].sign_in("corporal")
    await a_complaint(desk)
    sent = await a_referral(desk)
    nurse = await far["health"].sign_in("nurse")
    await sticks.go(STATION, "police", "health")
    assert (await nurse.get(f"/referrals/{sent['id']}"))["status"] == "issued"
    assert (await desk.get("/register"))["unconfirmed"] == 2
    await nurse.post(f"/referrals/{sent['id']}/acknowledge")
    await sticks.go("health", STATION)
    after = await desk.get(f"/referrals/{sent['id']}")
    assert after["delivered_at"] is not None
    assert after["status"] == "acknowledged"
    assert (await desk.get("/register"))["unconfirmed"] == 1
    await sticks.go("police", STATION)
    register = await desk.get("/register")
    assert register["unconfirmed"] == 0
    assert {one["what"]: one["file_here_only"] for one in register["items"]} == {"complaint": True, "referral": False}
    _, station = await at_mother(far)
    assert station["missing"] == []
    assert (station["complaints"], station["requests"]) == ([{"first": 1, "last": 1}], [{"first": 2, "last": 2}])
    await far.settle()  # and a line that carries the same once more changes nothing
    facts = (await nurse.get(f"/referrals/{sent['id']}"))["status"]
    assert facts == "acknowledged"


async def hold_back(world: World, number: int, *, is_held: bool) -> None:
    """Somebody at the station sees to it that the word of a number does not leave with the others, or lets it go after all."""
    async with world[STATION].database.write() as tx:
        (event_id,) = (
            await tx.session.execute(select(col(Registration.event_id)).where(col(Registration.number) == number))
        ).scalars()
        values = {"delivered_at": tx.clock.now() if is_held else None, "is_due": not is_held}
        await tx.session.execute(update(OutboxRow).where(col(OutboxRow.event_id) == event_id).values(**values))


@ON_BOTH
async def test_a_desk_sees_the_numbers_of_its_own_cases_and_that_there_are_others(far: World) -> None:
    here = await far[STATION].sign_in("corporal", facility="post_north")
    there = await far[STATION].sign_in("private", facility="post_north_2")
    await a_complaint(here)
    own = await a_complaint(there)
    register = await there.get("/register")
    assert [one["about"] for one in register["items"]] == [own["id"]]
    assert (register["last"], register["unconfirmed"], register["missing"]) == (2, 1, [])  # the other number is no gap


async def test_a_number_that_never_comes_is_shown_and_alarmed_until_it_does(far: World, sticks: Sticks) -> None:
    desk = await far[STATION].sign_in("corporal")
    for _ in range(3):
        await a_complaint(desk)
    await far[STATION].flush()
    await hold_back(far, 2, is_held=True)
    await sticks.go(STATION, "police")
    _, station = await at_mother(far)
    assert (station["held"], station["highest"], station["missing"]) == (2, 3, [{"first": 2, "last": 2}])
    await far["police"].watcher.tick()
    assert await alarms(far, "police", "station_number_lacking") == []  # what is on its way has a few minutes
    far.clock.advance(timedelta(minutes=11))
    await far["police"].watcher.tick()
    (alarm,) = await alarms(far, "police", "station_number_lacking")
    assert alarm.detail["peer"] == STATION
    await hold_back(far, 2, is_held=False)
    await sticks.go(STATION, "police")
    assert (await at_mother(far))[1]["missing"] == []
    await far["police"].watcher.tick()
    assert await alarms(far, "police", "station_number_lacking") == []


async def test_a_station_that_brings_nothing_for_three_days_is_an_alarm_at_its_mother_station(far: World, sticks: Sticks) -> None:
    async def open_after(**time: float) -> list[tuple[str, str]]:
        far.clock.advance(timedelta(**time))
        await far["police"].watcher.tick()
        return [(one.detail["peer"], one.post) for one in await alarms(far, "police", "station_silent")]

    desk = await far[STATION].sign_in("corporal")
    assert await open_after(seconds=0) == []
    assert await open_after(hours=72) == []  # it is being made
    assert [peer for peer, _post in await open_after(seconds=1)] == [STATION]  # and was never heard
    await sticks.go(STATION, "police")
    assert await open_after(seconds=0) == []
    assert await open_after(hours=72) == []
    (told,) = await open_after(seconds=1)
    assert told == (STATION, far["police"].here.posts(next(iter(far["police"].here.entry.facilities)))[1])
    await sticks.go(STATION, "police")  # nothing was registered there: that it was heard is enough
    assert await open_after(seconds=1) == []
    assert len(await open_after(hours=72)) == 1
    inspector, _station = await at_mother(far)
    (alarm,) = await alarms(far, "police", "station_silent")
    await inspector.post(f"/alarms/{alarm.id}/take")
    await inspector.post(f"/alarms/{alarm.id}/resolve", {"note": "Stolen; nothing more comes."})
    assert await open_after(hours=100) == []
    await a_complaint(desk)
    await sticks.go(STATION, "police")
    assert await open_after(seconds=1) == []
    assert len(await open_after(hours=73)) == 1
    await far[STATION].watcher.tick()
    assert await alarms(far, STATION, "station_silent") == []  # who is at home is no news there


async def test_a_row_that_was_taken_out_of_the_stations_own_book_is_a_gap_there_too(far: World) -> None:
    desk = await far[STATION].sign_in("corporal")
    for _ in range(3):
        await a_complaint(desk)
    async with far[STATION].database.write() as tx:
        await tx.session.execute(delete(Registration).where(col(Registration.number) == 2))
    assert (await desk.get("/register"))["missing"] == [{"first": 2, "last": 2}]
    await far[STATION].watcher.tick()
    assert len(await alarms(far, STATION, "station_number_lacking")) == 1


async def test_what_is_said_by_phone_names_what_is_not_here(far: World, sticks: Sticks) -> None:
    desk = await far[STATION].sign_in("corporal")
    await a_complaint(desk)
    await sticks.go(STATION, "police")
    inspector, station = await at_mother(far)
    assert station["missing"] == []
    said = await inspector.post(f"/stations/{STATION}/stated", {"number": 4, "how": "phone"})
    assert (said["stated"], said["missing"]) == (4, [{"first": 2, "last": 4}])
    (wrong,) = said["words"]
    path = f"/stations/{STATION}/stated"
    said = await inspector.post(path, {"number": 2, "how": "phone", "corrects": wrong["id"]})
    assert (said["stated"], said["missing"]) == (2, [{"first": 2, "last": 2}])
    assert {one["number"]: one["is_corrected"] for one in said["words"]} == {2: False, 4: True}, "both are kept"
    for line, status in ((wrong["id"], 409), (str(new_id()), 404)):
        with pytest.raises(Refused) as error:
            await inspector.post(path, {"number": 3, "how": "phone", "corrects": line})
        assert error.value.status == status
    for who, wrong in ((inspector, "health"), (inspector, "nowhere")):
        with pytest.raises(Refused) as error:
            await who.post(f"/stations/{wrong}/stated", {"number": 4, "how": "phone"})
        assert error.value.status == 404
    officer = await far["police"].sign_in("constable")
    with pytest.raises(Refused) as error:
        await officer.get("/stations")
    assert error.value.status == 403


async def test_what_somebody_answered_for_is_said_again_only_where_more_is_lacking(far: World, sticks: Sticks) -> None:
    """What went with a stolen station never comes: the alarm about it ends where a person says so."""
    desk = await far[STATION].sign_in("corporal")
    await a_complaint(desk)
    await sticks.go(STATION, "police")
    inspector, _station = await at_mother(far)

    async def open_now() -> int:
        far.clock.advance(timedelta(minutes=11))
        await far["police"].watcher.tick()
        return len(await alarms(far, "police", "station_number_lacking"))

    await inspector.post(f"/stations/{STATION}/stated", {"number": 4, "how": "phone"})
    assert await open_now() == 1
    (alarm,) = await alarms(far, "police", "station_number_lacking")
    await inspector.post(f"/alarms/{alarm.id}/take")
    await inspector.post(f"/alarms/{alarm.id}/resolve", {"note": "Stolen; nothing more comes."})
    assert [await open_now(), await open_now()] == [0, 0]
    assert (await at_mother(far))[1]["missing"] == [{"first": 2, "last": 4}]  # it stands on the page all the same
    await inspector.post(f"/stations/{STATION}/stated", {"number": 6, "how": "paper"})
    assert await open_now() == 1


async def test_one_number_in_two_versions_keeps_both_and_shows_them(far: World, sticks: Sticks, tmp_path: Path) -> None:
    """A station's disk was copied: both copies go on, and each gives the same number to something else."""
    desk = await far[STATION].sign_in("corporal")
    await a_complaint(desk)
    await sticks.go(STATION, "police")
    copy = await far.back_up(STATION)
    await a_complaint(desk)
    await sticks.go(STATION, "police")
    await far.restore(STATION, copy)
    async with far[STATION].database.write() as tx:
        assert (await tx.session.execute(select(col(StationCounter.last)))).scalar_one() == 1
    again = await far[STATION].sign_in("sergeant")
    await a_referral(again)
    await sticks.go(STATION, "police")
    _, station = await at_mother(far)
    ((twice),) = station["twice"]
    assert twice["number"] == 2
    assert [one["what"] for one in twice["versions"]] == ["complaint", "referral"]
    await far["police"].watcher.tick()
    assert len(await alarms(far, "police", "station_number_twice")) == 1


async def test_after_a_restore_numbers_go_on_above_what_came_home(far: World, sticks: Sticks) -> None:
    desk = await far[STATION].sign_in("corporal")
    copy = await far.back_up(STATION)
    await a_complaint(desk)
    await a_complaint(desk)
    await sticks.round(STATION, "police")
    await far.restore(STATION, copy)
    await far.settle_restored()
    again = await far[STATION].sign_in("sergeant")
    assert (await a_complaint(again))["reference"].startswith("00003-")
    register = await again.get("/register")
    assert [(one["number"], one["case_id"] is None) for one in register["items"]] == [(3, False), (2, True), (1, True)]


async def test_an_answer_that_crossed_with_a_request_keeps_both(far: World, sticks: Sticks) -> None:
    """The station asks to cancel, and the clinic has accepted meanwhile: after issue the recipient's database decides."""
    desk = await far[STATION].sign_in("corporal")
    nurse = await far["health"].sign_in("nurse")
    sent = await a_referral(desk)
    await sticks.round(STATION, "health")
    await desk.post(f"/referrals/{sent['id']}/cancel", {"reason_code": "no_longer_needed"})
    await nurse.post(f"/referrals/{sent['id']}/accept")
    crossing = [await sticks.write(STATION, "health"), await sticks.write("health", STATION)]
    await sticks.read("health", crossing[0])
    await sticks.read(STATION, crossing[1])
    await nurse.post(f"/referrals/{sent['id']}/refuse-cancel")
    await sticks.go("health", STATION)
    after = await desk.get(f"/referrals/{sent['id']}")
    assert after["status"] == "accepted"
    timeline = (await desk.get(f"/cases/{sent['case_id']}/timeline"))["items"]
    kinds = [one["kind"] for one in timeline]
    assert {"referral.cancel_requested", "referral.accepted", "referral.cancel_refused"} <= set(kinds)


async def test_cases_that_the_mother_station_gave_are_there_offline(far: World, sticks: Sticks) -> None:
    home = await far["police"].sign_in("constable")
    case, incident = await open_case(home)
    await consent(home, case, STATION, purpose="protection")
    body = {"case_id": case, "incident_id": incident, "to_agency": STATION, "to_facility": "post_north",
            "services": ["protection"], "urgency": "routine"}  # fmt: skip
    sent = await home.post("/referrals", body)
    await sticks.go("police", STATION)
    far.clock.advance(OFFLINE)
    desk = await far[STATION].sign_in("corporal")
    await desk.post(f"/referrals/{sent['id']}/acknowledge")
    await desk.post(f"/referrals/{sent['id']}/accept")
    assert (await desk.get(f"/referrals/{sent['id']}"))["status"] == "accepted"
    await sticks.go(STATION, "police")
    assert (await home.get(f"/referrals/{sent['id']}"))["status"] == "accepted"


@ON_BOTH
async def test_who_was_informed_is_counted_by_day_and_kind_and_nothing_else_is_kept(far: World) -> None:
    desk = await far[STATION].sign_in("corporal")
    await desk.post("/informed", {"what": "her_rights", "count": 12, "on": "2026-01-04"})
    added = await desk.post("/informed", {"what": "her_rights", "count": 3, "on": "2026-01-04"})
    await desk.post("/informed", {"what": "where_care_is", "count": 1})
    assert added["count"] == 15
    assert [(one["on"], one["what"], one["count"]) for one in (await desk.get("/informed"))["items"]] == [
        ("2026-01-05", "where_care_is", 1), ("2026-01-04", "her_rights", 15),
    ]  # fmt: skip
    for wrong in ({"what": "her_rights", "count": 0}, {"what": "a name", "count": 1}, {"what": "other", "count": 1, "note": "x"}):
        with pytest.raises(Refused) as error:
            await desk.post("/informed", wrong)
        assert error.value.status == 422
    with pytest.raises(Refused) as error:
        await desk.post("/informed", {"what": "other", "count": 1, "on": "2026-02-01"})
    assert error.value.status == 409
    async with far[STATION].database.read() as tx:
        assert (await tx.session.execute(select(func.count()).select_from(OutboxRow))).scalar_one() == 0  # it goes nowhere


async def test_only_a_station_of_its_own_may_tell_a_mother_station_of_numbers(far: World) -> None:
    from shared.contracts.casework import events
    from shared.exchange import outbox

    async with far["police"].database.write() as tx:  # the mother tells its station: the wrong way round
        subject = station_subject("police")
        await outbox.lock_subjects(tx, [subject])
        word = events.StationRegistered.model_validate({"number": 1, "what": "complaint"})
        outgoing = outbox.Outgoing(recipient=STATION, type=word.type, dataversion=1, subject=subject, lane_key=subject,
                                   data=events.data_of(word), occurred_at=tx.clock.now())  # fmt: skip
        await outbox.add(tx, outgoing)
    await far.settle()
    inspector = await far[STATION].sign_in("inspector", Role.SUPERVISOR)
    (parked,) = (await inspector.get("/parked"))["items"]
    assert "no mother station" in parked["reason"]


async def test_the_line_page_says_that_nothing_was_heard(far: World) -> None:
    desk = await far[STATION].sign_in("corporal")
    await a_referral(desk)
    (health,) = [one for one in (await desk.get("/peers"))["items"] if one["agency"] == "health"]
    assert (health["state"], health["undelivered"] > 0) == ("not_connected", True)
    await far.settle()
    far.clock.advance(OFFLINE + SILENT_AFTER)
    (health,) = [one for one in (await desk.get("/peers"))["items"] if one["agency"] == "health"]
    assert health["state"] == "silent"
