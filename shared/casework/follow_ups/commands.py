"""Visits of an agency's own table, `table` in each call: finding one, the turn in which they change, and what became of one.

That a visit was kept or missed is a coded step of the case; which visit it was crosses to nobody. Where somebody has not come, she
is reached by a message that the agency which sent her passes on, and in no other way.
"""

from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.cases.tables import Case
from shared.casework.circles.commands import RecordProgress, record_progress
from shared.casework.follow_ups.domain import State, is_within_a_year, may_become
from shared.casework.here import Actor, Here
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import events
from shared.contracts.casework.codes import ProgressCode
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.i18n import mark as _

TOO_FAR = _("Choose a day within the next year; an earlier day only where the visit is entered afterwards.")


class AnswerVisit(Form):
    """Kept, not come yet, or called off."""

    state: State
    occurred_at: events.Moment | None = None


class Visited(Protocol):
    """What is said of a visit needs this of its row."""

    case_id: UUID
    state: str
    answered_at: datetime | None
    answered_by: UUID | None


async def locked(tx: Transaction, case_id: UUID, by: Actor) -> Case:
    """The case, with its circle's turn taken: two workers do not make the same visit at once."""
    by.may_work()
    circle = (await load_case(tx, case_id, by)).circle
    await outbox.lock_subjects(tx, [circle])
    return await load_case(tx, case_id, by, lock=True)


def check_day(day: date, here: Here, now: datetime) -> None:
    """Raises Conflict for a mistyped year."""
    if not is_within_a_year(day, here.day_of(now)):
        raise Conflict(TOO_FAR)


async def answer(visit: Visited, command: AnswerVisit, tx: Transaction, here: Here, by: Actor) -> datetime:
    """Says what became of a visit, and when that was; the caller holds the case's turn. Raises Conflict where it is known."""
    if command.state is State.MADE:
        raise Conflict("Say that the visit was kept, that nobody has come yet, or that it is called off.")
    if not may_become(visit.state, command.state):
        raise Conflict("This stands here already.")
    at = happened("occurred_at", command.occurred_at, tx.clock.now())
    visit.state, visit.answered_at, visit.answered_by = command.state, at, by.account_id
    await tx.session.flush()
    if command.state is not State.CALLED_OFF:  # nobody was to come, so nobody has come or failed to
        code = ProgressCode.VISIT_KEPT if command.state is State.KEPT else ProgressCode.VISIT_MISSED
        await record_progress(visit.case_id, RecordProgress(code=code, occurred_at=at), tx, here, by)
    return at


async def load_visit(tx: Transaction, table: type[Any], visit_id: UUID, by: Actor) -> Any:
    """A visit of a case that the account may see; raises OutOfSight."""
    by.may_work()
    query = select(table).where(table.id == visit_id, scope.sees_case(by, col(table.case_id)))
    visit = (await tx.session.execute(query)).scalar_one_or_none()
    if visit is None:
        raise scope.OutOfSight("There is no such visit.", visit_id)
    return visit


async def visits_of(tx: Transaction, table: type[Any], case_id: UUID) -> list[Any]:
    """The visits of a case, by their days."""
    query = select(table).where(table.case_id == case_id).order_by(table.due_on, table.id)
    return list((await tx.session.execute(query)).scalars())


async def due(tx: Transaction, table: type[Any], here: Here, by: Actor, limit: int) -> list[tuple[Any, Case]]:
    """Visits of the account's desks whose day has come and of which nobody said what became of them, the oldest first."""
    query = (
        select(table, Case)
        .join(Case, col(Case.id) == table.case_id)
        .where(table.state == State.MADE, table.due_on <= here.day_of(tx.clock.now()))
        .where(scope.at_desk(by, col(table.facility), col(table.case_id)))
        .order_by(table.due_on, table.id)
        .limit(limit)
    )
    return [(row, case) for row, case in (await tx.session.execute(query)).tuples()]


async def reached_by(tx: Transaction, case_id: UUID) -> list[Referral]:
    """The requests on which a message may be passed on to her: by whoever sent her, at the hours that she said."""
    referrals = select(Referral).where(col(Referral.case_id) == case_id, col(Referral.direction) == "in")
    found = (await tx.session.execute(referrals.order_by(col(Referral.issued_at)))).scalars()
    return [one for one in found if (one.said or {}).get("relay")]
