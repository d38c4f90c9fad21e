"""The database's disk is full: people read on, and who looked is written down once there is room. Nothing else is put aside."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from agencies import TestAgency, World, consent, open_case, refer
from desk_pages import at_the_desk
from sqlalchemy import event, select
from sqlmodel import col

from shared.casework.accounts.sessions import IDLE_END, IDLE_LOCK
from shared.casework.accounts.tables import CaseRead
from shared.casework.lines import room
from shared.casework.lines.readiness import readiness
from shared.casework.lines.room import FULL, keep_what_waits, look_for_room
from shared.kit import db
from shared.kit.errors import DatabaseFull
from shared.kit.ids import new_id

FILLS_WITHIN = 200  # cases: pages that are there already take some rows more
# As SQLite has it; a real disk, under PostgreSQL too, is full in tests/faults/test_disk_full.py.
on_sqlite = pytest.mark.parametrize("world", ["sqlite"], indirect=True)


@contextmanager
def no_more_pages(agency: TestAgency) -> Iterator[None]:
    """SQLite itself says that the disk is full once the pages that it has are."""
    engine = agency.database.engine.sync_engine

    def hold(connection: Any, *_: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count = 1")  # as few as there are
        cursor.close()

    def let_go(connection: Any, *_: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count = 1000000")
        cursor.close()

    event.listen(engine, "checkout", hold)
    try:
        yield
    finally:
        event.remove(engine, "checkout", hold)
        event.listen(engine, "checkout", let_go)


async def looks(agency: TestAgency) -> list[str]:
    async with agency.database.read() as tx:
        return list((await tx.session.execute(select(col(CaseRead.what)).order_by(col(CaseRead.id)))).scalars())


@on_sqlite
async def test_reading_goes_on_and_the_looks_are_kept_when_there_is_room(world: World) -> None:
    police, desk, officer = world["police"], await world["police"].sign_in("desk"), await at_the_desk(world)
    case, incident = await open_case(desk)
    await consent(desk, case, "health")
    referral = (await refer(desk, case, incident, "health"))["id"]
    with no_more_pages(police):
        for _ in range(FILLS_WITHIN):
            answer = await desk.ask("POST", "/cases", {}, **{"Idempotency-Key": str(new_id())})
            if answer.status_code != 201:
                break
        assert answer.status_code == 503
        assert answer.json()["type"].endswith("database-full")
        police.database.room.is_lacking = False  # as a process that has not found out yet: its first reader does
        for _ in range(FILLS_WITHIN):  # a look is small, and finds room for longer than a case
            page = await officer.open(f"/referrals/{referral}")
            assert page.status == 200
            if police.database.room.is_lacking:
                break
        before = await looks(police)
        assert "Nothing can be saved just now" in page.words
        assert "You can work as usual" not in page.words
        assert (await desk.get(f"/cases/{case}"))["id"] == case
        for _ in range(2):  # within an hour a list is one look
            assert (await officer.open("/cases")).status == 200
        found = await readiness(police.database, police.parts.migrations, None, has_pages=True)
        assert (found.status, found.code, found.checks["disk"]) == ("degraded", 200, FULL)
        assert await looks(police) == before
        with pytest.raises(DatabaseFull):
            await keep_what_waits(police.database)
        assert police.database.room.is_lacking
    await keep_what_waits(police.database)
    assert sorted((await looks(police))[len(before) :]) == ["case", "list", "referral"]
    assert police.database.room.aside == []
    assert (await readiness(police.database, police.parts.migrations, None, has_pages=True)).status == "ready"
    assert "Nothing can be saved" not in (await officer.open(f"/referrals/{referral}")).words
    assert (await desk.post("/cases"))["id"]


@on_sqlite
async def test_a_look_that_could_not_even_be_remembered_shows_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    police, desk = world["police"], await world["police"].sign_in("desk")
    case, _incident = await open_case(desk)
    monkeypatch.setattr(db, "ASIDE_MAX", 1)
    police.database.room.is_lacking = True
    assert (await desk.get(f"/cases/{case}"))["id"] == case
    refused = await desk.ask("GET", f"/cases/{case}")
    assert (refused.status_code, case in refused.text) == (503, False)


async def test_a_command_is_written_or_refused_and_nothing_of_it_waits(world: World) -> None:
    police, desk = world["police"], await world["police"].sign_in("desk")
    case, _incident = await open_case(desk)
    before = await looks(police)
    police.database.room.is_lacking = True
    await desk.post(f"/cases/{case}/seen")
    assert (await looks(police))[len(before) :] == ["seen_now"], "there was room, so it is written at once"
    assert police.database.room.aside == []


@on_sqlite
async def test_a_command_that_is_refused_for_want_of_room_is_not_done_later(world: World) -> None:
    police, desk = world["police"], await world["police"].sign_in("desk")
    case, _incident = await open_case(desk)
    with no_more_pages(police):
        for _ in range(FILLS_WITHIN):
            answer = await desk.ask("POST", f"/cases/{case}/seen", {}, **{"Idempotency-Key": str(new_id())})
            if answer.status_code != 200:
                break
        assert answer.status_code == 503
        before = await looks(police)
    await keep_what_waits(police.database)
    assert await looks(police) == before


@on_sqlite
async def test_her_list_of_looks_is_not_handed_out_while_some_are_missing(world: World) -> None:
    police, desk, officer = world["police"], await world["police"].sign_in("desk"), await at_the_desk(world)
    case, _incident = await open_case(desk)
    police.database.room.is_lacking = True
    await desk.get(f"/cases/{case}")
    for path in (f"/cases/{case}/looked", f"/cases/{case}/looked.pdf"):
        page = await officer.open(path)
        assert (page.status, "who looked just now cannot be shown yet" in page.words) == (503, True)
    await keep_what_waits(police.database)
    assert (await officer.open(f"/cases/{case}/looked")).status == 200


@on_sqlite
async def test_whoever_reads_without_room_stays_signed_in(world: World) -> None:
    police, officer = world["police"], await at_the_desk(world)
    police.database.room.is_lacking = True
    for _ in range(2 * int(IDLE_END / IDLE_LOCK)):
        world.clock.advance(IDLE_LOCK / 2)
        assert (await officer.open("/cases")).path == "/cases"
    await keep_what_waits(police.database)
    assert police.database.room.used == {}
    world.clock.advance(IDLE_LOCK / 2)
    assert (await officer.open("/cases")).path == "/cases"


async def test_what_waits_is_kept_once_though_more_comes_meanwhile_and_an_answer_was_lost(world: World) -> None:
    """Each on its own: a reader who looks while the others are written down, and a commit that nobody heard the end of."""
    police, desk = world["police"], await world["police"].sign_in("desk")
    case, _incident = await open_case(desk)
    before, waits = await looks(police), police.database.room
    waits.is_lacking = True
    await desk.get(f"/cases/{case}")
    [written] = waits.aside
    await keep_what_waits(police.database)
    waits.aside.append(written)  # as after a commit whose answer was lost
    stop, trying = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def first(_database: Any) -> None:
        waits.is_lacking = True
        await desk.get(f"/cases/{case}")
        waits.is_lacking = False
        trying.set_result(None)
        await keep_what_waits(police.database)

    looking = asyncio.create_task(look_for_room(police.database, stop))
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(room, "TRY_S", 0.05)
            patched.setattr(room, "keep_what_waits", first)
            await asyncio.wait_for(trying, 30)
    finally:
        stop.set()
        await looking
    assert waits.aside == []
    assert (await looks(police))[len(before) :] == ["case", "case"]


@on_sqlite
async def test_what_is_lost_with_a_process_is_counted_in_its_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    police, desk = world["police"], await world["police"].sign_in("desk")
    case, _incident = await open_case(desk)
    stop = asyncio.Event()
    stop.set()
    with no_more_pages(police):
        for _ in range(FILLS_WITHIN):
            await desk.get(f"/cases/{case}")
            if police.database.room.is_lacking:
                break
        await look_for_room(police.database, stop)
    [lost] = [one for one in caplog.records if one.message == "looks_not_kept"]
    assert lost.__dict__["count"] == len(police.database.room.aside) > 0
