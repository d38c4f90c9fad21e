"""SQLite connections end however they are let go of."""

import asyncio
import sqlite3
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from aiosqlite import Connection
from sqlalchemy import text

from shared.kit import db
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway
from shared.kit.sqlite import connect

WRITERS_MAX_S = 10.0  # a writer that nobody holds up takes milliseconds


async def _closed(connection: Connection) -> None:
    await connection.close()


async def _stopped(connection: Connection) -> None:
    ended = connection.stop()
    assert ended is not None
    await ended


def test_a_connection_that_is_let_go_of_as_its_loop_ends_has_nobody_to_tell() -> None:
    gate = Event()

    async def let_go() -> Any:
        connection = await connect(":memory:")
        connection._tx.put_nowait((None, gate.wait))  # so that it is stopped after its loop has ended
        connection.stop()
        return connection

    connection = asyncio.run(let_go())
    gate.set()
    connection._thread.join(10)  # an exception of the thread fails the test
    assert not connection._thread.is_alive()


@pytest.mark.parametrize("let_go", [_closed, _stopped])
def test_the_write_lock_goes_with_its_connection_though_a_statement_is_still_kept_somewhere(let_go: Any, tmp_path: Path) -> None:
    file = str(tmp_path / "one.db")

    async def hold() -> object:
        connection = await connect(file, isolation_level=None)
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("CREATE TABLE kept (word text)")
        await connection.execute("BEGIN IMMEDIATE")
        statement = await connection.execute("INSERT INTO kept VALUES ('a'), ('b') RETURNING word")
        await let_go(connection)
        return statement  # as a cancelled task's traceback keeps it, until the collector comes by

    kept = asyncio.run(hold())
    with sqlite3.connect(file, timeout=0, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    other.close()
    del kept


def test_whoever_is_cut_off_while_writing_holds_nobody_up(tmp_path: Path) -> None:
    async def write(database: Database) -> None:
        async with database.write() as tx:
            await tx.session.execute(text("INSERT INTO kept VALUES ('a')"))
            await tx.session.execute(text("SELECT count(*) FROM kept"))

    async def cut_off() -> None:
        database = Database(f"sqlite:///{tmp_path / 'one.db'}")
        async with database.write() as tx:
            await tx.session.execute(text("CREATE TABLE kept (word text)"))
        for steps in range(200):  # of the loop, after which they are cut off: every place where one can be
            writers = [asyncio.create_task(write(database)) for _ in range(3)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for writer in writers:
                writer.cancel()
            async with asyncio.timeout(WRITERS_MAX_S):
                await asyncio.wait(writers)
                await write(database)
        await database.close()

    asyncio.run(cut_off())


WRITERS = 5  # as many as the pool keeps connections for


async def refused(path: Path, together: int) -> int:
    """How many of several writers are refused, who read before they write; `together`: how many read before any of them goes on."""
    database = Database(f"sqlite:///{path}")
    async with database.write() as tx:
        await tx.session.execute(text("CREATE TABLE kept (word text)"))
    have_read = asyncio.Barrier(together)

    async def read_and_write() -> None:
        async with database.write() as tx:
            await tx.session.execute(text("SELECT count(*) FROM kept"))
            await have_read.wait()
            await tx.session.execute(text("INSERT INTO kept VALUES ('a')"))

    async with asyncio.timeout(WRITERS_MAX_S):
        ended = await asyncio.gather(*(read_and_write() for _ in range(WRITERS)), return_exceptions=True)
    await database.close()
    assert all(one is None or isinstance(one, DatabaseAway) for one in ended), ended
    return sum(one is not None for one in ended)


async def test_writers_who_read_first_wait_for_each_other_and_none_is_refused(tmp_path: Path) -> None:
    assert await refused(tmp_path / "one.db", together=1) == 0


async def test_without_the_write_lock_from_the_beginning_all_but_one_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why `write()` begins as it does: one that read and then turns into a writer cannot wait, what it has read is old."""
    monkeypatch.setattr(db, "_sqlite_begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    assert await refused(tmp_path / "one.db", together=WRITERS) == WRITERS - 1
