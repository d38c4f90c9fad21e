"""Saying something to another agency: a row in the caller's transaction, which the relay numbers and sends later.

This module knows no broker. Whoever calls it holds the subject's lock and has passed the data through sharing.py.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Insert, ScalarSelect, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from shared.contracts.wire.envelope import DATA_BYTES_MAX
from shared.exchange.tables import OutboxRow, Subject
from shared.kit.bulk import insert_many
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict
from shared.kit.ids import new_id
from shared.kit.sealed import named

# Made or locked in one statement: a row that is there already is written once more as it is, which locks it.
LOCK_SUBJECTS = """
    INSERT INTO exchange_subjects (id) SELECT * FROM unnest($1::uuid[]) ON CONFLICT (id) DO UPDATE SET id = excluded.id
"""

BEFORE = OutboxRow.__table__.alias("before")  # type: ignore[attr-defined]  # made once: an alias is a copy of every column

_wakers: list[Callable[[], None]] = []


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event for one recipient. `data` is the recipient's minimal projection, codes only; `lane_key` the case or circle."""

    recipient: str
    type: str
    dataversion: int
    subject: UUID
    lane_key: UUID
    data: dict[str, Any]
    occurred_at: datetime
    consent_id: UUID | None = None
    circle_version: int | None = None
    is_express: bool = False
    is_acute: bool = False
    event_id: UUID = field(default_factory=new_id)


async def lock_subjects(tx: Transaction, subjects: Iterable[UUID]) -> None:
    """Makes and locks the subjects' rows, in sorted order: everything about a referral or case is decided under this lock."""
    ids = sorted(set(subjects))
    if not ids:
        return
    if tx.dialect == "postgresql":
        await (await tx.driver()).execute(LOCK_SUBJECTS, ids)
    else:
        await insert_many(tx, Subject, [{"id": id_} for id_ in ids], absent_only=True)


def insert_if_absent(tx: Transaction, table: type[Any]) -> Insert:
    """INSERT … ON CONFLICT DO NOTHING in the database's dialect."""
    if tx.dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


async def add(tx: Transaction, outgoing: Outgoing) -> UUID:
    """Adds the event to the outbox and returns its id; the caller holds the subject's lock. Raises Conflict, as `row_of`."""
    told_before: Any = _told_before(outgoing.subject, outgoing.recipient)
    await tx.session.execute(insert(OutboxRow).values(named(OutboxRow, row_of(tx, outgoing, told_before))))
    wake_on_commit(tx)
    return outgoing.event_id


def row_of(tx: Transaction, outgoing: Outgoing, after: UUID | None) -> dict[str, Any]:
    """The event's row, for a caller that puts several things into the database at once and then calls `wake_on_commit`.

    `after` is the event told before it to this recipient about this subject, read under the subject's lock.
    Raises Conflict for what no envelope holds: once it is kept it would stand before everything else that its recipient is told.
    """
    size = len(to_json(outgoing.data))  # as the event will be written
    if size > DATA_BYTES_MAX:
        raise Conflict(
            "What would be told to %(agency)s is too long for one message (%(size)s bytes, of at most %(limit)s), so nothing was"
            " saved; say it in several parts.",
            agency=Coded(outgoing.recipient, "agency"), size=size, limit=DATA_BYTES_MAX,
        )  # fmt: skip
    return {
        "event_id": outgoing.event_id, "recipient": outgoing.recipient, "type": outgoing.type, "dataversion": outgoing.dataversion,
        "subject": outgoing.subject, "lane_key": outgoing.lane_key, "after": after, "consent_id": outgoing.consent_id,
        "circle_version": outgoing.circle_version, "is_express": outgoing.is_express, "is_acute": outgoing.is_acute,
        "is_withheld": False, "is_forked": False, "is_due": False, "is_home": True, "occurred_at": outgoing.occurred_at,
        "recorded_at": tx.clock.now(), "data": outgoing.data,
    }  # fmt: skip


def rows_in_order(tx: Transaction, words: Sequence[Outgoing], told: Mapping[tuple[UUID, str], UUID]) -> list[dict[str, Any]]:
    """Rows for several events that are told one after the other; `told` is what was told last, by subject and recipient."""
    last = dict(told)
    rows = []
    for word in words:
        key = (word.subject, word.recipient)
        rows.append(row_of(tx, word, last.get(key)))
        last[key] = word.event_id
    return rows


async def told_last(tx: Transaction, subject: UUID) -> dict[tuple[UUID, str], UUID]:
    """What was told last about a subject, by recipient; the caller holds its lock."""
    query = select(col(OutboxRow.recipient), col(OutboxRow.event_id)).where(col(OutboxRow.subject) == subject)
    rows = (await tx.session.execute(query.order_by(col(OutboxRow.incarnation).nulls_last(), col(OutboxRow.position)))).tuples()
    return {(subject, recipient): event_id for recipient, event_id in rows}


def _told_before(subject: UUID, recipient: str) -> ScalarSelect[UUID]:
    query = select(BEFORE.c.event_id).where(BEFORE.c.subject == subject, BEFORE.c.recipient == recipient)
    # By lives and then as it was said: what came home from an earlier life has a later position than what was said since.
    return query.order_by(BEFORE.c.incarnation.desc().nulls_first(), BEFORE.c.position.desc()).limit(1).scalar_subquery()


async def withhold_event(tx: Transaction, event_id: UUID) -> bool:
    """Blanks one row that has not been numbered; False where it has, and then its words are already said."""
    return event_id in await _blank(tx, [col(OutboxRow.event_id) == event_id])


async def withhold_consent(tx: Transaction, consent_id: UUID, recipient: str | None = None) -> frozenset[UUID]:
    """Blanks every unnumbered row that rests on a consent (of those for one recipient, where it is named); returns the ids of the
    events that will not be told."""
    to = [] if recipient is None else [col(OutboxRow.recipient) == recipient]
    return await _blank(tx, [col(OutboxRow.consent_id) == consent_id, *to])


async def withhold_subject(tx: Transaction, subject: UUID) -> frozenset[UUID]:
    """Blanks every unnumbered row about a subject: what it was about never left."""
    return await _blank(tx, [col(OutboxRow.subject) == subject])


async def _blank(tx: Transaction, conditions: Sequence[Any]) -> frozenset[UUID]:
    # The relay numbers under a lock on the row, so on PostgreSQL this UPDATE waits for it and then finds the row numbered.
    query = (
        update(OutboxRow)
        .where(col(OutboxRow.seq).is_(None), col(OutboxRow.is_withheld).is_(False), *conditions)
        .values(is_withheld=True, data=None)
        .returning(col(OutboxRow.event_id))
    )
    return frozenset((await tx.session.execute(query)).scalars())


def wake_on_commit(tx: Transaction) -> None:
    """Tells the relay, after the commit, that there is something to number."""
    for waker in _wakers:
        tx.on_commit(waker)


def wake() -> None:
    """Wakes whoever works on new rows in this process: another process has committed some."""
    for waker in _wakers:
        waker()


def on_new_rows(waker: Callable[[], None]) -> Callable[[], None]:
    """Registers what is called after a commit that added rows; returns the way to take it back."""
    _wakers.append(waker)
    return lambda: _wakers.remove(waker)
