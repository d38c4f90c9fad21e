"""What screens follow: the agency's diary by case, by account and by feed_seq, and pages of anything that the diary opened.

Page cursors are feed_seq and nothing else: it is given after the commit, so no late commit is ever skipped.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, cast, exists, or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.following.tables import FollowedThing
from shared.casework.here import Actor
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role
from shared.exchange.tables import Activity, OutboxRow
from shared.kit.bodies import Body
from shared.kit.db import Transaction

LINE_KINDS = ("alarm.raised", "alarm.climbed", "alarm.taken", "alarm.resolved")


class ReceiptState(Body):
    """How far a line of ours has come: written, sent, signed for by the recipient's machine."""

    sent_at: datetime | None
    delivered_at: datetime | None
    withheld: bool


class TimelineLine(Body):
    """One line of a case's story, own or received. `basis` is the consent that it rests on."""

    id: int
    feed_seq: int | None
    kind: str
    subject: UUID
    case_id: UUID | None
    agency: str
    is_own: bool
    facility: str | None
    occurred_at: datetime
    recorded_at: datetime
    consent_id: str | None
    detail: dict[str, Any]
    receipt: ReceiptState | None = None


def line_view(row: Activity, said: OutboxRow | None = None) -> TimelineLine:
    """A line of the diary; with the outbox row where this agency said it."""
    detail = dict(row.detail)
    consent_id = detail.pop("consent_id", None)
    receipt = (
        None if said is None else ReceiptState(sent_at=said.sent_at, delivered_at=said.delivered_at, withheld=said.is_withheld)
    )
    return TimelineLine(
        id=row.position or 0, feed_seq=row.feed_seq, kind=row.kind, subject=row.subject, case_id=row.case_id, agency=row.agency,
        is_own=row.is_own, facility=row.facility, occurred_at=row.occurred_at, recorded_at=row.recorded_at,
        consent_id=consent_id, detail=detail, receipt=receipt,
    )  # fmt: skip


async def case_timeline(tx: Transaction, case_id: UUID, after: int, limit: int) -> tuple[list[TimelineLine], str | None]:
    """A case's lines, oldest first, own and received alike; what has no feed_seq yet stands at the end of the last page."""
    mine = (col(Activity.case_id) == case_id, col(Activity.kind).not_in(LINE_KINDS))
    query = (
        select(Activity, OutboxRow)
        .outerjoin(OutboxRow, and_(col(OutboxRow.event_id) == col(Activity.event_id), col(Activity.is_own)))
        .where(*mine, or_(col(Activity.feed_seq) > after, col(Activity.feed_seq).is_(None)))
        .order_by(col(Activity.feed_seq).is_(None), col(Activity.feed_seq), col(Activity.position))
        .limit(limit + 1)
    )
    rows = (await tx.session.execute(query)).tuples().all()
    shown = rows[:limit]
    more = len(rows) > limit and shown[-1][0].feed_seq is not None
    return [line_view(row, said) for row, said in shown], str(shown[-1][0].feed_seq) if more else None


def visible_to(by: Actor) -> list[ColumnElement[bool]]:
    """The lines that an account may follow: of its facility, and of every case that it may see."""
    if by.role is Role.ADMINISTRATOR:
        return [and_(col(Activity.kind).in_(LINE_KINDS), col(Activity.case_id).is_(None))]
    of_no_case: ColumnElement[bool] = col(Activity.case_id).is_(None)
    if by.facility is not None:
        of_no_case = and_(of_no_case, col(Activity.facility).in_(by.desks))
    return [or_(of_no_case, scope.sees_case(by, col(Activity.case_id)))]


def of_followed(things: Sequence[FollowedThing]) -> ColumnElement[bool]:
    """The lines of followed cases, facilities and services. What is followed is given, not asked for in the same statement: only
    so does PostgreSQL find a few cases by their index, where it would look at every line there is."""
    cases = [thing.case_id for thing in things if thing.case_id is not None]
    facilities = [thing.facility for thing in things if thing.facility is not None]
    asked = cast(col(Referral.services), String)
    asks_for = [asked.contains(f'"{thing.service}"', autoescape=True) for thing in things if thing.service is not None]
    found: list[ColumnElement[bool]] = [col(Activity.case_id).in_(cases), col(Activity.facility).in_(facilities)]
    if asks_for:
        found.append(exists().where(col(Referral.id) == col(Activity.subject), or_(*asks_for)).correlate_except(Referral))
    return or_(*found)


async def page_by_opening(
    tx: Transaction, table: type[Any], kind: str, cursor: str | None, limit: int, *conditions: ColumnElement[bool]
) -> tuple[list[Any], str | None]:
    """A page of what the diary opened with a line of `kind`, newest first; a first page also shows what is not numbered yet."""
    seq = col(Activity.feed_seq)
    query = (
        select(table, seq)
        .join(Activity, and_(col(Activity.subject) == table.id, col(Activity.kind) == kind))
        .where(*conditions)
        .limit(limit + 1)
    )
    # Two statements, because each walks an index of its own from its end; one that sorts both reads every opening there ever was.
    numbered = query.where(seq.is_not(None) if cursor is None else seq < _number(cursor)).order_by(seq.desc())
    rows: list[Any] = []
    if cursor is None:
        rows += (await tx.session.execute(query.where(seq.is_(None)).order_by(col(Activity.position).desc()))).tuples().all()
    seen = {row.id for row, _ in rows}  # what was numbered between the two is in both
    rows += [one for one in (await tx.session.execute(numbered)).tuples() if one[0].id not in seen]
    shown = rows[:limit]
    next_cursor = str(shown[-1][1]) if len(rows) > limit and shown[-1][1] is not None else None
    return [row for row, _ in shown], next_cursor


def _number(cursor: str) -> int:
    return int(cursor) if cursor.isdigit() and len(cursor) < 19 else 0
