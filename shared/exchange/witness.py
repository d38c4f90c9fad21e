"""Witnessing: a head that a peer signs is held against what it signed before, and against the leaves that are held here.

A receipt signs our own root over a peer's leaves, so a peer that rewrites its words can no longer sign a head that fits. Whatever
was restored honestly signs in another life. Nothing here stops an event: what stands in a slot stands, and somebody is told.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import Inner, Reopened, unframe
from shared.contracts.wire.merkle import Frontier, is_extended
from shared.contracts.wire.statements import INSIDE_MAX, Cosigned, InsideHead, Statement
from shared.exchange.heads import LIVES_MAX, leaves
from shared.exchange.outbox import insert_if_absent
from shared.exchange.registry import Hooks
from shared.exchange.tables import (
    HeadState,
    InboxRow,
    Incarnation,
    Log,
    LostSlot,
    ReceivedHead,
    Reopening,
    SignedHead,
)
from shared.kit.db import Transaction

WAITING_MAX = 20  # heads of one life whose leaves are under way: a letter every half second runs ahead of a backlog by minutes
REFUSED_MAX = 20  # of one sender kept whole: two signatures prove it, and at 64 KB the largest, 20 are 3 MB
REFUSED = "head_refused"
LOST = "looks_lost"

Rows = Sequence[SignedHead]


async def take_heads(tx: Transaction, hooks: Hooks, inner: Inner, statement: Statement) -> None:
    """Takes the heads of a peer's statement: that of its stream in the life it speaks from, and those of what it does inside.

    The stream of an ended life is a set that still changes (decision 16) and is told by its receipts, not by its head.
    """
    peer, life = inner.header.sender, inner.header.incarnation
    known = await _known(tx, peer, {life, *(inside.incarnation for inside in statement.inside)})
    for head in statement.heads:
        if head.incarnation == life and head.size:
            await _take_stream_head(tx, hooks, inner, (head.incarnation, head.size, head.root), known)
    await _compare_waiting(tx, hooks, peer, [row for row in known if row.state == HeadState.WAITING])
    for inside in statement.inside:
        await _take_inside_head(tx, hooks, inner, inside, known, statement)


async def _known(tx: Transaction, peer: str, lives: set[UUID]) -> list[SignedHead]:
    wanted = or_(col(SignedHead.state) == HeadState.WAITING.value, col(SignedHead.incarnation).in_(lives))
    query = select(SignedHead).where(col(SignedHead.sender) == peer, wanted).execution_options(populate_existing=True)
    return list((await tx.session.execute(query)).scalars())


def _of(known: Rows, log: Log, incarnation: UUID) -> list[SignedHead]:
    return [row for row in known if (row.log, row.incarnation) == (log, incarnation)]


def _good(rows: Rows) -> SignedHead | None:
    return next((row for row in rows if row.state == HeadState.GOOD), None)


# --- what a peer says to us ----------------------------------------------------------------------------------------------------


async def _take_stream_head(
    tx: Transaction, hooks: Hooks, inner: Inner, head: tuple[UUID, int, bytes], known: list[SignedHead]
) -> None:
    life, size, root = head
    mine = _of(known, Log.STREAM, life)
    good = _good(mine)
    if (good is not None and size < good.size) or any((row.size, row.root) == (size, root) for row in mine):
        return  # letters overtake each other: a smaller one says nothing that the larger does not
    peer = inner.header.sender
    if not mine and await tx.session.get(ReceivedHead, (peer, life)) is None:
        return  # one life too many: it is not kept, and somebody has been told
    row = await _keep(tx, Log.STREAM, peer, head, inner.raw)
    if row is None:
        return
    if good is not None and size == good.size:
        await _refuse(tx, hooks, row, good)
        return
    known.append(row)
    waiting = sorted((row for row in [*mine, row] if row.state == HeadState.WAITING), key=lambda row: row.size)
    if len(waiting) > WAITING_MAX:  # the lowest are reached first, the highest says most: one in between goes
        known.remove(waiting[-2])
        await _forget(tx, waiting[-2])


async def _keep(tx: Transaction, log: Log, peer: str, head: tuple[UUID, int, bytes], signed: bytes) -> SignedHead | None:
    """A head to be compared; None where another process keeps the same already."""
    life, size, root = head
    values: dict[str, Any] = {
        "sender": peer, "log": log.value, "incarnation": life, "size": size, "root": root, "state": HeadState.WAITING.value,
        "frontier": b"", "signed": signed, "heard_at": tx.clock.now(),
    }  # fmt: skip
    made = await tx.session.execute(insert_if_absent(tx, SignedHead).returning(col(SignedHead.sender)), [values])
    if made.first() is None:
        return None
    return await tx.session.get(SignedHead, (peer, log.value, life, size, root))


async def _compare_waiting(tx: Transaction, hooks: Hooks, peer: str, waiting: Rows) -> None:
    """Compares every head whose leaves are all here by now, each life's in order: leaves are read once, from a good head on."""
    for life in sorted({row.incarnation for row in waiting if row.log == Log.STREAM}):
        held = await tx.session.get(ReceivedHead, (peer, life), populate_existing=True)
        rows = sorted((row for row in waiting if row.incarnation == life and row.log == Log.STREAM), key=lambda row: row.size)
        upto = held.upto if held is not None else 0
        due = [row for row in rows if row.size <= upto]
        if held is None or not due:
            continue
        if held.held != held.upto:  # slots of an ended life were stated lost: what its head was over is not here any more
            await _forget_lost(tx, peer, life, due)
            continue
        await _compare(tx, hooks, held, due)


