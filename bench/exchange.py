"""The exchange itself: Relay, Courier, Kafka, Receiver and Inbox as an agency runs them, between two databases.

Both ends run in this one process and event loop, as both ends of the raw pipe do: the ratio compares work, not processes.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from faststream.kafka import KafkaBroker, KafkaMessage
from sqlalchemy import func, select
from sqlmodel import col

from bench.topics import committed, fresh_topics
from bench.workload import BATCH, DATA_TYPE, DEADLINE_S, PAUSE_S, WARM_UPS, Arrivals, Place, Unmeasured, expect, referral_data
from shared.casework.migrate import migrate
from shared.contracts.casework.events import ReferralIssued
from shared.contracts.wire.topics import Direction
from shared.exchange import outbox
from shared.exchange.access import Access
from shared.exchange.broker import Courier, Receiver
from shared.exchange.inbox import Inbox
from shared.exchange.registry import Received, Registry, Subscription
from shared.exchange.relay import Relay
from shared.exchange.seal import PlainSeal
from shared.exchange.tables import InboxRow, InboxState
from shared.kit.db import Database, Transaction
from shared.kit.ids import new_id

SENDER, RECIPIENT = "police", "health"
PAIR_SECRET = b"bench"  # spreads lanes over partitions; guards nothing here


class NoHooks:
    """An agency that wants to be told nothing, so that only the exchange is measured."""

    async def delivered(self, event_ids: list[UUID], at: datetime, tx: Transaction) -> None:
        """Nobody follows receipts here."""

    async def sent(self, event_ids: list[UUID], at: datetime, tx: Transaction) -> None:
        """Nobody follows the line here."""

    async def related(self, subjects: list[UUID], tx: Transaction) -> list[UUID]:
        """Nothing else is locked here."""
        return []

    async def withheld(self, sender: str, event_id: UUID, subject: UUID, tx: Transaction) -> None:
        """Nothing is withheld here."""

    async def trouble(self, kind: str, peer: str, detail: dict[str, Any], tx: Transaction) -> None:
        """What is in trouble is not applied, and the count at the end of a pass shows it."""


class WatchedReceiver(Receiver):
    """Says when a batch is over, offsets and all."""

    batch_over: Callable[[], None] = staticmethod(lambda: None)

    async def on_batch(self, records: list[bytes], message: KafkaMessage) -> None:
        await super().on_batch(records, message)
        self.batch_over()


@dataclass(slots=True)
class Line:
    """A running receiver, and a relay that starts when told."""

    relay: Relay
    source: Database
    target: Database
    arrivals: Arrivals
    batch_over: asyncio.Event
    topic: str
    group: str


async def prepare(url: str) -> None:
    """Brings an empty database to the schema, at either end."""
    async with _database(url) as database:
        await migrate(database)


async def fill(url: str, events: int, subjects: int) -> None:
    """Says `events` things about `subjects` referrals in turn, as a command would, and leaves them to a relay."""
    async with _database(url) as database:
        await migrate(database)
        about, consents = [new_id() for _ in range(subjects)], [new_id() for _ in range(subjects)]
        for start in range(0, events, BATCH):
            async with database.write() as tx:
                numbers = range(start, min(start + BATCH, events))
                await outbox.lock_subjects(tx, {about[n % subjects] for n in numbers})
                for n in numbers:
                    await outbox.add(tx, _outgoing(about[n % subjects], consents[n % subjects], tx.clock.now()))


async def throughput(place: Place, events: int) -> float:
    """Events a second, from the relay's start until all that `fill` said is applied and its offsets are committed."""
    async with _line(place) as line:
        started = time.perf_counter()
        async with _running(line.relay), asyncio.timeout(DEADLINE_S):
            while line.arrivals.count < events:
                line.batch_over.clear()
                await line.batch_over.wait()
            took_s = time.perf_counter() - started
        expect("applied events in the inbox", await _applied(line.target), events)
        expect("committed offsets", await committed(place.kafka, line.group, line.topic), events)
        return events / took_s


