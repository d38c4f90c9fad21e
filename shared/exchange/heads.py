"""Slots and heads: how far each stream of a sender's is held without a hole, under which leaves, and what stood in a slot twice.

A slot's leaf never changes. A head is locked last of all locks (decision 1).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, null, select, text, update
from sqlmodel import col

from shared.contracts.wire.merkle import Frontier
from shared.exchange.outbox import insert_if_absent
from shared.exchange.registry import Hooks
from shared.exchange.tables import UNKNOWN, Fork, InboxRow, InboxState, LostSlot, Peer, ReceivedHead, ReceivedSlot
from shared.kit.bulk import insert_many
from shared.kit.db import Transaction
from shared.kit.ids import new_id
from shared.kit.sealed import Under

HEAD_STEP = 5_000  # slots read at once when a hole closes and the held part of a stream moves on
FORKS_MAX = 200  # of one sender kept whole: one proves it, 200 show how far it went; at 66 KB the largest, 13 MB
# Of one sender's database: a restore a day for three years; each keeps a head, and letters tell of the newest 100.
LIVES_MAX = 1_000

# On the driver on PostgreSQL; the portable forms stand beside their use.
LOCK_HEAD = """
    INSERT INTO exchange_heads (sender, incarnation, upto, held, frontier, highest, announced) VALUES ($1, $2, 0, 0, '', 0, 0)
    ON CONFLICT (sender, incarnation) DO UPDATE SET sender = excluded.sender
    RETURNING upto, held, frontier, highest
"""
MOVE_HEAD = """
    UPDATE exchange_heads SET upto = $3, held = $4, frontier = $5, highest = $6, heard_at = coalesce($7, heard_at)
    WHERE sender = $1 AND incarnation = $2
"""

Slot = tuple[str, UUID, int]  # sender, incarnation, seq


class Overfull(Exception):
    """A peer's share of something is used up: what would need more of it is not taken, stays missing and is asked for again."""


@dataclass(frozen=True, slots=True)
class _Head:
    """How far a stream is held without a hole, the leaves of that, and the highest slot that is held."""

    upto: int
    held: int
    frontier: bytes
    highest: int


async def find_lost(tx: Transaction, sender: str, incarnation: UUID, seqs: Sequence[int]) -> None:
    """A copy of what was stated lost takes its slot; its stream's held part is then counted from its beginning."""
    here = (col(LostSlot.sender) == sender, col(LostSlot.incarnation) == incarnation)
    found = await tx.session.execute(delete(LostSlot).where(*here, col(LostSlot.seq).in_(seqs)).returning(col(LostSlot.seq)))
    if found.first() is not None:
        mine = (col(ReceivedHead.sender) == sender, col(ReceivedHead.incarnation) == incarnation)
        await tx.session.execute(update(ReceivedHead).where(*mine).values(upto=0, held=0, frontier=b""))


async def advance_head(
    tx: Transaction, sender: str, incarnation: UUID, taken: Mapping[int, bytes] | None = None, heard_at: datetime | None = None
) -> None:
    """Moves the hole-free part of a stream as far as the held slots reach; the head's lock is taken last of all locks.

    `taken` are leaves that this transaction put into slots: where nothing else lies above the head they are all there is to read.
    `heard_at` is now where any of them came otherwise than by the express lane.
    What was stated lost is passed over: it is in no root.
    """
    head = await _locked_head(tx, sender, incarnation)
    if not head.highest and not await is_room_for_life(tx, sender, incarnation):
        raise Overfull("too many lives")
    frontier, upto, highest = Frontier.from_bytes(head.held, head.frontier), head.upto, head.highest
    while True:
        if taken is not None and upto == highest == head.highest:
            rows: list[tuple[int, bytes | None]] = sorted((seq, leaf) for seq, leaf in taken.items() if seq > upto)
        else:
            rows = await _slots_above(tx, sender, incarnation, upto)
        start = upto
        for seq, leaf in rows:
            highest = max(highest, seq)
            if seq == upto + 1:
                upto = seq
                frontier = frontier.append(leaf) if leaf is not None else frontier
        if len(rows) < HEAD_STEP or upto == start:
            break
    highest = max([highest, *(taken or ())])  # of what lies above only a step was read
    if (upto, highest, heard_at) == (head.upto, head.highest, None):
        return
    moved = {"upto": upto, "held": frontier.size, "frontier": frontier.to_bytes(), "highest": highest, "heard_at": heard_at}
    if tx.dialect == "postgresql":
        await (await tx.driver()).execute(MOVE_HEAD, sender, incarnation, *moved.values())
    else:
        mine = (col(ReceivedHead.sender) == sender, col(ReceivedHead.incarnation) == incarnation)
        if heard_at is None:
            del moved["heard_at"]
        await tx.session.execute(update(ReceivedHead).where(*mine).values(**moved))


async def is_room_for_life(tx: Transaction, sender: str, incarnation: UUID) -> bool:
    """Whether a stream of this life of a sender's may be kept beside the others."""
    others = (col(ReceivedHead.sender) == sender, col(ReceivedHead.incarnation) != incarnation)
    return int((await tx.session.execute(select(func.count()).select_from(ReceivedHead).where(*others))).scalar_one()) < LIVES_MAX


