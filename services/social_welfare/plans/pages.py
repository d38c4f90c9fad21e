"""Pages: the plan of a case and its earlier versions, writing the next version, and closing, without JavaScript."""

from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, ValidationError

from services.social_welfare.plans import commands
from services.social_welfare.plans.commands import AnswerVersion, ClosePlan, Goal, MarkStep, Step, Whole, WriteVersion
from services.social_welfare.plans.domain import Closing, Need, StepState, What, Who, states
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import NoteText, load_case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework import codes, events
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

MORE_ROWS = 3  # empty rows beneath what stands in the plan; the next version has more
HOWS = (codes.ConsentHow.SPOKEN, codes.ConsentHow.THUMB, codes.ConsentHow.SIGNATURE)


class NewVersion(Body):
    """What stands once in the form; goals and steps stand in rows."""

    needs: tuple[Need, ...] = Field(min_length=1)
    review_on: date
    note: NoteText | None = None
    after: int = 0


class HerAnswer(Body):
    """What she says of a version, and how."""

    number: int
    agrees: codes.Ternary
    how: codes.ConsentHow
    language: events.LanguageTag
    interpreter: str | None = None


class Closed(Body):
    """Why it is closed."""

    why: Closing
    note: NoteText | None = None


class Marked(Body):
    """What became of a step."""

    step: UUID
    state: StepState


NOTE_TOO_LONG = _("The note is too long.")
WORDS = {"needs": _("Choose what is needed."), "review_on": commands.REVIEW_DAY, "note": NOTE_TOO_LONG}
ANSWER_WORDS = {
    "agrees": _("Say whether this plan is agreed to."), "how": _("Say how the answer was given."),
    "language": _("Choose the language in which it was explained."),
}  # fmt: skip
STEP_WORDS = _("Complete this step: what is done, and who does it; and a day that is one.")


