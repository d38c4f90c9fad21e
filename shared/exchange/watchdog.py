"""The watchdog's judgement: has anything that waits stood still for too long, though broker and database answer?

It only looks. Nothing is judged by what a process believes of itself: a row that is still unsent and an offset that has not moved
are facts, whichever of several workers should have dealt with them.
"""

import asyncio
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import ColumnElement, func, select
from sqlmodel import col

from shared.contracts.wire.topics import direction_of
from shared.exchange.access import PROBE_TIMEOUT_S, REQUEST_TIMEOUT_MS, Access
from shared.exchange.tables import OutboxRow, Stream
from shared.kit.db import Database, Transaction
from shared.kit.sealed import SHUT, shut_shown

SENDING_STALLED = timedelta(seconds=45)  # a send gives up after 30 s and is tried again: what waits longer is sent by nobody
RECEIVING_STALLED = timedelta(seconds=60)  # a full batch takes seconds, and a worker that died is replaced after ten
SHUT_LOOKED_AT = 200  # events of which none opens, looked at at once
SHUT_PAGES_MAX = 5  # so often: where a thousand do not open, the keystore is away, and that is said elsewhere
OFFSETS_EVERY = timedelta(seconds=15)  # asking for offsets opens connections: four times within the limit is often enough


Thing = TypeVar("Thing", bound=Hashable)


class Standstill(Generic[Thing]):
    """Since when each of several things has had the same value. What is no longer named has moved."""

    def __init__(self) -> None:
        self._seen: dict[Thing, tuple[Hashable, datetime]] = {}

    def since(self, now: datetime, values: Mapping[Thing, Hashable]) -> dict[Thing, timedelta]:
        """How long each has stood at its value; a new one, and one that has moved, begins at nothing."""
        before = self._seen
        self._seen = {
            thing: before[thing] if thing in before and before[thing][0] == value else (value, now)
            for thing, value in values.items()
        }
        return {thing: now - first for thing, (_, first) in self._seen.items()}

    def forget(self) -> None:
        """Time spent waiting for somebody else does not count."""
        self._seen.clear()


@dataclass(frozen=True, slots=True)
class Hang:
    """Something that should move and does not. `is_due`: what does the work is to be replaced now, for the first time or again."""

    what: Literal["sending", "receiving"]
    peers: frozenset[str]
    words: str
    is_due: bool


class Watchdog:
    """Looks at one agency's rows and offsets."""

    def __init__(self, database: Database, access: Access) -> None:
        self._database, self._access = database, access
        self._rows: Standstill[str] = Standstill()
        self._offsets: Standstill[TopicPartition] = Standstill()
        self._asked_at: datetime | None = None
        self._unread: frozenset[str] = frozenset()
        self._replaced_at: dict[str, datetime] = {}

    def pause(self) -> None:
        """The broker or the database is away: whatever waits for it is no fault of ours, and its time begins anew."""
        self._rows.forget()
        self._offsets.forget()
        self._asked_at, self._unread = None, frozenset()

    async def look(
        self, recipients: Collection[str], groups: Mapping[str, Mapping[str, int]], given: Collection[TopicPartition]
    ) -> list[Hang]:
        """What hangs. `recipients` are those that can be sent to; `groups` our consumer groups, each with its topics and their
        numbers of partitions; `given` the partitions that this process reads. Raises DatabaseAway, KafkaError or TimeoutError."""
        now = self._database.clock.real()
        found = []
        if unsent := await self._unsent(recipients, now):
            words = (
                f"Nothing has been sent to {_names(unsent)} for {SENDING_STALLED.seconds} s though events wait and the broker"
                " answers; the sender is being replaced: see the log, and restart this process if it stays."
            )
            found.append(Hang("sending", unsent, words, self._is_due("sending", SENDING_STALLED, now)))
        if unread := await self._receiving(groups, given, now):
            words = (
                f"Nothing from {_names(unread)} has been applied for {RECEIVING_STALLED.seconds} s though it waits on the broker;"
                " the receivers are being replaced: see the log, and restart this process if it stays."
            )
            found.append(Hang("receiving", unread, words, self._is_due("receiving", RECEIVING_STALLED, now)))
        return found

    def _is_due(self, what: str, limit: timedelta, now: datetime) -> bool:
        """A replacement has as long to get things moving as what it replaced."""
        last = self._replaced_at.get(what)
        if last is not None and now - last < limit:
            return False
        self._replaced_at[what] = now
        return True

    async def _unsent(self, recipients: Collection[str], now: datetime) -> frozenset[str]:
        waiting = await oldest_waiting(self._database)
        ages = self._rows.since(now, {peer: stands_at for peer, stands_at in waiting.items() if peer in recipients})
        return frozenset(peer for peer, age in ages.items() if age >= SENDING_STALLED)

    async def _receiving(
        self, groups: Mapping[str, Mapping[str, int]], given: Collection[TopicPartition], now: datetime
    ) -> frozenset[str]:
        if self._asked_at is None or now - self._asked_at >= OFFSETS_EVERY:
            behind: dict[TopicPartition, int] = {}
            for group, topics in groups.items():
                behind |= await partitions_behind(self._access, group, topics) if topics else {}
            self._asked_at = now
            ages = self._offsets.since(now, behind)
            # The partitions of other processes, which see them too, are theirs to bring back for as long again.
            late = [p for p, age in ages.items() if age >= RECEIVING_STALLED * (1 if p in given else 2)]
            self._unread = frozenset(direction_of(p.topic).sender for p in late)
        return self._unread


