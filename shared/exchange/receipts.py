"""Statements: what this agency holds of a peer's streams, and what a peer's signature says it holds of ours.

A receipt moves `delivered_at` only where its root equals our own at that place; it never lowers what was held before.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlmodel import col

from shared.contracts.wire.merkle import EMPTY_ROOT, Frontier, root_of
from shared.contracts.wire.statements import ENQUIRIES_MAX, MISSING_MAX, PARKED_MAX, RANGES_MAX, Head, HeldRange, Receipt, Statement
from shared.exchange.outbox import insert_if_absent, wake_on_commit
from shared.exchange.registry import Hooks
from shared.exchange.tables import (
    HeldReceipt,
    InboxRow,
    InboxState,
    MissingSlot,
    OutboxRow,
    Peer,
    ReceivedHead,
    ReceivedSlot,
    Stream,
    UnopenableRecord,
)
from shared.kit.db import Transaction

GRACE = timedelta(seconds=2)  # a number younger than this may still be on its way; a relay's batch takes well under a second
ASK_AGAIN = timedelta(seconds=10)  # a slot that stays missing is asked for at this pace, so that a dead line is not flooded
ASK_PARKED_AGAIN = timedelta(minutes=5)  # what could not be opened twice is asked for slowly, never given up for good
RANGE_SLOTS_MAX = 10_000  # slots above a hole that one statement looks at


async def make_statement(tx: Transaction, peer: str) -> Statement:
    """Everything that this agency has to say to `peer` now; notes what it asks for."""
    query = select(ReceivedHead).where(col(ReceivedHead.sender) == peer).order_by(col(ReceivedHead.incarnation))
    heads = list((await tx.session.execute(query)).scalars())
    streams = await tx.session.execute(select(Stream).where(col(Stream.recipient) == peer).order_by(col(Stream.incarnation)))
    return Statement(
        made_at=tx.clock.now(),
        heads=tuple(
            Head(incarnation=s.incarnation, size=s.size, root=Frontier.from_bytes(s.size, s.frontier).root())
            for s in streams.scalars()
        ),
        receipts=tuple([await _receipt(tx, head) for head in heads]),
        enquiries=await _enquiries(tx, peer),
    )


async def _receipt(tx: Transaction, head: ReceivedHead) -> Receipt:
    above = await _above(tx, head) if head.highest > head.upto else []
    missing, parked = await _missing(tx, head, [(seq, at) for seq, _, at in above])
    return Receipt(
        incarnation=head.incarnation,
        upto=head.upto,
        root=Frontier.from_bytes(head.upto, head.frontier).root(),
        ranges=_ranges([(seq, leaf) for seq, leaf, _ in above]),
        missing=missing,
        parked=parked,
    )


async def _above(tx: Transaction, head: ReceivedHead) -> list[tuple[int, bytes, datetime]]:
    query = (
        select(col(ReceivedSlot.seq), col(ReceivedSlot.leaf), col(ReceivedSlot.received_at))
        .where(
            col(ReceivedSlot.sender) == head.sender,
            col(ReceivedSlot.incarnation) == head.incarnation,
            col(ReceivedSlot.seq) > head.upto,
        )
        .order_by(col(ReceivedSlot.seq))
        .limit(RANGE_SLOTS_MAX)
    )
    return [(int(seq), leaf, at) for seq, leaf, at in (await tx.session.execute(query)).all()]


def _ranges(above: Sequence[tuple[int, bytes]]) -> tuple[HeldRange, ...]:
    runs: list[list[tuple[int, bytes]]] = []
    for seq, leaf in above:
        if runs and runs[-1][-1][0] + 1 == seq:
            runs[-1].append((seq, leaf))
        elif len(runs) < RANGES_MAX:
            runs.append([(seq, leaf)])
        else:
            break
    return tuple(HeldRange(first=run[0][0], last=run[-1][0], root=root_of([leaf for _, leaf in run])) for run in runs)


async def _missing(
    tx: Transaction, head: ReceivedHead, above: Sequence[tuple[int, datetime]]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    now = tx.clock.real()
    settled = [seq for seq, at in above if now - at >= GRACE]
    horizon = max(settled) - 1 if settled else head.upto
    if head.announced_at is not None and now - head.announced_at >= GRACE:
        horizon = max(horizon, head.announced)
    held = {seq for seq, _ in above}
    holes = [seq for seq in range(head.upto + 1, min(horizon, head.upto + RANGE_SLOTS_MAX) + 1) if seq not in held]
    return await _asked(tx, head, holes[: MISSING_MAX + PARKED_MAX]) if holes else ((), ())


async def _asked(tx: Transaction, head: ReceivedHead, holes: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    now = tx.clock.real()
    mine = (col(MissingSlot.sender) == head.sender, col(MissingSlot.incarnation) == head.incarnation)
    query = select(MissingSlot).where(*mine, col(MissingSlot.seq).in_(holes))
    known = {row.seq: row for row in (await tx.session.execute(query)).scalars()}
    traces = await _unspent_traces(tx, head.sender)
    ask: list[int] = []
    for seq in holes:
        row = known.get(seq)
        if row is None:
            key = {"sender": head.sender, "incarnation": head.incarnation, "seq": seq}
            await tx.session.execute(
                insert_if_absent(tx, MissingSlot), [{**key, "asked_at": now, "asked_count": 1, "is_parked": False}]
            )
            ask.append(seq)
        elif now - row.asked_at >= (ASK_PARKED_AGAIN if row.is_parked else ASK_AGAIN):
            # Asked for once more and come back unreadable: each record that came twice and could not be opened gives up one slot.
            if not row.is_parked and traces:
                row.is_parked, traces.pop().is_settled = True, True
            else:
                ask.append(seq)
            row.asked_at, row.asked_count = now, row.asked_count + 1
    await tx.session.flush()
    parked = tuple(seq for seq in holes if seq in known and known[seq].is_parked)
    return tuple(ask[:MISSING_MAX]), parked[:PARKED_MAX]


async def _unspent_traces(tx: Transaction, sender: str) -> list[UnopenableRecord]:
    query = select(UnopenableRecord).where(
        col(UnopenableRecord.sender) == sender, col(UnopenableRecord.seen_count) > 1, col(UnopenableRecord.is_settled).is_(False)
    )
    return list((await tx.session.execute(query.limit(PARKED_MAX).with_for_update())).scalars())


async def _enquiries(tx: Transaction, peer: str) -> tuple[UUID, ...]:
    """Predecessors that something has waited for longer than the grace period and that were never heard of."""
    waiting = InboxRow.__table__.alias("waiting")  # type: ignore[attr-defined]
    known = InboxRow.__table__.alias("known")  # type: ignore[attr-defined]
    query = (
        select(waiting.c.after)
        .outerjoin(known, and_(known.c.sender == waiting.c.sender, known.c.event_id == waiting.c.after))
        .where(
            waiting.c.sender == peer,
            waiting.c.state == InboxState.WAITING,
            known.c.event_id.is_(None),
            waiting.c.received_at <= tx.clock.real() - GRACE,
        )
        .distinct()
        .limit(ENQUIRIES_MAX)
    )
    return tuple((await tx.session.execute(query)).scalars())


async def take_statement(
    tx: Transaction, peer: str, peer_incarnation: UUID, statement: Statement, signed: bytes, hooks: Hooks
) -> None:
    """Takes in a peer's statement: what it holds of ours, and how far its own streams go."""
    now = tx.clock.now()
    await tx.session.execute(insert_if_absent(tx, Peer), [{"peer": peer}])
    await tx.session.execute(update(Peer).where(col(Peer.peer) == peer).values(last_heard_at=now))
    for head in statement.heads:
        await _note_head(tx, peer, head)
    for receipt in statement.receipts:
        await _take_receipt(tx, peer, peer_incarnation, receipt, statement.made_at, signed, hooks)


