"""After a restore: words that peers give back are put where they were in our streams, and then into our own records.

The restored copy trusts nothing but its own signature on what comes home. Nothing is applied before all of it is here, so that
no referral is acted on whose consent was taken back a page later.
"""

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, insert, select, update
from sqlalchemy.orm import defer
from sqlmodel import col

from shared.contracts.wire.envelope import Event, Inner, Reopened, unframe
from shared.contracts.wire.statements import BARE_MAX, Bare, Recall
from shared.exchange import said
from shared.exchange.inbox import Heard, heard, unpark
from shared.exchange.incarnations import current_incarnation, remember_incarnation
from shared.exchange.outbox import insert_if_absent, lock_subjects, wake_on_commit, withhold_event
from shared.exchange.registry import Hooks, Returned
from shared.exchange.tables import UNKNOWN, InboxRow, OutboxRow, Peer, ReceivedSlot
from shared.kit.db import Database, Transaction, is_transient
from shared.kit.keystore import CANNOT_OPEN
from shared.kit.sealed import as_it_lies, named, sealed_columns

RETURN_MAX = 500  # words given back in one go: one relay batch
HOME_BATCH = 200  # words put into our records in one transaction

log = logging.getLogger(__name__)


async def held_of(tx: Transaction, sender: str, wanted: Sequence[Recall]) -> tuple[list[bytes], list[Bare]]:
    """The signed words of `sender`'s that are held here, to be given back; what is held without its words is told as such."""
    words: list[bytes] = []
    bare: list[Bare] = []
    opens = sealed_columns(InboxRow)["inner"]
    for part in wanted:
        query = (
            select(ReceivedSlot, as_it_lies(InboxRow.inner))
            .outerjoin(InboxRow, and_(col(InboxRow.sender) == sender, col(InboxRow.event_id) == col(ReceivedSlot.event_id)))
            .where(
                col(ReceivedSlot.sender) == sender, col(ReceivedSlot.incarnation) == part.incarnation,
                col(ReceivedSlot.seq) >= part.first, col(ReceivedSlot.seq) <= part.last,
            )
            .order_by(col(ReceivedSlot.seq))
            .limit(RETURN_MAX - len(words))
        )  # fmt: skip
        for slot, held in (await tx.session.execute(query)).tuples():
            try:
                raw = opens.open(held, tx.keys)
            except CANNOT_OPEN:
                raw = None
            if raw is not None and _is_of(raw, slot):
                words.append(raw)
            elif len(bare) < BARE_MAX:
                bare.append(Bare(incarnation=slot.incarnation, seq=slot.seq, leaf=slot.leaf, event_id=slot.event_id))
    return words, bare


def _is_of(raw: bytes, slot: ReceivedSlot) -> bool:
    """Whether the inner form that is kept is this slot's: an event that came in two slots is kept in its first form."""
    header = unframe(raw).header
    return (header.incarnation, header.seq) == (slot.incarnation, slot.seq)


async def take_home(tx: Transaction, peer: str, words: Sequence[Inner], bare: Sequence[Bare] = ()) -> int:
    """Puts our own words, given back by `peer`, where they were in our streams; returns how many were not here.

    The caller has verified our signature. The peer's copy of a slot counts: what this database numbered again in the same slot is
    said once more in the current life, and so is that a word was blanked here which the peer holds in full.
    """
    # The same words may come by the broker and past it at once: one after the other, under the lock that a statement takes too.
    await tx.session.execute(insert_if_absent(tx, Peer), [{"peer": peer}])
    await tx.session.execute(select(col(Peer.peer)).where(col(Peer.peer) == peer).with_for_update())
    current = await current_incarnation(tx)
    found = [_Word.of(inner) for inner in words]
    found += [_Word(b.incarnation, b.seq, b.leaf, b.event_id, None, None) for b in bare]
    fresh: dict[UUID, list[tuple[int, bytes]]] = {}
    for word in sorted(found, key=lambda w: (w.incarnation, w.seq)):
        if word.incarnation != current and await _put(tx, peer, word):
            fresh.setdefault(word.incarnation, []).append((word.seq, word.leaf))
    for incarnation, slots in fresh.items():
        await said.count_again(tx, peer, incarnation, slots)
    return sum(map(len, fresh.values()))


class _Word:
    """One of our own words on its way home."""

    def __init__(self, incarnation: UUID, seq: int, leaf: bytes, event_id: UUID, event: Event | None, raw: bytes | None) -> None:
        self.incarnation, self.seq, self.leaf, self.event_id, self.event, self.raw = incarnation, seq, leaf, event_id, event, raw

    @classmethod
    def of(cls, inner: Inner) -> "_Word":
        one: Heard = heard(inner)
        return cls(inner.header.incarnation, inner.header.seq or 0, inner.leaf, one.event.id, one.event, inner.raw)


async def _put(tx: Transaction, peer: str, word: _Word) -> bool:
    await remember_incarnation(tx, word.incarnation)
    there = (
        await tx.session.execute(select(OutboxRow).where(*said.slots(peer, word.incarnation, word.seq, word.seq)))
    ).scalar_one_or_none()
    if there is not None and there.leaf == word.leaf:
        return False
    if there is not None:
        there.is_forked, there.is_due = True, False
        await tx.session.flush()
        is_cleared = there.inner is None and there.erased_at is None  # and so was signed for long ago
        # Blanked here, and it had left all the same: its recipient is told so, as of any blank that it has applied.
        is_withdrawn = there.is_withheld and not (word.event is not None and word.event.withheld)
        if (there.event_id != word.event_id or is_withdrawn) and not is_cleared:
            await _say_again(tx, there)
    is_home = word.event is None
    if word.event is not None and word.event.withheld:
        await withhold_event(tx, word.event_id)  # what was blanked in the life that is lost is not told in this one
    elif word.event is not None:
        known = select(col(OutboxRow.position)).where(col(OutboxRow.event_id) == word.event_id, ~col(OutboxRow.is_forked))
        is_home = (await tx.session.execute(known.limit(1))).first() is not None
    await tx.session.execute(insert(OutboxRow).values(**named(OutboxRow, _row(tx, peer, word, is_home=is_home))))
    return True


