"""The exchange over real Kafka and real PostgreSQL: what FastStream's defaults would lose is not lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition
from exchange_node import Node, new_subject
from faststream.kafka import KafkaBroker

from shared.contracts.wire.topics import Direction
from shared.exchange.broker import Courier, Receiver
from shared.exchange.relay import Relay
from shared.kit.clock import ManualClock
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_databases import PostgresDatabases

DEADLINE_S = 30.0


async def until(true: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Waits for a condition; fails after the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            verdict = true()
            if await verdict if isinstance(verdict, Awaitable) else verdict:
                return
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def line(kafka: str, police: Node, health: Node) -> AsyncIterator[tuple[Direction, str]]:
    """A running relay at the desk and a running receiver at the clinic."""
    direction = Direction(police.agency, health.agency)
    group = f"{health.agency}.exchange"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(t, 1, 1) for t in (direction.topic, direction.express_topic)])
    courier = Courier(police.agency, kafka, {health.agency: b"secret"})
    await courier.start()
    broker = KafkaBroker(kafka, allow_auto_create_topics=False)
    Receiver(health.database, health.inbox, health.seal, health).subscribe(
        broker, [direction.topic, direction.express_topic], group
    )
    await broker.start()
    stop = asyncio.Event()
    relay = asyncio.create_task(Relay(police.database, police.agency, police.seal, courier.send, police).run(stop))
    try:
        yield direction, group
    finally:
        stop.set()
        await relay
        await broker.stop()
        await courier.stop()
        await admin.close()


async def committed(kafka: str, group: str, topic: str) -> int:
    """The offset that a group has committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
        found = offsets.get(TopicPartition(topic, 0))
        return found.offset if found else 0
    finally:
        await admin.close()


async def nodes(unique: str, police_url: str, health_url: str) -> tuple[Node, Node]:
    """A desk and a clinic whose names nobody else uses."""
    clock = ManualClock()
    return await Node.make(f"police_{unique}", police_url, clock), await Node.make(f"health_{unique}", health_url, clock)


async def test_everything_arrives_past_poison_and_a_failing_handler(kafka: str, postgres: PostgresDatabases, unique: str) -> None:
    police, health = await nodes(unique, postgres.fresh_database(), postgres.fresh_database())
    good = [new_subject() for _ in range(50)]
    async with line(kafka, police, health) as (direction, group):
        poison = AIOKafkaProducer(bootstrap_servers=kafka)
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


async def test_a_database_that_goes_away_rewinds_the_batch(
    kafka: str, postgres: PostgresDatabases, postgres_cluster: PostgresCluster, unique: str
) -> None:
    police, health = await nodes(unique, postgres.fresh_database(), postgres_cluster.fresh_database())
    subjects = [new_subject() for _ in range(30)]
    async with line(kafka, police, health) as (direction, group):
        await police.say(health.agency, subjects[0], 0)
        await until(lambda: len(health.applied) == 1)
        await asyncio.to_thread(postgres_cluster.kill)
        for subject in subjects[1:]:
            await police.say(health.agency, subject, 0)

        async def all_sent() -> bool:
            return all(row.sent_at is not None for row in await police.outbox_rows())

        await until(all_sent)
        assert await committed(kafka, group, direction.topic) <= 1
        await asyncio.to_thread(postgres_cluster.start)
        await until(lambda: len(health.applied) == len(subjects))
    assert sorted(health.applied) == sorted((subject, 0) for subject in subjects)
    await police.database.close()
    await health.database.close()