@router.get("/cases/{case_id}/plan")
async def show_plan(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The plan, and what she said of it."""
    return await _plan_page(case_id, request, edge, visit, await draft_of(request, visit))


async def _plan_page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    case, whole, earlier = await _read(case_id, edge, visit)
    return edge.pages.show(
        request, "plans/plan.html", visit, status=status, form=form, errors=bool(form.errors), case=case, whole=whole,
        earlier=earlier, stand=_stand(whole), hows=HOWS, step_states=[one for one in StepState if one is not StepState.OPEN],
        here_now="/cases",
    )  # fmt: skip


async def _read(case_id: UUID, edge: Edge, visit: Visit) -> tuple[Any, Whole | None, list[Whole]]:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "plan")
        plans = await commands.plans_of(tx, case.id)
    whole = plans[0] if plans and plans[0].plan.state == "open" else None
    return case, whole, plans[1:] if whole else plans


def _stand(whole: Whole | None) -> dict[str, StepState]:
    return states((whole.last.content or {}).get("steps", []), whole.marks) if whole is not None else {}


@router.post("/cases/{case_id}/plan/answer")
async def post_answer(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps what she says of the newest version."""
    form = fill(HerAnswer, values, ANSWER_WORDS)
    asked = form.model
    if asked is not None and asked.how not in HOWS:
        form.error("how", ANSWER_WORDS["how"])
    if asked is not None and asked.agrees is codes.Ternary.UNKNOWN:
        form.error("agrees", ANSWER_WORDS["agrees"])
    if asked is None or form.errors:
        return await _plan_page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        command = AnswerVersion(
            number=asked.number, agrees=asked.agrees is codes.Ternary.YES, how=asked.how, language=asked.language,
            interpreter=asked.interpreter is not None,
        )  # fmt: skip
        await commands.answer_version(case_id, command, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/plan"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/plan/steps")
async def post_step(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """What became of a step: one choice."""
    visit.actor.may_work()
    form = fill(Marked, values, {})

    async def work(tx: Transaction) -> str:
        await load_case(tx, case_id, visit.actor)
        if form.model is None:
            raise Conflict(_("Choose what became of the step."))
        await commands.mark_step(case_id, MarkStep(step=form.model.step, state=form.model.state), tx, edge.here, visit.actor)
        return f"/cases/{case_id}/plan"

    return await submit(request, edge, visit, values, work)


@router.get("/cases/{case_id}/plan/change")
async def show_change(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The next version, as the last one stands."""
    return await _change_page(case_id, request, edge, visit, await draft_of(request, visit))


async def _change_page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    case, whole, _earlier = await _read(case_id, edge, visit)
    content = (whole.last.content or {}) if whole is not None else {}
    number = whole.last.number if whole is not None else 0
    # What was typed belongs to the version that it was typed over: sent again it is refused again, and nobody's words are lost.
    after = form.value("after", str(number))
    rows = {name: [*content.get(name, []), *({} for _row in range(MORE_ROWS))] for name in ("goals", "steps")}
    limits = {"goals": commands.GOALS_MAX, "steps": commands.STEPS_MAX}
    return edge.pages.show(
        request, "plans/change.html", visit, status=status, form=form, errors=bool(form.errors), case=case, content=content,
        goals=rows["goals"][: limits["goals"]], steps=rows["steps"][: limits["steps"]], needs=list(Need), whats=list(What),
        whos=list(Who), after=after, is_changed=after != str(number), here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/plan/change")
async def post_change(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Writes it."""
    form = fill(NewVersion, values, WORDS)
    goals, steps = _goals(form, values), _steps(form, values)
    asked = form.model
    if asked is None or form.errors:
        return await _change_page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        command = WriteVersion(
            needs=asked.needs, goals=tuple(goals), steps=tuple(steps), review_on=asked.review_on, note=asked.note, after=asked.after
        )
        await commands.write_version(case_id, command, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/plan"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        name = "review_on" if error.sentence == commands.REVIEW_DAY else "needs"
        return await _change_page(case_id, request, edge, visit, Filled(values, {name: error}), status=422)


def _goals(form: Filled[Any], values: Values) -> list[Goal]:
    found = []
    for row in range(commands.GOALS_MAX):
        given = _row(values, row, {"goal_need": "need", "goal_note": "note"})
        if given:
            try:
                found.append(Goal.model_validate(given))
            except ValidationError:
                form.error(f"goal_need_{row}", _("Choose the need that this goal answers."))
    return found


def _steps(form: Filled[Any], values: Values) -> list[Step]:
    found = []
    names = {"step_id": "id", "step_what": "what", "step_who": "who", "step_due": "due_on", "step_note": "note"}
    for row in range(commands.STEPS_MAX):
        given = _row(values, row, names)
        if given.keys() - {"id"}:  # an id alone: the step was taken out of the plan
            try:
                found.append(Step.model_validate(given))
            except ValidationError:
                form.error(f"step_what_{row}", STEP_WORDS)
    return found


def _row(values: Values, row: int, names: dict[str, str]) -> dict[str, str]:
    return {field: values[f"{name}_{row}"][-1] for name, field in names.items() if values.get(f"{name}_{row}")}


@router.get("/cases/{case_id}/plan/close")
async def show_close(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Closing asks about every open step."""
    return await _close_page(case_id, request, edge, visit, await draft_of(request, visit))


async def _close_page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    case, whole, _earlier = await _read(case_id, edge, visit)
    content = ((whole.in_force or whole.last).content or {}) if whole is not None else {}
    open_steps = [step for step in content.get("steps", []) if whole is not None and str(step["id"]) in whole.open_steps]
    return edge.pages.show(
        request, "plans/close.html", visit, status=status, form=form, errors=bool(form.errors), case=case, whole=whole,
        open_steps=open_steps, closings=list(Closing), step_states=[one for one in StepState if one is not StepState.OPEN],
        here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/plan/close")
async def post_close(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Closes the plan."""
    form = fill(Closed, values, {"why": _("Choose why the plan is closed."), "note": NOTE_TOO_LONG})
    async with edge.database.read() as tx:
        whole = await commands.open_plan(tx, (await load_case(tx, case_id, visit.actor)).id)
    marks = []
    for id_ in whole.open_steps if whole is not None else ():
        said = values.get(f"state_{id_}", [""])[-1]
        if said in {str(one) for one in StepState} - {StepState.OPEN}:
            marks.append(MarkStep(step=UUID(id_), state=StepState(said)))
        else:
            form.error(f"state_{id_}", commands.STILL_OPEN)
    asked = form.model
    if asked is None or form.errors:
        return await _close_page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        await commands.close_plan(
            case_id, ClosePlan(why=asked.why, steps=tuple(marks), note=asked.note), tx, edge.here, visit.actor
        )
        return f"/cases/{case_id}/plan"

    return await submit(request, edge, visit, values, work)
