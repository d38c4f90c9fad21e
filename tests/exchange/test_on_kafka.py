"""The exchange over real Kafka and real PostgreSQL: what FastStream's defaults would lose is not lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IllegalStateError, MessageSizeTooLargeError
from exchange_node import Node, new_subject
from faststream.kafka import KafkaBroker
from kafka_line import DEADLINE_S, broker_of, committed, line, nodes, until
from servers import Kafka

from shared.contracts.wire.topics import Direction
from shared.exchange.access import RECORD_BATCH_BYTES_MAX, provision
from shared.exchange.broker import BATCH_BYTES, FETCH_BYTES, Courier, Receiver, rewind
from shared.exchange.direct import ENVELOPE_BYTES_MAX
from shared.exchange.herald import Herald
from shared.exchange.relay import Relay
from shared.kit.clock import ManualClock
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_databases import PostgresDatabases


async def test_everything_arrives_past_poison_and_a_failing_handler(kafka: Kafka, two_databases: list[str], unique: str) -> None:
    police, health = await nodes(unique, *two_databases)
    good = [new_subject() for _ in range(50)]
    async with line(kafka, police, health) as (direction, group):
        poison = AIOKafkaProducer(**kafka.operator.options())
        await poison.start()
        for value in (b"", b"\x00", b"\xff" * 300, b"not an envelope"):
            await poison.send_and_wait(direction.topic, value)
        await poison.stop()
        await police.say(health.agency, new_subject(), 0, fails="always")
        for subject in good:
            await police.say(health.agency, subject, 0)
        await until(lambda: len(health.applied) == len(good))
        expected = 4 + 1 + len(good)

        async def all_committed() -> bool:
            return await committed(kafka, group, direction.topic) == expected

        await until(all_committed)
    assert sorted(health.applied) == sorted((subject, 0) for subject in good)
    assert sorted(health.troubles) == ["parked"] + ["unopenable"] * 4
    await police.database.close()
    await health.database.close()


async def test_a_database_that_goes_away_rewinds_every_lane_of_the_batch(
    kafka: Kafka, postgres: PostgresDatabases, postgres_cluster: PostgresCluster, unique: str
) -> None:
    police, health = await nodes(unique, postgres.fresh_database(), postgres_cluster.fresh_database())
    subjects = [new_subject() for _ in range(30)]
    async with line(kafka, police, health) as (direction, group):
        await police.say(health.agency, subjects[0], 0)
        await until(lambda: len(health.applied) == 1)
        await asyncio.to_thread(postgres_cluster.kill)
        for number, subject in enumerate(subjects[1:]):
            await police.say(health.agency, subject, 0, is_express=number % 2 == 0)

        async def all_sent() -> bool:
            return all(row.sent_at is not None for row in await police.outbox_rows())

        await until(all_sent)
        assert await committed(kafka, group, direction.topic) <= 1
        assert await committed(kafka, group, direction.express_topic) == 0
        await asyncio.to_thread(postgres_cluster.start)
        await until(lambda: len(health.applied) == len(subjects))
    assert sorted(health.applied) == sorted((subject, 0) for subject in subjects)
    await police.database.close()
    await health.database.close()


def test_a_lane_that_has_moved_on_keeps_no_other_of_its_batch_from_being_read_again() -> None:
    """It was given to another process while the batch failed."""
    ours, others, moved = (TopicPartition(name, 0) for name in ("ours", "others", "moved"))
    found: dict[TopicPartition, int] = {}

    class Consumer:
        def seek(self, lane: TopicPartition, offset: int) -> None:
            if lane == moved:
                raise IllegalStateError(f"No current assignment for partition {lane}")  # as aiokafka says it
            found[lane] = offset

    rewind(Consumer(), [record_at(ours, 8), record_at(moved, 3), record_at(ours, 7), record_at(others, 1)])
    assert found == {ours: 7, others: 1}


def record_at(lane: TopicPartition, offset: int) -> ConsumerRecord:
    """A record of which only its place matters."""
    return ConsumerRecord(lane.topic, lane.partition, offset, 0, 0, None, b"", None, 0, 0, ())


async def test_two_relays_and_two_receivers_share_the_work(kafka: Kafka, two_databases: list[str], unique: str) -> None:
    police, health = await nodes(unique, *two_databases)
    subjects = [new_subject() for _ in range(40)]
    async with line(kafka, police, health) as (direction, group):
        courier = Courier(police.agency, kafka.operator, {health.agency: b"secret"})
        await courier.start()
        stop = asyncio.Event()
        second_relay = asyncio.create_task(Relay(police.database, police.agency, police.seal, courier.send, police).run(stop))
        second = broker_of(kafka)
        topics = [direction.topic, direction.express_topic]
        Receiver(health.database, health.inbox, health.seal, health, health.letters(police.agency)).subscribe(second, topics, group)
        await second.start()

        async def story(subject: UUID) -> None:
            for step in range(3):  # every other step on the other topic, so that both receivers hold parts of each story
                await police.say(health.agency, subject, step, is_express=step % 2 == 0)

        await asyncio.gather(*(story(subject) for subject in subjects))
        await until(lambda: len(health.applied) >= 3 * len(subjects))
        stop.set()
        await second_relay
        await second.stop()
        await courier.stop()
    assert sorted(health.applied) == sorted((s, step) for s in subjects for step in range(3))
    for subject in subjects:
        assert [step for s, step in health.applied if s == subject] == [0, 1, 2]
    assert sorted(row.seq or 0 for row in await police.outbox_rows()) == list(range(1, 121))
    await police.database.close()
    await health.database.close()


async def test_a_partition_stolen_in_mid_batch_applies_nothing_twice(kafka: Kafka, two_databases: list[str], unique: str) -> None:
    police, health = await nodes(unique, *two_databases)
    subjects = [new_subject() for _ in range(20)]
    direction, group = Direction(police.agency, health.agency), f"{health.agency}.stolen"
    held, thief_done = asyncio.Event(), asyncio.Event()

    class SlowReceiver(Receiver):
        """Applies its first batch, then dawdles before the offsets until another has taken the partition."""

        async def receive(self, batch: Sequence[ConsumerRecord]) -> None:
            await super().receive(batch)
            if not held.is_set():
                held.set()
                await thief_done.wait()

    async with line(kafka, police, health):
        for subject in subjects:
            await police.say(health.agency, subject, 0)
        slow = broker_of(kafka)
        thief = broker_of(kafka)
        SlowReceiver(health.database, health.inbox, health.seal, health, health.letters(police.agency)).subscribe(
            slow, [direction.topic], group, max_poll_ms=2_000
        )
        Receiver(health.database, health.inbox, health.seal, health, health.letters(police.agency)).subscribe(
            thief, [direction.topic], group
        )
        await slow.start()
        async with asyncio.timeout(DEADLINE_S):
            await held.wait()
        await thief.start()

        async def thief_committed() -> bool:
            return await committed(kafka, group, direction.topic) == len(subjects)

        await until(thief_committed)
        thief_done.set()
        await slow.stop()
        await thief.stop()
    assert sorted(health.applied) == sorted((subject, 0) for subject in subjects)
    await police.database.close()
    await health.database.close()


async def test_receipts_and_asking_again_travel_by_themselves(kafka: Kafka, two_databases: list[str], unique: str) -> None:
    police, health = await nodes(unique, *two_databases)
    said = [await police.say(health.agency, new_subject(), 0) for _ in range(10)]
    await police.number(health.agency)
    await police.mark_all_sent()  # as if the broker had lost all ten
    clock = police.database.clock
    assert isinstance(clock, ManualClock)
    stop = asyncio.Event()
    async with line(kafka, police, health), both_herald(kafka, police, health, stop):

        async def all_delivered() -> bool:
            clock.advance(timedelta(seconds=1))
            return len(police.delivered_ids) == len(said)

        await until(all_delivered)
    assert sorted(police.delivered_ids) == sorted(said)
    assert len(health.applied) == len(said)
    await police.database.close()
    await health.database.close()


@contextlib.asynccontextmanager
async def both_herald(kafka: Kafka, police: Node, health: Node, stop: asyncio.Event) -> AsyncIterator[None]:
    """Statements both ways, beside the desk's relay."""
    there, back = Direction(police.agency, health.agency), Direction(health.agency, police.agency)
    admin = AIOKafkaAdminClient(**kafka.operator.options())
    await admin.start()
    await admin.create_topics([NewTopic(back.express_topic, 1, 1)])
    await admin.close()
    tasks, stops = [], []
    for node, peer, topic in ((police, health, back.express_topic), (health, police, there.express_topic)):
        courier = Courier(node.agency, kafka.operator, {peer.agency: b"secret"})
        await courier.start()
        letters = node.letters(peer.agency)
        herald = Herald(node.database, [peer.agency], letters, courier.send_statement)
        broker = broker_of(kafka)
        Receiver(node.database, node.inbox, node.seal, node, letters).subscribe(broker, [topic], f"{node.agency}.express")
        await broker.start()
        tasks.append(asyncio.create_task(herald.run(stop)))
        stops += [broker.stop, courier.stop]
    try:
        yield
    finally:
        stop.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stop_one in stops:
            await stop_one()


