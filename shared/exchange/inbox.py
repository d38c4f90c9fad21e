"""Hearing: a batch of records is opened and applied in one transaction, in the order that the subjects need.

Same slot and same leaf is a duplicate; same slot and other leaf is a fork; a known event in a new slot takes the slot only.
An event waits until its predecessor is done. What cannot be applied is stored, receipted and parked; the lane goes on.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.orm import defer
from sqlmodel import col

from shared.contracts.wire.envelope import ENDED_MAX, Event, Inner, Kind, Reopened, Unopenable, unframe
from shared.exchange.erasing import erased_among, received_key
from shared.exchange.heads import Overfull, Slot, advance_head, find_lost, keep_fork
from shared.exchange.outbox import insert_if_absent, lock_subjects
from shared.exchange.registry import (
    Hooks,
    NotForHere,
    Received,
    Registry,
    Subscription,
    Unappliable,
    Unauthorised,
    Unready,
    of_itself,
)
from shared.exchange.tables import DONE, UNKNOWN, InboxRow, InboxState, LostSlot, ReceivedSlot, Reopening, Tombstone
from shared.exchange.witness import take_ended
from shared.kit.bulk import insert_many
from shared.kit.crash import crash_point
from shared.kit.db import Database, Transaction, is_transient
from shared.kit.errors import RefnetError, to_json
from shared.kit.keystore import CANNOT_OPEN, KeyDestroyed, ValueNotOpened
from shared.kit.sealed import Under, as_it_lies, named, sealed_columns

SWEEP_BATCH = 200  # waiting events looked at in one sweep
HELD_BACK_MAX = 100_000  # events of one sender that wait or are parked: months of words of a version that is not known here
HELD_BACK_BYTES_MAX = 256 * 1024**2  # the same in bytes: 100,000 ordinary events are a third of it, 4,000 of the largest all
WAITERS_MAX = 5_000  # events on its subjects that a batch reads with their words, some 5 kB each; what else waits is the sweep's
COUNTED_FOR = timedelta(seconds=60)  # they are counted anew this often while more come; in between what comes is added

# A batch is locked in one statement and looked up in another on PostgreSQL; the portable forms stand beside their use.
LOCK_BATCH = """
    INSERT INTO exchange_subjects (id)
    SELECT id FROM (
        SELECT unnest($1::uuid[]) AS id
        UNION SELECT consent_id FROM exchange_inbox WHERE subject = ANY($2::uuid[]) AND state = 'waiting' AND consent_id IS NOT NULL
    ) AS wanted ORDER BY id
    ON CONFLICT (id) DO UPDATE SET id = excluded.id
"""
KNOWN = """
    WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[]) AS w(sender, incarnation, seq)
    )
    SELECT 'leaf' AS what, s.sender, s.incarnation AS id, s.seq, s.leaf, CASE WHEN s.is_bypassed THEN 'bypassed' END AS state
    FROM exchange_slots AS s JOIN wanted USING (sender, incarnation, seq)
    UNION ALL SELECT 'lost', l.sender, l.incarnation, l.seq, NULL, NULL
    FROM exchange_lost_slots AS l JOIN wanted USING (sender, incarnation, seq)
    UNION ALL SELECT 'state', i.sender, i.event_id, NULL, NULL, i.state
    FROM exchange_inbox AS i JOIN unnest($4::text[], $5::uuid[]) AS e(sender, event_id) USING (sender, event_id)
    UNION ALL SELECT 'waiter', sender, consent_id, NULL, NULL, NULL
    FROM exchange_inbox WHERE subject = ANY($6::uuid[]) AND state = 'waiting'
    UNION ALL SELECT 'tombstone', sender, consent_id, NULL, NULL, NULL FROM exchange_tombstones WHERE consent_id = ANY($7::uuid[])
