"""The hotline through its API, on both databases: every call to exactly one desk, and every bad path of the scenario."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from agencies import Refused, World
from hotline import CALL, GASABO, HUYE, HUYE_2, LATE, NYANZA, ROOM, holds, on_duty, room, with_hotline
from sqlalchemy import func, select, text
from sqlmodel import col

from services.police.hotline.tables import Call
from shared.casework.accounts.tables import CaseRead
from shared.contracts.casework.codes import Role
from shared.exchange.tables import OutboxRow


async def alarms(desk, kind: str) -> list[str]:  # type: ignore[no-untyped-def]
    return [
        one["facility"] for one in (await desk.get("/alarms?open=true"))["items"] if one["kind"] == kind and not one["resolved_at"]
    ]


async def refused(asking) -> int:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused) as found:
        await asking
    return found.value.status


async def test_a_call_goes_to_the_districts_desk_which_sees_it_and_opens_a_case_and_nothing_crosses(world: World) -> None:
    police = with_hotline(world)
    officer, other, taker = await on_duty(police, HUYE), await on_duty(police, NYANZA), await room(police)
    call = await taker.post("/calls", {**CALL, "is_child": True, "language": "sw"})
    assert (call["desk"], call["step"], call["said"]["needs"]) == (HUYE, "fits", ["protection", "child_protection"])
    assert (await other.get("/calls"))["items"] == []
    assert await refused(other.get(f"/calls/{call['id']}")) == 404
    assert [one["id"] for one in (await officer.get("/calls"))["items"]] == [call["id"]]
    world.clock.advance(timedelta(minutes=4))
    assert await refused(taker.post(f"/calls/{call['id']}/seen")) == 409  # the room is not the desk
    seen = await officer.post(f"/calls/{call['id']}/seen")
    assert seen["seen_at"]
    case = await officer.post(f"/calls/{call['id']}/case")
    assert (case["facility"], case["needs"]["language"], case["child"]["assent"]) == (HUYE, "sw", "unknown")
    assert (await officer.post(f"/calls/{call['id']}/case"))["id"] == case["id"]  # one tap or two: one case
    async with police.database.read() as tx:
        assert "case" in (await tx.session.execute(select(col(CaseRead.what)))).scalars().all()  # the second shows her case: a look
    assert (await officer.get(f"/calls/{call['id']}"))["said"]["need"] == "protection"
    assert await refused(taker.post(f"/calls/{call['id']}/case")) == 404  # the case is the desk's
    async with police.database.read() as tx:
        assert (await tx.session.execute(select(func.count()).select_from(OutboxRow))).scalar_one() == 0
        looks = (await tx.session.execute(select(col(CaseRead.what)))).scalars().all()
    assert {"call", "list"} <= set(looks)  # whoever looked before there was a case stands in its log
    board = await taker.get("/hotline")
    assert (board["calls"], board["routed"], board["unrouted"], board["seen_in_time"]) == (1, 1, 0, 1)
    assert board["minutes_to_seen_median"] == 4


async def test_what_a_desk_does_not_see_goes_down_the_chain_and_the_rooms_supervisor_is_told(world: World) -> None:
    police = with_hotline(world)
    for facility in (HUYE, HUYE_2, NYANZA, GASABO):
        await on_duty(police, facility)
    taker, lead = await room(police), await room(police, Role.SUPERVISOR)
    call = await taker.post("/calls", CALL)
    await police.watcher.tick()
    assert (await taker.get(f"/calls/{call['id']}"))["desk"] == HUYE  # not before its time
    had = [HUYE]
    for _ in range(3):
        world.clock.advance(LATE)
        await police.watcher.tick()
        had.append((await taker.get(f"/calls/{call['id']}"))["desk"])
        assert await alarms(lead, "call_not_seen") == [ROOM]
    assert had == [HUYE, HUYE_2, NYANZA, GASABO]
    for _ in range(2):  # the chain ends at the room, and stays there
        world.clock.advance(LATE)
        await police.watcher.tick()
        found = await taker.get(f"/calls/{call['id']}")
        assert (found["desk"], found["step"], len(found["turns"])) == (ROOM, "last_resort", 5)
    assert await alarms(lead, "call_at_last_resort") == [ROOM]
    await taker.post(f"/calls/{call['id']}/seen")
    assert await alarms(lead, "call_not_seen") + await alarms(lead, "call_at_last_resort") == []
    board = await taker.get("/hotline")
    assert (board["unrouted"], board["seen_in_time"]) == (0, 0)
    assert board["minutes_to_seen_median"] == pytest.approx(75, abs=0.2)


async def test_an_unmanned_desk_is_a_figure_and_an_alarm_until_somebody_is_there(world: World) -> None:
    police = with_hotline(world)
    for facility in (HUYE_2, NYANZA, GASABO):
        await on_duty(police, facility)
    taker = await room(police)
    commander = await police.sign_in("commander", Role.SUPERVISOR, HUYE)
    await police.watcher.tick()
    await police.watcher.tick()
    board = await taker.get("/hotline")
    assert (board["desks_ready"], board["desks"], board["station_coverage_pct"], board["desks_not_ready"]) == (3, 4, 75.0, [HUYE])
    assert await alarms(commander, "desk_unmanned") == [HUYE]
    assert (await taker.post("/calls", CALL))["desk"] == HUYE_2
    officer = await on_duty(police, HUYE)
    await police.watcher.tick()
    assert await alarms(commander, "desk_unmanned") == []
    await officer.post("/hotline/desk", {"is_trained": False, "assets": ["computer"]})
    await police.watcher.tick()
    assert await alarms(commander, "desk_unmanned") == [HUYE]  # trained is not whoever is there


async def test_nobody_anywhere_leaves_the_call_with_the_room(world: World) -> None:
    police = with_hotline(world)
    taker, lead = await room(police), await room(police, Role.SUPERVISOR)
    call = await taker.post("/calls", CALL)
    assert (call["desk"], call["step"]) == (ROOM, "last_resort")
    assert await alarms(lead, "call_at_last_resort") == [ROOM]
    assert (await taker.get("/hotline"))["unrouted"] == 1  # no desk was found


async def test_of_a_wrong_number_nothing_is_kept_but_that_there_was_one(world: World) -> None:
    police = with_hotline(world)
    await on_duty(police, HUYE)
    taker = await room(police)
    call = await taker.post("/calls", {**CALL, "what": "wrong_number", "is_child": True, "may_call_back": True})
    assert (call["said"], call["district"], call["desk"], call["respond_by"]) == (None, None, None, None)
    async with police.database.read() as tx:
        row = (await tx.session.execute(select(Call))).scalar_one()
        assert (row.said, row.district, row.turns) == (None, None, [])
    board = await taker.get("/hotline")
    assert (board["calls"], board["wrong_numbers"], board["routed"], board["unrouted"]) == (1, 1, 0, 0)
    assert await refused(taker.post(f"/calls/{call['id']}/case")) == 409


async def test_what_was_cut_off_is_called_back_only_where_she_said_that_it_is_safe(world: World) -> None:
    police = with_hotline(world)
    officer, taker = await on_duty(police, HUYE), await room(police)
    cut = await taker.post("/calls", {"channel": "voice", "what": "cut", "district": "huye"})
    assert cut["desk"] == HUYE
    assert await refused(officer.post(f"/calls/{cut['id']}/called-back")) == 409
    safe = await taker.post("/calls", {"channel": "sms", "what": "cut", "may_call_back": True})
    assert (safe["desk"], safe["step"], bool(safe["seen_at"])) == (ROOM, "answered", True)  # nobody knows where she is
    assert (await taker.post(f"/calls/{safe['id']}/called-back"))["called_back_at"]
    await taker.post("/calls", {**CALL, "what": "information"})
    board = await taker.get("/hotline")
    assert (board["calls"], board["routed"], board["rooms_own"], board["unrouted"]) == (3, 3, 2, 0)  # one of three had a desk


async def test_there_is_no_field_for_a_number_or_a_name(world: World) -> None:
    taker = await room(with_hotline(world))
    for field in ("number", "phone", "caller_id", "note", "name"):
        assert await refused(taker.post("/calls", {**CALL, field: "000 111 222"})) == 422
    assert not {"number", "phone", "caller", "note", "name"} & set(Call.model_fields)


async def test_calls_that_may_be_of_one_person_are_shown_and_merged_by_a_person_only(world: World) -> None:
    police = with_hotline(world)
    officer, taker = await on_duty(police, HUYE), await room(police)
    first = await taker.post("/calls", CALL)
    world.clock.advance(timedelta(minutes=10))
    second = await taker.post("/calls", {**CALL, "channel": "sms"})
    await taker.post("/calls", {**CALL, "need": "shelter"})
    await taker.post("/calls", {**CALL, "district": "nyanza"})
    world.clock.advance(timedelta(minutes=51))
    await taker.post("/calls", {**CALL, "channel": "sms"})  # an hour after the first, not after the second
    assert (await officer.get(f"/calls/{first['id']}"))["may_be_of_one_person"] == [second["id"]]
    await officer.get(f"/calls/{second['id']}")
    await officer.post(f"/calls/{second['id']}/merge", {"into": first["id"]})
    assert (await officer.get(f"/calls/{first['id']}"))["may_be_of_one_person"] == []
    assert await refused(officer.post(f"/calls/{second['id']}/case")) == 409
    assert await refused(officer.post(f"/calls/{first['id']}/merge", {"into": second["id"]})) == 409
    case = await officer.post(f"/calls/{first['id']}/case")
    assert [one["id"] for one in (await officer.get("/cases"))["items"]] == [case["id"]]  # one case
    third = await taker.post("/calls", CALL)
    await officer.post(f"/calls/{third['id']}/merge", {"into": first["id"]})
    looked = Counter(
        one["account"] for one in (await officer.get(f"/cases/{case['id']}/access-log"))["items"] if one["what"] == "call"
    )
    # Whoever took the three; and the desk: twice at the first, once at the one merged into it, and what each merging showed.
    assert sorted(looked.values()) == [3, 5]
    async with police.database.read() as tx:
        of_her = select(Call).where(col(Call.id).in_([UUID(one["id"]) for one in (first, second, third)]))
        assert {(row.case_id, row.key_name) for row in (await tx.session.execute(of_her)).scalars()} == {
            (UUID(case["id"]), UUID(case["id"]))
        }
    assert (await taker.get("/hotline"))["calls"] == 6


async def test_a_desk_without_a_room_is_said_and_another_offered(world: World) -> None:
    police = with_hotline(world)
    officer, neighbour, taker = await on_duty(police, HUYE), await on_duty(police, NYANZA), await room(police)
    await officer.post("/hotline/desk", {"is_trained": True, "assets": ["computer"], "languages": ["rw"]})
    await neighbour.post("/hotline/desk", {"is_trained": True, "assets": ["interview_room"], "languages": ["fr"]})
    call = await taker.post("/calls", {**CALL, "language": "fr", "needs_vehicle": True})
    assert call["desk"] == HUYE
    offered = {lack["what"]: lack["other"] for lack in call["lacks"]}
    assert offered == {"interview_room": NYANZA, "vehicle": None, "language": NYANZA}
    world.clock.advance(timedelta(hours=13))  # what was said a shift ago is not known any more
    await holds(police, "officer-huye-desk", HUYE)
    assert (await taker.post("/calls", {**CALL, "language": "fr"}))["lacks"] == []
    assert await refused(officer.post("/hotline/desk", {"assets": ["helicopter"]})) == 409
    assert await refused(taker.post("/hotline/desk", {"assets": []})) == 404


async def test_what_she_told_lies_sealed_and_under_the_cases_key_once_there_is_one(world: World) -> None:
    police = with_hotline(world)
    officer, taker = await on_duty(police, HUYE), await room(police)
    call = await taker.post("/calls", {**CALL, "need": "legal_aid", "language": "sw"})
    query = text("SELECT said FROM police_calls")

    async def lies() -> bytes:
        async with police.database.read() as tx:
            await tx.tell({"asks": "machine"})
            return bytes((await tx.session.execute(query)).scalar_one())

    before = await lies()
    assert b"legal_aid" not in before
    case = await officer.post(f"/calls/{call['id']}/case")
    assert await lies() != before
    async with police.database.read() as tx:
        row = (await tx.session.execute(select(Call))).scalar_one()
        assert str(row.key_name) == case["id"]
        assert (row.said or {})["language"] == "sw"


async def test_without_a_hotline_in_the_programme_there_is_none(world: World) -> None:
    officer = await world["police"].sign_in("officer")
    for path in ("/calls", "/hotline"):
        assert await refused(officer.get(path)) == 404
    assert await refused(officer.post("/calls", {"channel": "voice", "what": "report"})) == 404
    await world["police"].watcher.tick()


async def test_only_the_room_takes_calls_and_only_it_and_supervisors_see_figures(world: World) -> None:
    police = with_hotline(world)
    officer = await on_duty(police, HUYE)
    assert await refused(officer.post("/calls", CALL)) == 404
    assert await refused(officer.get("/hotline")) == 403
    taker = await room(police)
    assert await refused(taker.get("/hotline?since=2020-01-01T00:00:00Z&until=2026-01-01T00:00:00Z")) == 409
    assert await refused(taker.post("/calls", {"channel": "voice", "what": "report", "district": "huye"})) == 409
    assert await refused(taker.post("/calls", {**CALL, "district": "atlantis"})) == 409
    assert await refused(taker.post("/calls", {**CALL, "language": "xx"})) == 409
