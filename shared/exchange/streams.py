"""Numbering: the relay's transaction that gives rows their slots in a stream, with leaf and root, under the head's lock.

A numbered row keeps its number for ever. No cursor is kept: what is unnumbered is found by being unnumbered.
"""

import logging
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import Event, Header, Kind, Reopened
from shared.contracts.wire.merkle import SALT_BYTES, Frontier, leaf_of
from shared.exchange.incarnations import current_incarnation
from shared.exchange.outbox import insert_if_absent
from shared.exchange.seal import Seal
from shared.exchange.tables import OutboxRow, Stream
from shared.kit.crash import crash_point
from shared.kit.db import Database, Transaction
from shared.kit.keystore import CANNOT_OPEN, KeyDestroyed, ValueNotOpened
from shared.kit.sealed import Under, as_it_lies, sealed_columns

SHUT_MAX = 10_000  # rows of one recipient that do not open, remembered so as to be passed over: SQLite takes 32,766 values in a
# statement. That is a keystore many days older than its database; of more each is tried anew with every batch, which takes longer.
NUMBER_BATCH = 500  # rows numbered in one transaction: long enough to be cheap, short enough not to hold up a consent taken back

SAID = (
    col(OutboxRow.position), col(OutboxRow.event_id), col(OutboxRow.lane_key), col(OutboxRow.is_express), col(OutboxRow.type),
    col(OutboxRow.dataversion), col(OutboxRow.subject), col(OutboxRow.occurred_at), col(OutboxRow.recorded_at),
    col(OutboxRow.after), col(OutboxRow.consent_id), col(OutboxRow.circle_version), col(OutboxRow.traceparent),
    col(OutboxRow.is_withheld), as_it_lies(OutboxRow.data),
)  # fmt: skip
READY = (
    col(OutboxRow.position), col(OutboxRow.event_id), col(OutboxRow.lane_key), col(OutboxRow.is_express),
    col(OutboxRow.incarnation), col(OutboxRow.seq), as_it_lies(OutboxRow.inner), col(OutboxRow.is_withheld),
)  # fmt: skip

# Three statements for a batch on PostgreSQL; the portable forms stand beside their use.
# The lock of the life (nobody opens another while numbers are given in this one), then that of the stream's head.
LOCK_HEAD = """
    SELECT s.incarnation, s.size, s.frontier FROM exchange_incarnations AS i JOIN exchange_streams AS s ON s.incarnation = i.id
    WHERE i.is_current AND s.recipient = $1 FOR SHARE OF i FOR UPDATE OF s
"""
NEXT = """
    SELECT position, event_id, lane_key, is_express, type, dataversion, subject, occurred_at, recorded_at, after, consent_id,
        circle_version, traceparent, is_withheld, uuid_send(event_id) || data AS data
    FROM exchange_outbox WHERE recipient = $1 AND seq IS NULL AND position <> ALL($4::bigint[])
    ORDER BY (type = $2) DESC, is_acute DESC, position LIMIT $3 OFFSET $5 FOR UPDATE
"""
SAVE = """
    WITH head AS (
        UPDATE exchange_streams SET size = $7, held = $7, frontier = $8 WHERE recipient = $9 AND incarnation = $1
    )
    UPDATE exchange_outbox AS o
    SET incarnation = $1, is_due = true, seq = v.seq, leaf = v.leaf, root_after = v.root_after, "inner" = v.inner_form,
        is_withheld = v.is_withheld
    FROM unnest($2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $10::boolean[])
        AS v(position, seq, leaf, root_after, inner_form, is_withheld)
    WHERE o.position = v.position
"""
DUE = """
    SELECT position, event_id, lane_key, is_express, incarnation, seq, "inner", is_withheld
    FROM exchange_outbox WHERE recipient = $1 AND is_due AND "inner" IS NOT NULL AND position <> ALL($3::bigint[])
    ORDER BY is_acute DESC, incarnation, seq LIMIT $2 OFFSET $4
"""
MARK_SENT = "UPDATE exchange_outbox SET sent_at = coalesce(sent_at, $2), is_due = false WHERE position = ANY($1::bigint[])"