async def _locked_head(tx: Transaction, sender: str, incarnation: UUID) -> _Head:
    if tx.dialect == "postgresql":
        return _Head(*await (await tx.driver()).fetchrow(LOCK_HEAD, sender, incarnation))
    key = {"sender": sender, "incarnation": incarnation, "upto": 0, "held": 0, "frontier": b"", "highest": 0, "announced": 0}
    await tx.session.execute(insert_if_absent(tx, ReceivedHead), [key])
    mine = (col(ReceivedHead.sender) == sender, col(ReceivedHead.incarnation) == incarnation)
    columns = (col(ReceivedHead.upto), col(ReceivedHead.held), col(ReceivedHead.frontier), col(ReceivedHead.highest))
    return _Head(*(await tx.session.execute(select(*columns).where(*mine))).one())


async def leaves(tx: Transaction, sender: str, incarnation: UUID, first: int, last: int) -> AsyncIterator[bytes]:
    """The leaves that are held of a stretch of a sender's stream, in order; read in pages, so that a long one takes no memory."""
    while first <= last:
        query = select(col(ReceivedSlot.seq), col(ReceivedSlot.leaf)).where(
            col(ReceivedSlot.sender) == sender, col(ReceivedSlot.incarnation) == incarnation, col(ReceivedSlot.seq) >= first,
            col(ReceivedSlot.seq) <= last,
        )  # fmt: skip
        page = (await tx.session.execute(query.order_by(col(ReceivedSlot.seq)).limit(HEAD_STEP))).tuples().all()
        for _, leaf in page:
            yield leaf
        if len(page) < HEAD_STEP:
            return
        first = int(page[-1][0]) + 1


async def _slots_above(tx: Transaction, sender: str, incarnation: UUID, seq: int) -> list[tuple[int, bytes | None]]:
    """Held slots with their leaves, and lost ones without, in order."""
    held = select(col(ReceivedSlot.seq), col(ReceivedSlot.leaf)).where(
        col(ReceivedSlot.sender) == sender, col(ReceivedSlot.incarnation) == incarnation, col(ReceivedSlot.seq) > seq
    )
    lost = select(col(LostSlot.seq), null()).where(
        col(LostSlot.sender) == sender, col(LostSlot.incarnation) == incarnation, col(LostSlot.seq) > seq
    )
    query = held.union_all(lost).order_by(text("1")).limit(HEAD_STEP)
    return [(int(number), leaf) for number, leaf in (await tx.session.execute(query)).all()]


async def keep_fork(tx: Transaction, hooks: Hooks, slot: Slot, leaf: bytes, signed: Under) -> None:
    """Keeps what a sender signed for a slot that holds another leaf: the first whole, of more the number. Somebody is told.
    `signed` says under which key; under None of a statement, which is about no case. Where the consent was taken back it has no
    words."""
    sender, incarnation, seq = slot
    query = select(col(Fork.incarnation), col(Fork.seq), col(Fork.leaf)).where(col(Fork.sender) == sender)
    kept = set((await tx.session.execute(query)).tuples())
    if (incarnation, seq, leaf) in kept:
        return
    if len(kept) < FORKS_MAX:
        values = {"sender": sender, "incarnation": incarnation, "seq": seq, "leaf": leaf, "inner": signed}
        await tx.session.execute(insert(Fork).values(id=new_id(), received_at=tx.clock.now(), **values))
    else:
        await tx.session.execute(insert_if_absent(tx, Peer), [{"peer": sender}])
        beyond = update(Peer).where(col(Peer.peer) == sender).values(forks_beyond=col(Peer.forks_beyond) + 1)
        await tx.session.execute(beyond)
    await hooks.trouble("fork", sender, {"incarnation": str(incarnation), "seq": seq}, tx)


async def take_wordless(tx: Transaction, sender: str, slots: Sequence[tuple[UUID, int, bytes, UUID]], state: InboxState) -> None:
    """Takes slots, each with its leaf and event id, whose words their sender does not keep any more: they are done, and hold words
    only where the same event came in another slot. `state` says why they are gone."""
    now = tx.clock.now()
    held = [
        {
            "sender": sender, "incarnation": i, "seq": seq, "leaf": leaf, "event_id": event_id, "received_at": tx.clock.real(),
            "is_express": False, "is_bypassed": False,
        }
        for i, seq, leaf, event_id in slots
    ]  # fmt: skip
    done = {"state": state, "type": UNKNOWN, "dataversion": 1, "received_at": now, "settled_at": now}
    await insert_many(tx, ReceivedSlot, held)
    await insert_many(tx, InboxRow, [{"sender": sender, "event_id": one[3], **done} for one in slots], absent_only=True)
    for incarnation in sorted({one[0] for one in slots}):
        taken = {seq: leaf for i, seq, leaf, _ in slots if i == incarnation}
        await find_lost(tx, sender, incarnation, list(taken))
        await advance_head(tx, sender, incarnation, taken)
