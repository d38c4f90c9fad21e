"""What hangs while broker and database answer is seen, said and replaced; a broker or a database that is away is neither."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from exchange_node import Node, new_subject
from kafka_line import until
from servers import KafkaNodeFactory

from shared.contracts.wire.topics import Direction
from shared.exchange import worker as worker_module
from shared.exchange.access import Access, provision
from shared.exchange.anchor import Anchor
from shared.exchange.inbox import Heard, Outcome
from shared.exchange.watchdog import RECEIVING_STALLED, SENDING_STALLED
from shared.exchange.worker import ExchangeWorker
from shared.kit.clock import SystemClock
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_databases import PostgresDatabases

REPLACED = "nothing_moves_and_is_replaced"
pytestmark = pytest.mark.timeout(240)


class FastClock(SystemClock):
    """The machine's clock, whose courier's time a test moves on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def real(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Pair:
    """A desk and a clinic as whole workers; the clock is the desk's and the clinic's."""

    def __init__(self, kafka: str, police: Node, health: Node, clock: FastClock, folder: Path) -> None:
        self.police, self.health, self.clock = police, health, clock
        self.workers = {
            node: ExchangeWorker(
                node.database, node.agency, [peer.agency], node.inbox, node, node.seal, Access(kafka), lambda _: b"x",
                Anchor(folder / f"{node.agency}.anchor"), instance=f"host.{node.agency}.0",
            )
            for node, peer in ((police, health), (health, police))
        }  # fmt: skip

    async def say(self, step: int) -> None:
        await self.police.say(self.health.agency, new_subject(), step)

    def heard(self) -> list[int]:
        return sorted(step for _, step in self.health.applied)

    async def looks(self, worker: ExchangeWorker, count: int = 1) -> None:
        """Until the watchdog has looked that often again."""
        looked = 0
        look = worker._watchdog.look

        async def counted(*arguments: Any) -> Any:
            nonlocal looked
            found = await look(*arguments)
            looked += 1
            return found

        worker._watchdog.look = counted  # type: ignore[assignment, method-assign]
        await until(lambda: looked >= count)
        worker._watchdog.look = look  # type: ignore[method-assign]


@asynccontextmanager
async def at_work(kafka: str, unique: str, urls: Sequence[str]) -> AsyncIterator[Pair]:
    clock: Any = FastClock()
    police, health = [await Node.make(f"{name}_{unique}", url, clock) for name, url in zip(("police", "health"), urls, strict=True)]
    ways = (Direction(police.agency, health.agency), Direction(health.agency, police.agency))
    await provision(Access(kafka), tuple(topic for way in ways for topic in (way.topic, way.express_topic)), 1)
    folder = tempfile.TemporaryDirectory()
    pair = Pair(kafka, police, health, clock, Path(folder.name))
    stop = asyncio.Event()
    running = [asyncio.create_task(worker.run(stop)) for worker in pair.workers.values()]
    try:
        await pair.say(0)
        await until(lambda: pair.heard() == [0])
        yield pair
    finally:
        stop.set()
        await asyncio.gather(*running)
        await police.database.close()
        await health.database.close()
        folder.cleanup()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is looked at all the time, and a batch that hangs is given up soon: nobody here waits for a person."""
    monkeypatch.setattr(worker_module, "LOOK_S", 0.2)
    monkeypatch.setattr(worker_module, "BATCH_TIMEOUT_S", 1.0)


@pytest.fixture
def urls(postgres: PostgresDatabases) -> list[str]:
    return [postgres.fresh_database() for _ in range(2)]


async def test_a_producer_that_hangs_is_replaced_and_what_waited_is_sent(
    kafka: str, unique: str, urls: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(kafka, unique, urls) as pair:
        worker = pair.workers[pair.police]
        hung, forever = worker._courier, asyncio.Event()
        assert hung is not None
        hung.send = lambda _: forever.wait()  # type: ignore[method-assign, assignment, return-value]
        await pair.say(1)
        await pair.looks(worker, 2)
        assert worker.stuck is None
        assert worker._courier is hung
        pair.clock.ahead += SENDING_STALLED
        await until(lambda: pair.heard() == [0, 1])
        assert worker._courier is not hung
        assert [r.levelno for r in caplog.records if r.message == REPLACED] == [logging.ERROR]
        await until(lambda: worker.stuck is None)


async def test_what_is_stuck_is_said_for_as_long_as_nothing_moves(kafka: str, unique: str, urls: list[str]) -> None:
    async with at_work(kafka, unique, urls) as pair:
        worker, forever = pair.workers[pair.police], asyncio.Event()

        async def hang(_: Any) -> None:
            await forever.wait()

        worker._relay._send = hang  # a hang that no replacement cures
        await pair.say(1)
        await pair.looks(worker)
        pair.clock.ahead += SENDING_STALLED
        await until(lambda: worker.stuck is not None)
        await pair.looks(worker, 3)
        assert worker.stuck is not None
        assert f"Nothing has been sent to {pair.health.agency}" in worker.stuck
        assert worker.words is None  # the broker is not to blame
        worker._relay._send = worker._send
        forever.set()
        pair.clock.ahead += SENDING_STALLED  # the next cure
        await until(lambda: pair.heard() == [0, 1])
        await until(lambda: worker.stuck is None)


async def test_consumers_that_hang_are_replaced_and_what_waited_is_applied(
    kafka: str, unique: str, urls: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(kafka, unique, urls) as pair:
        worker, receive, hung = pair.workers[pair.health], pair.health.inbox.receive, asyncio.Event()

        async def hang_once(events: Sequence[Heard]) -> Outcome:
            if events and not hung.is_set():
                hung.set()
                await asyncio.Event().wait()
            return await receive(events)

        monkeypatch.setattr(pair.health.inbox, "receive", hang_once)
        await pair.say(1)
        await until(hung.is_set)
        pair.clock.ahead += timedelta(seconds=15)  # the next question for offsets
        await pair.looks(worker, 2)
        assert worker.stuck is None
        pair.clock.ahead += RECEIVING_STALLED
        await until(lambda: worker.stuck is not None)
        assert f"Nothing from {pair.police.agency} has been applied" in str(worker.stuck)
        await until(lambda: pair.heard() == [0, 1])
        assert [r.levelno for r in caplog.records if r.message == REPLACED] == [logging.ERROR]
        pair.clock.ahead += timedelta(seconds=15)
        await until(lambda: worker.stuck is None)


async def test_a_broker_that_is_away_is_told_and_nothing_is_replaced(
    kafka_node_factory: KafkaNodeFactory, unique: str, urls: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    node = await asyncio.to_thread(kafka_node_factory)
    async with at_work(node.bootstrap_servers, unique, urls) as pair:
        worker = pair.workers[pair.police]
        await asyncio.to_thread(node.kill)
        await pair.say(1)
        await until(lambda: not worker.is_open)
        pair.clock.ahead += 10 * SENDING_STALLED
        await until(lambda: "No broker answers" in (worker.words or ""))
        assert worker.stuck is None
        await asyncio.to_thread(node.restart)
        await until(lambda: worker.is_open)
        await pair.looks(worker)
        assert worker.stuck is None  # its time begins when the broker is back
        await until(lambda: pair.heard() == [0, 1])
        assert not [r for r in caplog.records if r.message == REPLACED]


async def test_a_database_that_is_away_is_told_elsewhere_and_nothing_is_replaced(
    kafka: str, postgres_cluster: PostgresCluster, postgres: PostgresDatabases, unique: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(kafka, unique, [postgres.fresh_database(), postgres_cluster.fresh_database()]) as pair:
        worker = pair.workers[pair.health]
        await asyncio.to_thread(postgres_cluster.kill)
        await pair.say(1)
        await until(lambda: any(r.message == "database_away_batch_rewound" for r in caplog.records))
        pair.clock.ahead += 10 * RECEIVING_STALLED
        paused: list[bool] = []
        pause = worker._watchdog.pause
        worker._watchdog.pause = lambda: (paused.append(True), pause())[1]  # type: ignore[method-assign, func-returns-value]
        await until(lambda: bool(paused))
        assert worker.stuck is None
        await asyncio.to_thread(postgres_cluster.start)
        await until(lambda: pair.heard() == [0, 1])
        assert worker.stuck is None
        assert not [r for r in caplog.records if r.message == REPLACED]
