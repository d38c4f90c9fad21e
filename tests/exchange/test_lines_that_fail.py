"""One bad record, row, recipient, producer or topic list is its own trouble only; everything else goes on, and nothing is lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from exchange_node import Node, new_subject
from exchange_pair import Pair
from kafka_line import DEADLINE_S, committed, line, nodes, until
from servers import Kafka

from shared.contracts.wire.topics import Direction
from shared.exchange import inbox as inbox_module
from shared.exchange import relay as relay_module
from shared.exchange import streams
from shared.exchange.access import Access, partitions_of, provision
from shared.exchange.anchor import Anchor
from shared.exchange.inbox import Heard, Outcome
from shared.exchange.receipts import ASK_AGAIN, STILL
from shared.exchange.relay import BrokerAway, Outbound, Relay
from shared.exchange.worker import ExchangeWorker
from shared.kit import bulk
from shared.kit.clock import ManualClock, SystemClock


async def test_an_event_that_no_column_holds_keeps_none_of_its_batch_from_arriving(
    kafka: Kafka, two_databases: list[str], unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    police, health = await nodes(unique, *two_databases)
    event_of = streams._event_of

    def too_large(row: Any, agency: str) -> Any:  # a peer whose software knows versions that fit no column here
        event = event_of(row, agency)
        return event.model_copy(update={"dataversion": 2**31}) if row.dataversion == 99 else event

    monkeypatch.setattr(streams, "_event_of", too_large)
    await police.say(health.agency, new_subject(), 0, dataversion=99)
    good = [new_subject() for _ in range(20)]
    for subject in good:
        await police.say(health.agency, subject, 0)
    async with line(kafka, police, health) as (direction, group):
        await until(lambda: len(health.applied) == len(good))

        async def all_committed() -> bool:
            return await committed(kafka, group, direction.topic) == len(good) + 1

        await until(all_committed)
    assert health.troubles == ["unopenable"]
    await police.database.close()
    await health.database.close()


async def test_an_event_that_cannot_be_stored_is_noted_asked_for_again_and_holds_nobody_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(3):
        await pair.police.say("health", new_subject(), step)
    envelopes = await pair.police.number("health")
    unstorable = pair.health.seal.open(envelopes[1], "police").leaf

    async def refuse(tx: Any, table: Any, rows: Sequence[dict[str, Any]], **more: Any) -> None:
        if any(row.get("leaf") == unstorable for row in rows):
            raise ValueError("no column holds it")
        await bulk.insert_many(tx, table, rows, **more)

    monkeypatch.setattr(inbox_module, "insert_many", refuse)
    outcome = await pair.health.hear("police", envelopes)
    assert [step for _, step in pair.health.applied] == [0, 2]
    assert [fault for _, fault in outcome.unstorable] == ["ValueError"]
    pair.clock.advance(STILL)
    assert (await pair.health.state("police")).receipts[0].missing == (2,)
    monkeypatch.undo()  # a version that can store it
    await pair.health.hear("police", [envelopes[1]])
    assert sorted(step for _, step in pair.health.applied) == [0, 1, 2]


async def test_a_batch_that_fails_for_a_reason_nobody_thought_of_is_read_again(
    kafka: Kafka, two_databases: list[str], unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    police, health = await nodes(unique, *two_databases)
    receive = health.inbox.receive
    failures: list[int] = []

    async def fail_twice(events: Sequence[Heard]) -> Outcome:
        if events and len(failures) < 2:
            failures.append(len(events))
            raise RuntimeError("nobody thought of this")
        return await receive(events)

    monkeypatch.setattr(health.inbox, "receive", fail_twice)
    subjects = [new_subject() for _ in range(10)]
    async with line(kafka, police, health) as (direction, group):
        for subject in subjects:
            await police.say(health.agency, subject, 0)
        await until(lambda: len(health.applied) == len(subjects))

        async def all_committed() -> bool:
            return await committed(kafka, group, direction.topic) == len(subjects)

        await until(all_committed)
    assert len(failures) == 2
    await police.database.close()
    await health.database.close()


async def test_a_recipient_that_nobody_knows_any_more_keeps_no_other_waiting(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    sent: list[str] = []

    async def send(outbound: Sequence[Outbound]) -> None:
        if outbound[0].recipient == "a_closed_clinic":
            raise KeyError("no pair with it")
        if outbound[0].recipient == "b_hanging":
            await asyncio.sleep(DEADLINE_S)
        sent.extend(one.recipient for one in outbound)

    relay = Relay(pair.police.database, "police", pair.police.seal, send, pair.police)
    stop = asyncio.Event()
    for recipient in ("a_closed_clinic", "b_hanging", "health"):
        await pair.police.say(recipient, new_subject(), 0)
    with caplog.at_level(logging.ERROR):
        running = asyncio.create_task(relay.run(stop))
        await until(lambda: "health" in sent)
        await pair.police.say("health", new_subject(), 1, is_acute=True)
        await until(lambda: sent.count("health") == 2)
        await until(lambda: bool(caplog.records))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert {r.message for r in caplog.records} == {"recipient_not_served"}


async def test_what_was_withheld_before_it_left_is_neither_sent_nor_delivered(pair: Pair) -> None:
    said = await pair.police.say("health", new_subject(), 0)
    other = await pair.police.say("health", new_subject(), 1)
    from shared.exchange import outbox

    async with pair.police.database.write() as tx:
        assert await outbox.withhold_event(tx, said)
    carried: list[Outbound] = []

    async def send(outbound: Sequence[Outbound]) -> None:
        carried.extend(outbound)

    await Relay(pair.police.database, "police", pair.police.seal, send, pair.police).cycle()
    await pair.health.hear("police", [one.envelope for one in carried])
    await pair.police.take("health", await pair.health.state("police"))
    assert pair.police.sent_ids == [other]
    assert pair.police.delivered_ids == [other]
    assert len(carried) == 2  # the slot is taken all the same: streams stay dense


class HeldClock(ManualClock):
    """The date stands still, as in a replay; the courier's own time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = timedelta(0)

    def real(self) -> Any:
        return self.now() + self.waited


