"""What this agency does inside, as one more log: each row of certain tables gets a leaf, and peers sign the log's heads unread.

Leaves are salted commitments, so a head tells nothing of what was done, and only rows that are here can be shown to be under it.
A row gets its leaf soon after its commit, by a worker: whoever looks at a case waits for none of this.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import select, update
from sqlmodel import SQLModel, col

from shared.contracts.wire.envelope import Inner
from shared.contracts.wire.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    SALT_BYTES,
    Frontier,
    Span,
    completed,
    consistency_spans,
    joined,
    leaf_of,
    perfect_parts,
)
from shared.contracts.wire.statements import INSIDE_MAX, Cosigned, InsideHead, Statement
from shared.exchange.incarnations import current_incarnation
from shared.exchange.outbox import insert_if_absent
from shared.exchange.registry import Hooks
from shared.exchange.tables import InsideHead as OwnHead
from shared.exchange.tables import InsideRow, InsideSignature, Peer
from shared.kit.bulk import insert_many
from shared.kit.db import Database, Transaction
from shared.kit.errors import DatabaseAway

LOG_EVERY_S = 2.0  # a look at a case is under a head within this, and signed with the next heartbeat
LOG_BATCH = 500  # rows logged in one transaction, like a batch of the relay
ABANDONED = "life"  # the first leaf of a life's log where there were lives before: what their logs came to
UNFIT = "rewritten"


@dataclass(frozen=True, slots=True)
class Source:
    """A table whose rows are never changed once they are written, and the columns that a leaf commits to, its key first.

    It has a column `inside_seq`, NULL until the row has its leaf, with an index of what is NULL.
    """

    table: type[SQLModel]
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """The table's."""
        return str(self.table.__tablename__)

    @property
    def key(self) -> Any:
        """The key's column."""
        return getattr(self.table, self.columns[0])

    def content(self, row: Any) -> bytes:
        """The bytes that a row's leaf commits to."""
        return content_of(self.name, {name: getattr(row, name) for name in self.columns})


def content_of(source: str, values: Mapping[str, Any]) -> bytes:
    """What a leaf commits to, as JSON."""
    return to_json({"source": source, **values})


async def log_inside(database: Database, sources: Sequence[Source]) -> int:
    """Gives leaves to rows that have none; returns how many got one. Raises DatabaseAway."""
    async with database.read() as tx:
        waiting = [source for source in sources if (await tx.session.execute(_unlogged(source).limit(1))).first() is not None]
    if not waiting:
        return 0
    async with database.write() as tx:
        life = await current_incarnation(tx, share=True)
        head = await _locked_head(tx, life)
        fresh = _Growing(life, Frontier.from_bytes(head.size, head.frontier))
        if not head.size and (ended := await ended_logs(tx, life)):
            fresh.add(ABANDONED, str(life), content_of(ABANDONED, {"ended": ended}))
        logged = 0
        for source in waiting:
            rows = (await tx.session.execute(_unlogged(source).limit(LOG_BATCH - logged))).scalars().all()
            for row in rows:
                row.inside_seq = fresh.add(source.name, str(getattr(row, source.columns[0])), source.content(row))
            logged += len(rows)
        await tx.flush()
        now = tx.clock.now()
        await insert_many(tx, InsideRow, [{**row, "logged_at": now} for row in fresh.rows])
        moved = {"size": fresh.frontier.size, "frontier": fresh.frontier.to_bytes()}
        await tx.session.execute(update(OwnHead).where(col(OwnHead.incarnation) == life).values(**moved))
    return logged


def _unlogged(source: Source) -> Any:
    # Under the head's lock, so nobody else gives leaves; a key is a UUIDv7, so rows stand nearly as they were written.
    return select(source.table).where(source.table.inside_seq.is_(None)).order_by(source.key)  # type: ignore[attr-defined]


class _Growing:
    """The log of a life with the leaves of one transaction more."""

    def __init__(self, life: UUID, frontier: Frontier) -> None:
        self._life, self.frontier, self.rows = life, frontier, list[dict[str, Any]]()

    def add(self, source: str, key: str, content: bytes) -> int:
        """One more leaf; returns its place."""
        salt = secrets.token_bytes(SALT_BYTES)
        leaf = leaf_of(content, salt)
        self.frontier, made = completed(self.frontier, leaf)
        nodes = b"".join(root for _, root in made[1:])
        place = {"incarnation": self._life, "seq": self.frontier.size, "source": source, "row_key": key}
        self.rows.append({**place, "salt": salt, "leaf": leaf, "nodes": nodes})
        return self.frontier.size