async def _note_head(tx: Transaction, peer: str, head: Head) -> None:
    key = {"sender": peer, "incarnation": head.incarnation, "upto": 0, "frontier": b"", "highest": 0, "announced": 0}
    await tx.session.execute(insert_if_absent(tx, ReceivedHead), [key])
    mine = (col(ReceivedHead.sender) == peer, col(ReceivedHead.incarnation) == head.incarnation)
    # The first time of an announced size is kept until it is reached, so that its grace period ends.
    await tx.session.execute(
        update(ReceivedHead)
        .where(*mine, col(ReceivedHead.announced) < head.size)
        .where(
            or_(col(ReceivedHead.upto) >= col(ReceivedHead.announced), col(ReceivedHead.announced_at) <= tx.clock.real() - GRACE)
        )
        .values(announced=head.size, announced_at=tx.clock.real())
    )


async def _take_receipt(
    tx: Transaction, peer: str, peer_incarnation: UUID, receipt: Receipt, made_at: datetime, signed: bytes, hooks: Hooks
) -> None:
    held = await _held(tx, peer, peer_incarnation, receipt.incarnation)
    if receipt.upto < held.upto:
        return  # stale within one incarnation of the recipient: it never lowers what is held
    ours = await _root_at(tx, peer, receipt.incarnation, receipt.upto)
    if ours != receipt.root:
        await hooks.trouble("root_mismatch", peer, {"incarnation": str(receipt.incarnation), "upto": receipt.upto}, tx)
        return
    await _deliver(tx, peer, receipt.incarnation, held.upto + 1, receipt.upto, hooks)
    for part in receipt.ranges:
        if await _range_root(tx, peer, receipt.incarnation, part) == part.root:
            await _deliver(tx, peer, receipt.incarnation, part.first, part.last, hooks)
    if receipt.missing:
        await _send_again(tx, peer, receipt.incarnation, receipt.missing)
    held.upto, held.root, held.made_at, held.signed, held.parked = receipt.upto, receipt.root, made_at, signed, list(receipt.parked)
    await tx.session.flush()