async def test_a_loss_is_asked_for_where_a_replay_holds_the_date(tmp_path: Path) -> None:
    clock = HeldClock()
    police = await Node.make("police", f"sqlite:///{tmp_path}/police.db", clock)
    health = await Node.make("health", f"sqlite:///{tmp_path}/health.db", clock)
    for step in range(2):
        await police.say("health", new_subject(), step)
    _lost, second = await police.number("health")
    await health.hear("police", [second])
    for wait in (STILL, ASK_AGAIN, ASK_AGAIN):
        clock.waited += wait
        assert (await health.state("police")).receipts[0].missing == (1,)
    await police.database.close()
    await health.database.close()


# --- whole workers ------------------------------------------------------------------------------------------------------


def topics(*pairs: tuple[str, str]) -> tuple[str, ...]:
    ways = [Direction(*way) for a, b in pairs for way in ((a, b), (b, a))]
    return tuple(topic for way in ways for topic in (way.topic, way.express_topic))


@asynccontextmanager
async def working(kafka: Kafka, tmp_path: Path, nodes_and_peers: dict[Node, list[str]]) -> AsyncIterator[dict[str, ExchangeWorker]]:
    """Whole exchange workers under lasting names, as in production."""
    stop = asyncio.Event()
    workers = {
        node.agency: ExchangeWorker(
            node.database, node.agency, peers, node.inbox, node, node.seal, kafka.operator, lambda _: b"x",
            Anchor(tmp_path / f"{node.agency}.anchor"),
            instance=f"host.{node.agency}.0",
        )
        for node, peers in nodes_and_peers.items()
    }  # fmt: skip
    running = [asyncio.create_task(worker.run(stop)) for worker in workers.values()]
    try:
        yield workers
    finally:
        stop.set()
        await asyncio.gather(*running)
        for node in nodes_and_peers:
            await node.database.close()


async def on_sqlite(tmp_path: Path, *agencies: str) -> list[Node]:
    clock: Any = SystemClock()
    return [await Node.make(agency, f"sqlite:///{tmp_path}/{agency}.db", clock) for agency in agencies]


