"""A desk's relay and a clinic's receiver on real Kafka, as a test needs them, and waiting for what they bring about."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition
from exchange_node import Node
from faststream.kafka import KafkaBroker
from servers import Kafka

from shared.contracts.wire.topics import Direction
from shared.exchange.access import Access, BrokerUnreachable, partitions_of
from shared.exchange.broker import Courier, Receiver
from shared.exchange.relay import Relay
from shared.kit.clock import ManualClock

DEADLINE_S = 30.0


async def until(true: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Waits for a condition; fails after the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            verdict = true()
            if await verdict if isinstance(verdict, Awaitable) else verdict:
                return
            await asyncio.sleep(0.02)


async def sees(access: Access, topics: set[str]) -> bool:
    """Whether it is let in, and sees just these: a broker takes up what its controller has written down a moment later."""
    try:
        return set(await partitions_of(access)) == topics
    except BrokerUnreachable:
        return False


def broker_of(kafka: Kafka) -> KafkaBroker:
    """FastStream's end, as the operator."""
    return KafkaBroker(kafka.operator.servers, security=kafka.operator.faststream(), allow_auto_create_topics=False)


async def records(kafka: Kafka, topic: str) -> Sequence[bytes]:
    """Everything that the broker keeps of a topic."""
    consumer = AIOKafkaConsumer(topic, **kafka.operator.options(), auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    try:
        (partition,) = consumer.assignment()
        await consumer.seek_to_beginning(partition)
        end, found = (await consumer.end_offsets([partition]))[partition], list[bytes]()
        while await consumer.position(partition) < end:
            found += [r.value for part in (await consumer.getmany(timeout_ms=500)).values() for r in part if r.value is not None]
        return found
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def line(kafka: Kafka, police: Node, health: Node) -> AsyncIterator[tuple[Direction, str]]:
    """A running relay at the desk and a running receiver at the clinic."""
    direction = Direction(police.agency, health.agency)
    group = f"{health.agency}.exchange"
    admin = AIOKafkaAdminClient(**kafka.operator.options())
    await admin.start()
    await admin.create_topics([NewTopic(t, 1, 1) for t in (direction.topic, direction.express_topic)])
    courier = Courier(police.agency, kafka.operator, {health.agency: b"secret"})
    await courier.start()
    broker = broker_of(kafka)
    Receiver(health.database, health.inbox, health.seal, health, health.letters(police.agency)).subscribe(
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


async def committed(kafka: Kafka, group: str, topic: str) -> int:
    """The offset that a group has committed."""
    admin = AIOKafkaAdminClient(**kafka.operator.options())
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
