"""Making statements: what this agency durably holds of a peer's streams, what it misses, and where its own streams stand.

A statement is made from the database alone, so any process may make it, and one that is lost is simply made again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlmodel import col

from shared.contracts.wire.merkle import Frontier, root_of
from shared.contracts.wire.statements import (
    ENQUIRIES_MAX,
    INCARNATIONS_MAX,
    MISSING_MAX,
    PARKED_MAX,
    RANGES_MAX,
    Head,
    HeldRange,
    LostRange,
    Receipt,
    Statement,
)
from shared.exchange.inside import inside_heads
from shared.exchange.outbox import insert_if_absent
from shared.exchange.registry import Hooks
from shared.exchange.said import RANGE_SLOTS_MAX, streams_to
from shared.exchange.tables import (
    InboxRow,
    InboxState,
    LostSlot,
    MissingSlot,
    Peer,
    ReceivedHead,
    ReceivedSlot,
    Stream,
    UnopenableRecord,
)
from shared.exchange.witness import cosigned
from shared.kit.bulk import insert_many
from shared.kit.db import Transaction

GRACE = timedelta(seconds=2)  # a number younger than this may still be on its way; a relay's batch takes well under a second
STILL = timedelta(seconds=10)  # a stream of which nothing came for so long has nothing under way; a batch takes a second or two
OVERDUE = timedelta(seconds=60)  # a hole in a stream that goes on: what was sent before what came a minute ago was lost
OVERTOOK_MAX = RANGES_MAX // 2  # of a receipt's stretches, for what came by the express lane: of more the newest, not told yet
OVERTOOK_SLOTS_MAX = 1_000  # slots of it that one receipt looks at: two relay batches
PIECE_EVERY = timedelta(seconds=10)  # how long one piece far above a hole has its turn: some letters go meanwhile
ASK_AGAIN = timedelta(seconds=10)  # a slot that stays missing is asked for at this pace, so that a dead line is not flooded
HOLE = b"|hole"  # beside a root in a summary: what no sender says of itself
TRACES_MAX = 1_000  # of one peer's records that cannot be opened: twice as many as slots are given up in one statement
ASKED_IN_VAIN = 2  # how often a slot is asked for before what cannot be opened is taken for the answer
ASK_PARKED_AGAIN = timedelta(minutes=5)  # what could not be opened twice is asked for slowly, never given up for good


async def make_statement(tx: Transaction, peer: str, *, asks_all: bool = False) -> Statement:
    """Everything that this agency has to say to `peer` now; notes what it asks for.

    `asks_all`: what was asked for a moment ago too, by a letter that a silent broker may have swallowed.
    """
    heads = await _heads_of(tx, peer)
    known = await tx.session.get(Peer, peer, populate_existing=True)
    return Statement(
        made_at=tx.clock.now(),
        knows=known.incarnation if known is not None else None,
        heads=tuple(Head(incarnation=s.incarnation, size=s.size, root=_root(s)) for s in await streams_to(tx, peer)),
        receipts=tuple([await _receipt(tx, head, asks_all=asks_all) for head in heads]),
        enquiries=await enquiries(tx, peer),
        inside=await inside_heads(tx, peer),
        cosigned=await cosigned(tx, peer),
    )


async def _heads_of(tx: Transaction, peer: str) -> list[ReceivedHead]:
    query = select(ReceivedHead).where(col(ReceivedHead.sender) == peer).order_by(col(ReceivedHead.incarnation).desc())
    query = query.limit(INCARNATIONS_MAX).execution_options(populate_existing=True)
    return list((await tx.session.execute(query)).scalars())[::-1]


def _root(head: ReceivedHead | Stream) -> bytes:
    return Frontier.from_bytes(head.held, head.frontier).root()


async def summary(tx: Transaction, agency: str, peer: str) -> bytes:
    """32 bytes over both directions: what each has said, as far as it is held. Equal at both ends where they are in step.

    What lies above a hole is held and not in it. That there is a hole is: its sender may have lost all that it said in that life,
    and then says nothing of it that differs. So a pair with a hole is never taken for one in step.
    """
    ours = [(agency, str(s.incarnation), s.held, _root(s)) for s in await streams_to(tx, peer) if s.held]
    heads = [head for head in await _heads_of(tx, peer) if head.held or head.highest > head.upto]
    theirs = [(peer, str(h.incarnation), h.held, _root(h) + HOLE * (h.highest > h.upto)) for h in heads]
    digest = hashlib.sha256()
    for sender, incarnation, held, root in sorted([*ours, *theirs]):
        digest.update(f"{sender}|{incarnation}|{held}|".encode() + root)
    return digest.digest()


async def _receipt(tx: Transaction, head: ReceivedHead, *, asks_all: bool) -> Receipt:
    above = await _above(tx, head) if head.highest > head.upto else []
    beyond = await _pieces(tx, head, above) if len(above) == RANGE_SLOTS_MAX else []
    overtook = await _overtook(tx, head) if len(above) > RANGES_MAX else []
    missing, parked = await _missing(tx, head, above, beyond, asks_all=asks_all)
    lost = _runs(await lost_slots(tx, head.sender, head.incarnation, head.upto)) if head.held < head.upto else ()
    upto, root = head.upto, _root(head)
    if len(lost) > RANGES_MAX:  # more than a letter tells of: it signs for what lies before the next
        upto, lost = lost[RANGES_MAX].first - 1, lost[:RANGES_MAX]
        root = await _root_up_to(tx, head, upto)
    return Receipt(
        incarnation=head.incarnation,
        upto=upto,
        root=root,
        lost=lost,
        ranges=_ranges(above, overtook if not beyond else _told_of([*(piece.held for piece in beyond), overtook])),
        missing=missing,
        parked=parked,
    )


async def _root_up_to(tx: Transaction, head: ReceivedHead, upto: int) -> bytes:
    query = select(col(ReceivedSlot.leaf)).where(
        col(ReceivedSlot.sender) == head.sender, col(ReceivedSlot.incarnation) == head.incarnation, col(ReceivedSlot.seq) <= upto
    )
    return root_of(list((await tx.session.execute(query.order_by(col(ReceivedSlot.seq)))).scalars()))


async def lost_slots(tx: Transaction, sender: str, incarnation: UUID, upto: int) -> list[int]:
    """The slots up to N that their sender has stated lost."""
    query = select(col(LostSlot.seq)).where(
        col(LostSlot.sender) == sender, col(LostSlot.incarnation) == incarnation, col(LostSlot.seq) <= upto
    )
    return [int(seq) for seq in (await tx.session.execute(query.order_by(col(LostSlot.seq)))).scalars()]


def _runs(lost: Sequence[int]) -> tuple[LostRange, ...]:
    runs: list[list[int]] = []
    for seq in lost:
        if runs and runs[-1][-1] + 1 == seq:
            runs[-1][-1] = seq
        else:
            runs.append([seq, seq])
    return tuple(LostRange(first=first, last=last) for first, last in runs)


@dataclass(frozen=True, slots=True)
class _Held:
    """A slot that is held above a hole."""

    seq: int
    leaf: bytes
    received_at: datetime
    is_express: bool


HELD = (col(ReceivedSlot.seq), col(ReceivedSlot.leaf), col(ReceivedSlot.received_at), col(ReceivedSlot.is_express))


async def _above(tx: Transaction, head: ReceivedHead) -> list[_Held]:
    """What is held above the first hole, the lowest of it."""
    query = select(*HELD).where(*_slots_above(head)).order_by(col(ReceivedSlot.seq)).limit(RANGE_SLOTS_MAX)
    return [_Held(*row) for row in (await tx.session.execute(query)).tuples()]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of slots far above the first hole, with what is held of it."""

    first: int
    last: int
    held: list[_Held]


