"""An ended stream's head when words come home: above all that is held, and below it, where all of it is counted once more."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from exchange_node import Node
from schema import sqlite_at_head

from shared.contracts.wire.merkle import Frontier, root_of
from shared.exchange import said
from shared.exchange.tables import Stream
from shared.kit.clock import ManualClock
from shared.kit.ids import new_id

LONG = 5_000  # leaves: as a list they take 800 KB
ROOM = 300_000  # bytes: what the transaction itself takes, and more


def leaf(seq: int) -> bytes:
    return seq.to_bytes(32, "big")


async def test_whatever_comes_home_the_head_is_that_of_all_and_a_long_stream_takes_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await asyncio.to_thread(sqlite_at_head, tmp_path / "police.db", None)
    node, life = await Node.make("police", url, ManualClock()), new_id()

    async def held(*_: object) -> AsyncIterator[tuple[int, bytes]]:
        for seq in range(1, LONG + 1):
            yield seq, leaf(seq)

    async def head_after(fresh: list[tuple[int, bytes]]) -> tuple[int, bytes]:
        async with node.database.write() as tx:
            await said.count_again(tx, "health", life, fresh)
            head = await tx.session.get_one(Stream, ("health", life), populate_existing=True)
            return head.size, Frontier.from_bytes(head.held, head.frontier).root()

    monkeypatch.setattr(said, "leaves", held)
    above = [(seq, leaf(seq)) for seq in (2, 3)]
    assert await head_after(above) == (3, root_of([leaf(2), leaf(3)]))
    tracemalloc.start()
    try:
        size, root = await head_after([(1, leaf(1))])
        assert tracemalloc.get_traced_memory()[1] < ROOM
    finally:
        tracemalloc.stop()
    assert (size, root) == (LONG, root_of([leaf(seq) for seq in range(1, LONG + 1)]))
    await node.database.close()
