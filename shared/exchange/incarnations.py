"""The lives of this agency's database: one is current, a restore opens the next, and ended ones are accepted for ever.

Numbers are given in the current one only. Ids are UUIDv7, so lives sort in the order in which they were opened.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlmodel import col

from shared.contracts.wire.envelope import ENDED_MAX, EndedStream, Reopened
from shared.contracts.wire.merkle import Frontier
from shared.exchange.outbox import Outgoing, add, insert_if_absent, lock_subjects
from shared.exchange.said import streams_to
from shared.exchange.tables import Incarnation, Recovery
from shared.kit.db import Transaction
from shared.kit.ids import new_id

ENDED_LIVES = "SELECT count(*) FROM exchange_incarnations WHERE NOT is_current"
OPENING = UUID(int=1)  # the lock of whoever opens an incarnation


async def current_incarnation(tx: Transaction, *, share: bool = False) -> UUID:
    """The id of this life of the database; the first call opens the first one. `share` holds it until the transaction ends."""
    query = select(col(Incarnation.id)).where(col(Incarnation.is_current))
    query = query.with_for_update(read=True) if share else query
    known = (await tx.session.execute(query)).scalar_one_or_none()
    if known is not None:
        return known
    await lock_subjects(tx, [OPENING])  # two processes at the first start open one incarnation, not two
    known = (await tx.session.execute(query)).scalar_one_or_none()
    if known is not None:
        return known
    return await _open(tx)


async def _open(tx: Transaction) -> UUID:
    fresh = new_id()
    await tx.session.execute(insert(Incarnation).values(id=fresh, opened_at=tx.clock.now(), is_current=True))
    return fresh


async def open_incarnation(
    tx: Transaction, peers: Iterable[str], because: str, said_before: Mapping[str, int] | None = None
) -> UUID:
    """Ends the current life and opens the next: every peer is asked for what it holds, and told what was abandoned.

    `because` is a code: restored, anchor_missing, anchor_ahead, another_database, peer_holds_more, own_signature.
    """
    await lock_subjects(tx, [OPENING])
    ended = (await tx.session.execute(select(col(Incarnation.id)).where(col(Incarnation.is_current)))).scalar_one_or_none()
    await tx.session.execute(update(Incarnation).values(is_current=False))
    fresh = await _open(tx)
    for peer in peers:
        said = (said_before or {}).get(peer, 0)  # as the anchor has it, beyond what this copy of the database knows
        values = {
            "incarnation": fresh,
            "ended": ended,
            "said_before": said,
            "because": because,
            "opened_at": tx.clock.now(),
            "answered_at": None,
        }
        await tx.session.execute(insert_if_absent(tx, Recovery), [{"peer": peer, **values}])
        await tx.session.execute(update(Recovery).where(col(Recovery.peer) == peer).values(**values))
        await _say_what_ended(tx, peer)
    return fresh


async def _say_what_ended(tx: Transaction, peer: str) -> None:
    ended = tuple(
        EndedStream(incarnation=s.incarnation, size=s.size, root=Frontier.from_bytes(s.held, s.frontier).root())
        for s in (await streams_to(tx, peer))[-ENDED_MAX:]
    )
    if not ended:
        return
    word, about = Reopened(ended=ended), new_id()
    await lock_subjects(tx, [about])
    outgoing = Outgoing(
        recipient=peer, type=Reopened.TYPE, dataversion=Reopened.VERSION, subject=about, lane_key=about,
        data=word.model_dump(mode="json"), occurred_at=tx.clock.now(),
    )  # fmt: skip
    await add(tx, outgoing)


async def restored_at(tx: Transaction) -> datetime | None:
    """When the current life began, where it is not the first that is known: what was here before came out of a backup."""
    lives = (await tx.session.execute(select(col(Incarnation.opened_at), col(Incarnation.is_current)))).tuples().all()
    return next((opened_at for opened_at, is_current in lives if is_current), None) if len(lives) > 1 else None


async def ended_lives(tx: Transaction) -> int:
    """How many lives this database has had before the current one, as far as it knows."""
    if tx.dialect == "postgresql":  # asked for whenever cases are numbered
        return int(await (await tx.driver()).fetchval(ENDED_LIVES))
    return int((await tx.session.execute(text(ENDED_LIVES))).scalar_one())


async def remember_incarnation(tx: Transaction, incarnation: UUID) -> None:
    """Notes a life of this database that only its peers or its anchor remember."""
    row = {"id": incarnation, "opened_at": tx.clock.now(), "is_current": False}
    await tx.session.execute(insert_if_absent(tx, Incarnation), [row])


async def awaited_peers(tx: Transaction) -> frozenset[str]:
    """The peers that have not yet answered since the last restore."""
    query = select(col(Recovery.peer)).where(col(Recovery.answered_at).is_(None))
    return frozenset((await tx.session.execute(query)).scalars())


async def is_awaited(tx: Transaction, peer: str) -> bool:
    """Whether this agency was restored and has not yet been told by `peer` what it knew."""
    row = await tx.session.get(Recovery, peer, populate_existing=True)
    return row is not None and row.answered_at is None
