"""Kafka: FastStream consumers with every losing default turned off, and one idempotent producer.

Offsets are committed explicitly, after the database. A database that is away rewinds the batch; poison never blocks a lane.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from sqlalchemy import select
from sqlmodel import col

from shared.contracts.wire.envelope import ENVELOPE_VERSION, Inner, Kind, Unopenable
from shared.contracts.wire.statements import Statement
from shared.contracts.wire.topics import Direction, direction_of, lane_of
from shared.exchange.access import RECORD_BATCH_BYTES_MAX, Access
from shared.exchange.inbox import Heard, Inbox, heard
from shared.exchange.letters import Letters
from shared.exchange.registry import Hooks
from shared.exchange.relay import BrokerAway, Outbound
from shared.exchange.seal import Seal
from shared.exchange.tables import Recovery
from shared.kit.crash import crash_point
from shared.kit.db import Database, is_transient
from shared.kit.errors import DatabaseAway

BATCH_RECORDS = 500  # records applied in one transaction; the relay numbers as many
BATCH_WAIT_MS = 1_000  # a look that finds nothing; one that finds anything is answered at once
# How long the broker holds a fetch that finds nothing. While a batch is worked on for more than 100 ms aiokafka asks for the other
# lanes alone, and is deaf to the busy one until that is answered: Kafka's 500 ms are what a busy lane's latency then jumps by.
FETCH_WAIT_MS = 100
# What one answer of the broker is asked to hold: a topic's largest batch of each lane, a dozen of the relay's in all; it lies in
# memory until it is applied. This asks. A broker that answers with more is not stopped by it (docs/operating.md).
FETCH_LANE_BYTES = RECORD_BATCH_BYTES_MAX
FETCH_BYTES = 8 * RECORD_BATCH_BYTES_MAX
SEND_TIMEOUT_S = 30.0  # a broker that takes longer is treated as away: the rows stay due
REQUEST_TIMEOUT_MS = 5_000  # one request to the broker
MAX_POLL_MS = 300_000  # a batch that takes longer loses its partition; the database's own waits end well before
SESSION_TIMEOUT_MS = 10_000  # a worker that died is replaced after this; Kafka allows no less than 6 s
BATCH_BYTES = 512 * 1024  # one relay batch in one request; aiokafka's 16 KiB makes forty of it
LINGER_MS = 1  # records of one relay batch travel together
BACK_OFF_S = (0.2, 2.0)  # between tries of a batch while the database is away; random, so that workers do not march in step
HEADERS = [("envelope", ENVELOPE_VERSION)]

log = logging.getLogger(__name__)


class Courier:
    """The producer of one agency."""

    def __init__(self, agency: str, access: Access, pair_secrets: dict[str, bytes]) -> None:
        self._agency, self._pair_secrets = agency, pair_secrets
        self._producer = AIOKafkaProducer(
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            **access.options(),
        )

    async def start(self) -> None:
        """Connects; raises KafkaError where the broker does not answer."""
        await self._producer.start()

    async def stop(self) -> None:
        """Sends what is in hand and disconnects."""
        await self._producer.stop()

    async def send(self, outbound: Sequence[Outbound]) -> None:
        """Returns once the broker holds every record; raises BrokerAway where it does not."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                pending = [await self._put(one) for one in outbound]
                await asyncio.gather(*pending)
        except (KafkaError, TimeoutError) as error:
            raise BrokerAway(type(error).__name__, passes=_passes(error)) from error

    async def _put(self, one: Outbound) -> asyncio.Future[Any]:
        if one.recipient not in self._pair_secrets:
            raise BrokerAway(f"the network file has no pair with '{one.recipient}'", passes=True)
        direction = Direction(self._agency, one.recipient)
        topic = direction.express_topic if one.is_express else direction.topic
        lane = str(lane_of(one.lane_key, self._pair_secrets[one.recipient])).encode()
        future: asyncio.Future[Any] = await self._producer.send(topic, one.envelope, key=lane, headers=HEADERS)
        return future

    async def send_statement(self, recipient: str, envelope: bytes) -> None:
        """Puts a statement on the express topic."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._producer.send_and_wait(Direction(self._agency, recipient).express_topic, envelope, headers=HEADERS)
        except (KafkaError, TimeoutError) as error:
            raise BrokerAway(type(error).__name__, passes=_passes(error)) from error


def _passes(error: Exception) -> bool:
    """Whether the same producer can go on after an error: time ran out or the line broke, and nobody has refused anything."""
    return isinstance(error, TimeoutError | KafkaConnectionError) or (isinstance(error, KafkaError) and bool(error.retriable))


_Letter = tuple[ConsumerRecord, str, Inner]  # with who brought it


class Receiver:
    """The consumers of one agency: each batch goes through the seal into the inbox, then its offsets are committed."""

    def __init__(self, database: Database, inbox: Inbox, seal: Seal, hooks: Hooks, letters: Letters) -> None:
        self._database, self._inbox, self._seal, self._hooks, self._letters = database, inbox, seal, hooks, letters

    def subscribe(
        self, broker: KafkaBroker, topics: Sequence[str], group: str, max_poll_ms: int = MAX_POLL_MS, instance: str | None = None
    ) -> None:
        """One batch subscriber over the topics of a lane class; every option explicit, because the defaults lose events.

        `instance` is the process's lasting name in the group (KIP-345): one that was killed takes its lanes up again at once,
        where a nameless one waits until the broker has given its former self up.
        """
        subscriber = broker.subscriber(
            *topics,
            group_id=group,
            batch=True,
            max_records=BATCH_RECORDS,
            batch_timeout_ms=BATCH_WAIT_MS,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=FETCH_LANE_BYTES,
            max_poll_interval_ms=max_poll_ms,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            group_instance_id=instance,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            decoder=_undecoded,
        )
        subscriber.get_msg = _next_batch  # type: ignore[method-assign]
        subscriber(self.on_batch)

    async def on_batch(self, records: list[bytes], message: KafkaMessage) -> None:
        """One batch: apply, then commit exactly what was applied."""
        raw = message.raw_message
        batch: Sequence[ConsumerRecord] = raw if isinstance(raw, tuple | list) else [raw]
        try:
            await self.receive(batch)
        except Exception as error:
            # Whatever it was, nothing of the batch counts as read: FastStream would swallow the error and go on past it.
            if isinstance(error, DatabaseAway):
                log.warning("database_away_batch_rewound", extra={"count": len(batch)})
            else:
                log.error("batch_failed_and_rewound", extra={"count": len(batch), "because": type(error).__name__})
            rewind(message.consumer, batch)
            await self._database.clock.sleep(random.uniform(*BACK_OFF_S))  # noqa: S311 — spreads retries, hides nothing
            return
        crash_point("inbox.before_offset_commit")
        ends = {TopicPartition(r.topic, r.partition): r.offset + 1 for r in batch}
        try:
            await message.consumer.commit(ends)  # type: ignore[call-arg]  # FastStream's protocol hides aiokafka's argument
        except (CommitFailedError, IllegalStateError):
            log.info("partition_moved_on", extra={"count": len(batch)})  # its new owner reads the batch again: duplicates
        crash_point("inbox.after_offset_commit")

    async def receive(self, batch: Sequence[ConsumerRecord]) -> None:
        """Opens and applies records, events before letters: an acute referral lies among letters, of which each may take as long
        as the stretch that it signs for. Raises DatabaseAway."""
        events: list[Heard] = []
        letters: list[_Letter] = []
        records: dict[bytes, ConsumerRecord] = {}
        for record in batch:
            way = direction_of(record.topic)
            sender, is_express = way.sender, record.topic == way.express_topic
            try:
                inner = self._seal.open(record.value or b"", sender)
                if inner.header.sender == sender and inner.header.kind is Kind.EVENT:
                    events.append(heard(inner, is_express=is_express))
                    records[inner.raw] = record
                elif inner.header.kind is Kind.DIRECTORY:
                    await self._take_letter(sender, inner)  # what comes next may be signed with a key that it tells
                else:
                    letters.append((record, sender, inner))
            except Unopenable as error:
                await self._note_unopenable(record, sender, str(error))
        outcome = await self._inbox.receive(events)
        for one, fault in outcome.unstorable:
            await self._note_unopenable(records[one.signed.raw], one.sender, f"it cannot be stored ({fault})")
        for sender, _ in outcome.streams:
            self._letters.heard_from(sender)
        for record, sender, inner in await self._still_news(letters):
            try:
                await self._take_letter(sender, inner)
            except Unopenable as error:
                await self._note_unopenable(record, sender, str(error))

    async def _still_news(self, letters: Sequence[_Letter]) -> list[_Letter]:
        """Letters without those that a later one here says anew: whoever is slow to take them would be ever further behind, and
        what is acute with it. The order in which partitions are read says nothing: what was made later is later. Whoever recovers
        from a restore leaves none out: which one answers it is for the answer to say. Raises DatabaseAway."""
        if len(letters) < 2:
            return list(letters)
        read = [(letter, _full(letter)) for letter in letters]
        newest: dict[tuple[str, UUID], Statement] = {}
        for (_record, sender, inner), one in read:
            known = newest.get(life := (sender, inner.header.incarnation))
            if one is not None and one.summary is None and (known is None or one.made_at > known.made_at):
                newest[life] = one
        async with self._database.read() as tx:
            awaited = set(
                (await tx.session.execute(select(col(Recovery.peer)).where(col(Recovery.answered_at).is_(None)))).scalars()
            )
        news = []
        for letter, one in read:
            _record, sender, inner = letter
            later = newest.get((sender, inner.header.incarnation))
            if one is None or later is None or sender in awaited or not later.says_anew(one):
                news.append((letter, one))
        said = sorted(((one.made_at, letter) for letter, one in news if one is not None), key=itemgetter(0))
        in_order = (letter for _made_at, letter in said)
        return [letter if one is None else next(in_order) for letter, one in news]

    async def _take_letter(self, sender: str, inner: Inner) -> None:
        """A statement, or a word of our own that comes home. One that breaks our code is told and passed over: letters are written
        anew every few seconds, and one that is tried for ever would keep everybody's events behind it. Raises Unopenable."""
        try:
            await self._letters.take_any(sender, inner)
        except Exception as error:
            if isinstance(error, Unopenable) or is_transient(error):
                raise
            log.error("letter_not_taken", extra={"sender": sender, "because": type(error).__name__})
            await self._letters.trouble("unopenable", sender, {"reason": f"it cannot be used ({type(error).__name__})"})

    async def _note_unopenable(self, record: ConsumerRecord, sender: str, reason: str) -> None:
        await self._letters.note_unopenable(sender, record.value or b"", (record.topic, record.partition, record.offset), reason)


