"""What this agency has said to one other in each life of its database: sets of slots, and the roots over them.

While an incarnation lives its numbers are dense and each row keeps its root. Of an ended one only a set is left: rows that the
restored copy still had, words that came home, and holes that are lost.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import col

from shared.contracts.wire.envelope import SLOT_MAX
from shared.contracts.wire.merkle import EMPTY_ROOT, Frontier, root_of
from shared.contracts.wire.statements import INCARNATIONS_MAX, RECALLS_MAX, HeldRange, Recall, Receipt
from shared.exchange.outbox import insert_if_absent
from shared.exchange.tables import OutboxRow, Stream
from shared.kit.db import Transaction

RECALL_SLOTS = 500  # slots asked back in one stretch: one relay batch
RANGE_SLOTS_MAX = 10_000  # slots above a hole that one statement looks at
# Slots of several stretches that one statement of the database names: a stream that comes over several lanes at once has dozens of
# one slot or two above its first hole, in every letter, and each asked for by itself costs 1 ms twice.
TOGETHER_MAX = 500
LEAVES_PAGE = 5_000  # leaves read at once: a third of a megabyte


@dataclass(slots=True)
class Comparison:
    """A peer's receipt beside our own stream. `is_equal`: what it holds without a hole is what we said.

    `holds_more`: it holds what this database does not know that it said. `recalls`: which words of ours to ask back.
    `proved`: the ranges above a hole whose root is that of our own leaves.
    """

    is_equal: bool
    holds_more: bool = False
    recalls: list[Recall] = field(default_factory=list)
    proved: list[HeldRange] = field(default_factory=list)


def slots(peer: str, incarnation: UUID, first: int, last: int) -> tuple[Any, ...]:
    """The conditions for the rows of a stretch of a stream."""
    return (
        col(OutboxRow.recipient) == peer,
        col(OutboxRow.incarnation) == incarnation,
        col(OutboxRow.seq) >= first,
        col(OutboxRow.seq) <= last,
        ~col(OutboxRow.is_forked),
    )


async def compare_living(tx: Transaction, peer: str, receipt: Receipt) -> Comparison:
    """A receipt for the current incarnation: one row is read, whatever the stream's length, and what it holds above a hole.

    A hole may stay for ever (a slot that cannot be opened): then what lies above it is all that shows a number given twice.
    """
    size = await _size(tx, peer, receipt.incarnation)
    roots = list(zip(receipt.ranges, await range_roots(tx, peer, receipt.incarnation, receipt.ranges), strict=True))
    proved = [part for part, ours in roots if ours == part.root]
    is_other = any(ours not in (None, part.root) for part, ours in roots)
    if is_other or max([receipt.upto, *(part.last for part in receipt.ranges)]) > size:
        return Comparison(False, holds_more=True, proved=proved)
    root = await _root_after(tx, peer, receipt.incarnation, receipt.upto)
    return Comparison(root == receipt.root and not receipt.lost, holds_more=root != receipt.root, proved=proved)


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
    lost = sorted((part.first, part.last) for part in receipt.lost)
    absent, root = await _beside(tx, peer, receipt.incarnation, (1, receipt.upto), lost)
    is_equal = not absent and root == receipt.root
    if not absent and not is_equal:
        absent = list(_without((agreed + 1, receipt.upto), lost)) or list(_without((1, receipt.upto), lost))
    proved: list[HeldRange] = []
    for part in receipt.ranges:
        if part.last - part.first >= RANGE_SLOTS_MAX:
            continue
        span = (part.first, part.last)
        missing, root = await _beside(tx, peer, receipt.incarnation, span, [])
        if not missing and root == part.root:
            proved.append(part)
        else:
            absent += missing or [span]
    return Comparison(is_equal, holds_more=bool(absent), recalls=_stretches(receipt.incarnation, absent), proved=proved)


Span = tuple[int, int]  # first and last slot; never written out one by one: a peer may name any number


async def _beside(tx: Transaction, peer: str, incarnation: UUID, span: Span, lost: Sequence[Span]) -> tuple[list[Span], bytes]:
    """What is absent here of a stretch that a peer holds, but for what it says is lost; the root over our leaves of the others."""
    frontier, gaps, expected = Frontier(), list[Span](), span[0]
    async for seq, leaf in leaves(tx, peer, incarnation, *span):
        if seq > expected:
            gaps.append((expected, seq - 1))
        expected = seq + 1
        if not any(first <= seq <= last for first, last in lost):
            frontier = frontier.append(leaf)
    if expected <= span[1]:
        gaps.append((expected, span[1]))
    return [left for gap in gaps for left in _without(gap, lost)], frontier.root()


def _without(span: Span, taken: Sequence[Span]) -> Iterator[Span]:
    """What is left of a stretch without others, which are in order."""
    first, last = span
    for start, end in taken:
        if start > last:
            break
        if first < start:
            yield first, start - 1
        first = max(first, end + 1)
    if first <= last:
        yield first, last


async def leaves(tx: Transaction, peer: str, incarnation: UUID, first: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
    """Our slots of a stretch with their leaves, in order; read in pages, so that a long stream takes no memory."""
    while first <= last:
        query = select(col(OutboxRow.seq), col(OutboxRow.leaf)).where(*slots(peer, incarnation, first, last))
        page = (await tx.session.execute(query.order_by(col(OutboxRow.seq)).limit(LEAVES_PAGE))).tuples().all()
        for seq, leaf in page:
            if seq is not None and leaf is not None:
                yield int(seq), leaf
        if len(page) < LEAVES_PAGE:
            return
        first = int(page[-1][0] or 0) + 1


def _stretches(incarnation: UUID, wanted: Sequence[Span]) -> list[Recall]:
    """The lowest of the wanted slots, as far as one statement asks for them."""
    found: list[Recall] = []
    for first, last in sorted(wanted):
        while first <= last:
            if len(found) == RECALLS_MAX:
                return found
            end = min(last, first + RECALL_SLOTS - 1)
            found.append(Recall(incarnation=incarnation, first=first, last=end))
            first = end + 1
    return found


async def streams_to(tx: Transaction, peer: str) -> list[Stream]:
    """Our streams to a peer, one for each life, oldest first; the newest INCARNATIONS_MAX: of more a letter cannot tell."""
    query = select(Stream).where(col(Stream.recipient) == peer).order_by(col(Stream.incarnation).desc())
    query = query.limit(INCARNATIONS_MAX).execution_options(populate_existing=True)
    return list((await tx.session.execute(query)).scalars())[::-1]


async def range_roots(tx: Transaction, peer: str, incarnation: UUID, parts: Sequence[HeldRange]) -> list[bytes | None]:
    """Of each stretch the root over our own leaves, or None where a slot of it is not ours to prove."""
    roots = list[bytes | None]()
    for some in together(parts):
        if len(some) == 1:
            roots.append(await _range_root(tx, peer, incarnation, some[0]))
            continue
        query = select(col(OutboxRow.seq), col(OutboxRow.leaf)).where(*of_slots(peer, incarnation, slots_of(some)))
        ours = {int(seq or 0): leaf for seq, leaf in (await tx.session.execute(query)).tuples()}
        for part in some:
            found = [leaf for seq in range(part.first, part.last + 1) if (leaf := ours.get(seq)) is not None]
            roots.append(root_of(found) if len(found) == part.last - part.first + 1 else None)
    return roots


async def _range_root(tx: Transaction, peer: str, incarnation: UUID, part: HeldRange) -> bytes | None:
    if part.last - part.first >= RANGE_SLOTS_MAX:
        return None
    absent, root = await _beside(tx, peer, incarnation, (part.first, part.last), [])
    return None if absent else root


def together(parts: Sequence[HeldRange]) -> Iterator[list[HeldRange]]:
    """Stretches in groups of which each has at most TOGETHER_MAX slots; a longer one is a group of its own."""
    group, size = list[HeldRange](), 0
    for part in parts:
        count = part.last - part.first + 1
        if group and size + count > TOGETHER_MAX:
            yield group
            group, size = [], 0
        group.append(part)
        size += count
    if group:
        yield group


def slots_of(parts: Sequence[HeldRange]) -> list[int]:
    """Every slot of some stretches, of which there are few."""
    return [seq for part in parts for seq in range(part.first, part.last + 1)]


def of_slots(peer: str, incarnation: UUID, wanted: Sequence[int]) -> tuple[Any, ...]:
    """The conditions for the rows of single slots."""
    return (
        col(OutboxRow.recipient) == peer,
        col(OutboxRow.incarnation) == incarnation,
        col(OutboxRow.seq).in_(wanted),
        ~col(OutboxRow.is_forked),
    )


async def count_again(tx: Transaction, peer: str, incarnation: UUID, fresh: Sequence[tuple[int, bytes]]) -> None:
    """Moves an ended stream's head to what is held of it now, after these slots came home with their leaves.

    They mostly come in order, above all that is held: then the head grows by them, however long the stream is. Else all of it is
    read once more, in pages: a list of a million leaves takes 160 MB.
    """
    key = {"recipient": peer, "incarnation": incarnation, "size": 0, "held": 0, "frontier": b""}
    await tx.session.execute(insert_if_absent(tx, Stream), [key])
    head = await tx.session.get_one(Stream, (peer, incarnation), populate_existing=True)
    frontier, size = Frontier.from_bytes(head.held, head.frontier), head.size
    added = sorted(fresh)
    if added[0][0] > size:
        for seq, leaf in added:
            frontier, size = frontier.append(leaf), seq
    else:
        frontier, size = Frontier(), 0
        async for seq, leaf in leaves(tx, peer, incarnation, 1, SLOT_MAX):
            frontier, size = frontier.append(leaf), seq
    here = (col(Stream.recipient) == peer, col(Stream.incarnation) == incarnation)
    await tx.session.execute(update(Stream).where(*here).values(size=size, held=frontier.size, frontier=frontier.to_bytes()))


async def said_order(tx: Transaction, recipient: str, event_ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, int]]:
    """Where our events first stood in our streams to one recipient: (incarnation, seq), which sort as they were said."""
    query = select(col(OutboxRow.event_id), col(OutboxRow.incarnation), col(OutboxRow.seq)).where(
        col(OutboxRow.recipient) == recipient, col(OutboxRow.event_id).in_(event_ids), col(OutboxRow.seq).is_not(None),
        ~col(OutboxRow.is_forked),
    )  # fmt: skip
    found: dict[UUID, tuple[UUID, int]] = {}
    for event_id, incarnation, seq in (await tx.session.execute(query)).tuples():
        if incarnation is not None and seq is not None:
            found[event_id] = min(found.get(event_id, (incarnation, seq)), (incarnation, int(seq)))
    return found