async def _held(tx: Transaction, peer: str, peer_incarnation: UUID, incarnation: UUID) -> HeldReceipt:
    key: dict[str, Any] = {"peer": peer, "peer_incarnation": peer_incarnation, "incarnation": incarnation}
    blank = {**key, "upto": 0, "root": EMPTY_ROOT, "made_at": tx.clock.now(), "signed": b"", "parked": []}
    await tx.session.execute(insert_if_absent(tx, HeldReceipt), [blank])
    query = select(HeldReceipt).where(*(getattr(HeldReceipt, name) == value for name, value in key.items()))
    return (await tx.session.execute(query.with_for_update().execution_options(populate_existing=True))).scalar_one()


async def _root_at(tx: Transaction, peer: str, incarnation: UUID, seq: int) -> bytes | None:
    if seq == 0:
        return EMPTY_ROOT
    query = select(col(OutboxRow.root_after)).where(
        col(OutboxRow.recipient) == peer, col(OutboxRow.incarnation) == incarnation, col(OutboxRow.seq) == seq
    )
    return (await tx.session.execute(query)).scalar_one_or_none()


async def _range_root(tx: Transaction, peer: str, incarnation: UUID, part: HeldRange) -> bytes | None:
    if part.last - part.first >= RANGE_SLOTS_MAX:
        return None
    query = select(col(OutboxRow.leaf)).where(*_slots(peer, incarnation, part.first, part.last)).order_by(col(OutboxRow.seq))
    leaves = [leaf for leaf in (await tx.session.execute(query)).scalars() if leaf is not None]
    return root_of(leaves) if len(leaves) == part.last - part.first + 1 else None


def _slots(peer: str, incarnation: UUID, first: int, last: int) -> Iterable[Any]:
    return (
        col(OutboxRow.recipient) == peer,
        col(OutboxRow.incarnation) == incarnation,
        col(OutboxRow.seq) >= first,
        col(OutboxRow.seq) <= last,
    )


async def _deliver(tx: Transaction, peer: str, incarnation: UUID, first: int, last: int, hooks: Hooks) -> None:
    if last < first:
        return
    now = tx.clock.now()
    query = (
        update(OutboxRow)
        .where(*_slots(peer, incarnation, first, last), col(OutboxRow.delivered_at).is_(None))
        .values(delivered_at=now, is_due=False)
        .returning(col(OutboxRow.event_id), col(OutboxRow.is_withheld))
    )
    # What was withheld took its slot and told nothing: its receipt proves nothing about the event.
    events = [event_id for event_id, is_withheld in (await tx.session.execute(query)).tuples() if not is_withheld]
    if events:
        await hooks.delivered(events, now, tx)


async def _send_again(tx: Transaction, peer: str, incarnation: UUID, missing: Sequence[int]) -> None:
    here = (col(OutboxRow.recipient) == peer, col(OutboxRow.incarnation) == incarnation, col(OutboxRow.seq).in_(missing))
    await tx.session.execute(update(OutboxRow).where(*here).values(is_due=True))
    wake_on_commit(tx)


async def answer_enquiries(tx: Transaction, peer: str, enquiries: Sequence[UUID]) -> tuple[UUID, ...]:
    """Sends again what was numbered; returns the ids that this agency never said to `peer`, to be stated gone."""
    query = select(col(OutboxRow.event_id), col(OutboxRow.seq)).where(
        col(OutboxRow.recipient) == peer, col(OutboxRow.event_id).in_(enquiries)
    )
    known = dict((await tx.session.execute(query)).tuples().all())
    numbered = [event_id for event_id, seq in known.items() if seq is not None]
    await tx.session.execute(update(OutboxRow).where(col(OutboxRow.event_id).in_(numbered)).values(is_due=True))
    wake_on_commit(tx)
    return tuple(event_id for event_id in enquiries if event_id not in known)


async def note_unopenable(
    tx: Transaction, digest: bytes, sender: str, place: tuple[str, int, int], reason: str, hooks: Hooks
) -> None:
    """Keeps the trace of a record that could not be opened; the same record read again counts once more."""
    topic, partition, offset = place
    now = tx.clock.now()
    values = {"digest": digest, "sender": sender, "topic": topic, "kafka_partition": partition, "kafka_offset": offset}
    row = {**values, "reason": reason, "seen_count": 1, "first_seen_at": now, "last_seen_at": now, "is_settled": False}
    made = await tx.session.execute(insert_if_absent(tx, UnopenableRecord).returning(col(UnopenableRecord.digest)), [row])
    if made.first() is None:
        known = await tx.session.get(UnopenableRecord, digest, with_for_update=True)
        if known is not None and (known.topic, known.kafka_partition, known.kafka_offset) != (topic, partition, offset):
            known.seen_count, known.last_seen_at = known.seen_count + 1, now
        return
    await hooks.trouble("unopenable", sender, {"reason": reason}, tx)