async def _locked_head(tx: Transaction, life: UUID) -> OwnHead:
    key = {"incarnation": life, "size": 0, "frontier": b""}
    await tx.session.execute(insert_if_absent(tx, OwnHead), [key])
    query = select(OwnHead).where(col(OwnHead.incarnation) == life)
    return (await tx.session.execute(query.with_for_update().execution_options(populate_existing=True))).scalar_one()


async def ended_logs(tx: Transaction, life: UUID) -> list[dict[str, Any]]:
    """What the logs of the lives before this one came to, oldest first."""
    query = select(OwnHead).where(col(OwnHead.incarnation) < life, col(OwnHead.size) > 0).order_by(col(OwnHead.incarnation))
    return [
        {"incarnation": row.incarnation, "size": row.size, "root": Frontier.from_bytes(row.size, row.frontier).root().hex()}
        for row in (await tx.session.execute(query)).scalars()
    ]


# --- what peers are told, and sign ---------------------------------------------------------------------------------------------


# By peer and life of ours: what a peer said last that it has signed of our log, as this process heard it, and whether that fits.
# The table says it to a process that has heard nothing yet; and whoever may write to it may write something else.
LastSigned = dict[tuple[str, UUID], tuple[Cosigned, bool]]


async def inside_heads(tx: Transaction, peer: str) -> tuple[InsideHead, ...]:
    """The heads of our newest lives' logs, the living one's first, each proved to begin as the one that the peer signed last."""
    # Signatures first: a head that is read after them is never behind what they are for.
    living = await current_incarnation(tx)
    life = select(col(Peer.incarnation)).where(col(Peer.peer) == peer).scalar_subquery()
    query = select(InsideSignature).where(col(InsideSignature.peer) == peer, col(InsideSignature.peer_incarnation) == life)
    signed = {row.incarnation: row for row in (await tx.session.execute(query)).scalars()}
    order = ((col(OwnHead.incarnation) == living).desc(), col(OwnHead.incarnation).desc())
    newest = select(OwnHead).where(col(OwnHead.size) > 0).order_by(*order).limit(INSIDE_MAX)
    newest = newest.execution_options(populate_existing=True)
    return tuple([await _told(tx, head, signed.get(head.incarnation)) for head in (await tx.session.execute(newest)).scalars()])


async def _told(tx: Transaction, head: OwnHead, signed: InsideSignature | None) -> InsideHead:
    root, since = Frontier.from_bytes(head.size, head.frontier).root(), signed.said_size if signed is not None else 0
    told = InsideHead(incarnation=head.incarnation, size=head.size, root=root)
    return await _since(tx, told, since)


async def _since(tx: Transaction, head: InsideHead, since: int) -> InsideHead:
    proof: tuple[bytes, ...] = ()
    if 0 < since < head.size:
        # Where a part of the log is gone nothing can be proved, and the peer refuses the head.
        proof = tuple(await roots_of(tx, head.incarnation, consistency_spans(since, head.size)) or ())
    return head.model_copy(update={"since": since, "proof": proof})


async def as_heard(tx: Transaction, peer: str, told: Sequence[InsideHead], heard: LastSigned) -> tuple[InsideHead, ...]:
    """The heads that a statement tells, each proved from what this process heard the peer sign last, whatever the table says; and a
    living log that was signed and is not here any more, told as empty. `heard` is from before the heads were read."""
    signed = {life: one.size for (whose, life), (one, _) in heard.items() if whose == peer}
    found = list(told)
    for at, head in enumerate(told):
        if signed.get(head.incarnation, head.since) != head.since:
            found[at] = await _since(tx, head, signed[head.incarnation])
    living = await current_incarnation(tx)
    if living in signed and living not in {head.incarnation for head in told}:
        gone = InsideHead(incarnation=living, size=0, root=EMPTY_ROOT, since=signed[living])
        found = [gone, *found[: INSIDE_MAX - 1]]
    return tuple(found)