"""

NO_LIFE = UUID(int=0)
WORDLESS = frozenset({InboxState.GONE, InboxState.CLEARED})  # settled on its sender's word that there are none
GIVEN_UP = Unauthorised(
    "It is signed with a key that its sender has given up since: ask there by phone whether it is theirs, then give it up here."
)
SHUT = Unappliable("The key of what it is about is not in the keystore: restore the newest backup of the keystore, then try again.")
WORDS_LEFT_SHUT = defer(InboxRow.inner)  # type: ignore[arg-type]  # what is parked may be one that does not open
LAID = "tombstones laid in this transaction"
TAKEN = "room taken in this transaction"

log = logging.getLogger(__name__)


async def lay_tombstone(tx: Transaction, sender: str, consent_id: UUID) -> None:
    """Whatever `sender` says under this consent from now on takes its slot and is never opened into a record."""
    row = {"sender": sender, "consent_id": consent_id, "laid_at": tx.clock.now()}
    await tx.session.execute(insert_if_absent(tx, Tombstone), [row])
    waiting = (col(InboxRow.sender) == sender, col(InboxRow.consent_id) == consent_id, col(InboxRow.state) == InboxState.WAITING)
    await tx.session.execute(update(InboxRow).where(*waiting).values(inner=None))  # it keeps its place, and no words
    tx.session.info.setdefault(LAID, set()).add((sender, consent_id))


async def refuse_parked(tx: Transaction, sender: str, event_id: UUID) -> UUID | None:
    """Gives a parked event up: it is done, and what waits for it may follow. Its subject, or None where it is not parked."""
    known = await tx.session.get(InboxRow, (sender, event_id), options=[WORDS_LEFT_SHUT])
    if known is None or known.subject is None:
        return None
    await lock_subjects(tx, [known.subject])
    row = await tx.session.get(InboxRow, (sender, event_id), populate_existing=True, options=[WORDS_LEFT_SHUT])
    if row is None or row.state != InboxState.PARKED:
        return None
    row.state, row.settled_at = InboxState.REFUSED, tx.clock.now()
    await tx.session.flush()
    return row.subject


def may_stand() -> ColumnElement[bool]:
    """In a query for what was heard: not what its key, given up since, does not reach. That is never tried again."""
    return col(InboxRow.reason).is_distinct_from(str(GIVEN_UP))


async def unpark(tx: Transaction, sender: str, subjects: Collection[UUID]) -> None:
    """A sender's parked events about these are tried again by the next sweep: what they are about has changed.

    The caller has locked the subjects.
    """
    is_parked = col(InboxRow.state) == literal(InboxState.PARKED.value, literal_execute=True)  # found by its index
    parked = update(InboxRow).where(col(InboxRow.sender) == sender, is_parked, may_stand(), col(InboxRow.subject).in_(subjects))
    await tx.session.execute(parked.values(state=InboxState.WAITING))


@dataclass(frozen=True, slots=True)
class Heard:
    """An opened event: what it says and the signed form it came in, None where its words are gone and only its place is kept.

    `is_express`: it came by the express lane, or past the broker, and so past whatever was before it; `is_bypassed`: past one that
    answered.
    """

    event: Event
    inner: Inner | None
    is_express: bool = False
    is_bypassed: bool = False

    @property
    def sender(self) -> str:
        """Who said it."""
        return self.event.source

    @property
    def signed(self) -> Inner:
        """The form it came in, of one that has just come."""
        if self.inner is None:
            raise LookupError("the words of this event are gone")
        return self.inner

    @property
    def slot(self) -> Slot:
        """(sender, incarnation, seq)."""
        header = None if self.inner is None else self.inner.header
        return (self.sender, header.incarnation, header.seq or 0) if header else (self.sender, NO_LIFE, 0)


async def on_reopened(received: Received, tx: Transaction) -> None:
    """The first word of a sender's new life: what it abandoned is kept, signed, so that an honest restore is told from a fork."""
    word: Reopened = received.data
    rows = [
        {"sender": received.sender, "incarnation": ended.incarnation, "opened": received.incarnation, "size": ended.size,
         "root": ended.root, "heard_at": tx.clock.now()}
        for ended in word.ended
    ]  # fmt: skip
    # It is the first word of a life, and says so once; what is said again is in its stream, signed.
    told = select(func.count()).where(col(Reopening.sender) == received.sender, col(Reopening.opened) == received.incarnation)
    room = ENDED_MAX - int((await tx.session.execute(told)).scalar_one())
    await insert_many(tx, Reopening, rows[: max(0, room)], absent_only=True)
    if word.ended and room == ENDED_MAX:
        last = max(word.ended, key=lambda ended: ended.incarnation)
        await take_ended(tx, received.sender, received.incarnation, last.incarnation, (last.size, last.root))


def heard(inner: Inner, *, is_express: bool = False, is_bypassed: bool = False) -> Heard:
    """Reads an event out of an opened inner form; raises Unopenable."""
    if inner.header.kind is not Kind.EVENT:
        raise Unopenable("it is not an event")
    try:
        event = Event.model_validate_json(inner.content)
    except ValidationError as error:
        raise Unopenable("its content is not an event") from error
    if event.source != inner.header.sender:
        raise Unopenable("its source is not its sender")
    return Heard(event, inner, is_express, is_bypassed)


def _key_of(one: Heard, hooks: Hooks) -> UUID:
    """The name of the key that an event's words lie under: of what was told under a consent the one that goes with it.
    What is blank, and what takes a consent back, names nobody, and stays."""
    event = one.event
    if event.consentid is None or event.withheld or event.type in hooks.acts_first:
        return event.subject
    return received_key(one.sender, event.consentid)