log = logging.getLogger(__name__)


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


async def number(
    database: Database, agency: str, recipient: str, seal: Seal, shut: dict[int, UUID] | None = None
) -> list[Numbered]:
    """Numbers up to NUMBER_BATCH rows for one recipient, acute first, then by position; returns them ready to send.

    What opens a new incarnation comes before everything else: its first leaf signs what was abandoned. What does not open, because
    its key is not in the keystore, is put into `shut` by position, with its event's id, and what is there already is passed over:
    it has no number yet, and nothing else waits for it. Past SHUT_MAX nothing more is put there, and what lies behind is found all
    the same. What was erased travels as withheld.
    """
    shut = {} if shut is None else shut
    async with database.write() as tx:
        incarnation, frontier = await _lock_head(tx, recipient)
        rows = await _unnumbered(tx, recipient, shut)
        if not rows:
            return []
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
            # What is blank tells nothing, and its case may be erased: it lies under the agency's own key.
            under = Under(None if row.is_withheld else row.lane_key, inner)
            values.append(
                {"p": row.position, "s": frontier.size, "l": leaf, "r": frontier.root(), "n": under, "w": row.is_withheld}
            )
            numbered.append(
                Numbered(
                    row.position, row.event_id, row.lane_key, row.is_express, incarnation, frontier.size, inner, row.is_withheld
                )
            )
        await _save(tx, recipient, incarnation, values, frontier)
        crash_point("relay.before_number_commit")
    crash_point("relay.after_number_commit")
    return numbered


async def _lock_head(tx: Transaction, recipient: str) -> tuple[UUID, Frontier]:
    """The current life, held until the transaction ends, and how far its stream to the recipient goes, locked."""
    if tx.dialect == "postgresql":
        head = await (await tx.driver()).fetchrow(LOCK_HEAD, recipient)
        if head is not None:
            return head["incarnation"], Frontier.from_bytes(head["size"], head["frontier"])
    incarnation = await current_incarnation(tx, share=True)
    key = {"recipient": recipient, "incarnation": incarnation, "size": 0, "held": 0, "frontier": b""}
    await tx.session.execute(insert_if_absent(tx, Stream), [key])
    query = select(Stream).where(col(Stream.recipient) == recipient, col(Stream.incarnation) == incarnation)
    stream = (await tx.session.execute(query.with_for_update().execution_options(populate_existing=True))).scalar_one()
    return incarnation, Frontier.from_bytes(stream.size, stream.frontier)


@dataclass(slots=True)
class _Said:
    """What was said, as it is numbered; the columns of NEXT and SAID."""

    position: int
    event_id: UUID
    lane_key: UUID
    is_express: bool
    type: str
    dataversion: int
    subject: UUID
    occurred_at: datetime
    recorded_at: datetime
    after: UUID | None
    consent_id: UUID | None
    circle_version: int | None
    traceparent: str | None
    is_withheld: bool
    data: Any  # as it lies there until it is opened: None, or an event's data


async def _unnumbered(tx: Transaction, recipient: str, shut: dict[int, UUID]) -> list[_Said]:
    opens, tried = sealed_columns(OutboxRow)["data"], 0
    while True:
        rows, found = await _lying(tx, recipient, shut, tried), []
        for row in rows:
            try:
                row.data = opens.open(row.data, tx.keys)
            except KeyDestroyed:
                row.data, row.is_withheld = None, True
            except ValueNotOpened as error:
                tried += _pass_over(shut, row.position, row.event_id, error)
                continue
            found.append(row)
        if found or len(rows) < NUMBER_BATCH:
            return found


def _pass_over(shut: dict[int, UUID], position: int, event_id: UUID, error: Exception) -> int:
    """Remembers a row that does not open; 1 where there is no room for it, and it has to be tried each time."""
    if len(shut) >= SHUT_MAX:
        return 1
    shut[position] = event_id
    log.error("word_shut", extra={"words": str(error)})
    return 0