async def _forget_lost(tx: Transaction, peer: str, life: UUID, due: Rows) -> None:
    query = select(func.min(col(LostSlot.seq))).where(col(LostSlot.sender) == peer, col(LostSlot.incarnation) == life)
    first: int | None = (await tx.session.execute(query)).scalar_one()
    for row in due:
        if first is not None and first <= row.size:
            await _forget(tx, row)


async def _compare(tx: Transaction, hooks: Hooks, held: ReceivedHead, due: Rows) -> None:
    good = await _good_now(tx, held.sender, held.incarnation)
    frontier = Frontier.from_bytes(good.size, good.frontier) if good is not None else Frontier()
    for row in due:
        if row.size < frontier.size:
            await _forget(tx, row)  # another process was ahead
            continue
        if row.size == held.upto:
            frontier = Frontier.from_bytes(held.held, held.frontier)
        else:
            frontier = await _grown(tx, held, frontier, row.size)
        if frontier.root() != row.root:
            await _refuse(tx, hooks, row, good)
        elif row.signed:
            good = await _is_good(tx, row, good, frontier)
        else:
            await _forget(tx, row)  # what a new life says of the one before fits; it is in the stream, signed


def good_stream_head(peer: str, life: UUID) -> Any:
    """The newest head of a peer's stream to us that was found good."""
    return select(SignedHead).where(
        col(SignedHead.sender) == peer, col(SignedHead.log) == Log.STREAM.value, col(SignedHead.incarnation) == life,
        col(SignedHead.state) == HeadState.GOOD.value,
    )  # fmt: skip


async def _good_now(tx: Transaction, peer: str, life: UUID) -> SignedHead | None:
    query = good_stream_head(peer, life).with_for_update().execution_options(populate_existing=True)
    return (await tx.session.execute(query)).scalars().first()


async def _grown(tx: Transaction, held: ReceivedHead, frontier: Frontier, size: int) -> Frontier:
    """The tree over our leaves of a stream up to that size, from the last good head on."""
    # Where a row of ours is gone the root will not fit, and `refnet verify` here names the row.
    async for leaf in leaves(tx, held.sender, held.incarnation, frontier.size + 1, size):
        frontier = frontier.append(leaf)
    return frontier


async def _is_good(tx: Transaction, row: SignedHead, former: SignedHead | None, frontier: Frontier) -> SignedHead:
    """The newest good head of a life takes the place of the one before."""
    if former is not None:
        await tx.session.delete(former)
    row.state, row.frontier = HeadState.GOOD, frontier.to_bytes()
    await tx.session.flush()
    return row


async def _forget(tx: Transaction, row: SignedHead) -> None:
    await tx.session.delete(row)
    await tx.session.flush()


async def _refuse(tx: Transaction, hooks: Hooks, row: SignedHead, good: SignedHead | None) -> None:
    """Keeps both heads as evidence, of more only the alarm."""
    query = select(func.count()).where(col(SignedHead.sender) == row.sender, col(SignedHead.state) == HeadState.REFUSED.value)
    detail = {"incarnation": str(row.incarnation), "seq": row.size, "log": str(row.log)}
    if int((await tx.session.execute(query)).scalar_one()) >= REFUSED_MAX:
        await tx.session.delete(row)
    else:
        row.state, row.against = HeadState.REFUSED, good.signed if good is not None else None
        row.signed = row.signed or await _first_word(tx, row)
    await tx.session.flush()
    await hooks.trouble(REFUSED, row.sender, detail, tx)


async def _first_word(tx: Transaction, row: SignedHead) -> bytes:
    """The first word of the life that says so: its sender's own signature."""
    opened = select(col(Reopening.opened)).where(
        col(Reopening.sender) == row.sender, col(Reopening.incarnation) == row.incarnation, col(Reopening.root) == row.root
    )
    lives = set((await tx.session.execute(opened)).scalars())
    words = select(col(InboxRow.inner)).where(
        col(InboxRow.sender) == row.sender, col(InboxRow.type) == Reopened.TYPE, col(InboxRow.inner).is_not(None)
    )
    found = [raw for raw in (await tx.session.execute(words)).scalars() if raw and unframe(raw).header.incarnation in lives]
    return found[0] if found else b""