def _kept(row: InboxRow) -> Heard:
    """A stored event, for another try; without its words where its consent was taken back meanwhile."""
    if row.inner is not None:
        return heard(unframe(row.inner))
    event = Event(
        id=row.event_id, source=row.sender, type=row.type, dataversion=row.dataversion, subject=row.subject or row.event_id,
        time=row.received_at, recordedtime=row.received_at, after=row.after, consentid=row.consent_id,
    )  # fmt: skip
    return Heard(event, None)


@dataclass(slots=True)
class Outcome:
    """What a batch came to, for receipts and logs."""

    streams: set[tuple[str, UUID]] = field(default_factory=set)
    applied: int = 0
    duplicates: int = 0
    unstorable: list[tuple[Heard, str]] = field(default_factory=list)  # with the kind of the fault


@dataclass(slots=True)
class _Room:
    """What a peer keeps of us with events that wait or are parked, as it was counted, with what came since."""

    counted_at: datetime
    events: int
    bytes: int

    def add(self, size: int) -> None:
        """One more is kept."""
        self.events, self.bytes = self.events + 1, self.bytes + size


_Taken = dict[str, tuple[int, int]]  # events and bytes that a transaction is about to keep, by sender


class Inbox:
    """The receiving end of one agency."""

    def __init__(self, database: Database, registry: Registry, hooks: Hooks) -> None:
        self._database = database
        reopened = Subscription(Reopened.TYPE, Reopened.VERSION, Reopened, of_itself, on_reopened, waits=False)
        self._registry = registry.and_also(reopened)
        self._hooks = hooks
        self._rooms: dict[str, _Room] = {}
        self._swept: tuple[datetime, UUID] | None = None  # where the last sweep stopped, if something lay behind it

    async def receive(self, events: Sequence[Heard]) -> Outcome:
        """Applies a batch; raises DatabaseAway, and then nothing of it was applied that will not be recognised again."""
        if not events:
            return Outcome()
        try:
            return await self._receive_together(events, isolate=False)
        except Exception as error:
            if is_transient(error):
                raise
            log.info("batch_taken_apart", extra={"count": len(events), "because": type(error).__name__})
        whole = Outcome()
        for one in events:
            try:
                part = await self._receive_together([one], isolate=True)
            except Exception as error:
                if is_transient(error):
                    raise
                # It cannot even be stored: its slot stays missing and is asked for again, and the others go on.
                if isinstance(error, Overfull):
                    await self._tell_overfull(one.sender)
                log.error("event_unstorable", extra={"type": one.event.type, "because": type(error).__name__})
                whole.unstorable.append((one, type(error).__name__))
                continue
            whole.streams |= part.streams
            whole.applied += part.applied
            whole.duplicates += part.duplicates
        return whole

    async def _receive_together(self, events: Sequence[Heard], *, isolate: bool) -> Outcome:
        outcome = Outcome(streams={e.slot[:2] for e in events})
        async with self._database.write() as tx:
            await self._lock(tx, events)
            known = await _known(tx, events)
            if known.waiting - {None}:  # one that began to wait while this one waited for the locks
                await lock_subjects(tx, {consent for consent in known.waiting if consent is not None})
            fresh = await self._take_slots(tx, events, known)
            outcome.duplicates = len(events) - len(fresh)
            batch = await _Batch.open(tx, self._registry, self._hooks, fresh, known, self._hold_back, isolate=isolate)
            await batch.run()
            outcome.applied = batch.applied
            crash_point("inbox.before_commit")
            for sender, incarnation in sorted(outcome.streams):
                new = [e for e in fresh if e.slot[:2] == (sender, incarnation)]
                heard_at = tx.clock.real() if any(not e.is_express for e in new) else None
                await advance_head(tx, sender, incarnation, {e.slot[2]: e.signed.leaf for e in new}, heard_at)
        crash_point("inbox.after_commit")
        return outcome

    async def _tell_overfull(self, sender: str) -> None:
        async with self._database.write() as tx:
            await self._hooks.trouble("overfull", sender, {}, tx)

    async def _hold_back(self, tx: Transaction, one: Heard) -> None:
        """Takes room for one more event that cannot be applied now; raises Overfull where its sender's is used up."""
        now, room = tx.clock.real(), self._rooms.get(one.sender)
        if room is None or now - room.counted_at >= COUNTED_FOR:
            await tx.flush()
            room = self._rooms[one.sender] = _Room(now, *await _held_back(tx, one.sender))
        size = 0 if one.inner is None else len(one.inner.raw)
        taken: _Taken = tx.session.info.setdefault(TAKEN, {})
        events, in_bytes = taken.get(one.sender, (0, 0))
        if room.events + events >= HELD_BACK_MAX or room.bytes + in_bytes + size > HELD_BACK_BYTES_MAX:
            raise Overfull("too many events wait or are parked")
        taken[one.sender] = (events + 1, in_bytes + size)
        tx.on_commit(lambda: self._rooms[one.sender].add(size))

    async def _lock(self, tx: Transaction, events: Sequence[Heard]) -> None:
        """Locks what a batch is about, the consents it rests on too: taking one back comes by the other lane at the same time.

        A deadlock with one that began to wait meanwhile is a conflict like any other, and tried again.
        """
        subjects = [e.event.subject for e in events]
        wanted = {*subjects, *(e.event.consentid for e in events if e.event.consentid is not None)}
        if any(self._registry.together(e.event) is None for e in events):
            wanted |= set(await self._hooks.related(subjects, tx))
        if tx.dialect == "postgresql":
            await (await tx.driver()).execute(LOCK_BATCH, list(wanted), subjects)
            return
        waiting = select(col(InboxRow.consent_id)).where(
            col(InboxRow.subject).in_(subjects), col(InboxRow.state) == InboxState.WAITING, col(InboxRow.consent_id).is_not(None)
        )
        await lock_subjects(tx, wanted | {c for c in (await tx.session.execute(waiting)).scalars() if c is not None})

    async def _take_slots(self, tx: Transaction, events: Sequence[Heard], known: "_Known") -> list[Heard]:
        """The events whose slot was free, one for each slot; forks are kept apart as evidence.

        Words that come to a slot which was taken without them count as new, once.
        """
        now = tx.clock.real()
        held = known.leaves
        fresh: list[Heard] = []
        worded: dict[Slot, Heard] = {}
        brought = {one.slot for one in events if not one.is_bypassed} & known.bypassed
        if brought:
            await _note_brought(tx, brought)
        for one in events:
            leaf = one.signed.leaf
            if one.slot not in held:
                held[one.slot] = leaf
                fresh.append(one)
            elif held[one.slot] != leaf:
                is_wordless = (one.sender, one.event.consentid) in known.tombstones
                words = Under(_key_of(one, self._hooks), None if is_wordless else one.signed.raw)
                await keep_fork(tx, self._hooks, one.slot, leaf, words)
            elif known.states.get((one.sender, one.event.id)) == InboxState.CLEARED:
                worded.setdefault(one.slot, one)
        rows = [
            {
                "sender": s, "incarnation": i, "seq": n, "leaf": held[(s, i, n)], "event_id": one.event.id, "received_at": now,
                "is_express": one.is_express, "is_bypassed": one.is_bypassed,
            }
            for one in fresh
            for (s, i, n) in [one.slot]
        ]  # fmt: skip
        await insert_many(tx, ReceivedSlot, rows)
        if known.is_any_lost:
            for sender, incarnation in sorted({one.slot[:2] for one in fresh}):
                seqs = [one.slot[2] for one in fresh if one.slot[:2] == (sender, incarnation)]
                await find_lost(tx, sender, incarnation, seqs)
        return [*fresh, *worded.values()]

    async def sweep(self) -> int:
        """Tries waiting events whose predecessor is done by now, or that need none; returns how many were settled.

        Where there are more than one sweep tries, the next goes on behind them: those that stay unready keep no others waiting.
        """
        after = self._swept
        async with self._database.read() as tx:
            done = InboxRow.__table__.alias("done")  # type: ignore[attr-defined]
            query = (
                select(col(InboxRow.sender), col(InboxRow.event_id), col(InboxRow.subject), col(InboxRow.received_at))
                .outerjoin(done, (done.c.sender == col(InboxRow.sender)) & (done.c.event_id == col(InboxRow.after)))
                .where(col(InboxRow.state) == InboxState.WAITING)
                .where(or_(done.c.state.in_(DONE), col(InboxRow.after).is_(None), col(InboxRow.type).in_(self._registry.unwaiting)))
                .order_by(col(InboxRow.received_at), col(InboxRow.event_id))
                .limit(SWEEP_BATCH)
            )
            if after is not None:
                same = and_(col(InboxRow.received_at) == after[0], col(InboxRow.event_id) > after[1])
                query = query.where(or_(col(InboxRow.received_at) > after[0], same))
            ready: Sequence[Any] = (await tx.session.execute(query)).all()
        self._swept = (ready[-1][3], ready[-1][1]) if len(ready) == SWEEP_BATCH else None
        settled = 0
        for sender, event_id, subject, _received_at in ready:
            try:
                settled += await self._again(sender, event_id, subject, InboxState.WAITING)
            except CANNOT_OPEN:
                await self._set_aside(sender, event_id, subject)
        return settled

    async def _set_aside(self, sender: str, event_id: UUID, subject: UUID) -> None:
        async with self._database.write() as tx:
            await lock_subjects(tx, [subject])
            await _set_shut_aside(tx, self._hooks, col(InboxRow.sender) == sender, col(InboxRow.event_id) == event_id)

    async def retry(self, sender: str, event_id: UUID) -> bool:
        """Tries a parked event again; False where it is not parked or stays so."""
        async with self._database.read() as tx:
            row = await tx.session.get(InboxRow, (sender, event_id), options=[WORDS_LEFT_SHUT])
        if row is None or row.subject is None or row.reason == str(GIVEN_UP):
            return False
        try:
            return await self._again(sender, event_id, row.subject, InboxState.PARKED) > 0
        except CANNOT_OPEN:
            return False

    async def _again(self, sender: str, event_id: UUID, subject: UUID, expected: InboxState) -> int:
        async with self._database.write() as tx:
            row = await tx.session.get(InboxRow, (sender, event_id))
            if row is None or row.state != expected:
                return 0
            one = _kept(row)
            await self._lock(tx, [one])
            row = await tx.session.get(InboxRow, (sender, event_id), populate_existing=True)
            if row is None or row.state != expected or row.reason == str(GIVEN_UP):
                return 0
            known = await _known(tx, [one])
            batch = await _Batch.open(tx, self._registry, self._hooks, [one], known, self._hold_back, isolate=True, again=True)
            await batch.run()
            return batch.applied

    async def gone(self, sender: str, event_ids: Sequence[UUID]) -> None:
        """The sender states that it never said these: whatever waits for one of them is free."""
        for event_id in event_ids:
            async with self._database.write() as tx:
                waiting = (col(InboxRow.state) == InboxState.WAITING, col(InboxRow.after) == event_id)
                query = select(col(InboxRow.subject)).where(col(InboxRow.sender) == sender, *waiting)
                subjects = [s for s in (await tx.session.execute(query)).scalars() if s is not None]
                if not subjects:
                    continue
                await lock_subjects(tx, subjects)
                values = {"sender": sender, "event_id": event_id, "state": InboxState.GONE, "type": UNKNOWN, "dataversion": 1}
                now = tx.clock.now()
                await tx.session.execute(insert_if_absent(tx, InboxRow), [{**values, "received_at": now, "settled_at": now}])
        await self.sweep()


