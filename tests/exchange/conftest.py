"""Two agencies, each on a database of its own, once on SQLite and once on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from exchange_node import Node
from exchange_pair import Pair
from keystores import forget
from schema import empty, shared_postgres_at_head, sqlite_at_head

from shared.kit.clock import ManualClock
from shared.kit.local.postgres_databases import PostgresDatabases


@pytest.fixture(scope="session")
def databases_of_pairs(postgres: PostgresDatabases) -> Iterator[list[str]]:
    """One for each end, made by the first pair and emptied after each."""
    urls: list[str] = []
    yield urls
    for url in urls:
        postgres.drop_database(url.rpartition("/")[2])


@pytest.fixture(params=["sqlite", "postgresql"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    if request.param == "sqlite":
        urls = [await asyncio.to_thread(sqlite_at_head, tmp_path / f"{name}.db", None) for name in ("police", "health")]
    else:
        urls = request.getfixturevalue("databases_of_pairs")
        while len(urls) < 2:
            urls.append(await asyncio.to_thread(shared_postgres_at_head, request.getfixturevalue("postgres")))
    clock = ManualClock()
    police, health = await Node.make("police", urls[0], clock), await Node.make("health", urls[1], clock)
    yield Pair(police, health, clock)
    for node in (police, health):
        await node.database.close()
    if request.param == "postgresql":
        await asyncio.gather(*map(empty, urls))
        for url in urls:
            forget(url)