async def roots_of(tx: Transaction, life: UUID, spans: Sequence[Span]) -> list[bytes] | None:
    """The roots over stretches of a life's log, from the rows that complete their subtrees; None where one of those is not here."""
    parts = {part for span in spans for part in perfect_parts(span)}
    query = select(col(InsideRow.seq), col(InsideRow.leaf), col(InsideRow.nodes)).where(
        col(InsideRow.incarnation) == life, col(InsideRow.seq).in_({end for _, end in parts})
    )
    rows = {int(seq): (leaf, nodes) for seq, leaf, nodes in (await tx.session.execute(query)).tuples()}
    found: dict[Span, bytes] = {}
    for first, end in parts:
        leaf, nodes = rows.get(end, (b"", b""))
        height = (end - first).bit_length() - 1
        found[first, end] = leaf if height == 0 else nodes[(height - 1) * HASH_BYTES : height * HASH_BYTES]
        if len(found[first, end]) != HASH_BYTES:
            return None
    return [joined([found[part] for part in perfect_parts(span)]) for span in spans]


async def root_at(tx: Transaction, life: UUID, size: int) -> bytes | None:
    """The root of a life's log when it had that many leaves; None where it has fewer here."""
    if size == 0:
        return EMPTY_ROOT
    roots = await roots_of(tx, life, [(0, size)])
    return roots[0] if roots is not None else None


async def take_cosigned(tx: Transaction, hooks: Hooks, inner: Inner, statement: Statement, heard: LastSigned) -> None:
    """Keeps a peer's signatures under our log, the highest of each of its lives, and what it said last in `heard`; somebody is told
    where one does not fit.

    Then this database is not what it was when the peer signed: an older copy of itself, or changed by hand.
    """
    if not statement.cosigned:
        return
    peer, peer_life, life = inner.header.sender, inner.header.incarnation, await current_incarnation(tx)
    now = tx.clock.now()
    made_at = min(now, statement.made_at)  # a clock that was ahead for a day would silence its peer for as long
    found: LastSigned = {}
    tx.on_commit(lambda: heard.update(found))  # letters overtake each other: the next one, seconds later, says what holds again
    for one in statement.cosigned:
        if one.incarnation != life and await tx.session.get(OwnHead, one.incarnation) is None:
            continue  # a life that this copy of the database never knew
        fits = one.incarnation != life or await root_at(tx, one.incarnation, one.size) == one.root
        found[peer, one.incarnation] = (one, fits)
        if not fits and heard.get((peer, one.incarnation)) != (one, False):  # the same again says nothing new
            await hooks.trouble(UNFIT, peer, {"incarnation": str(one.incarnation), "seq": one.size}, tx)
        query = select(InsideSignature).where(
            col(InsideSignature.peer) == peer, col(InsideSignature.peer_incarnation) == peer_life,
            col(InsideSignature.incarnation) == one.incarnation,
        )  # fmt: skip
        held = (await tx.session.execute(query.with_for_update().execution_options(populate_existing=True))).scalar_one_or_none()
        is_same = held is not None and (held.size, held.root, held.said_size) == (one.size, one.root, one.size)
        if held is None or not (is_same or made_at <= held.made_at <= now):  # what was kept tomorrow is nobody's word
            await _keep(tx, inner, made_at, one, held)


async def _keep(tx: Transaction, inner: Inner, made_at: datetime, one: Cosigned, held: InsideSignature | None) -> None:
    if held is None:
        row = {
            "peer": inner.header.sender, "peer_incarnation": inner.header.incarnation, "incarnation": one.incarnation,
            "size": one.size, "root": one.root, "said_size": one.size, "made_at": made_at, "signed": inner.raw,
        }  # fmt: skip
        await tx.session.execute(insert_if_absent(tx, InsideSignature), [row])
        return
    held.said_size, held.made_at = one.size, made_at
    if one.size >= held.size:
        held.size, held.root, held.signed = one.size, one.root, inner.raw
    await tx.session.flush()


async def run_inside(database: Database, sources: Sequence[Source], stop: asyncio.Event) -> None:
    """Gives leaves until `stop` is set."""
    while not stop.is_set():
        logged = 0
        with contextlib.suppress(DatabaseAway):
            logged = await log_inside(database, sources)
        if logged < LOG_BATCH:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOG_EVERY_S)
