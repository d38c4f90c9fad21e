"""What really lies on the broker: records read from the beginning and opened, and how far a consumer group has committed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.contracts.wire.envelope import Event, Kind
from shared.contracts.wire.topics import Direction, direction_of
from shared.exchange.access import Access, partitions_of
from shared.exchange.seal import Seal

READ_DEADLINE_S = 60.0

Offsets = Mapping[TopicPartition, int]


async def committed(access: Access, group: str) -> Offsets:
    """The offsets that a group has committed."""
    admin = AIOKafkaAdminClient(**access.options())
    await admin.start()
    try:
        return {partition: at.offset for partition, at in (await admin.list_consumer_group_offsets(group)).items()}
    finally:
        await admin.close()


async def ends(access: Access, sender: str, recipient: str) -> Offsets:
    """How many records each partition of a direction has taken."""
    way = Direction(sender, recipient)
    known = await partitions_of(access)
    async with _reader(access) as consumer:
        wanted = [TopicPartition(topic, n) for topic in (way.topic, way.express_topic) for n in range(known[topic])]
        return dict(await consumer.end_offsets(wanted))


async def events_below(access: Access, offsets: Offsets, seal_of: Callable[[str], Seal]) -> list[UUID]:
    """The ids of the events below these offsets, each as often as it lies there; statements are left out."""
    return [event for topic, value in await records_below(access, offsets) for event in events_in(topic, value, seal_of)]


async def records_below(access: Access, offsets: Offsets) -> list[tuple[str, bytes | None]]:
    """The records below these offsets as they lie there: (topic, value)."""
    wanted = {partition: end for partition, end in offsets.items() if end > 0}
    found: list[tuple[str, bytes | None]] = []
    async with _reader(access) as consumer:
        consumer.assign(list(wanted))
        while [p for p, end in wanted.items() if await consumer.position(p) < end]:
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                found += [(r.topic, r.value) for r in records if r.offset < wanted[partition]]
    return found


async def times_lying(access: Access, sender: str, recipient: str, seal_of: Callable[[str], Seal]) -> Counter[UUID]:
    """How often each event of a direction lies on the broker."""
    return Counter(await events_below(access, await ends(access, sender, recipient), seal_of))


def events_in(topic: str, value: bytes | None, seal_of: Callable[[str], Seal]) -> list[UUID]:
    """The id of the event that a record holds; none of a statement."""
    way = direction_of(topic)
    inner = seal_of(way.recipient).open(value or b"", way.sender)
    return [Event.model_validate_json(inner.content).id] if inner.header.kind is Kind.EVENT else []


@asynccontextmanager
async def _reader(access: Access) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(auto_offset_reset="earliest", enable_auto_commit=False, **access.options())
    await consumer.start()
    try:
        async with asyncio.timeout(READ_DEADLINE_S):
            yield consumer
    finally:
        await consumer.stop()
