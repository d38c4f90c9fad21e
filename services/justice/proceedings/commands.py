"""Charging, setting a hearing, saying what became of it, and a verdict. Each is a coded step of the case, said once by
`record_progress`: the police hear of it under `prog`, where she agreed to that here.
"""

from datetime import date
from uuid import UUID

from pydantic import model_validator
from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from services.justice.proceedings.domain import HearingState, Outcome
from services.justice.proceedings.tables import Hearing, Verdict
from shared.casework import scope
from shared.casework.alarms.commands import clear
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.cases.tables import Case
from shared.casework.circles.commands import RecordProgress, record_progress, take_off
from shared.casework.circles.tables import Progress
from shared.casework.here import Actor, Here
from shared.contracts.casework import events
from shared.contracts.casework.codes import ProgressCode
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id

NO_DAY = "hearing_without_day"  # it was put off or cancelled, and no other day has been set for as long as the programme allows


class Charge(Form):
    """That somebody is charged; nobody is named."""

    occurred_at: events.Moment | None = None


class SetHearing(Form):
    """A day in court."""

    on_date: date
    occurred_at: events.Moment | None = None


class AnswerHearing(Form):
    """What became of it; put off goes with the new day, where one is set."""

    state: HearingState
    next_on: date | None = None
    occurred_at: events.Moment | None = None

    @model_validator(mode="after")
    def _day_where_it_belongs(self) -> "AnswerHearing":
        if self.state is HearingState.SET:
            raise ValueError("'state' is held, put_off or cancelled")
        if self.next_on is not None and self.state is not HearingState.PUT_OFF:
            raise ValueError("'next_on' goes with a hearing that is put off, and with nothing else")
        return self


class GiveVerdict(Form):
    """That a court has decided, and how: the second stays here."""

    outcome: Outcome
    occurred_at: events.Moment | None = None


async def charge(case_id: UUID, command: Charge, tx: Transaction, here: Here, by: Actor) -> Progress:
    """Records a charge; raises Conflict where one stands already."""
    case = await _locked(tx, case_id, by)
    if await steps_of(tx, here, case.id, ProgressCode.CHARGED):
        raise Conflict("A charge stands here already.")
    step = RecordProgress(code=ProgressCode.CHARGED, occurred_at=command.occurred_at)
    return (await record_progress(case.id, step, tx, here, by))[0]


