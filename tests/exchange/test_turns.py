"""Turns save work and never hold a line up: one at a time, free when their holder dies, ignored when it keeps them too long."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from keystores import with_keys

from shared.exchange.turns import PATIENCE, Turns
from shared.kit.clock import ManualClock
from shared.kit.db import Database
from shared.kit.local.postgres_databases import PostgresDatabases


@pytest.fixture
async def databases(postgres: PostgresDatabases) -> AsyncIterator[tuple[Database, Database, ManualClock]]:
    """The same database as two processes see it."""
    url, clock = await asyncio.to_thread(postgres.fresh_database), ManualClock()
    both = with_keys(url, clock), with_keys(url, clock)
    yield *both, clock
    for database in both:
        await database.close()
    await asyncio.to_thread(postgres.drop_database, url.rpartition("/")[2])


async def test_one_at_a_time_and_each_recipient_by_itself(databases: tuple[Database, Database, ManualClock]) -> None:
    one, other = Turns(databases[0]), Turns(databases[1])
    async with one.of("health") as first, other.of("health") as second, other.of("social") as elsewhere:
        assert (first, second, elsewhere) == (True, False, True)
    async with other.of("health") as again:
        assert again
    await one.end()
    await other.end()


async def test_a_turn_is_free_once_its_holders_connection_is_gone(databases: tuple[Database, Database, ManualClock]) -> None:
    one, other = Turns(databases[0]), Turns(databases[1])
    async with one.of("health") as first:
        assert first
        await one.end()  # what the kernel does for a process that was killed

        async with asyncio.timeout(30):  # the server notices a moment later
            while True:
                async with other.of("health") as second:
                    if second:
                        break
                await asyncio.sleep(0.01)
    await other.end()


async def test_a_turn_that_somebody_keeps_too_long_is_not_waited_for(databases: tuple[Database, Database, ManualClock]) -> None:
    one, other = Turns(databases[0]), Turns(databases[1])
    async with one.of("health"):
        for wait, is_ours in ((timedelta(0), False), (PATIENCE / 2, False), (PATIENCE / 2, True), (timedelta(0), False)):
            databases[2].advance(wait)
            async with other.of("health") as mine:
                assert mine is is_ours
    await one.end()
    await other.end()


async def test_on_sqlite_it_is_always_our_turn(tmp_path: object) -> None:
    database = with_keys(f"sqlite:///{tmp_path}/one.db")
    turns = Turns(database)
    async with turns.of("health") as first, turns.of("health") as second:
        assert (first, second) == (True, True)
    await turns.end()
    await database.close()