async def take_ended(tx: Transaction, sender: str, opened: UUID, ended: UUID, head: tuple[int, bytes]) -> None:
    """What the first word of a new life says of the life before is compared like a head of that life, where it must be one.

    Of an ended life a sender may hold only a part (words that came home out of order), so it is compared only where the life ended
    with this word: no life between the two was ever heard of here, and this database was never restored and cannot have forgotten.
    """
    size, root = head
    own = (await tx.session.execute(select(func.count()).select_from(Incarnation))).scalar_one()
    between = 0
    for table, column in (
        (ReceivedHead, ReceivedHead.incarnation),
        (SignedHead, SignedHead.incarnation),
        (Reopening, Reopening.opened),
    ):
        query = select(func.count()).select_from(table).where(
            col(table.sender) == sender, col(column) > ended, col(column) < opened
        )  # fmt: skip
        between += int((await tx.session.execute(query)).scalar_one())
    if own <= 1 and not between and size:
        await _keep(tx, Log.STREAM, sender, (ended, size, root), b"")


# --- what a peer does inside ---------------------------------------------------------------------------------------------------


async def _take_inside_head(
    tx: Transaction, hooks: Hooks, inner: Inner, head: InsideHead, known: Rows, statement: Statement
) -> None:
    peer, is_living = inner.header.sender, head.incarnation == inner.header.incarnation
    mine = _of(known, Log.INSIDE, head.incarnation)
    good, said = _good(mine), (head.incarnation, head.size, head.root)
    if any((row.size, row.root) == said[1:] for row in mine):
        return
    if good is None:
        if head.size and head.incarnation <= inner.header.incarnation:  # no life has a log that comes after the one it speaks from
            await _take_first(tx, hooks, inner, said, statement)
        return
    if head.size != good.size and head.since != good.size:
        return  # it does not know yet what we signed: the next letter will
    if head.size < good.size and not is_living:
        return  # a life that was lost in part, and says so
    if head.size > good.size and is_extended(good.size, good.root, head.size, head.root, head.proof):
        await _move(tx, good, head, inner.raw)
        return
    row = await _keep(tx, Log.INSIDE, peer, said, inner.raw)
    if row is not None:
        await _refuse(tx, hooks, row, good)


async def _take_first(tx: Transaction, hooks: Hooks, inner: Inner, said: tuple[UUID, int, bytes], statement: Statement) -> None:
    peer = inner.header.sender
    if not await _is_room(tx, peer):
        await hooks.trouble("overfull", peer, {}, tx)
        return
    row = await _keep(tx, Log.INSIDE, peer, said, inner.raw)
    if row is None:
        return
    row.state = HeadState.GOOD
    await tx.session.flush()
    if row.incarnation == inner.header.incarnation:
        await _tell_lost(tx, hooks, row, statement)


async def _tell_lost(tx: Transaction, hooks: Hooks, row: SignedHead, statement: Statement) -> None:
    """A restore from a backup that is older than what was signed has lost looks, and a life that was begun by hand hides some. From
    here the two are the same: it is told of both, and accuses neither."""
    query = (
        select(col(SignedHead.incarnation), col(SignedHead.size))
        .where(col(SignedHead.sender) == row.sender, col(SignedHead.log) == Log.INSIDE.value)
        .where(col(SignedHead.state) == HeadState.GOOD.value, col(SignedHead.incarnation) != row.incarnation)
    )
    former = (await tx.session.execute(query.order_by(col(SignedHead.incarnation).desc()).limit(1))).tuples().first()
    told = {one.incarnation: one.size for one in statement.inside}
    if former is not None and told.get(former[0], 0) < former[1]:
        await hooks.trouble(LOST, row.sender, {"incarnation": str(former[0]), "seq": former[1]}, tx)


async def _is_room(tx: Transaction, peer: str) -> bool:
    mine = (col(SignedHead.sender) == peer, col(SignedHead.log) == Log.INSIDE.value)
    return int((await tx.session.execute(select(func.count()).select_from(SignedHead).where(*mine))).scalar_one()) < LIVES_MAX


async def _move(tx: Transaction, good: SignedHead, head: InsideHead, signed: bytes) -> None:
    """Only where nobody else has moved it meanwhile: two letters at once each prove their own way on."""
    here = (
        col(SignedHead.sender) == good.sender, col(SignedHead.log) == good.log, col(SignedHead.incarnation) == good.incarnation,
        col(SignedHead.size) == good.size, col(SignedHead.root) == good.root, col(SignedHead.state) == HeadState.GOOD.value,
    )  # fmt: skip
    moved = {"size": head.size, "root": head.root, "signed": signed, "heard_at": tx.clock.now()}
    await tx.session.execute(update(SignedHead).where(*here).values(**moved).execution_options(synchronize_session=False))


async def cosigned(tx: Transaction, peer: str) -> tuple[Cosigned, ...]:
    """The newest heads of a peer's inside log that were found good here, of its newest lives: what we sign unread."""
    query = (
        select(col(SignedHead.incarnation), col(SignedHead.size), col(SignedHead.root))
        .where(
            col(SignedHead.sender) == peer, col(SignedHead.log) == Log.INSIDE.value, col(SignedHead.state) == HeadState.GOOD.value
        )
        .order_by(col(SignedHead.incarnation).desc())
        .limit(INSIDE_MAX)
    )
    return tuple(Cosigned(incarnation=i, size=s, root=r) for i, s, r in (await tx.session.execute(query)).tuples())