@dataclass(slots=True)
class _Known:
    """What is known of a batch: leaves of its slots, states of its events and of their predecessors, tombstones of its consents;
    the consents of what waits on its subjects (None for one without), whether any of its slots was stated lost, and which of them
    had to be fetched past the broker."""

    leaves: dict[Slot, bytes] = field(default_factory=dict)
    states: dict[tuple[str, UUID], str] = field(default_factory=dict)
    tombstones: set[tuple[str, UUID]] = field(default_factory=set)
    waiting: set[UUID | None] = field(default_factory=set)
    is_any_lost: bool = False
    bypassed: set[Slot] = field(default_factory=set)


async def _known(tx: Transaction, events: Sequence[Heard]) -> _Known:
    slots = list({e.slot for e in events})
    ids = list({(e.sender, i) for e in events for i in (e.event.id, e.event.after) if i is not None})
    subjects = list({e.event.subject for e in events})
    consents = list({e.event.consentid for e in events if e.event.consentid is not None})
    if tx.dialect != "postgresql":
        found = await _known_piece_by_piece(tx, slots, ids, subjects, consents)
        found.tombstones |= _erased(tx, events)
        return found
    columns = [[one[place] for one in slots] for place in range(3)]
    arrays = (*columns, [sender for sender, _ in ids], [id_ for _, id_ in ids], subjects, consents)
    known = _Known(tombstones=_erased(tx, events))
    for what, sender, id_, seq, leaf, state in await (await tx.driver()).fetch(KNOWN, *arrays):
        if what == "leaf":
            known.leaves[(sender, id_, seq)] = leaf
            if state is not None:
                known.bypassed.add((sender, id_, seq))
        elif what == "state":
            known.states[(sender, id_)] = state
        elif what == "tombstone":
            known.tombstones.add((sender, id_))
        elif what == "waiter":
            known.waiting.add(id_)
        else:
            known.is_any_lost = True
    return known


