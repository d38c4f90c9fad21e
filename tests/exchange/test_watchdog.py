"""What hangs while broker and database answer is seen, said and replaced; a broker or a database that is away is neither."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from kafka_line import until
from servers import Kafka, KafkaNodeFactory, kafka_of
from worker_pair import at_work

from shared.exchange import worker as worker_module
from shared.exchange.anchor import AnchorAway
from shared.exchange.inbox import Heard, Outcome
from shared.exchange.relay import BrokerAway
from shared.exchange.watchdog import RECEIVING_STALLED, SENDING_STALLED
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_databases import PostgresDatabases

REPLACED = "nothing_moves_and_is_replaced"
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is looked at all the time, and a batch that hangs is given up soon: nobody here waits for a person."""
    monkeypatch.setattr(worker_module, "LOOK_S", 0.2)
    monkeypatch.setattr(worker_module, "BATCH_TIMEOUT_S", 1.0)


async def test_a_producer_that_hangs_is_replaced_and_what_waited_is_sent(
    kafka: Kafka, unique: str, two_databases: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(kafka, unique, two_databases) as pair:
        worker = pair.workers[pair.police]
        hung, asked, forever = worker._courier, asyncio.Event(), asyncio.Event()
        assert hung is not None

        async def hang(_: Any) -> None:
            asked.set()
            await forever.wait()

        hung.send = hang  # type: ignore[method-assign, assignment]
        await pair.say(1)
        await asked.wait()  # it has its number by then
        await pair.looks(worker, 2)
        assert worker.stuck is None
        assert worker._courier is hung
        pair.clock.ahead += SENDING_STALLED
        await until(lambda: pair.heard() == [0, 1])
        assert worker._courier is not hung
        assert [r.levelno for r in caplog.records if r.message == REPLACED] == [logging.ERROR]
        await until(lambda: worker.stuck is None)


@pytest.mark.long
async def test_what_is_stuck_is_said_for_as_long_as_nothing_moves(kafka: Kafka, unique: str, two_databases: list[str]) -> None:
    async with at_work(kafka, unique, two_databases) as pair:
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


async def test_an_anchor_that_cannot_be_moved_is_named_and_no_sender_is_replaced_for_it(
    kafka: Kafka, unique: str, two_databases: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(kafka, unique, two_databases) as pair:
        worker = pair.workers[pair.police]
        courier, cover = worker._courier, worker._anchor.cover

        def no_room(*_: Any) -> None:
            raise AnchorAway("The anchor beside the database cannot be written (No space left on device); nothing is sent.")

        worker._anchor.cover = no_room  # type: ignore[method-assign, assignment]
        await pair.say(1)
        await until(lambda: worker.stuck is not None)
        await pair.looks(worker, 2)
        pair.clock.ahead += SENDING_STALLED
        await pair.looks(worker, 2)
        assert worker.stuck == "The anchor beside the database cannot be written (No space left on device); nothing is sent."
        assert worker._courier is courier
        worker._anchor.cover = cover  # type: ignore[method-assign]
        await until(lambda: pair.heard() == [0, 1])
        await until(lambda: worker.stuck is None)
        assert not [r for r in caplog.records if r.message == REPLACED]


async def test_consumers_that_hang_are_replaced_and_what_waited_is_applied(
    kafka: Kafka, unique: str, two_databases: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(kafka, unique, two_databases) as pair:
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


@pytest.mark.long
async def test_a_broker_that_is_away_is_told_and_nothing_is_replaced(
    kafka_node_factory: KafkaNodeFactory, unique: str, two_databases: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    node = await asyncio.to_thread(kafka_node_factory)
    async with at_work(kafka_of(node), unique, two_databases) as pair:
        worker, forever = pair.workers[pair.police], asyncio.Event()
        courier = worker._courier
        assert courier is not None
        send = courier.send

        async def hang(_: Any) -> None:
            await forever.wait()
            raise BrokerAway("it hung")

        courier.send = hang  # type: ignore[method-assign, assignment]
        await pair.say(1)
        await pair.looks(worker)  # it has been seen waiting before the broker went
        await asyncio.to_thread(node.kill)
        await until(lambda: not worker.is_open)
        pair.clock.ahead += 10 * SENDING_STALLED
        await until(lambda: "No broker answers" in (worker.words or ""))
        assert worker.stuck is None
        await asyncio.to_thread(node.restart)
        await until(lambda: worker.is_open)
        await pair.looks(worker)
        assert worker.stuck is None  # its time begins when the broker is back
        courier.send = send  # type: ignore[method-assign]
        forever.set()
        await until(lambda: pair.heard() == [0, 1])
        assert not [r for r in caplog.records if r.message == REPLACED]


async def test_a_database_that_is_away_is_told_elsewhere_and_nothing_is_replaced(
    kafka: Kafka, postgres_cluster: PostgresCluster, postgres: PostgresDatabases, unique: str, caplog: pytest.LogCaptureFixture
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