async def _lying(tx: Transaction, recipient: str, shut: Collection[int], tried: int = 0) -> list[_Said]:
    """As the rows lie there: `data` is sealed. `tried`: how many of the first were tried in vain and are not remembered."""
    # Columns, not objects: numbering a backlog is the relay's whole work.
    if tx.dialect == "postgresql":
        found = await (await tx.driver()).fetch(NEXT, recipient, Reopened.TYPE, NUMBER_BATCH, list(shut), tried)
        return [_Said(**row) for row in found]
    query = (
        select(*SAID)
        .where(col(OutboxRow.recipient) == recipient, col(OutboxRow.seq).is_(None), col(OutboxRow.position).not_in(shut))
        .order_by((col(OutboxRow.type) == Reopened.TYPE).desc(), col(OutboxRow.is_acute).desc(), col(OutboxRow.position))
        .limit(NUMBER_BATCH)
        .offset(tried)
        .with_for_update()
    )
    return [_Said(*tuple(row)) for row in (await tx.session.execute(query)).all()]


def _event_of(row: _Said, agency: str) -> Event:
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


async def _save(
    tx: Transaction, recipient: str, incarnation: UUID, values: Sequence[Mapping[str, Any]], frontier: Frontier
) -> None:
    if tx.dialect == "postgresql":
        inner = sealed_columns(OutboxRow)["inner"]
        sealed = [inner.seal(value["n"], tx.keys) for value in values]
        arrays = ([value[name] for value in values] for name in ("p", "s", "l", "r"))
        blank = [value["w"] for value in values]
        await (await tx.driver()).execute(SAVE, incarnation, *arrays, sealed, frontier.size, frontier.to_bytes(), recipient, blank)
        return
    here = (col(Stream.recipient) == recipient, col(Stream.incarnation) == incarnation)
    moved = {"size": frontier.size, "held": frontier.size, "frontier": frontier.to_bytes()}
    await tx.session.execute(update(Stream).where(*here).values(**moved))
    table = OutboxRow.__table__  # type: ignore[attr-defined]
    numbered: dict[str, Any] = {
        "seq": bindparam("s"),
        "leaf": bindparam("l"),
        "root_after": bindparam("r"),
        "inner": bindparam("n"),
        "is_withheld": bindparam("w"),
    }
    statement = update(table).where(table.c.position == bindparam("p"))
    connection = await tx.session.connection()
    await connection.execute(statement.values(**numbered, incarnation=incarnation, is_due=True), list(values))


async def due(database: Database, recipient: str, shut: dict[int, UUID] | None = None) -> list[Numbered]:
    """Numbered rows that have not been sent, or were asked for again; what does not open goes into `shut`, as in `number`."""
    shut, opens, tried = {} if shut is None else shut, sealed_columns(OutboxRow)["inner"], 0
    async with database.read() as tx:
        while True:
            rows, found = await _ready(tx, recipient, shut, tried), []
            for row in rows:
                try:
                    found.append(replace(row, inner=opens.open(row.inner, tx.keys)))
                except CANNOT_OPEN as error:
                    tried += _pass_over(shut, row.position, row.event_id, error)
            if found or len(rows) < NUMBER_BATCH:
                return found


async def _ready(tx: Transaction, recipient: str, shut: Collection[int], tried: int) -> list[Numbered]:
    """As the rows lie there: `inner` is sealed. `tried`: as above."""
    if tx.dialect == "postgresql":
        return [Numbered(**row) for row in await (await tx.driver()).fetch(DUE, recipient, NUMBER_BATCH, list(shut), tried)]
    query = (
        select(*READY)
        .where(
            col(OutboxRow.recipient) == recipient, col(OutboxRow.is_due), col(OutboxRow.inner).is_not(None),
            col(OutboxRow.position).not_in(shut),
        )
        .order_by(col(OutboxRow.is_acute).desc(), col(OutboxRow.incarnation), col(OutboxRow.seq))
        .limit(NUMBER_BATCH)
        .offset(tried)
    )  # fmt: skip
    return [Numbered(*row) for row in (await tx.session.execute(query)).all()]


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