async def _known_piece_by_piece(
    tx: Transaction, slots: Sequence[Slot], ids: Sequence[tuple[str, UUID]], subjects: Sequence[UUID], consents: Sequence[UUID]
) -> _Known:
    keys = tuple_(col(ReceivedSlot.sender), col(ReceivedSlot.incarnation), col(ReceivedSlot.seq))
    held = select(ReceivedSlot).where(keys.in_(slots))
    lost = select(col(LostSlot.seq)).where(tuple_(col(LostSlot.sender), col(LostSlot.incarnation), col(LostSlot.seq)).in_(slots))
    events = tuple_(col(InboxRow.sender), col(InboxRow.event_id)).in_(ids)
    states = select(col(InboxRow.sender), col(InboxRow.event_id), col(InboxRow.state)).where(events)
    laid = select(col(Tombstone.sender), col(Tombstone.consent_id)).where(col(Tombstone.consent_id).in_(consents))
    waiting = select(col(InboxRow.consent_id)).where(col(InboxRow.subject).in_(subjects), col(InboxRow.state) == InboxState.WAITING)
    here = {(r.sender, r.incarnation, r.seq): r for r in (await tx.session.execute(held)).scalars()}
    return _Known(
        {slot: r.leaf for slot, r in here.items()},
        {(sender, event_id): state for sender, event_id, state in await tx.session.execute(states)},
        set((await tx.session.execute(laid)).tuples()),
        set((await tx.session.execute(waiting)).scalars()),
        (await tx.session.execute(lost.limit(1))).first() is not None,
        {slot for slot, r in here.items() if r.is_bypassed},
    )


