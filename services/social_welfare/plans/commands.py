"""Writing a version of a plan, keeping her answer to it, saying what became of a step, and closing. None of it is told to anybody:
nothing here adds a word to the outbox, and a safety plan is on no topic.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlmodel import col

from services.social_welfare.plans.domain import Closing, Need, StepState, What, Who, changed, still_open
from services.social_welfare.plans.tables import Plan, PlanAnswer, PlanVersion, StepMark
from shared.casework import scope
from shared.casework.cases.commands import Form, NoteText, happened, load_case
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.contracts.casework import codes, events
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id

GOALS_MAX = 10
STEPS_MAX = 20  # more is a second plan
REVIEW_MAX = timedelta(days=182)  # a plan that nobody looks at for half a year is none
REVIEW_DAY = _("Choose a day from today on, within half a year, on which the plan is looked at again.")
CHANGED_SINCE = _("The plan has been changed since this page was opened; look at it, and write again.")
STILL_OPEN = _("Say of each open step what becomes of it before the plan is closed.")
SPOKEN = frozenset({codes.ConsentHow.SPOKEN, codes.ConsentHow.THUMB, codes.ConsentHow.SIGNATURE})
NoteHere = NoteText | None


class Goal(Form):
    """What for: the need that it answers, and in words that stay here what it is."""

    need: Need
    note: NoteHere = None


class Step(Form):
    """One step. `id` is that of the same step in the version before; a new one has none."""

    id: UUID | None = None
    what: What
    who: Who
    due_on: date | None = None
    note: NoteHere = None


class WriteVersion(Form):
    """A version of the plan, whole. `after` is the number of the version that it was written from."""

    needs: tuple[Need, ...] = Field(min_length=1, max_length=len(Need))
    goals: tuple[Goal, ...] = Field(default=(), max_length=GOALS_MAX)
    steps: tuple[Step, ...] = Field(default=(), max_length=STEPS_MAX)
    review_on: date
    note: NoteHere = None
    after: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _needs_once(self) -> "WriteVersion":
        if len(set(self.needs)) < len(self.needs):
            raise ValueError("'needs' says one twice")
        return self


class AnswerVersion(Form):
    """What she says of a version, and how she said it."""

    number: Annotated[int, Field(ge=1)]
    agrees: bool
    how: codes.ConsentHow
    language: events.LanguageTag
    interpreter: bool = False
    occurred_at: events.Moment | None = None

    @model_validator(mode="after")
    def _how_she_said_it(self) -> "AnswerVersion":
        if self.how not in SPOKEN:
            raise ValueError("'how' says how she answered: spoken, thumb or signature")
        return self


class MarkStep(Form):
    """What became of a step."""

    step: UUID
    state: StepState
    note: NoteHere = None


class ClosePlan(Form):
    """Why it is closed, and what becomes of each step that is open."""

    why: Closing
    steps: tuple[MarkStep, ...] = Field(default=(), max_length=STEPS_MAX)
    note: NoteHere = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A plan with all that belongs to it."""

    plan: Plan
    versions: list[PlanVersion]  # by number
    answers: dict[UUID, PlanAnswer]  # by version
    marks: dict[str, str]  # the last state of each step, by its id

    @property
    def last(self) -> PlanVersion:
        """The newest version, agreed to or not."""
        return self.versions[-1]

    @property
    def in_force(self) -> PlanVersion | None:
        """The newest version that she agreed to."""
        agreed = [one for one in self.versions if one.id in self.answers and (self.answers[one.id].said or {}).get("agrees")]
        return agreed[-1] if agreed else None

    @property
    def open_steps(self) -> list[str]:
        """Steps of the version that is carried out, of which nobody said what became of them."""
        return still_open(((self.in_force or self.last).content or {}).get("steps", []), self.marks)


