"""Words that no restore can need any more are cleared, at both ends; what remains is the event's id, its slot and its leaf.

Whatever backup of either end is put back, not older than BACKUP_WINDOW when its database was lost, holds what is cleared here:
the other end was heard, in the same life, that long after it had the words (decision 19).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, or_, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import Reopened
from shared.exchange.tables import (
    INBOX_WORDS,
    OUTBOX_WORDS,
    InboxRow,
    LostSlot,
    MissingSlot,
    OutboxRow,
    Peer,
    ReceivedSlot,
)
from shared.kit.bulk import among
from shared.kit.db import Database, Transaction
from shared.kit.errors import DatabaseAway

# The oldest backup that may be put back: longer, and it would bring back keys that were destroyed.
BACKUP_WINDOW = timedelta(days=7)
# An agency that is silent for longer is not going to put a backup back; until then words wait for it.
SILENCE_MAX = timedelta(days=90)
CLEAR_BATCH = 500  # rows of one peer cleared in one transaction: one relay batch, some milliseconds
CLEAR_EVERY_S = 600.0  # between looks that find little: nobody minds ten minutes of seven days
CLEAR_PAUSE_S = 0.2  # between batches where there is more: events go first
FILLED_KEPT = timedelta(days=1)  # of a slot that was given up and came: whose trace it was shows at the next copy, within minutes


Held = Callable[[Transaction], Awaitable[Collection[UUID]]]


async def _nothing(_tx: Transaction) -> Collection[UUID]:
    return ()


async def clear(database: Database, acts_first: Collection[str], held: Held = _nothing) -> int:
    """Clears a batch for every peer; returns how many words were cleared. Words of the types `acts_first` are kept for ever, as is
    the first word of a life: they name nobody, and a restore from any backup must learn them. So is what was blank from the start;
    and what is about the subjects that `held` names, by order of a court.

    Raises DatabaseAway.
    """
    kept = {*acts_first, Reopened.TYPE}
    async with database.read() as tx:
        peers = list((await tx.session.execute(select(Peer))).scalars())
        now = tx.clock.now()
    cleared = 0
    for peer in peers:
        before = horizon(peer, now)
        async with database.write() as tx:
            held_here = await held(tx)
            said = await _clear_said(tx, peer.peer, before, kept, held_here)
            heard = await _clear_heard(tx, peer.peer, before, kept, held_here)
            await _forget_filled(tx, peer.peer)
        cleared += said + heard
    return cleared


def horizon(peer: Peer, now: datetime) -> datetime:
    """What both ends have had since before this is cleared.

    It was had for BACKUP_WINDOW when the peer was last heard, and for all that time the peer lived one life in which it asked for
    nothing that it had held before. A peer that has been silent for very long is waited for no longer.
    """
    latest = now - SILENCE_MAX
    if peer.spoke_at is None or peer.whole_since is None or peer.whole_since > peer.spoke_at - BACKUP_WINDOW:
        return latest
    return max(latest, peer.spoke_at - BACKUP_WINDOW)


async def _clear_said(tx: Transaction, peer: str, before: datetime, kept: set[str], held: Collection[UUID]) -> int:
    query = (
        select(col(OutboxRow.position))
        .where(OUTBOX_WORDS, col(OutboxRow.recipient) == peer, col(OutboxRow.delivered_at) <= before)
        .where(col(OutboxRow.is_home), ~col(OutboxRow.is_due), ~col(OutboxRow.is_withheld), col(OutboxRow.type).not_in(kept))
        .where(~among(tx, col(OutboxRow.subject), held))
    )
    positions = await _some(tx, query.order_by(col(OutboxRow.delivered_at)))
    await tx.session.execute(update(OutboxRow).where(col(OutboxRow.position).in_(positions)).values(inner=None, data=None))
    return len(positions)


async def _clear_heard(tx: Transaction, peer: str, before: datetime, kept: set[str], held: Collection[UUID]) -> int:
    query = (
        select(col(InboxRow.event_id))
        .where(INBOX_WORDS, col(InboxRow.sender) == peer, col(InboxRow.settled_at) <= before, col(InboxRow.type).not_in(kept))
        .where(or_(col(InboxRow.subject).is_(None), ~among(tx, col(InboxRow.subject), held)))
        .order_by(col(InboxRow.settled_at))
    )
    ids = await _some(tx, query)
    mine = (col(InboxRow.sender) == peer, col(InboxRow.event_id).in_(ids))
    await tx.session.execute(update(InboxRow).where(*mine).values(inner=None))
    return len(ids)


async def _some(tx: Transaction, query: Any) -> list[Any]:
    # Whoever holds one of them has just asked for it, or gives it back: it is looked at again later.
    return list((await tx.session.execute(query.limit(CLEAR_BATCH).with_for_update(skip_locked=True))).scalars())


async def _forget_filled(tx: Transaction, peer: str) -> None:
    """Slots that were asked for and have come are missing no longer."""
    same = (
        col(ReceivedSlot.sender) == col(MissingSlot.sender), col(ReceivedSlot.incarnation) == col(MissingSlot.incarnation),
        col(ReceivedSlot.seq) == col(MissingSlot.seq),
    )  # fmt: skip
    lost = (
        col(LostSlot.sender) == col(MissingSlot.sender), col(LostSlot.incarnation) == col(MissingSlot.incarnation),
        col(LostSlot.seq) == col(MissingSlot.seq),
    )  # fmt: skip
    came = exists().where(*same).correlate(MissingSlot)
    came_long_ago = exists().where(*same, col(ReceivedSlot.received_at) <= tx.clock.real() - FILLED_KEPT).correlate(MissingSlot)
    is_lost = exists().where(*lost).correlate(MissingSlot)
    over = or_(came_long_ago, ~col(MissingSlot.is_parked) & or_(came, is_lost))
    query = delete(MissingSlot).where(col(MissingSlot.sender) == peer, over)
    await tx.session.execute(query.execution_options(synchronize_session=False))


async def run_clearing(database: Database, acts_first: Collection[str], held: Held, stop: asyncio.Event) -> None:
    """Clears until `stop` is set."""
    while not stop.is_set():
        cleared = 0
        with contextlib.suppress(DatabaseAway):
            cleared = await clear(database, acts_first, held)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), CLEAR_PAUSE_S if cleared >= CLEAR_BATCH else CLEAR_EVERY_S)
