"""The database's disk is full: people read on, and who looked is written down once there is room."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from agencies import TestAgency, World, consent, open_case, refer
from desk_pages import at_the_desk
from sqlalchemy import event, select
from sqlmodel import col

from shared.casework.accounts.tables import CaseRead
from shared.casework.lines.readiness import readiness
from shared.casework.lines.room import FULL, _try
from shared.kit import db
from shared.kit.errors import DatabaseFull
from shared.kit.ids import new_id

FILLS_WITHIN = 200  # cases: pages that are there already take some rows more
pytestmark = pytest.mark.parametrize(
    "world", ["sqlite"], indirect=True
)  # PostgreSQL on a real disk: tests/faults/test_disk_full.py


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
        assert (await desk.get(f"/cases/{case}"))["id"] == case
        assert (await officer.open("/cases")).status == 200
        found = await readiness(police.database, police.parts.migrations, None, has_pages=True)
        assert (found.status, found.code, found.checks["disk"]) == ("degraded", 200, FULL)
        assert await looks(police) == before
        with pytest.raises(DatabaseFull):
            await _try(police.database)
        assert police.database.room.is_lacking
    await _try(police.database)
    assert sorted((await looks(police))[len(before) :]) == ["case", "list", "referral"]
    assert police.database.room.aside == []
    assert (await readiness(police.database, police.parts.migrations, None, has_pages=True)).status == "ready"
    assert "Nothing can be saved" not in (await officer.open(f"/referrals/{referral}")).words
    assert (await desk.post("/cases"))["id"]


async def test_a_look_that_could_not_even_be_remembered_shows_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    police, desk = world["police"], await world["police"].sign_in("desk")
    case, _incident = await open_case(desk)
    monkeypatch.setattr(db, "ASIDE_MAX", 1)
    police.database.room.is_lacking = True
    assert (await desk.get(f"/cases/{case}"))["id"] == case
    refused = await desk.ask("GET", f"/cases/{case}")
    assert (refused.status_code, case in refused.text) == (503, False)
