"""What processes say of themselves is what is so: with pages and without, broker and database there and away."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from agencies import World
from keystores import with_keys
from processes import KINDS, ProcessNetwork, everyone_is_ready, until
from servers import KafkaNodeFactory, kafka_of
from sqlalchemy import text

from shared.casework.lines.readiness import readiness
from shared.casework.migrate import migrate
from shared.kit.local.postgres import PostgresCluster

pytestmark = pytest.mark.timeout(600)  # half a minute when quiet


@dataclass
class Exchange:
    """What an exchange says of itself."""

    words: str | None = None
    stuck: str | None = None
    is_open: bool = True


AWAY = Exchange(words="No broker answers.", is_open=False)
LACKING = Exchange(words="Not connected to health.")
STUCK = Exchange(stuck="Nothing has been sent to health.")


@pytest.mark.parametrize(
    ("exchange", "with_pages", "without"),
    [
        (Exchange(), "ready", "ready"),
        (AWAY, "degraded", "not_ready"),  # a desk works; a worker has nothing else to do
        (LACKING, "degraded", "degraded"),
        (STUCK, "not_ready", "not_ready"),
    ],
)
async def test_readiness_by_what_the_exchange_says(database_url: str, exchange: Exchange, with_pages: str, without: str) -> None:
    database = with_keys(database_url)
    await migrate(database)
    for has_pages, status in ((True, with_pages), (False, without)):
        found = await readiness(database, None, exchange, has_pages=has_pages)
        assert (found.status, found.code) == (status, 503 if status == "not_ready" else 200)
        assert found.checks["broker"] == (exchange.words or "ok")
        assert found.checks["exchange"] == (exchange.stuck or "ok")
    await database.close()


async def test_a_process_that_does_not_speak_to_the_broker_says_nothing_of_it(world: World) -> None:
    answer = await world.agencies["police"].client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": {"database": "ok", "disk": "ok"}})


async def test_a_database_of_another_version_is_not_ready(database_url: str) -> None:
    database = with_keys(database_url)
    assert (await readiness(database, None, None, has_pages=True)).status == "not_ready"
    await migrate(database)
    assert (await readiness(database, None, None, has_pages=True)).status == "ready"
    async with database.write() as tx:
        await tx.session.execute(text("UPDATE alembic_version SET version_num = 'of_a_newer_version'"))
    found = await readiness(database, None, None, has_pages=True)
    assert found.status == "not_ready"
    assert "not at this version's schema" in found.checks["database"]
    await database.close()


def test_a_worker_and_a_desk_say_what_is_away_and_live_on(
    kafka_node_factory: KafkaNodeFactory, postgres_cluster: PostgresCluster, unique: str, tmp_path: Path
) -> None:
    node = kafka_node_factory()
    urls = {kind: postgres_cluster.fresh_database() for kind in KINDS}
    network = ProcessNetwork(tmp_path, kafka_of(node), unique, urls)
    asyncio.run(network.set_up())
    with network.started(("police", "serve"), ("police", "worker")) as (desk, worker):
        everyone_is_ready([desk, worker])
        node.kill()
        until(lambda: worker.health()[0] == 503, "the worker to say that the broker is away")
        assert "No broker answers" in worker.health()[1]["checks"]["broker"]
        until(lambda: desk.health()[1]["status"] == "degraded", "the desk to say so too")
        assert desk.health()[0] == 200
        node.restart()
        everyone_is_ready([desk, worker])
        postgres_cluster.kill()
        for process in (desk, worker):
            assert process.health()[0] == 503
            assert "The database does not answer" in process.health()[1]["checks"]["database"]
            assert process.health("live") == (200, {"status": "live"})
        postgres_cluster.start()
        everyone_is_ready([desk, worker])
        assert [process.stop() for process in (desk, worker)] == [0, 0]
