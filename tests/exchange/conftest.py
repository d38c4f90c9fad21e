"""Two agencies, each on a database of its own, once on SQLite and once on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from exchange_node import Node
from exchange_pair import Pair
from schema import shared_postgres_at_head, sqlite_at_head

from shared.kit.clock import ManualClock


@pytest.fixture(params=["sqlite", "postgresql"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    if request.param == "sqlite":
        urls = [await asyncio.to_thread(sqlite_at_head, tmp_path / f"{name}.db", None) for name in ("police", "health")]
    else:
        databases = request.getfixturevalue("postgres")
        urls = [await asyncio.to_thread(shared_postgres_at_head, databases) for _ in range(2)]
    clock = ManualClock()
    police, health = await Node.make("police", urls[0], clock), await Node.make("health", urls[1], clock)
    yield Pair(police, health, clock)
    for node, url in ((police, urls[0]), (health, urls[1])):
        await node.database.close()
        if request.param == "postgresql":
            databases.drop_database(url.rpartition("/")[2])
