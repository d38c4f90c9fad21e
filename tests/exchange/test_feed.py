"""Feed numbers: given after the commit, dense, and never behind a follower's back."""

import asyncio
from uuid import uuid4

from exchange_pair import Pair

from shared.exchange.feed import Line, lines_after, number_feed, record


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
