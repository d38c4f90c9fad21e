"""Keeping what she says about being visited, making a visit, going out and coming back, and saying what became of one.

Nobody is looked for: where somebody has not come, only the agency that sent her may be asked to pass a coded message on.
"""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlmodel import col

from services.social_welfare.visits.domain import AT_HERS, OUT_MAX, Kind, Outcome, Refused, Way, Which, is_out, why_not
from services.social_welfare.visits.tables import SafeWord, Visit
from shared.casework import scope
from shared.casework.accounts.commands import NAME_CHARACTERS_MAX, find_account
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.cases.commands import Form, NoteText, happened, load_case
from shared.casework.cases.tables import Case
from shared.casework.follow_ups import commands as shared
from shared.casework.follow_ups.domain import State
from shared.casework.here import Actor, Here
from shared.contracts.casework import codes, events
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id

CALLED_OFF = "called_off"
OVERDUE = "visit_overdue"
TURN_BACK = "visit_not_safe"  # a worker is out, and her word since then does not allow it
MET_NOT_SAFE = "met_not_safe"
WHY_NOT = {
    Refused.NOT_ASKED: _("Ask first, alone, whether a visit is safe, how and when; then plan it. Until then nobody goes there."),
    Refused.NOT_SAFE: _("A visit is not safe, as it was said here last. Nobody goes there; meet at the office."),
    Refused.ANOTHER_PLACE: _("It was said that a visit is safe in another way: look at what was said last, and plan it so."),
    Refused.ANOTHER_TIME: _("It was said that a visit is safe at another time of the day: choose that time."),
}
WHO_KNOWS = _("Say which colleague goes along, or which post knows where the worker is.")
OTHER_DAY = _("This visit is for another day: go on that day, or make a visit for today.")
BACK_BY = _("Say by when the worker reports back: later than now, and within a day.")


class SayVisiting(Form):
    """What she says about being visited; how and when where it is safe."""

    is_safe: bool
    way: Way | None = None
    hours: codes.SafeHours | None = None
    language: events.LanguageTag
    interpreter: bool = False
    occurred_at: events.Moment | None = None

    @model_validator(mode="after")
    def _how_and_when(self) -> "SayVisiting":
        if self.is_safe != (self.way is not None) or self.is_safe != (self.hours is not None):
            raise ValueError("'way' and 'hours' go with a visit that is safe, and with nothing else")
        if self.hours is codes.SafeHours.NEVER:
            raise ValueError("'hours' says when a visit is safe; where it never is, it is not safe")
        return self


class MakeVisit(Form):
    """A visit. One that a worker goes out for names who goes along or which post knows where she is."""

    kind: Kind = Kind.OFFICE
    which: Which = Which.OTHER
    due_on: date
    part: codes.SafeHours | None = None
    second: Annotated[str, Field(max_length=NAME_CHARACTERS_MAX)] | None = None
    knows: events.Code | None = None


class SetOut(Form):
    """A worker goes; `back_by` is when she says at the latest that she is back."""

    back_by: events.Moment


class AnswerVisit(Form):
    """What became of a visit, how it went as a code, and a note that stays here."""

    state: State
    outcome: Outcome | None = None
    note: NoteText | None = None
    occurred_at: events.Moment | None = None