async def _note_brought(tx: Transaction, slots: Collection[Slot]) -> None:
    """The broker has brought what had been fetched past it."""
    for sender, incarnation in sorted({slot[:2] for slot in slots}):
        mine = (col(ReceivedSlot.sender) == sender, col(ReceivedSlot.incarnation) == incarnation)
        seqs = [slot[2] for slot in slots if slot[:2] == (sender, incarnation)]
        note = update(ReceivedSlot).where(*mine, col(ReceivedSlot.seq).in_(seqs)).execution_options(synchronize_session=False)
        await tx.session.execute(note.values(is_bypassed=False))


def _erased(tx: Transaction, events: Iterable[Heard]) -> set[tuple[str, UUID]]:
    return erased_among(tx, {(e.sender, e.event.consentid) for e in events if e.event.consentid is not None})


async def tell_parked(tx: Transaction, hooks: Hooks, sender: str, event_id: UUID, type_: str, subject: UUID) -> None:
    """Somebody is told of an event that is parked."""
    await hooks.trouble("parked", sender, {"event_id": str(event_id), "type": type_, "subject": str(subject)}, tx)


async def _set_shut_aside(tx: Transaction, hooks: Hooks, *here: ColumnElement[bool]) -> None:
    """Of what waits here: what was erased is done, and what lies under a key that is not in the keystore is parked.

    The caller has locked the subjects. Nothing else waits for either.
    """
    opens = sealed_columns(InboxRow)["inner"]
    query = select(
        col(InboxRow.sender), col(InboxRow.event_id), col(InboxRow.type), col(InboxRow.subject), as_it_lies(InboxRow.inner)
    ).where(*here, col(InboxRow.state) == InboxState.WAITING, col(InboxRow.inner).is_not(None))
    for sender, event_id, type_, subject, held in (await tx.session.execute(query)).all():
        this = update(InboxRow).where(col(InboxRow.sender) == sender, col(InboxRow.event_id) == event_id)
        this = this.execution_options(synchronize_session=False)
        try:
            opens.open(held, tx.keys)
        except KeyDestroyed:
            erased = {"state": InboxState.ERASED, "inner": None, "settled_at": tx.clock.now()}
            await tx.session.execute(this.values(**erased))
        except ValueNotOpened as error:
            log.error("event_shut", extra={"type": type_, "words": str(error)})
            parked = {"state": InboxState.PARKED, "reason": str(SHUT), "reason_said": to_json(SHUT)}
            await tx.session.execute(this.values(**parked))
            await tell_parked(tx, hooks, sender, event_id, type_, subject)


async def _held_back(tx: Transaction, sender: str) -> tuple[int, int]:
    """How many events of a sender wait or are parked, and their bytes."""
    events = size = 0
    for state in (InboxState.WAITING, InboxState.PARKED):  # each has an index of its own, found where the state is named
        here = (col(InboxRow.sender) == sender, col(InboxRow.state) == literal(state.value, literal_execute=True))
        query = select(func.count(), func.coalesce(func.sum(func.length(col(InboxRow.inner))), 0)).where(*here)
        more, bytes_more = (await tx.session.execute(query)).one()
        events, size = events + int(more), size + int(bytes_more)
    return events, size


HoldBack = Callable[[Transaction, Heard], Awaitable[None]]