async def write_version(case_id: UUID, command: WriteVersion, tx: Transaction, here: Here, by: Actor) -> Whole:
    """A new version; it is in force once she agrees to it. Raises Conflict where somebody else wrote one meanwhile."""
    case = await _locked(tx, case_id, by)
    today = here.day_of(tx.clock.now())
    if not today <= command.review_on <= today + REVIEW_MAX:
        raise Conflict(REVIEW_DAY)
    whole = await open_plan(tx, case.id)
    if whole is None:
        plan = Plan(
            id=new_id(), case_id=case.id, facility=by.facility or case.facility, state="open", recorded_at=tx.clock.now(),
            recorded_by=by.account_id,
        )  # fmt: skip
        tx.session.add(plan)
        await tx.session.flush()
    else:
        plan = whole.plan
    number = whole.last.number if whole is not None else 0
    if command.after is not None and command.after != number:
        raise Conflict(CHANGED_SINCE)
    before = whole.last.content if whole is not None else None
    content = _content(command, {str(step["id"]) for step in (before or {}).get("steps", [])})
    row = PlanVersion(
        id=new_id(), plan_id=plan.id, case_id=case.id, number=number + 1, content=content, changed=list(changed(before, content)),
        recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    if not row.changed:
        raise Conflict("Nothing of the plan is changed.")
    tx.session.add(row)
    await tx.session.flush()
    return await whole_of(tx, plan)


def _content(command: WriteVersion, known: set[str]) -> dict[str, Any]:
    said = command.model_dump(mode="json", exclude={"after"}, exclude_none=True)
    for step in said["steps"]:
        if step.setdefault("id", str(new_id())) not in known and any(str(one.id) == step["id"] for one in command.steps):
            raise Conflict("A step of this plan is not known; leave out its id where it is new.")
    said["needs"] = sorted(said["needs"])
    return said


async def answer_version(case_id: UUID, command: AnswerVersion, tx: Transaction, here: Here, by: Actor) -> Whole:
    """Keeps what she says of the newest version; a no leaves the one before in force."""
    case = await _locked(tx, case_id, by)
    whole = await _open(tx, case.id)
    version = whole.last
    if version.number != command.number:
        raise Conflict(CHANGED_SINCE)
    if version.id in whole.answers:
        raise Conflict("This version was answered; where the answer changes, write another version.")
    at = happened("occurred_at", command.occurred_at, tx.clock.now())
    said = command.model_dump(mode="json", exclude={"number", "occurred_at"})
    row = PlanAnswer(
        id=new_id(), version_id=version.id, case_id=case.id, said=said, explained_by=by.account_id, occurred_at=at,
        recorded_at=tx.clock.now(),
    )  # fmt: skip
    tx.session.add(row)
    if command.agrees:
        whole.plan.review_on = date.fromisoformat((version.content or {})["review_on"])
    await tx.session.flush()
    return await whole_of(tx, whole.plan)


async def mark_step(case_id: UUID, command: MarkStep, tx: Transaction, here: Here, by: Actor) -> Whole:
    """What became of a step of the plan; said again, the last word counts."""
    case = await _locked(tx, case_id, by)
    whole = await _open(tx, case.id)
    known = {str(step["id"]) for version in whole.versions for step in (version.content or {}).get("steps", [])}
    if str(command.step) not in known:
        raise Conflict("The plan has no such step.")
    await _keep_mark(tx, whole.plan, command, by)
    return await whole_of(tx, whole.plan)


async def close_plan(case_id: UUID, command: ClosePlan, tx: Transaction, here: Here, by: Actor) -> Whole:
    """Closes the plan, never the case. Raises Conflict while a step is open of which nothing is said."""
    case = await _locked(tx, case_id, by)
    whole = await _open(tx, case.id)
    open_ones = set(whole.open_steps)
    said = {str(one.step) for one in command.steps if one.state is not StepState.OPEN}
    if open_ones - said:
        raise Conflict(STILL_OPEN)
    for one in command.steps:
        if str(one.step) in open_ones:
            await _keep_mark(tx, whole.plan, one, by)
    plan = whole.plan
    plan.state, plan.closed_at, plan.closed_by, plan.review_on = "closed", tx.clock.now(), by.account_id, None
    plan.closing = command.model_dump(mode="json", exclude={"steps"}, exclude_none=True)
    await tx.session.flush()
    return await whole_of(tx, plan)


async def _keep_mark(tx: Transaction, plan: Plan, command: MarkStep, by: Actor) -> None:
    row = StepMark(
        id=new_id(), plan_id=plan.id, case_id=plan.case_id, said=command.model_dump(mode="json", exclude_none=True),
        recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()


async def open_plan(tx: Transaction, case_id: UUID) -> Whole | None:
    """The plan of a case that is open."""
    query = select(Plan).where(col(Plan.case_id) == case_id, col(Plan.state) == "open").execution_options(populate_existing=True)
    plan = (await tx.session.execute(query)).scalar_one_or_none()
    return await whole_of(tx, plan) if plan is not None else None


async def plans_of(tx: Transaction, case_id: UUID) -> list[Whole]:
    """Every plan of a case, the newest first."""
    query = select(Plan).where(col(Plan.case_id) == case_id).order_by(col(Plan.id).desc())
    return [await whole_of(tx, plan) for plan in (await tx.session.execute(query)).scalars().all()]


async def whole_of(tx: Transaction, plan: Plan) -> Whole:
    """A plan with its versions, her answers and what became of its steps."""
    versions = select(PlanVersion).where(col(PlanVersion.plan_id) == plan.id).order_by(col(PlanVersion.number))
    found = list((await tx.session.execute(versions)).scalars())
    answers = select(PlanAnswer).where(col(PlanAnswer.version_id).in_([one.id for one in found]))
    marks = select(StepMark).where(col(StepMark.plan_id) == plan.id).order_by(col(StepMark.id))
    last = {
        str((one.said or {}).get("step")): str((one.said or {}).get("state")) for one in (await tx.session.execute(marks)).scalars()
    }
    return Whole(plan, found, {one.version_id: one for one in (await tx.session.execute(answers)).scalars()}, last)


async def _open(tx: Transaction, case_id: UUID) -> Whole:
    whole = await open_plan(tx, case_id)
    if whole is None:
        raise Conflict("No plan of this case is open; write one first.")
    return whole


async def _locked(tx: Transaction, case_id: UUID, by: Actor) -> Case:
    by.may_work()
    seen = await load_case(tx, case_id, by)
    scope.not_as_guest(by, seen.facility, seen.id)
    await outbox.lock_subjects(tx, [seen.id])
    return await load_case(tx, case_id, by, lock=True)