async def set_hearing(case_id: UUID, command: SetHearing, tx: Transaction, here: Here, by: Actor) -> Hearing:
    """Sets a hearing; raises Conflict where one is set for that day."""
    case = await _locked(tx, case_id, by)
    if any(one.on_date == command.on_date and one.state == HearingState.SET for one in await hearings_of(tx, case.id)):
        raise Conflict("A hearing is set for this day already.")
    step = RecordProgress(code=ProgressCode.HEARING_DATE, on_date=command.on_date, occurred_at=command.occurred_at)
    row, _told = await record_progress(case.id, step, tx, here, by)
    assert row.position is not None
    hearing = Hearing(
        id=new_id(), case_id=case.id, facility=by.facility or case.facility, position=row.position, on_date=command.on_date,
        state=HearingState.SET, recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(hearing)
    await tx.session.flush()
    await _waits_no_more(tx, here, case.id)
    return hearing


async def answer_hearing(hearing_id: UUID, command: AnswerHearing, tx: Transaction, here: Here, by: Actor) -> Hearing:
    """Says what became of a hearing; one that is put off to another day is another hearing. Raises Conflict where it was said."""
    hearing = await load_hearing(tx, hearing_id, by)
    case = await _locked(tx, hearing.case_id, by)
    await tx.session.refresh(hearing)
    if hearing.state != HearingState.SET:
        raise Conflict("This stands here already.")
    if command.state is HearingState.HELD and hearing.on_date > here.day_of(tx.clock.now()):
        raise Conflict("This hearing has not been yet; say that it was put off or cancelled, or wait for its day.")
    hearing.state, hearing.answered_by = command.state, by.account_id
    hearing.answered_at = at = happened("occurred_at", command.occurred_at, tx.clock.now())
    await tx.session.flush()
    if command.state is not HearingState.HELD:
        await take_off(case, hearing.on_date, at, tx, here)
    if command.next_on is not None:
        await set_hearing(hearing.case_id, SetHearing(on_date=command.next_on), tx, here, by)
    return hearing


async def give_verdict(case_id: UUID, command: GiveVerdict, tx: Transaction, here: Here, by: Actor) -> Verdict:
    """Records a verdict. There may be another, of a higher court; the same one is recorded once."""
    case = await _locked(tx, case_id, by)
    at = happened("occurred_at", command.occurred_at, tx.clock.now())
    if any(one.occurred_at == at for one in await verdicts_of(tx, case.id)):
        raise Conflict("This stands here already, with the same time.")
    row, _told = await record_progress(case.id, RecordProgress(code=ProgressCode.VERDICT, occurred_at=at), tx, here, by)
    assert row.position is not None
    verdict = Verdict(
        id=new_id(), case_id=case.id, facility=by.facility or case.facility, position=row.position, outcome=command.outcome,
        occurred_at=at, recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(verdict)
    await tx.session.flush()
    await _waits_no_more(tx, here, case.id)
    return verdict


async def _waits_no_more(tx: Transaction, here: Here, case_id: UUID) -> None:
    for hearing in await hearings_of(tx, case_id):
        if hearing.state in (HearingState.PUT_OFF, HearingState.CANCELLED):
            await clear(tx, here, hearing.id, {NO_DAY})


def without_day() -> ColumnElement[bool]:
    """Of a hearing: it was put off or cancelled, and nothing has come after it: no other day in court, and no verdict."""
    other, verdict = aliased(Hearing), aliased(Verdict)
    later = exists().where(
        col(other.case_id) == col(Hearing.case_id), or_(col(other.state) == HearingState.SET, col(other.id) > col(Hearing.id))
    )
    decided = exists().where(  # a hearing that is left over after a verdict is cancelled, and no other is waited for
        col(verdict.case_id) == col(Hearing.case_id),
        or_(col(Hearing.state) == HearingState.CANCELLED, col(verdict.recorded_at) >= col(Hearing.answered_at)),
    )
    return and_(col(Hearing.state).in_([HearingState.PUT_OFF, HearingState.CANCELLED]), ~later, ~decided)


async def waiting_for_a_day(tx: Transaction, case_id: UUID) -> Hearing | None:
    """The hearing of a case that was put off or cancelled and has no other day; None where there is none."""
    query = select(Hearing).where(col(Hearing.case_id) == case_id, without_day()).limit(1)
    return (await tx.session.execute(query)).scalar_one_or_none()


async def load_hearing(tx: Transaction, hearing_id: UUID, by: Actor) -> Hearing:
    """A hearing of a case that the account may see; raises OutOfSight."""
    by.may_work()
    query = select(Hearing).where(col(Hearing.id) == hearing_id, scope.sees_case(by, col(Hearing.case_id)))
    hearing = (await tx.session.execute(query)).scalar_one_or_none()
    if hearing is None:
        raise scope.OutOfSight("There is no such hearing.", hearing_id)
    return hearing


async def hearings_of(tx: Transaction, case_id: UUID) -> list[Hearing]:
    """The hearings of a case, by their days."""
    query = select(Hearing).where(col(Hearing.case_id) == case_id).order_by(col(Hearing.on_date), col(Hearing.id))
    return list((await tx.session.execute(query)).scalars())


async def verdicts_of(tx: Transaction, case_id: UUID) -> list[Verdict]:
    """The verdicts of a case, oldest first."""
    query = select(Verdict).where(col(Verdict.case_id) == case_id).order_by(col(Verdict.occurred_at), col(Verdict.id))
    return list((await tx.session.execute(query)).scalars())


async def steps_of(tx: Transaction, here: Here, case_id: UUID, code: ProgressCode) -> list[Progress]:
    """This agency's own steps of one kind on a case."""
    query = select(Progress).where(
        col(Progress.case_id) == case_id, col(Progress.agency) == here.agency, col(Progress.code) == code
    )
    return list((await tx.session.execute(query.order_by(col(Progress.occurred_at)))).scalars())


async def _locked(tx: Transaction, case_id: UUID, by: Actor) -> Case:
    """The case, with its circle's turn taken: two clerks do not set the same hearing at once."""
    by.may_work()
    circle = (await load_case(tx, case_id, by)).circle
    await outbox.lock_subjects(tx, [circle])
    case = await load_case(tx, case_id, by, lock=True)
    scope.not_as_guest(by, case.facility, case.id)
    return case