class _Batch:
    """The events of one transaction on their way to their handlers, with whatever waited for them."""

    def __init__(
        self, tx: Transaction, registry: Registry, hooks: Hooks, known: _Known, hold_back: "HoldBack", *, isolate: bool
    ) -> None:
        self._tx, self._registry, self._hooks, self._hold_back, self._isolate = tx, registry, hooks, hold_back, isolate
        self._states = known.states
        self._tombstones = known.tombstones
        self._stored = set(known.states)
        self._waiters: dict[tuple[str, UUID], list[Heard]] = defaultdict(list)
        self._queue: deque[Heard] = deque()
        self._new_rows: list[dict[str, Any]] = []
        self.applied = 0

    @classmethod
    async def open(
        cls,
        tx: Transaction,
        registry: Registry,
        hooks: Hooks,
        events: Sequence[Heard],
        known: _Known,
        hold_back: HoldBack,
        *,
        isolate: bool,
        again: bool = False,
    ) -> "_Batch":
        """Puts together what is known of the events, of their predecessors and of what waits on their subjects."""
        batch = cls(tx, registry, hooks, known, hold_back, isolate=isolate)
        if again:
            for one in events:
                batch._states.pop((one.sender, one.event.id), None)
        if known.waiting:
            await batch._load_waiters(events)
            await batch._load_tombstones()
        batch._queue.extend(sorted(events, key=lambda e: e.slot))
        return batch

    async def _load_waiters(self, events: Sequence[Heard]) -> None:
        own = {(e.sender, e.event.id) for e in events}
        here = col(InboxRow.subject).in_({e.event.subject for e in events})
        query = select(InboxRow).where(here, col(InboxRow.state) == InboxState.WAITING, may_stand())
        query = query.order_by(col(InboxRow.received_at), col(InboxRow.event_id)).limit(WAITERS_MAX)
        try:
            rows = list((await self._tx.session.execute(query)).scalars())
        except CANNOT_OPEN:
            await _set_shut_aside(self._tx, self._hooks, here)
            rows = list((await self._tx.session.execute(query)).scalars())
        for row in rows:
            self._stored.add((row.sender, row.event_id))
            if row.after is not None and (row.sender, row.event_id) not in own:
                self._waiters[(row.sender, row.after)].append(_kept(row))

    async def _load_tombstones(self) -> None:
        consents = {w.event.consentid for ws in self._waiters.values() for w in ws if w.event.consentid is not None}
        if consents:
            query = select(col(Tombstone.sender), col(Tombstone.consent_id)).where(col(Tombstone.consent_id).in_(consents))
            self._tombstones |= set((await self._tx.session.execute(query)).tuples())
            self._tombstones |= _erased(self._tx, (w for ws in self._waiters.values() for w in ws))

    async def run(self) -> None:
        """Settles every event in slot order, and after each what waited for it; what is ordinary many at once."""
        queue = self._queue
        while queue:
            run = self._ordinary()
            if run:
                await self._apply_together(run)
                continue
            one = queue.popleft()
            if await self._settle(one):
                queue.extendleft(reversed(self._waiters.pop((one.sender, one.event.id), [])))
        await self._tx.keys.given([row["inner"].name] for row in self._new_rows if row["inner"].value is not None)
        await insert_many(self._tx, InboxRow, self._new_rows)

    def _ordinary(self) -> dict[int, list[Heard]]:
        """The next events of the queue for which nothing speaks against being applied, by their types' places in the registry.

        Each is new and said in full, its consent stands, nothing waits for it, and its predecessor is done or goes before it.
        """
        run: dict[int, list[Heard]] = defaultdict(list)
        places: dict[tuple[str, UUID], int] = {}
        latest: dict[UUID, int] = {}
        for one in () if self._isolate else self._queue:
            event, key = one.event, (one.sender, one.event.id)
            known = self._registry.together(event)
            if known is None or key in self._states or key in places or key in self._waiters:
                break
            if event.withheld or self._is_tombstoned(one) or latest.get(event.subject, 0) > known[0]:
                break
            if not self._may_go(one) and places.get((one.sender, event.after or event.id), known[0] + 1) > known[0]:
                break
            places[key] = latest[event.subject] = known[0]
            run[known[0]].append(one)
        return run if len(places) > 1 else {}

    async def _apply_together(self, run: dict[int, list[Heard]]) -> None:
        for place in sorted(run):
            events = run[place]
            many = self._registry.together(events[0].event)
            assert many is not None
            resolved = [self._registry.resolve(one.event, one.sender, one.slot[1]) for one in events]
            received = [one for _, one in resolved]
            await resolved[0][0].check(received, self._tx)
            await many[1](received, self._tx)
            for one in events:
                self._states[(one.sender, one.event.id)] = InboxState.APPLIED
                await self._store(one, InboxState.APPLIED, None)
            self.applied += len(events)
        for _ in range(sum(map(len, run.values()))):
            self._queue.popleft()

    async def _settle(self, one: Heard) -> bool:
        """Gives one event its state; True where it is done and its dependants may follow."""
        event, key = one.event, (one.sender, one.event.id)
        known = self._states.get(key)
        is_late = known in WORDLESS
        if is_late:
            known = None  # its sender did not have its words, and they were under way: it is said all the same
        if known is not None and known != InboxState.WAITING:
            return event.withheld and await self._withhold(one, known)
        if known is not None and not event.withheld and not self._may_go(one):
            return False
        state, why = self._refused(one) or await self._judge(one)
        self._states[key] = state
        if state is InboxState.APPLIED:
            self.applied += 1
        if state is InboxState.WAITING and event.after is not None:
            self._waiters[(one.sender, event.after)].append(one)
        await self._store(one, state, why)
        if is_late and state in DONE:
            await unpark(
                self._tx, one.sender, {event.subject}
            )  # what was told after it went without it, and may have failed for that
        if state is InboxState.PARKED:
            await tell_parked(self._tx, self._hooks, one.sender, event.id, event.type, event.subject)
        return state in DONE

    async def _withhold(self, one: Heard, known: str) -> bool:
        """The sender withholds what it said before (a restored sender): applied, it asks to cancel; parked, it never is applied."""
        if known == InboxState.APPLIED:
            await self._hooks.withheld(one.sender, one.event.id, one.event.subject, self._tx)
        if known in DONE:
            return False
        self._states[(one.sender, one.event.id)] = InboxState.WITHHELD
        await self._store(one, InboxState.WITHHELD, None)
        return True

    def _may_go(self, one: Heard) -> bool:
        # What is blank waits in its place too: what was told after it was told after everything before it.
        if one.event.after is None or not self._registry.waits(one.event):
            return True
        return self._states.get((one.sender, one.event.after)) in DONE

    def _is_tombstoned(self, one: Heard) -> bool:
        if one.event.type in self._hooks.acts_first:
            return False  # what takes a consent back acts whenever it comes: a restored copy has to be told again
        return one.event.consentid is not None and (one.sender, one.event.consentid) in self._tombstones

    def _refused(self, one: Heard) -> tuple[InboxState, RefnetError] | None:
        never = self._registry.never(one.event, one.sender) if not one.event.withheld else None
        return (InboxState.PARKED, never) if never is not None else None

    async def _judge(self, one: Heard) -> tuple[InboxState, RefnetError | None]:
        if not self._may_go(one):
            return InboxState.WAITING, None
        if one.event.withheld:
            return InboxState.WITHHELD, None
        if one.inner is None or self._is_tombstoned(one):  # without words it was kept, and its key is destroyed
            return InboxState.TOMBSTONED if self._is_tombstoned(one) else InboxState.ERASED, None
        try:
            await self._apply(one)
        except (Unappliable, Unauthorised, Unready) as error:
            if not self._isolate:
                raise
            return (InboxState.WAITING if isinstance(error, Unready) else InboxState.PARKED), error
        except Exception as error:
            if is_transient(error) or not self._isolate:
                raise
            if isinstance(error, KeyDestroyed):
                return InboxState.ERASED, None
            if isinstance(error, ValueNotOpened):
                log.error("event_shut", extra={"type": one.event.type, "words": str(error)})
                return InboxState.PARKED, SHUT
            # Only the kind of error is kept: its text may hold what the event says.
            log.error("event_parked", extra={"type": one.event.type, "because": type(error).__name__})
            failed = Unappliable("The handler failed with %(kind)s; see the log, then retry.", kind=type(error).__name__)
            return InboxState.PARKED, failed
        return InboxState.APPLIED, None

    async def _apply(self, one: Heard) -> None:
        subscription, received = self._registry.resolve(one.event, one.sender, one.slot[1])
        async with self._tx.session.begin_nested() if self._isolate else nullcontext():
            await subscription.check([received], self._tx)
            await subscription.handler(received, self._tx)
        # A consent that this event took back stops what follows in the same batch.
        self._tombstones |= self._tx.session.info.get(LAID, set())

    async def _store(self, one: Heard, state: InboxState, why: RefnetError | None) -> None:
        event, now = one.event, self._tx.clock.now()
        reason, said = (None, None) if why is None else (str(why), to_json(why))
        settled_at = now if state in DONE else None
        is_wordless = state in {InboxState.TOMBSTONED, InboxState.WAITING} and self._is_tombstoned(one)
        is_wordless = is_wordless or state is InboxState.ERASED or isinstance(why, NotForHere)
        inner = Under(_key_of(one, self._hooks), None if one.inner is None or is_wordless else one.inner.raw)
        key = (one.sender, event.id)
        values = {
            "state": str(state), "type": event.type, "dataversion": event.dataversion, "subject": event.subject,
            "after": event.after, "consent_id": event.consentid, "inner": inner, "settled_at": settled_at, "reason": reason,
            "reason_said": said,
        }  # fmt: skip
        if key in self._stored:
            here = (col(InboxRow.sender) == one.sender, col(InboxRow.event_id) == event.id)
            await self._tx.session.execute(
                update(InboxRow).where(*here).values(**named(InboxRow, values)).execution_options(synchronize_session=False)
            )
            return
        if state in {InboxState.WAITING, InboxState.PARKED}:
            await self._hold_back(self._tx, one)
        row = {"sender": one.sender, "event_id": event.id, "received_at": self._tx.clock.real(), **values}
        if state is InboxState.WAITING:
            self._stored.add(key)
            await self._tx.session.execute(insert(InboxRow).values(**named(InboxRow, row)))
        else:
            self._new_rows.append(row)
