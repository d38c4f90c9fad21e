"""What this agency has said to one other in each life of its database: sets of slots, and the roots over them.

While an incarnation lives its numbers are dense and each row keeps its root. Of an ended one only a set is left: rows that the
restored copy still had, words that came home, and holes that are lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import col

from shared.contracts.wire.merkle import EMPTY_ROOT, Frontier, root_of
from shared.contracts.wire.statements import RECALLS_MAX, HeldRange, Recall, Receipt
from shared.exchange.outbox import insert_if_absent
from shared.exchange.tables import OutboxRow, Stream
from shared.kit.db import Transaction

RECALL_SLOTS = 500  # slots asked back in one stretch: one relay batch
RANGE_SLOTS_MAX = 10_000  # slots above a hole that one statement looks at


@dataclass(slots=True)
class Comparison:
    """A peer's receipt beside our own stream. `is_equal`: what it holds without a hole is what we said.

    `holds_more`: it holds what this database does not know that it said. `recalls`: which words of ours to ask back.
    """

    is_equal: bool
    holds_more: bool = False
    recalls: list[Recall] = field(default_factory=list)


def slots(peer: str, incarnation: UUID, first: int, last: int) -> tuple[Any, ...]:
    """The conditions for the rows of a stretch of a stream."""
    return (
        col(OutboxRow.recipient) == peer,
        col(OutboxRow.incarnation) == incarnation,
        col(OutboxRow.seq) >= first,
        col(OutboxRow.seq) <= last,
        col(OutboxRow.is_forked).is_(False),
    )


async def compare_living(tx: Transaction, peer: str, receipt: Receipt) -> Comparison:
    """A receipt for the current incarnation: one row is read, whatever the stream's length."""
    size = await _size(tx, peer, receipt.incarnation)
    if max([receipt.upto, *(part.last for part in receipt.ranges)]) > size:
        return Comparison(False, holds_more=True)
    root = await _root_after(tx, peer, receipt.incarnation, receipt.upto)
    return Comparison(root == receipt.root and not receipt.lost, holds_more=root != receipt.root)


async def _size(tx: Transaction, peer: str, incarnation: UUID) -> int:
    stream = await tx.session.get(Stream, (peer, incarnation), populate_existing=True)
    return stream.size if stream is not None else 0


async def _root_after(tx: Transaction, peer: str, incarnation: UUID, seq: int) -> bytes | None:
    if seq == 0:
        return EMPTY_ROOT
    query = select(col(OutboxRow.root_after)).where(*slots(peer, incarnation, seq, seq))
    return (await tx.session.execute(query)).scalar_one_or_none()


async def compare_ended(tx: Transaction, peer: str, receipt: Receipt, agreed: int) -> Comparison:
    """A receipt for an ended incarnation, as a set: what is absent here is asked back; `agreed` slots were equal before.

    Where nothing is absent and the roots differ, this database has given numbers again that it had given before: everything
    above what was agreed is asked back, and the peer's copy of a slot is the one that counts.
    """
    lost = {seq for part in receipt.lost for seq in range(part.first, part.last + 1)}
    leaves = await _leaves(tx, peer, receipt.incarnation, 1, receipt.upto)
    claimed = [seq for seq in range(1, receipt.upto + 1) if seq not in lost]
    absent = [seq for seq in claimed if seq not in leaves]
    is_equal = not absent and root_of([leaves[seq] for seq in claimed]) == receipt.root
    if not absent and not is_equal:
        absent = [seq for seq in claimed if seq > agreed] or claimed
    for part in receipt.ranges:
        absent += await _absent_in(tx, peer, receipt.incarnation, part)
    return Comparison(is_equal, holds_more=bool(absent), recalls=_stretches(receipt.incarnation, absent))


async def _absent_in(tx: Transaction, peer: str, incarnation: UUID, part: HeldRange) -> list[int]:
    if part.last - part.first >= RANGE_SLOTS_MAX:
        return []
    leaves = await _leaves(tx, peer, incarnation, part.first, part.last)
    claimed = range(part.first, part.last + 1)
    absent = [seq for seq in claimed if seq not in leaves]
    if not absent and root_of([leaves[seq] for seq in claimed]) != part.root:
        return list(claimed)
    return absent