@pytest.mark.long
async def test_a_peer_whose_topics_appear_later_is_heard_though_the_process_keeps_its_name(
    kafka: Kafka, unique: str, tmp_path: Path
) -> None:
    p, h, s = (f"{name}_{unique}" for name in ("police", "health", "social"))
    police, health, social = await on_sqlite(tmp_path, p, h, s)
    await provision(kafka.operator, topics((p, h)), 1)
    async with working(kafka, tmp_path, {police: [h], health: [p, s], social: [h]}) as workers:
        await police.say(h, new_subject(), 1)
        await until(lambda: len(health.applied) == 1)
        await until(lambda: s in (workers[h].words or ""))  # the first event may be applied before its listeners all stand
        await provision(kafka.operator, topics((s, h)), 1)
        await social.say(h, new_subject(), 2)
        await until(lambda: len(health.applied) == 2)
        await police.say(h, new_subject(), 3)
        await until(lambda: [step for _, step in health.applied] == [1, 2, 3])
        await until(lambda: workers[h].words is None)


async def test_a_producer_that_the_broker_refused_once_is_replaced(kafka: Kafka, unique: str, tmp_path: Path) -> None:
    p, h = f"police_{unique}", f"health_{unique}"
    police, health = await on_sqlite(tmp_path, p, h)
    await provision(kafka.operator, topics((p, h)), 1)
    admin = AIOKafkaAdminClient(**kafka.operator.options())
    await admin.start()

    async def limit(size: str) -> None:
        topic = ConfigResource(ConfigResourceType.TOPIC, Direction(p, h).topic, configs={"max.message.bytes": size})
        await admin.alter_configs([topic])

    async with working(kafka, tmp_path, {police: [h], health: [p]}) as workers:
        await police.say(h, new_subject(), 1)
        await until(lambda: len(health.applied) == 1)
        await limit("10")
        await police.say(h, new_subject(), 2)

        def refused() -> bool:
            return "refuses the work" in (workers[p].words or "")

        await until(refused)
        await limit("1048576")
        await until(lambda: [step for _, step in health.applied] == [1, 2])
        await until(lambda: workers[p].words is None)
    await admin.close()


@pytest.mark.long
async def test_an_unforeseen_error_while_connecting_leaves_no_dead_producer(
    kafka: Kafka, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.exchange import worker as worker_module

    p, h = f"police_{unique}", f"health_{unique}"
    police, health = await on_sqlite(tmp_path, p, h)
    await provision(kafka.operator, topics((p, h)), 1)
    failed = asyncio.Event()
    async with working(kafka, tmp_path, {police: [h], health: [p]}):
        await police.say(h, new_subject(), 1)
        await until(lambda: len(health.applied) == 1)

        async def fail_once(access: Access) -> dict[str, int]:
            if not failed.is_set():
                failed.set()
                raise RuntimeError("nobody thought of this")
            return await partitions_of(access)

        monkeypatch.setattr(worker_module, "partitions_of", fail_once)
        async with asyncio.timeout(DEADLINE_S):
            await failed.wait()
        await police.say(h, new_subject(), 2)
        await until(lambda: len(health.applied) == 2)


def test_a_refusal_is_told_from_a_line_that_broke() -> None:
    assert BrokerAway("TimeoutError").passes
    assert not BrokerAway("MessageSizeTooLargeError", passes=False).passes


async def test_a_relay_gathers_where_much_is_said_and_keeps_nothing_waiting_where_little_is(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, sent = list[float](), list[int]()

    async def send(outbound: Sequence[Outbound]) -> None:
        sent.append(len(outbound))

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(pair.police.database.clock, "sleep", sleep, raising=False)
    relay = Relay(pair.police.database, "police", pair.police.seal, send, pair.police)
    for count, waited in ((relay_module.GATHERED_FROM - 1, 0), (relay_module.GATHERED_FROM, 1)):
        for step in range(count):
            await pair.police.say("health", new_subject(), step)
        await relay._serve_or_wait("health", {"new"})
        assert sent.pop() == count
        assert waits.count(relay_module.GATHER_S) == waited
    await relay._turns.end()
