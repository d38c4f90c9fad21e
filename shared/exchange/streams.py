"""Numbering: the relay's transaction that gives rows their slots in a stream, with leaf and root, under the head's lock.

A numbered row keeps its number for ever. No cursor is kept: what is unnumbered is found by being unnumbered.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, func, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import Event, Header, Kind, Reopened
from shared.contracts.wire.merkle import SALT_BYTES, Frontier, leaf_of
from shared.exchange.incarnations import current_incarnation
from shared.exchange.outbox import insert_if_absent
from shared.exchange.seal import Seal
from shared.exchange.tables import OutboxRow, Stream
from shared.kit.crash import crash_point
from shared.kit.db import Database, Transaction

NUMBER_BATCH = 500  # rows numbered in one transaction: long enough to be cheap, short enough not to hold up a consent taken back

SAID = (
    col(OutboxRow.position), col(OutboxRow.event_id), col(OutboxRow.lane_key), col(OutboxRow.is_express), col(OutboxRow.type),
    col(OutboxRow.dataversion), col(OutboxRow.subject), col(OutboxRow.occurred_at), col(OutboxRow.recorded_at),
    col(OutboxRow.after), col(OutboxRow.consent_id), col(OutboxRow.circle_version), col(OutboxRow.traceparent),
    col(OutboxRow.is_withheld), col(OutboxRow.data),
)  # fmt: skip
READY = (
    col(OutboxRow.position), col(OutboxRow.event_id), col(OutboxRow.lane_key), col(OutboxRow.is_express),
    col(OutboxRow.incarnation), col(OutboxRow.seq), col(OutboxRow.inner), col(OutboxRow.is_withheld),
)  # fmt: skip

# One statement for a batch on PostgreSQL; the portable forms stand beside their use.
SAVE = """
    UPDATE exchange_outbox AS o
    SET incarnation = $1, is_due = true, seq = v.seq, leaf = v.leaf, root_after = v.root_after, "inner" = v.inner_form
    FROM unnest($2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[]) AS v(position, seq, leaf, root_after, inner_form)
    WHERE o.position = v.position