async def _say_again(tx: Transaction, row: OutboxRow) -> None:
    """An event whose slot another word of ours holds already is said again, under its own id, in the current life.

    What was erased meanwhile travels as withheld: its words are nobody's any more, and what was said after it waits for its place.
    """
    names = (
        "event_id", "recipient", "type", "dataversion", "subject", "lane_key", "after", "consent_id", "circle_version",
        "is_express", "is_acute", "is_withheld", "occurred_at", "recorded_at", "traceparent", "data",
    )  # fmt: skip
    values = {name: getattr(row, name) for name in names}
    if row.erased_at is not None:
        values |= {"is_withheld": True, "data": None}
    again = named(OutboxRow, values)
    await tx.session.execute(insert(OutboxRow).values(**again, **_UNSAID))
    wake_on_commit(tx)


_UNSAID: dict[str, Any] = {"is_forked": False, "is_due": False, "is_home": True}


def _row(tx: Transaction, peer: str, word: _Word, *, is_home: bool) -> dict[str, Any]:
    event, now = word.event, tx.clock.now()
    told: dict[str, Any] = {"type": UNKNOWN, "dataversion": 1, "subject": word.event_id, "occurred_at": now, "recorded_at": now}
    if event is not None:
        told = {
            "type": event.type, "dataversion": event.dataversion, "subject": event.subject, "occurred_at": event.time,
            "recorded_at": event.recordedtime, "after": event.after, "consent_id": event.consentid,
            "circle_version": event.circleversion, "traceparent": event.traceparent, "data": event.data,
            "is_withheld": event.withheld,
        }  # fmt: skip
    return {
        "event_id": word.event_id, "recipient": peer, "lane_key": told["subject"], "is_express": False, "is_acute": False,
        "is_withheld": False, "is_forked": False, "is_due": False, "incarnation": word.incarnation, "seq": word.seq,
        "leaf": word.leaf, "inner": word.raw, "sent_at": now, "delivered_at": now, "returned_at": now, "is_home": is_home, **told,
    }  # fmt: skip


async def apply_home(database: Database, hooks: Hooks, peer: str) -> None:
    """Puts what came home into our own records, what takes a consent back before all else.

    One that cannot be put there is named in an alarm and keeps nothing else from coming home. Raises DatabaseAway.
    """
    waiting = await _waiting(database, peer, hooks.acts_first)
    for start in range(0, len(waiting), HOME_BATCH):
        positions = waiting[start : start + HOME_BATCH]
        try:
            await _apply(database, hooks, peer, positions)
        except Exception as error:
            if is_transient(error):
                raise
            for position in positions:
                await _apply_alone(database, hooks, peer, position)


async def _waiting(database: Database, peer: str, acts_first: frozenset[str]) -> list[int]:
    async with database.read() as tx:
        query = (
            select(col(OutboxRow.position))
            .where(col(OutboxRow.recipient) == peer, ~col(OutboxRow.is_home))
            .order_by(col(OutboxRow.type).in_(acts_first).desc(), col(OutboxRow.incarnation), col(OutboxRow.seq))
        )
        return [position for position in (await tx.session.execute(query)).scalars() if position is not None]


async def _apply(database: Database, hooks: Hooks, peer: str, positions: Sequence[int]) -> None:
    async with database.write() as tx:
        query = select(OutboxRow).where(col(OutboxRow.position).in_(positions), ~col(OutboxRow.is_home))
        found = {row.position: row for row in (await tx.session.execute(query)).scalars()}
        rows = [found[position] for position in positions if position in found]
        subjects = [row.subject for row in rows]
        await lock_subjects(tx, [*subjects, *await hooks.related(subjects, tx)])
        words = [_returned(row) for row in rows if not row.is_withheld and row.type != Reopened.TYPE]
        waiting = await hooks.came_home(peer, words, tx)
        await hooks.never_told(peer, [row.event_id for row in rows if row.is_withheld], tx)
        home = [row for row in rows if row.event_id not in waiting]
        here = col(OutboxRow.position).in_([row.position for row in home])
        await tx.session.execute(update(OutboxRow).where(here).values(is_home=True))
        # A word that was under way at the restore may have been answered before it came home, and the answer parked.
        await unpark(tx, peer, {row.subject for row in home})


def _returned(row: OutboxRow) -> Returned:
    return Returned(
        row.event_id, row.type, row.dataversion, row.subject, row.occurred_at, row.recorded_at, row.consent_id, row.data or {}
    )


async def _apply_alone(database: Database, hooks: Hooks, peer: str, position: int) -> None:
    try:
        await _apply(database, hooks, peer, [position])
        return
    except Exception as error:
        if is_transient(error):
            raise
        because = type(error).__name__
    async with database.write() as tx:
        shut = (defer(OutboxRow.inner), defer(OutboxRow.data))  # type: ignore[arg-type]  # they may be what does not open
        row = await tx.session.get(OutboxRow, position, options=shut)
        if row is not None:
            log.error("word_not_put_home", extra={"type": row.type, "because": because})
            row.is_home = True
            detail = {"event_id": str(row.event_id), "type": row.type, "subject": str(row.subject)}
            await hooks.trouble("not_put_home", peer, detail, tx)