async def _leaves(tx: Transaction, peer: str, incarnation: UUID, first: int, last: int) -> dict[int, bytes]:
    query = select(col(OutboxRow.seq), col(OutboxRow.leaf)).where(*slots(peer, incarnation, first, last))
    return {int(seq): leaf for seq, leaf in (await tx.session.execute(query)).tuples() if seq is not None and leaf is not None}


def _stretches(incarnation: UUID, wanted: Sequence[int]) -> list[Recall]:
    found: list[Recall] = []
    for seq in sorted(set(wanted)):
        if found and found[-1].last + 1 == seq and seq - found[-1].first < RECALL_SLOTS:
            found[-1] = Recall(incarnation=incarnation, first=found[-1].first, last=seq)
        elif len(found) < RECALLS_MAX:
            found.append(Recall(incarnation=incarnation, first=seq, last=seq))
        else:
            break
    return found


async def range_root(tx: Transaction, peer: str, incarnation: UUID, part: HeldRange) -> bytes | None:
    """The root over our own leaves of a stretch, or None where a slot of it is not ours to prove."""
    if part.last - part.first >= RANGE_SLOTS_MAX:
        return None
    leaves = await _leaves(tx, peer, incarnation, part.first, part.last)
    return root_of([leaves[seq] for seq in sorted(leaves)]) if len(leaves) == part.last - part.first + 1 else None


async def known_slots(tx: Transaction, peer: str, incarnation: UUID, wanted: Sequence[int]) -> set[int]:
    """Those of the wanted slots whose words are here."""
    query = select(col(OutboxRow.seq)).where(
        col(OutboxRow.recipient) == peer, col(OutboxRow.incarnation) == incarnation, col(OutboxRow.seq).in_(wanted),
        col(OutboxRow.is_forked).is_(False),
    )  # fmt: skip
    return {int(seq) for seq in (await tx.session.execute(query)).scalars() if seq is not None}


async def count_again(tx: Transaction, peer: str, incarnation: UUID) -> None:
    """Sets an ended stream's head to what is held of it now, after words came home."""
    key = {"recipient": peer, "incarnation": incarnation, "size": 0, "held": 0, "frontier": b""}
    await tx.session.execute(insert_if_absent(tx, Stream), [key])
    query = (
        select(col(OutboxRow.seq), col(OutboxRow.leaf))
        .where(
            col(OutboxRow.recipient) == peer, col(OutboxRow.incarnation) == incarnation, col(OutboxRow.seq).is_not(None),
            col(OutboxRow.is_forked).is_(False),
        )
        .order_by(col(OutboxRow.seq))
    )  # fmt: skip
    frontier, size = Frontier(), 0
    for seq, leaf in (await tx.session.execute(query)).tuples():
        frontier, size = frontier.append(leaf or b""), int(seq or 0)
    here = (col(Stream.recipient) == peer, col(Stream.incarnation) == incarnation)
    await tx.session.execute(update(Stream).where(*here).values(size=size, held=frontier.size, frontier=frontier.to_bytes()))


async def said_order(tx: Transaction, recipient: str, event_ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, int]]:
    """Where our events first stood in our streams to one recipient: (incarnation, seq), which sort as they were said."""
    query = select(col(OutboxRow.event_id), col(OutboxRow.incarnation), col(OutboxRow.seq)).where(
        col(OutboxRow.recipient) == recipient, col(OutboxRow.event_id).in_(event_ids), col(OutboxRow.seq).is_not(None),
        col(OutboxRow.is_forked).is_(False),
    )  # fmt: skip
    found: dict[UUID, tuple[UUID, int]] = {}
    for event_id, incarnation, seq in (await tx.session.execute(query)).tuples():
        if incarnation is not None and seq is not None:
            found[event_id] = min(found.get(event_id, (incarnation, seq)), (incarnation, int(seq)))
    return found