async def say_visiting(case_id: UUID, command: SayVisiting, tx: Transaction, here: Here, by: Actor) -> SafeWord:
    """Keeps her word. Visits that her last word does not allow any more are called off at once, and whoever knows where a worker
    is that is out on one is told to have her turn back. What is entered late takes nothing back of what she has said since."""
    case = await _locked(tx, case_id, by)
    said = command.model_dump(mode="json", exclude={"occurred_at"}, exclude_none=True)
    row = SafeWord(
        id=new_id(), case_id=case.id, said=said, occurred_at=happened("occurred_at", command.occurred_at, tx.clock.now()),
        recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    word = await last_word(tx, case.id)
    last = word.said if word is not None else None
    for visit in await visits_of(tx, case.id):
        is_refused = why_not(last, Kind(visit.kind), visit.part) is not None
        if visit.state == State.MADE and visit.set_out_at is None and is_refused:
            visit.state = CALLED_OFF
        elif is_out(visit.set_out_at, visit.back_at) and is_refused and visit.facility in here.entry.facilities:
            await raise_alarm(tx, here, TURN_BACK, visit.id, visit.facility, codes.Urgency.ACUTE, case.id, post=visit.knows)
        elif not is_refused:
            await clear(tx, here, visit.id, {TURN_BACK})
    await tx.session.flush()
    return row


async def make_visit(
    case_id: UUID, command: MakeVisit, tx: Transaction, here: Here, by: Actor, *, return_id: UUID | None = None
) -> Visit:
    """Makes a visit; raises Conflict, with the reason, where she has not said that it is safe so."""
    case = await _locked(tx, case_id, by)
    now = tx.clock.now()
    shared.check_day(command.due_on, here, now)
    word = await last_word(tx, case.id)
    refused = why_not(word.said if word is not None else None, command.kind, command.part)
    if refused is not None:
        raise Conflict(WHY_NOT[refused])
    facility = by.facility or case.facility
    goes_out = command.kind in AT_HERS
    second = await _second(tx, command.second, by) if goes_out else None
    if goes_out and second is None and command.knows not in here.posts(facility):
        raise Conflict(WHO_KNOWS)
    same = [v for v in await visits_of(tx, case.id) if (v.due_on, v.kind, v.state) == (command.due_on, command.kind, State.MADE)]
    if same:
        raise Conflict("This visit is made already.")
    row = Visit(
        id=new_id(), case_id=case.id, facility=facility, kind=command.kind, which=command.which, due_on=command.due_on,
        part=command.part, state=State.MADE, goes=by.account_id if goes_out else None, second=second,
        knows=command.knows if goes_out else None, return_id=return_id, recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def _second(tx: Transaction, name: str | None, by: Actor) -> UUID | None:
    if name is None:
        return None
    account = await find_account(tx, name)
    if account.is_disabled or account.id == by.account_id:
        raise Conflict("“%(name)s” cannot go along; name a colleague who works here.", name=name)
    return account.id


async def set_out(visit_id: UUID, command: SetOut, tx: Transaction, here: Here, by: Actor) -> Visit:
    """The worker goes, on the day of the visit and no other: from now on somebody waits to hear that she is back. Her last word is
    looked at once more."""
    visit = await _turn(tx, visit_id, by)
    now = tx.clock.now()
    if visit.kind not in AT_HERS or visit.state != State.MADE or visit.set_out_at is not None:
        raise Conflict("Nobody sets out for this visit: it is at the office, over, or under way.")
    word = await last_word(tx, visit.case_id)
    refused = why_not(word.said if word is not None else None, Kind(visit.kind), visit.part)
    if refused is not None:
        raise Conflict(WHY_NOT[refused])
    if visit.due_on != here.day_of(now):
        raise Conflict(OTHER_DAY)
    if not now < command.back_by <= now + OUT_MAX:
        raise Conflict(BACK_BY)
    visit.set_out_at, visit.back_by, visit.goes = now, command.back_by, by.account_id
    await tx.session.flush()
    return visit


async def come_back(visit_id: UUID, tx: Transaction, here: Here, by: Actor) -> Visit:
    """The worker says that she is back, or somebody who has heard from her does: the alarm is over."""
    visit = await _turn(tx, visit_id, by)
    if visit.set_out_at is None or visit.back_at is not None:
        raise Conflict("Nobody is out on this visit.")
    visit.back_at = tx.clock.now()
    await tx.session.flush()
    await clear(tx, here, visit.id, {OVERDUE, TURN_BACK})
    return visit


async def answer_visit(visit_id: UUID, command: AnswerVisit, tx: Transaction, here: Here, by: Actor) -> Visit:
    """Says what became of it. Missed leads to nothing by itself: nobody calls, and nobody goes to look."""
    visit = await _turn(tx, visit_id, by)
    if visit.state == CALLED_OFF:
        raise Conflict("This visit was called off; whoever came all the same has another visit entered.")
    said = shared.AnswerVisit(state=command.state, occurred_at=command.occurred_at)
    await shared.answer(visit, said, tx, here, by)
    kept = command.model_dump(mode="json", include={"outcome", "note"}, exclude_none=True)
    visit.outcome = kept or None
    await tx.session.flush()
    if command.outcome is not Outcome.MET_NOT_SAFE:
        await clear(tx, here, visit.id, {MET_NOT_SAFE})
    elif visit.facility in here.entry.facilities:
        await raise_alarm(tx, here, MET_NOT_SAFE, visit.id, visit.facility, codes.Urgency.URGENT, visit.case_id)
    return visit


async def last_word(tx: Transaction, case_id: UUID) -> SafeWord | None:
    """What she said last about being visited, by when she said it: a sheet that is entered late is no newer word."""
    newest = (col(SafeWord.occurred_at).desc(), col(SafeWord.id).desc())
    query = select(SafeWord).where(col(SafeWord.case_id) == case_id).order_by(*newest).limit(1)
    return (await tx.session.execute(query)).scalar_one_or_none()


async def visits_of(tx: Transaction, case_id: UUID) -> list[Visit]:
    """The visits of a case, by their days."""
    return await shared.visits_of(tx, Visit, case_id)


async def load_visit(tx: Transaction, visit_id: UUID, by: Actor) -> Visit:
    """A visit of a case that the account may see; raises OutOfSight."""
    found: Visit = await shared.load_visit(tx, Visit, visit_id, by)
    return found


async def _turn(tx: Transaction, visit_id: UUID, by: Actor) -> Visit:
    visit = await load_visit(tx, visit_id, by)
    await _locked(tx, visit.case_id, by)
    await tx.session.refresh(visit)
    return visit


async def _locked(tx: Transaction, case_id: UUID, by: Actor) -> Case:
    by.may_work()
    seen = await load_case(tx, case_id, by)
    scope.not_as_guest(by, seen.facility, seen.id)
    return await shared.locked(tx, case_id, by)


def as_said(row: SafeWord | None) -> dict[str, Any] | None:
    """Her word, for a page or an answer."""
    return None if row is None else {**(row.said or {}), "said_at": row.occurred_at}


async def turns_back(tx: Transaction, visit: Visit) -> bool:
    """Whether a worker is out on a visit that her last word does not allow any more."""
    if not is_out(visit.set_out_at, visit.back_at):
        return False
    word = await last_word(tx, visit.case_id)
    return why_not(word.said if word is not None else None, Kind(visit.kind), visit.part) is not None


async def overdue(tx: Transaction, now: datetime) -> list[Visit]:
    """Visits from which nobody has said in time that the worker is back."""
    query = select(Visit).where(col(Visit.set_out_at).is_not(None), col(Visit.back_at).is_(None), col(Visit.back_by) < now)
    return list((await tx.session.execute(query.order_by(col(Visit.back_by)))).scalars())
