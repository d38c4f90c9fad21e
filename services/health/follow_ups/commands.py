"""Making a visit and saying what became of it. Of several that are made only the next one is the clinic's next date: a social
worker hears of that under `fb`, as of every next date, and of nothing else.
"""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.health.follow_ups.domain import State, Which
from services.health.follow_ups.tables import FollowUp
from shared.casework import scope
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.cases.tables import Case
from shared.casework.circles.commands import RecordProgress, record_progress
from shared.casework.here import Actor, Here
from shared.contracts.casework import events
from shared.contracts.casework.codes import ProgressCode
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id

AHEAD_MAX = timedelta(days=366)  # a later day is a mistyped year
TOO_FAR = _("Choose a day within the next year; an earlier day only where the visit is entered afterwards.")


class MakeVisit(Form):
    """A visit that follows care."""

    which: Which
    due_on: date


class MoveVisit(Form):
    """Another day."""

    due_on: date


class AnswerVisit(Form):
    """Kept, not come yet, or called off."""

    state: State
    occurred_at: events.Moment | None = None


async def make_visit(case_id: UUID, command: MakeVisit, tx: Transaction, here: Here, by: Actor) -> FollowUp:
    """Makes a visit; raises Conflict where the same one is made already."""
    case = await _locked(tx, case_id, by)
    _near(here.day_of(tx.clock.now()), command.due_on)
    known = await visits_of(tx, case.id)
    same = [one for one in known if one.which == command.which and (one.which != Which.OTHER or one.due_on == command.due_on)]
    if any(one.state == State.MADE for one in same):
        raise Conflict("This visit is made already.")
    row = FollowUp(
        id=new_id(), case_id=case.id, facility=by.facility or case.facility, which=command.which, due_on=command.due_on,
        state=State.MADE, recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    await _tell_next(tx, here, by, case.id)
    return row


def _near(today: date, day: date) -> None:
    if not today - AHEAD_MAX <= day <= today + AHEAD_MAX:
        raise Conflict(TOO_FAR)


async def set_next(case_id: UUID, day: date, at: datetime | None, tx: Transaction, here: Here, by: Actor) -> None:
    """The next visit as it was written on the list of care: a visit of its own, unless one is made for that day."""
    case = await _locked(tx, case_id, by)
    if any(one.due_on == day and one.state == State.MADE for one in await visits_of(tx, case.id)):
        return
    row = FollowUp(
        id=new_id(), case_id=case.id, facility=by.facility or case.facility, which=Which.OTHER, due_on=day, state=State.MADE,
        recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    await _tell_next(tx, here, by, case.id, at)


async def move_visit(visit_id: UUID, command: MoveVisit, tx: Transaction, here: Here, by: Actor) -> FollowUp:
    """Gives a visit that is made, or that nobody has come to, another day; raises Conflict where there is nothing to move."""
    visit = await load_visit(tx, visit_id, by)
    await _locked(tx, visit.case_id, by)
    await tx.session.refresh(visit)
    if visit.state in {State.KEPT, State.CALLED_OFF}:
        raise Conflict("This visit is over; make another one.")
    if visit.due_on == command.due_on and visit.state == State.MADE:
        raise Conflict("This stands here already.")
    _near(here.day_of(tx.clock.now()), command.due_on)
    await _untold(tx, visit)
    visit.due_on, visit.state = command.due_on, State.MADE
    await tx.session.flush()
    await _tell_next(tx, here, by, visit.case_id)
    return visit


async def answer_visit(visit_id: UUID, command: AnswerVisit, tx: Transaction, here: Here, by: Actor) -> FollowUp:
    """Says what became of a visit; whoever comes later has kept it. Raises Conflict where it was kept or called off before."""
    visit = await load_visit(tx, visit_id, by)
    await _locked(tx, visit.case_id, by)
    await tx.session.refresh(visit)
    if command.state is State.MADE:
        raise Conflict("Say that the visit was kept, that nobody has come yet, or that it is called off.")
    if visit.state in {State.KEPT, State.CALLED_OFF, command.state}:
        raise Conflict("This stands here already.")
    at = happened("occurred_at", command.occurred_at, tx.clock.now())
    if command.state is State.CALLED_OFF:
        await _untold(tx, visit)
    visit.state, visit.answered_at, visit.answered_by = command.state, at, by.account_id
    await tx.session.flush()
    if command.state is not State.CALLED_OFF:  # nobody was to come, so nobody has come or failed to
        code = ProgressCode.VISIT_KEPT if command.state is State.KEPT else ProgressCode.VISIT_MISSED
        await record_progress(visit.case_id, RecordProgress(code=code, occurred_at=at), tx, here, by)
    await _tell_next(tx, here, by, visit.case_id)
    return visit


async def _untold(tx: Transaction, visit: FollowUp) -> None:
    """The day of a visit that was told is no longer the next one: whichever is now is told, though it may have been before."""
    if visit.is_told:
        for one in await visits_of(tx, visit.case_id):
            one.is_told = False


async def _tell_next(tx: Transaction, here: Here, by: Actor, case_id: UUID, at: datetime | None = None) -> None:
    """The nearest visit to come is the next clinic date, said once."""
    today = here.day_of(tx.clock.now())
    coming = [one for one in await visits_of(tx, case_id) if one.state == State.MADE and one.due_on >= today]
    if not coming or coming[0].is_told:
        return
    coming[0].is_told = True
    step = RecordProgress(code=ProgressCode.NEXT_CLINIC_DATE, on_date=coming[0].due_on, occurred_at=at)
    await record_progress(case_id, step, tx, here, by)


async def load_visit(tx: Transaction, visit_id: UUID, by: Actor) -> FollowUp:
    """A visit of a case that the account may see; raises OutOfSight."""
    by.may_work()
    query = select(FollowUp).where(col(FollowUp.id) == visit_id, scope.sees_case(by, col(FollowUp.case_id)))
    visit = (await tx.session.execute(query)).scalar_one_or_none()
    if visit is None:
        raise scope.OutOfSight("There is no such visit.", visit_id)
    return visit


async def visits_of(tx: Transaction, case_id: UUID) -> list[FollowUp]:
    """The visits of a case, by their days."""
    query = select(FollowUp).where(col(FollowUp.case_id) == case_id).order_by(col(FollowUp.due_on), col(FollowUp.id))
    return list((await tx.session.execute(query)).scalars())


async def _locked(tx: Transaction, case_id: UUID, by: Actor) -> Case:
    """The case, with its circle's turn taken: two nurses do not make the same visit at once."""
    by.may_work()
    circle = (await load_case(tx, case_id, by)).circle
    await outbox.lock_subjects(tx, [circle])
    return await load_case(tx, case_id, by, lock=True)