"""
MARK_SENT = "UPDATE exchange_outbox SET sent_at = coalesce(sent_at, $2), is_due = false WHERE position = ANY($1::bigint[])"


@dataclass(frozen=True, slots=True)
class Numbered:
    """A row that is ready for the wire."""

    position: int
    event_id: UUID
    lane_key: UUID
    is_express: bool
    incarnation: UUID
    seq: int
    inner: bytes
    is_withheld: bool = False


async def recipients_waiting(database: Database) -> list[str]:
    """The agencies for which unnumbered rows lie in the outbox."""
    async with database.read() as tx:
        query = select(col(OutboxRow.recipient)).where(col(OutboxRow.seq).is_(None)).distinct().order_by(col(OutboxRow.recipient))
        return list((await tx.session.execute(query)).scalars())


async def number(database: Database, agency: str, recipient: str, seal: Seal) -> list[Numbered]:
    """Numbers up to NUMBER_BATCH rows for one recipient, acute first, then by position; returns them ready to send.

    What opens a new incarnation comes before everything else: its first leaf signs what was abandoned.
    """
    async with database.write() as tx:
        incarnation = await current_incarnation(tx, share=True)  # nobody opens another while numbers are given in this one
        head = await _lock_head(tx, recipient, incarnation)
        rows = await _unnumbered(tx, recipient)
        if not rows:
            return []
        frontier = Frontier.from_bytes(head.size, head.frontier)
        numbered, values = [], []
        for row in rows:
            salt = secrets.token_bytes(SALT_BYTES)
            content = _event_of(row, agency).to_bytes()
            leaf = leaf_of(content, salt)
            frontier = frontier.append(leaf)
            header = Header(
                kind=Kind.EVENT, sender=agency, recipient=recipient, incarnation=incarnation, seq=frontier.size, salt=salt
            )
            inner = seal.sign(header, content)
            values.append({"p": row.position, "s": frontier.size, "l": leaf, "r": frontier.root(), "n": inner})
            numbered.append(
                Numbered(
                    row.position, row.event_id, row.lane_key, row.is_express, incarnation, frontier.size, inner, row.is_withheld
                )
            )
        await _save(tx, incarnation, values)
        head.size, head.held, head.frontier = frontier.size, frontier.size, frontier.to_bytes()
        crash_point("relay.before_number_commit")
    crash_point("relay.after_number_commit")
    return numbered


async def _lock_head(tx: Transaction, recipient: str, incarnation: UUID) -> Stream:
    key = {"recipient": recipient, "incarnation": incarnation, "size": 0, "held": 0, "frontier": b""}
    await tx.session.execute(insert_if_absent(tx, Stream), [key])
    query = select(Stream).where(col(Stream.recipient) == recipient, col(Stream.incarnation) == incarnation)
    return (await tx.session.execute(query.with_for_update())).scalar_one()


async def _unnumbered(tx: Transaction, recipient: str) -> Sequence[Row[Any]]:
    # Columns, not objects: numbering a backlog is the relay's whole work.
    query = (
        select(*SAID)
        .where(col(OutboxRow.recipient) == recipient, col(OutboxRow.seq).is_(None))
        .order_by((col(OutboxRow.type) == Reopened.TYPE).desc(), col(OutboxRow.is_acute).desc(), col(OutboxRow.position))
        .limit(NUMBER_BATCH)
        .with_for_update()
    )
    return (await tx.session.execute(query)).all()


def _event_of(row: Row[Any], agency: str) -> Event:
    return Event(
        id=row.event_id,
        source=agency,
        type=row.type,
        dataversion=row.dataversion,
        subject=row.subject,
        time=row.occurred_at,
        recordedtime=row.recorded_at,
        after=row.after,
        consentid=row.consent_id,
        circleversion=row.circle_version,
        traceparent=row.traceparent,
        withheld=row.is_withheld,
        data=None if row.is_withheld else row.data,
    )


async def _save(tx: Transaction, incarnation: UUID, values: Sequence[Mapping[str, Any]]) -> None:
    if tx.dialect == "postgresql":
        arrays = ([value[name] for value in values] for name in ("p", "s", "l", "r", "n"))
        await (await tx.driver()).execute(SAVE, incarnation, *arrays)
        return
    table = OutboxRow.__table__  # type: ignore[attr-defined]
    numbered: dict[str, Any] = {
        "seq": bindparam("s"),
        "leaf": bindparam("l"),
        "root_after": bindparam("r"),
        "inner": bindparam("n"),
    }
    statement = update(table).where(table.c.position == bindparam("p"))
    connection = await tx.session.connection()
    await connection.execute(statement.values(**numbered, incarnation=incarnation, is_due=True), list(values))


async def due(database: Database, recipient: str, limit: int = NUMBER_BATCH) -> list[Numbered]:
    """Numbered rows that have not been sent, or were asked for again."""
    async with database.read() as tx:
        query = (
            select(*READY)
            .where(col(OutboxRow.recipient) == recipient, col(OutboxRow.is_due), col(OutboxRow.inner).is_not(None))
            .order_by(col(OutboxRow.is_acute).desc(), col(OutboxRow.incarnation), col(OutboxRow.seq))
            .limit(limit)
        )
        rows = (await tx.session.execute(query)).all()
        return [Numbered(*row) for row in rows]


async def mark_sent(tx: Transaction, positions: Sequence[int], at: datetime) -> None:
    """Notes that the broker has taken the rows; `sent_at` keeps the first time."""
    if tx.dialect == "postgresql":
        await (await tx.driver()).execute(MARK_SENT, list(positions), at)
        return
    rows = sorted(positions)
    for start in range(0, len(rows), NUMBER_BATCH):
        chunk = rows[start : start + NUMBER_BATCH]
        sent_at = func.coalesce(col(OutboxRow.sent_at), at)
        await tx.session.execute(update(OutboxRow).where(col(OutboxRow.position).in_(chunk)).values(sent_at=sent_at, is_due=False))