async def test_a_topic_takes_what_a_relay_sends_at_once_and_not_much_more(kafka: Kafka, unique: str) -> None:
    topic = Direction(f"police_{unique}", f"health_{unique}").topic
    assert await provision(kafka.operator, (topic,), 1) == [topic]
    admin = AIOKafkaAdminClient(**kafka.operator.options())
    await admin.start()
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": ""})])
    await admin.close()
    assert int(answer.resources[0][4][0][1]) == RECORD_BATCH_BYTES_MAX >= BATCH_BYTES + ENVELOPE_BYTES_MAX
    async with AIOKafkaProducer(max_request_size=4 * RECORD_BATCH_BYTES_MAX, **kafka.operator.options()) as producer:
        await producer.send_and_wait(topic, bytes(BATCH_BYTES + ENVELOPE_BYTES_MAX))
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(topic, bytes(RECORD_BATCH_BYTES_MAX))


def test_a_reader_asks_for_what_a_lane_may_hold_and_for_a_bounded_number_of_lanes_at_once() -> None:
    broker, parts = KafkaBroker("nowhere.invalid:9092"), [cast("Any", None)] * 5
    Receiver(*parts).subscribe(broker, ["refnet.police.to.health.v1"], "health.exchange")
    subscriber: Any = broker.subscribers[0]
    asked = subscriber._connection_args
    assert asked["max_partition_fetch_bytes"] == RECORD_BATCH_BYTES_MAX  # with less a reader would stand before the largest batch
    assert asked["fetch_max_bytes"] == FETCH_BYTES
