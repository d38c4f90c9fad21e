"""A PostgreSQL that is another than the one beside which the anchor was written is noticed, though it holds every number."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange_node import Node, new_subject
from keystores import with_keys
from sqlalchemy import select
from sqlmodel import col

from services.backup import _in_place_of, back_up
from shared.exchange.anchor import Anchor, check_anchor
from shared.exchange.incarnations import current_incarnation
from shared.exchange.relay import cover
from shared.exchange.streams import number
from shared.exchange.tables import Recovery
from shared.kit.clock import ManualClock
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_databases import PostgresDatabases

PEERS = ("health",)


@pytest.fixture(scope="module")
def other_server() -> Iterator[PostgresCluster]:
    """A server of its own; the setting is what one that is recovered to a point in time has to name: here no log is archived."""
    with PostgresCluster(fsync=False, settings={"restore_command": "false"}) as cluster:
        yield cluster


@pytest.fixture
def anchor(tmp_path: Path) -> Anchor:
    return Anchor(tmp_path / "police.anchor")


async def anchored(url: str, anchor: Anchor) -> Node:
    """An agency that has said something, with its anchor as far."""
    node = await Node.make("police", url, ManualClock())
    assert await check_anchor(node.database, anchor, PEERS) is None
    for _ in range(2):
        await node.say("health", new_subject(), 0)
    cover(anchor, "health", await number(node.database, "police", "health", node.seal))
    assert await check_anchor(node.database, anchor, PEERS) is None, "nothing has happened to it"
    return node


async def check_noticed(url: str, anchor: Anchor) -> None:
    database = with_keys(url, ManualClock())
    marks = anchor.read()
    assert marks is not None
    assert marks.sizes == {"health": 2}
    assert await check_anchor(database, anchor, PEERS) == "another_database"
    async with database.read() as tx:
        said = (await tx.session.execute(select(col(Recovery.because), col(Recovery.said_before)))).tuples().all()
        assert list(said) == [("another_database", 2)]
        moved = anchor.read()
        assert moved is not None
        assert moved.incarnation == await current_incarnation(tx) != marks.incarnation
        assert moved.database != marks.database
    assert await check_anchor(database, anchor, PEERS) is None, "once"
    await database.close()


async def test_a_copy_on_another_server_opens_a_new_life(
    postgres: PostgresDatabases, other_server: PostgresCluster, anchor: Anchor, tmp_path: Path
) -> None:
    here, there = postgres.fresh_database(), other_server.fresh_database()
    await (await anchored(here, anchor)).database.close()
    copy = tmp_path / "copy"
    await asyncio.to_thread(back_up, here, copy)
    with _in_place_of(there, copy):
        await check_noticed(there, anchor)


async def test_one_that_was_recovered_to_a_point_in_time_opens_a_new_life(other_server: PostgresCluster, anchor: Anchor) -> None:
    url = other_server.fresh_database()
    await (await anchored(url, anchor)).database.close()
    data = Path(other_server.databases.execute("SHOW data_directory").strip())
    other_server.stop()
    (data / "recovery.signal").touch()
    other_server.start()
    await check_noticed(url, anchor)


async def test_a_server_that_was_only_started_again_is_the_same(other_server: PostgresCluster, anchor: Anchor) -> None:
    url = other_server.fresh_database()
    await (await anchored(url, anchor)).database.close()
    other_server.restart()
    database = with_keys(url, ManualClock())
    assert await check_anchor(database, anchor, PEERS) is None
    await database.close()