async def latencies_ms(place: Place, samples: int) -> list[float]:
    """From the commit of one outbox row to the commit of its application, one event at a time."""
    found: list[float] = []
    async with _line(place) as line, _running(line.relay), asyncio.timeout(DEADLINE_S):
        for number in range(WARM_UPS + samples):
            took_s = await _one(line)
            if number >= WARM_UPS:
                found.append(took_s * 1000)
            await asyncio.sleep(PAUSE_S)
    return found


async def _one(line: Line) -> float:
    said, before = Arrivals(time.perf_counter), line.arrivals.count
    async with line.source.write() as tx:
        subject = new_id()
        tx.on_commit(said.note)  # before the outbox's own: the clock starts when the row is committed, then the relay wakes
        await outbox.lock_subjects(tx, [subject])
        await outbox.add(tx, _outgoing(subject, new_id(), tx.clock.now()))
    while line.arrivals.count == before:
        line.batch_over.clear()
        await line.batch_over.wait()
    return line.arrivals.last_at - said.last_at


def _outgoing(subject: UUID, consent: UUID, at: datetime) -> outbox.Outgoing:
    return outbox.Outgoing(
        recipient=RECIPIENT,
        type=DATA_TYPE,
        dataversion=1,
        subject=subject,
        lane_key=subject,
        data=referral_data(),
        occurred_at=at,
        consent_id=consent,
    )


@contextlib.asynccontextmanager
async def _line(place: Place) -> AsyncIterator[Line]:
    direction, group = Direction(SENDER, RECIPIENT), f"{RECIPIENT}.{new_id()}"
    topics, hooks, over = [direction.topic, direction.express_topic], NoHooks(), asyncio.Event()
    arrivals = Arrivals(time.perf_counter)

    async def on_told(_received: Received, tx: Transaction) -> None:
        tx.on_commit(arrivals.note)

    async with contextlib.AsyncExitStack() as stack:
        source = await stack.enter_async_context(_database(place.source_url))
        target = await stack.enter_async_context(_database(place.target_url))
        await stack.enter_async_context(fresh_topics(place.kafka, topics))
        courier = Courier(SENDER, Access(place.kafka), {RECIPIENT: PAIR_SECRET})
        await courier.start()
        stack.push_async_callback(courier.stop)
        # Every event waits for the one before it about its referral: the strictest order that the inbox keeps.
        registry = Registry([Subscription(DATA_TYPE, 1, ReferralIssued, on_told, waits=True)])
        receiver = WatchedReceiver(target, Inbox(target, registry, hooks), PlainSeal(RECIPIENT), hooks)
        receiver.batch_over = over.set
        broker = KafkaBroker(place.kafka, allow_auto_create_topics=False, logger=None)
        for topic in topics:  # a consumer for each lane class, as the worker has
            receiver.subscribe(broker, [topic], f"{group}.{topic}")
        await broker.start()
        stack.push_async_callback(broker.stop)
        relay = Relay(source, SENDER, PlainSeal(SENDER), courier.send, hooks)
        yield Line(relay, source, target, arrivals, over, direction.topic, f"{group}.{direction.topic}")


@contextlib.asynccontextmanager
async def _running(relay: Relay) -> AsyncIterator[None]:
    """The relay works inside the block; raises Unmeasured where it ends by itself."""
    stop, waiting = asyncio.Event(), asyncio.current_task()
    task = asyncio.create_task(relay.run(stop))
    task.add_done_callback(lambda _: waiting.cancel() if waiting and not stop.is_set() else None)
    try:
        yield
    except asyncio.CancelledError:
        if not task.done() or task.cancelled():
            raise
        raise Unmeasured(f"The relay ended with {type(task.exception()).__name__}.") from task.exception()
    finally:
        stop.set()
        await asyncio.wait([task])


@contextlib.asynccontextmanager
async def _database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def _applied(database: Database) -> int:
    async with database.read() as tx:
        query = select(func.count()).select_from(InboxRow).where(col(InboxRow.state) == InboxState.APPLIED)
        return int((await tx.session.execute(query)).scalar_one())
