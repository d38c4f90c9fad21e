"""Topics of one pass: made before it, deleted after it, and asked how far a group has committed."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

PARTITIONS = 1  # a lane keeps its order in one partition; more would measure the broker's parallelism, not the exchange


@contextlib.asynccontextmanager
async def fresh_topics(kafka: str, names: Sequence[str]) -> AsyncIterator[None]:
    """The topics exist inside the block; a broker that was lent to us is left as it was."""
    async with _admin(kafka) as admin:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
        try:
            yield
        finally:
            await admin.delete_topics(list(names))


async def committed(kafka: str, group: str, topic: str) -> int:
    """The offset that a group has committed on a topic; 0 where it has none."""
    async with _admin(kafka) as admin:
        found = (await admin.list_consumer_group_offsets(group)).get(TopicPartition(topic, 0))
        return int(found.offset) if found else 0


@contextlib.asynccontextmanager
async def _admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