def _names(peers: Collection[str]) -> str:
    return ", ".join(sorted(peers))


async def oldest_waiting(database: Database) -> dict[str, tuple[int, int]]:
    """Of the events that wait and can be sent, by recipient: the position of the oldest, and how many of that recipient's have a
    number, which moves too where what is acute overtakes. Raises DatabaseAway.

    What does not open, because its key is not here, is passed over by the relay, and told: nothing hangs for it.
    """
    oldest: dict[str, int] = {}
    async with database.read() as tx:
        with shut_shown():
            for words, *waits in (
                (col(OutboxRow.data), col(OutboxRow.seq).is_(None)),
                (col(OutboxRow.inner), col(OutboxRow.is_due), col(OutboxRow.inner).is_not(None)),
            ):
                query = select(col(OutboxRow.recipient), func.min(col(OutboxRow.position))).where(*waits)
                for peer, first in (await tx.session.execute(query.group_by(col(OutboxRow.recipient)))).tuples().all():
                    opens = await _first_that_opens(tx, words, [col(OutboxRow.recipient) == peer, *waits], int(first or 0))
                    if opens is not None:
                        oldest[peer] = min(oldest.get(peer, opens), opens)
        numbered = select(col(Stream.recipient), func.sum(col(Stream.size))).group_by(col(Stream.recipient))
        sizes = {peer: int(size) for peer, size in (await tx.session.execute(numbered)).tuples()}
    return {peer: (position, sizes.get(peer, 0)) for peer, position in oldest.items()}


async def _first_that_opens(tx: Transaction, words: Any, waits: Sequence[ColumnElement[bool]], first: int) -> int | None:
    looked_at = 1  # as good as always the oldest opens
    for _page in range(SHUT_PAGES_MAX):
        query = select(col(OutboxRow.position), words).where(*waits, col(OutboxRow.position) >= first)
        rows = (await tx.session.execute(query.order_by(col(OutboxRow.position)).limit(looked_at))).tuples().all()
        for position, found in rows:
            if found is not SHUT:
                return int(position or 0)
        if len(rows) < looked_at:
            return None
        first, looked_at = int(rows[-1][0] or 0) + 1, SHUT_LOOKED_AT
    return None


async def partitions_behind(access: Access, group: str, topics: Mapping[str, int]) -> dict[TopicPartition, int]:
    """The partitions that hold records which a group has not committed, each with the offset that it stands at.

    Asked over a connection of its own, which joins no group. Raises KafkaError or TimeoutError."""
    partitions = [TopicPartition(topic, number) for topic, count in topics.items() for number in range(count)]
    consumer = AIOKafkaConsumer(group_id=group, enable_auto_commit=False, request_timeout_ms=REQUEST_TIMEOUT_MS, **access.options())
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await consumer.start()
            first, last = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
            committed = await asyncio.gather(*(consumer.committed(partition) for partition in partitions))
    finally:
        await consumer.stop()
    # What retention has taken counts as read: nobody can read it any more.
    stands = {p: max(at or 0, first[p]) for p, at in zip(partitions, committed, strict=True)}
    return {p: at for p, at in stands.items() if at < last[p]}