def _full(letter: _Letter) -> Statement | None:
    """The statement of a peer's letter; None where it is something else, or cannot be read: it is taken all the same, and told of
    there."""
    _record, sender, inner = letter
    if inner.header.sender != sender or inner.header.kind is not Kind.STATEMENT:
        return None
    try:
        return Statement.of(inner)
    except Unopenable:
        return None


def rewind(consumer: Any, batch: Sequence[ConsumerRecord]) -> None:
    """Every lane of a batch is read again from its first record here; one that has moved on meanwhile is its new owner's, and keeps
    the others from nothing."""
    first: dict[TopicPartition, int] = {}
    for record in batch:
        lane = TopicPartition(record.topic, record.partition)
        first[lane] = min(record.offset, first.get(lane, record.offset))
    for lane, offset in first.items():
        with contextlib.suppress(IllegalStateError):
            consumer.seek(lane, offset)


async def _next_batch(consumer: AIOKafkaConsumer) -> tuple[ConsumerRecord, ...]:
    """What there is, at once. FastStream's own sleeps as long again after a fetch that found nothing, deaf to what comes then."""
    found = await consumer.getmany(timeout_ms=BATCH_WAIT_MS, max_records=BATCH_RECORDS)
    return tuple(chain(*found.values()))


def _undecoded(message: KafkaMessage) -> list[bytes]:
    raw = message.raw_message
    return [record.value or b"" for record in (raw if isinstance(raw, tuple | list) else [raw])]
