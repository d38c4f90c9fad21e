"""What lies on the broker for a recipient, taken away and laid down again as a broker that lies would have kept it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from records import Offsets, ends

from shared.exchange.access import Access


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it lay there."""

    at: TopicPartition
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


Fault = Callable[[list[Record]], Sequence[Record]]


async def rewrite(access: Access, sender: str, recipient: str, fault: Fault) -> tuple[int, int]:
    """Deletes every record of a direction, as retention does, and lays down what `fault` makes of them, partition by partition.

    Returns how many lay there and how many lie there now. Nobody may be sending meanwhile.
    """
    lanes = await ends(access, sender, recipient)
    lay = {at: [record for record in await _read(access, lanes) if record.at == at] for at in lanes}
    await _delete(access, lanes)
    kept = [record for at in sorted(lay) for record in fault(lay[at])]
    async with AIOKafkaProducer(acks="all", enable_idempotence=True, **access.options()) as producer:
        for record in kept:
            await producer.send_and_wait(
                record.at.topic, record.value, record.key, partition=record.at.partition, headers=list(record.headers)
            )
    return sum(map(len, lay.values())), len(kept)


async def _read(access: Access, lanes: Offsets) -> list[Record]:
    wanted = {at: end for at, end in lanes.items() if end > 0}
    found: list[Record] = []
    async with AIOKafkaConsumer(auto_offset_reset="earliest", enable_auto_commit=False, **access.options()) as consumer:
        consumer.assign(list(wanted))
        while [at for at, end in wanted.items() if await consumer.position(at) < end]:
            for at, records in (await consumer.getmany(timeout_ms=200)).items():
                found += [Record(at, r.key, r.value, tuple(r.headers)) for r in records]
    return found


async def _delete(access: Access, lanes: Offsets) -> None:
    admin = AIOKafkaAdminClient(**access.options())
    await admin.start()
    try:
        await admin.delete_records({at: RecordsToDelete(before_offset=end) for at, end in lanes.items()})
    finally:
        await admin.close()
