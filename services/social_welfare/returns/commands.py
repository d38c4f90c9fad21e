"""Asking before a return, keeping her own answer after it, that she went, and the end of being seen again.

The programme's rules about `return_to_family` are heard; what they ask for at least (her yes, and that the risk was looked at)
holds here whatever a programme says.
"""

from datetime import datetime
from uuid import UUID

from pydantic import model_validator
from sqlalchemy import select
from sqlmodel import col

from services.social_welfare.returns.domain import Ending, Question, State, Where, follow_up_days
from services.social_welfare.returns.tables import HomeReturn
from services.social_welfare.visits.commands import MakeVisit, make_visit, visits_of
from services.social_welfare.visits.domain import Kind, Which
from shared.casework import scope
from shared.casework.cases.commands import Form, NoteText, happened, load_case
from shared.casework.cases.tables import Case
from shared.casework.follow_ups import commands as shared
from shared.casework.follow_ups.domain import State as VisitState
from shared.casework.here import Actor, Here
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import ConsentHow, Ternary
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.programmes.rules import answers, is_refused
from shared.programmes.situation import Situation
from shared.programmes.terms import Act, Fact

NOT_ASKED = _("Ask the questions before a return first, and then whether going back is wanted.")
NEEDS_YES = _("Nobody goes back without a yes of their own, after the questions were asked.")
RULE_REFUSES = _("A rule of the programme does not allow this return yet.")
ENDED = (State.ENDED, State.NOT_AGREED)


class AssessReturn(Form):
    """Every question, answered."""

    where: Where
    answers: dict[Question, Ternary]
    note: NoteText | None = None
    occurred_at: events.Moment | None = None

    @model_validator(mode="after")
    def _all_of_them(self) -> "AssessReturn":
        if missing := sorted(set(Question) - self.answers.keys()):
            raise ValueError(f"'answers' lacks {missing[0]}")
        return self


class AnswerReturn(Form):
    """Whether she wants to go, and how she said it."""

    agrees: bool
    how: ConsentHow
    language: events.LanguageTag
    interpreter: bool = False
    occurred_at: events.Moment | None = None

    @model_validator(mode="after")
    def _how_she_said_it(self) -> "AnswerReturn":
        if self.how not in {ConsentHow.SPOKEN, ConsentHow.THUMB, ConsentHow.SIGNATURE}:
            raise ValueError("'how' says how she answered: spoken, thumb or signature")
        return self


class WentBack(Form):
    """She went."""

    occurred_at: events.Moment | None = None


class EndReturn(Form):
    """Why she is not seen again about it."""

    why: Ending
    note: NoteText | None = None


async def assess(case_id: UUID, command: AssessReturn, tx: Transaction, here: Here, by: Actor) -> HomeReturn:
    """Keeps the answers. Asked anew before she went, they take the former ones' place, and she is asked again."""
    case = await _locked(tx, case_id, by)
    at = happened("occurred_at", command.occurred_at, tx.clock.now())
    asked = command.model_dump(mode="json", exclude={"occurred_at"}, exclude_none=True)
    row = await open_return(tx, case.id)
    if row is not None and row.state == State.RETURNED:
        raise Conflict("The return has happened already; end this one before another is asked about.")
    if row is None:
        row = HomeReturn(
            id=new_id(), case_id=case.id, facility=by.facility or case.facility, state=State.ASSESSED, asked=asked, assessed_at=at,
            recorded_at=tx.clock.now(), recorded_by=by.account_id,
        )  # fmt: skip
        tx.session.add(row)
    else:
        row.state, row.asked, row.said, row.assessed_at, row.agreed_at = State.ASSESSED, asked, None, at, None
    await tx.session.flush()
    return row


async def keep_answer(case_id: UUID, command: AnswerReturn, tx: Transaction, here: Here, by: Actor) -> HomeReturn:
    """Her own word, after the questions. A no ends it; a yes may be taken back until she goes."""
    case = await _locked(tx, case_id, by)
    row = await _open(tx, case.id)
    if row.state not in {State.ASSESSED, State.AGREED}:
        raise Conflict("The return has happened already.")
    at = happened("occurred_at", command.occurred_at, tx.clock.now())
    if at < row.assessed_at:
        raise Conflict("An answer counts after the questions were asked: ask again.")
    row.said = command.model_dump(mode="json", exclude={"occurred_at"})
    row.state, row.agreed_at = (State.AGREED, at) if command.agrees else (State.NOT_AGREED, None)
    row.ended_at = None if command.agrees else at
    await tx.session.flush()
    return row


async def went_back(case_id: UUID, command: WentBack, tx: Transaction, here: Here, by: Actor) -> HomeReturn:
    """She went: days are set on which she is seen again. Raises Conflict without her yes or where a rule refuses."""
    case = await _locked(tx, case_id, by)
    row = await open_return(tx, case.id)
    if row is None:
        raise Conflict(NOT_ASKED)
    if row.state != State.AGREED:
        raise Conflict(NEEDS_YES)
    at = happened("occurred_at", command.occurred_at, tx.clock.now())
    if is_refused(answers(here.programme, _situation(row, at))):
        raise Conflict(RULE_REFUSES)
    row.state, row.returned_at = State.RETURNED, at
    await tx.session.flush()
    made = {visit.due_on for visit in await visits_of(tx, case.id) if (visit.kind, visit.state) == (Kind.OFFICE, VisitState.MADE)}
    for day in follow_up_days(here.day_of(at), here.programme.return_visit_days):
        if day not in made:
            await make_visit(
                case.id, MakeVisit(kind=Kind.OFFICE, which=Which.AFTER_RETURN, due_on=day), tx, here, by, return_id=row.id
            )
    return row


def _situation(row: HomeReturn, at: datetime) -> Situation:
    known = {Fact.RISK_CHECKED} if row.asked else set()
    return Situation(act=Act.RETURN_TO_FAMILY, now=at, facts=frozenset(known | ({Fact.SHE_AGREES} if row.agreed_at else set())))


async def end_return(case_id: UUID, command: EndReturn, tx: Transaction, here: Here, by: Actor) -> HomeReturn:
    """A person says that it is over; nothing else does, and no case is closed with it."""
    case = await _locked(tx, case_id, by)
    row = await _open(tx, case.id)
    row.state, row.ended_at, row.ending = State.ENDED, tx.clock.now(), command.why
    if command.note:
        row.asked = {**(row.asked or {}), "end_note": command.note}
    await tx.session.flush()
    return row


async def open_return(tx: Transaction, case_id: UUID) -> HomeReturn | None:
    """The return of a case that is not over."""
    query = select(HomeReturn).where(col(HomeReturn.case_id) == case_id, col(HomeReturn.state).not_in(ENDED))
    return (await tx.session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()


async def returns_of(tx: Transaction, case_id: UUID) -> list[HomeReturn]:
    """Every return of a case, the last first."""
    query = select(HomeReturn).where(col(HomeReturn.case_id) == case_id).order_by(col(HomeReturn.id).desc())
    return list((await tx.session.execute(query)).scalars())


async def _open(tx: Transaction, case_id: UUID) -> HomeReturn:
    row = await open_return(tx, case_id)
    if row is None:
        raise Conflict(NOT_ASKED)
    return row


async def _locked(tx: Transaction, case_id: UUID, by: Actor) -> Case:
    by.may_work()
    seen = await load_case(tx, case_id, by)
    scope.not_as_guest(by, seen.facility, seen.id)
    return await shared.locked(tx, case_id, by)


HOWS = (codes.ConsentHow.SPOKEN, codes.ConsentHow.THUMB, codes.ConsentHow.SIGNATURE)