async def _pieces(tx: Transaction, head: ReceivedHead, above: Sequence[_Held]) -> list[_Piece]:
    """Of what lies above the lowest that a receipt looks at: the newest piece, and one of the others, each in its turn. A hole may
    stay for ever (a slot that never opens), and without these nothing so far above it would be signed for, or asked for, again."""
    low = above[-1].seq + 1
    count = -(-max(0, head.highest - low + 1) // RANGE_SLOTS_MAX)
    turn = int(tx.clock.real().timestamp() // PIECE_EVERY.total_seconds()) % max(count, 1)
    found = []
    for number in sorted({turn, 0}, reverse=True) if count else ():  # counted down from the newest
        last = head.highest - number * RANGE_SLOTS_MAX
        first = max(low, last - RANGE_SLOTS_MAX + 1)
        query = select(*HELD).where(*_slots_above(head), col(ReceivedSlot.seq).between(first, last)).order_by(col(ReceivedSlot.seq))
        found.append(_Piece(first, last, [_Held(*row) for row in (await tx.session.execute(query)).tuples()]))
    return found


async def _overtook(tx: Transaction, head: ReceivedHead) -> list[_Held]:
    """What is held above the first hole because it came by the express lane, the newest of it, in order."""
    query = select(*HELD).where(*_slots_above(head), col(ReceivedSlot.is_express))
    query = query.order_by(col(ReceivedSlot.seq).desc()).limit(OVERTOOK_SLOTS_MAX)
    return [_Held(*row) for row in (await tx.session.execute(query)).tuples()][::-1]


def _slots_above(head: ReceivedHead) -> tuple[ColumnElement[bool], ...]:
    return (
        col(ReceivedSlot.sender) == head.sender,
        col(ReceivedSlot.incarnation) == head.incarnation,
        col(ReceivedSlot.seq) > head.upto,
    )


def _ranges(above: Sequence[_Held], overtook: Sequence[_Held]) -> tuple[HeldRange, ...]:
    """The lowest stretches that are held above the first hole; where there are more than a receipt tells of, what overtook them
    has its part: while a backlog is read it lies far above them, and its sender waits for a signature more than for theirs."""
    lowest, beyond = _stretches(above)[:RANGES_MAX], list[list[_Held]]()
    while lowest:
        beyond = _stretches([one for one in overtook if one.seq > lowest[-1][-1].seq])[-OVERTOOK_MAX:]
        if len(lowest) + len(beyond) <= RANGES_MAX:
            break
        lowest = lowest[: RANGES_MAX - len(beyond)]  # which may uncover more that overtook
    return tuple(
        HeldRange(first=run[0].seq, last=run[-1].seq, root=root_of([one.leaf for one in run])) for run in [*lowest, *beyond]
    )


def _told_of(parts: Sequence[Sequence[_Held]]) -> list[_Held]:
    """The newest stretches of each of several parts, so that none of them leaves no room for the others, in order and each once."""
    newest = [one for part in parts for run in _stretches(part)[-OVERTOOK_MAX // len(parts) :] for one in run]
    return [one for _seq, one in sorted({one.seq: one for one in newest}.items())]


def _stretches(held: Sequence[_Held]) -> list[list[_Held]]:
    runs: list[list[_Held]] = []
    for one in held:
        if runs and runs[-1][-1].seq + 1 == one.seq and len(runs[-1]) < RANGE_SLOTS_MAX:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


async def _missing(
    tx: Transaction, head: ReceivedHead, above: Sequence[_Held], beyond: Sequence[_Piece], *, asks_all: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    now = tx.clock.real()
    known = [*above, *(one for piece in beyond for one in piece.held)]
    is_still = _is_still(tx, head)
    patience = GRACE if is_still else OVERDUE
    # What came by the express lane says nothing of what was sent before it, while that is still being read.
    settled = [one.seq for one in known if now - one.received_at >= patience and (is_still or not one.is_express)]
    horizon = max(settled) - 1 if settled else head.upto
    if is_still and head.announced_at is not None and now - head.announced_at >= GRACE:
        horizon = max(horizon, head.announced)
    held = {one.seq for one in known}
    held |= set(await lost_slots(tx, head.sender, head.incarnation, horizon)) if horizon > head.upto else set()
    lowest = (head.upto + 1, max(head.upto + RANGE_SLOTS_MAX, above[-1].seq if beyond else 0))
    spans = [range(first, min(last, horizon) + 1) for first, last in (lowest, *((piece.first, piece.last) for piece in beyond))]
    holes = list(dict.fromkeys(seq for span in spans for seq in span if seq not in held))
    holes = holes[: MISSING_MAX + PARKED_MAX]
    return await _asked(tx, head, holes, is_still=is_still, asks_all=asks_all) if holes else ((), ())


def _is_still(tx: Transaction, head: ReceivedHead) -> bool:
    """Whether nothing of a stream has come for a while, but for what overtakes it. What comes steadily may lie unread behind what
    has come: asked for again it would only lengthen the queue (measured: 8,300 records on the wire for 1,200 events)."""
    return head.heard_at is None or tx.clock.real() - head.heard_at >= STILL


async def _asked(
    tx: Transaction, head: ReceivedHead, holes: Sequence[int], *, is_still: bool, asks_all: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    now, pace = tx.clock.real(), ASK_AGAIN if is_still else OVERDUE
    mine = (col(MissingSlot.sender) == head.sender, col(MissingSlot.incarnation) == head.incarnation)
    query = select(MissingSlot).where(*mine, col(MissingSlot.seq).in_(holes))
    known = {row.seq: row for row in (await tx.session.execute(query)).scalars()}
    traces = await _fresh_traces(tx, head.sender)
    room, ask = MISSING_MAX, list[int]()
    if not is_still:  # the answers may lie unread as well, and lengthen the queue: no more is asked for before they came
        room -= sum(not row.is_parked and now - row.asked_at < pace for row in known.values())
    for seq in holes:
        row = known.get(seq)
        if row is None:
            if len(ask) < room:
                ask.append(seq)
        elif now - row.asked_at >= (ASK_PARKED_AGAIN if row.is_parked else pace):
            # Asked for twice, and something came back after that which cannot be opened: each such record gives up one slot.
            answer = next((one for one in traces if one.first_seen_at > row.asked_at), None)
            if not row.is_parked and row.asked_count >= ASKED_IN_VAIN and answer is not None:
                row.is_parked, answer.is_settled = True, True
                traces.remove(answer)
            elif len(ask) < room:
                ask.append(seq)
            else:
                continue
            row.asked_at, row.asked_count = now, row.asked_count + 1
        elif asks_all and not row.is_parked:
            ask.append(seq)
    await tx.session.flush()
    ask = ask[:MISSING_MAX]
    key = {"sender": head.sender, "incarnation": head.incarnation, "asked_at": now, "asked_count": 1, "is_parked": False}
    await insert_many(tx, MissingSlot, [{**key, "seq": seq} for seq in ask if seq not in known], absent_only=True)
    parked = tuple(seq for seq in holes if seq in known and known[seq].is_parked)
    return tuple(ask), parked[:PARKED_MAX]


async def _fresh_traces(tx: Transaction, sender: str) -> list[UnopenableRecord]:
    """What could not be opened and has not yet given a slot up, oldest first. Whatever is sent again is sealed anew, so nothing
    but when it came tells which slot it may be the answer for."""
    query = select(UnopenableRecord).where(col(UnopenableRecord.sender) == sender, col(UnopenableRecord.is_settled).is_(False))
    query = query.order_by(col(UnopenableRecord.first_seen_at)).limit(TRACES_MAX).with_for_update()
    return list((await tx.session.execute(query)).scalars())


async def enquiries(tx: Transaction, peer: str) -> tuple[UUID, ...]:
    """Predecessors that something has waited for longer than the grace period and that were never heard of."""
    streams = await _heads_of(tx, peer)
    patience = GRACE if all(_is_still(tx, head) for head in streams) else OVERDUE
    waiting = InboxRow.__table__.alias("waiting")  # type: ignore[attr-defined]
    known = InboxRow.__table__.alias("known")  # type: ignore[attr-defined]
    query = (
        select(waiting.c.after)
        .outerjoin(known, and_(known.c.sender == waiting.c.sender, known.c.event_id == waiting.c.after))
        .where(
            waiting.c.sender == peer,
            waiting.c.state == InboxState.WAITING,
            waiting.c.after.is_not(None),  # what waits for something else has no predecessor to ask for
            known.c.event_id.is_(None),
            waiting.c.received_at <= tx.clock.real() - patience,
        )
        .distinct()
        .limit(ENQUIRIES_MAX)
    )
    return tuple((await tx.session.execute(query)).scalars())


async def note_unopenable(
    tx: Transaction, digest: bytes, sender: str, place: tuple[str, int, int], reason: str, hooks: Hooks
) -> None:
    """Keeps the trace of a record that could not be opened; the same record read again counts once more."""
    topic, partition, offset = place
    now = tx.clock.real()
    values = {"digest": digest, "sender": sender, "topic": topic, "kafka_partition": partition, "kafka_offset": offset}
    row = {**values, "reason": reason, "seen_count": 1, "first_seen_at": now, "last_seen_at": now, "is_settled": False}
    made = await tx.session.execute(insert_if_absent(tx, UnopenableRecord).returning(col(UnopenableRecord.digest)), [row])
    if made.first() is None:
        known = await tx.session.get(UnopenableRecord, digest, with_for_update=True)
        if known is not None and (known.topic, known.kafka_partition, known.kafka_offset) != (topic, partition, offset):
            known.seen_count, known.last_seen_at = known.seen_count + 1, now
        return
    await _forget_oldest(tx, sender)
    await hooks.trouble("unopenable", sender, {"reason": reason}, tx)


async def _forget_oldest(tx: Transaction, sender: str) -> None:
    """The newest traces are kept, of more the number: what still comes shows which slots cannot be opened."""
    mine = col(UnopenableRecord.sender) == sender
    newest_first = (col(UnopenableRecord.last_seen_at).desc(), col(UnopenableRecord.digest))
    oldest = select(col(UnopenableRecord.digest)).where(mine).order_by(*newest_first).offset(TRACES_MAX)
    beyond = list((await tx.session.execute(oldest)).scalars())
    if beyond:
        await tx.session.execute(delete(UnopenableRecord).where(col(UnopenableRecord.digest).in_(beyond)))
        await tx.session.execute(insert_if_absent(tx, Peer), [{"peer": sender}])
        count = {"traces_beyond": col(Peer.traces_beyond) + len(beyond)}
        await tx.session.execute(update(Peer).where(col(Peer.peer) == sender).values(count))


async def heard_order(tx: Transaction, sender: str, event_ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, int]]:
    """Where a sender's events first stood in its streams to us: (incarnation, seq), which sort as they were said."""
    query = select(col(ReceivedSlot.event_id), col(ReceivedSlot.incarnation), col(ReceivedSlot.seq)).where(
        col(ReceivedSlot.sender) == sender, col(ReceivedSlot.event_id).in_(event_ids)
    )
    found: dict[UUID, tuple[UUID, int]] = {}
    for event_id, incarnation, seq in (await tx.session.execute(query)).tuples():
        found[event_id] = min(found.get(event_id, (incarnation, int(seq))), (incarnation, int(seq)))
    return found
