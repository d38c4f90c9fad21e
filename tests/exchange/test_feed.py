"""Feed numbers: given after the commit, dense, and never behind a follower's back."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from exchange_node import Node
from exchange_pair import Pair

from shared.exchange import feed
from shared.exchange.feed import Line, lines_after, number_feed, record
from shared.kit.clock import ManualClock
from shared.kit.db import Database
from shared.kit.local.postgres_databases import PostgresDatabases

# The rule left out: a line's number is the identity that the database drew when it was written, not one given after its commit.
BY_IDENTITY = """
    WITH numbered AS (UPDATE exchange_activity SET feed_seq = position WHERE feed_seq IS NULL AND $1::bigint > 0 RETURNING 1)
    SELECT count(*) FROM numbered
"""
WRITERS = 4  # transactions that are open at once; the pool has more connections


async def _write_down(pair: Pair, kind: str) -> None:
    async with pair.police.database.write() as tx:
        await record(tx, Line(kind=kind, subject=uuid4(), agency="police", is_own=True, occurred_at=tx.clock.now()))


async def test_numbers_are_dense_whoever_numbers(pair: Pair) -> None:
    await asyncio.gather(*(_write_down(pair, "noted") for _ in range(20)))
    await asyncio.gather(*(number_feed(pair.police.database) for _ in range(3)))
    async with pair.police.database.read() as tx:
        lines = await lines_after(tx, 0, 100)
    assert [line.feed_seq for line in lines] == list(range(1, 21))


async def test_a_follower_sees_a_late_commit_after_what_it_has_seen(pair: Pair) -> None:
    await _write_down(pair, "first")
    await number_feed(pair.police.database)
    if pair.police.database.dialect == "postgresql":
        async with pair.police.database.write() as slow:
            await record(slow, Line(kind="slow", subject=uuid4(), agency="police", is_own=True, occurred_at=slow.clock.now()))
            await _write_down(pair, "quick")
            await number_feed(pair.police.database)
    else:  # SQLite has one writer at a time
        await _write_down(pair, "quick")
        await number_feed(pair.police.database)
        await _write_down(pair, "slow")
    await number_feed(pair.police.database)
    async with pair.police.database.read() as tx:
        assert [line.kind for line in await lines_after(tx, 0, 10)] == ["first", "quick", "slow"]


class Follower:
    """A screen: it asks for whatever lies behind the last line that it has seen."""

    def __init__(self, database: Database) -> None:
        self._database, self._after, self.seen = database, 0, list[str]()

    async def look(self) -> None:
        await number_feed(self._database)
        async with self._database.read() as tx:
            for line in await lines_after(tx, self._after, 100):
                self._after = line.feed_seq or self._after
                self.seen.append(line.kind)


async def seen_of_crossing_commits(url: str) -> list[str]:
    """What a screen is shown of writers that draw their identities in one order and commit in the other."""
    node = await Node.make("police", url, ManualClock())
    follower = Follower(node.database)
    async with AsyncExitStack() as all_commit:  # the last that was entered is the first that commits
        for number in range(WRITERS):
            all_commit.push_async_callback(follower.look)  # after the commit of the one below, before that of the next
            tx = await all_commit.enter_async_context(node.database.write())
            line = Line(kind=f"writer {number}", subject=uuid4(), agency="police", is_own=True, occurred_at=tx.clock.now())
            assert await record(tx, line) == number + 1
    await follower.look()
    await node.database.close()
    return follower.seen


async def test_a_screen_is_shown_every_line_once_though_commits_cross(postgres: PostgresDatabases) -> None:
    """SQLite has one writer at a time: there commits never cross."""
    assert await seen_of_crossing_commits(postgres.fresh_database()) == [f"writer {n}" for n in reversed(range(WRITERS))]


async def test_a_screen_that_followed_database_identities_would_miss_lines(
    postgres: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why lines have numbers of their own. The test above is the same with the rule kept."""
    monkeypatch.setattr(feed, "NUMBER_FEED", BY_IDENTITY)
    assert await seen_of_crossing_commits(postgres.fresh_database()) == [f"writer {WRITERS - 1}"]
