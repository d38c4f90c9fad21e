"""Pages: the visits of a case with what she says about being visited, and one visit, without JavaScript."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.social_welfare.visits import commands, views
from services.social_welfare.visits.commands import BACK_BY, AnswerVisit, MakeVisit, SayVisiting, SetOut
from services.social_welfare.visits.domain import AT_HERS, Kind, Outcome, Which
from services.social_welfare.visits.domain import Way as SafeWay
from shared.casework.accounts.commands import NAME_CHARACTERS_MAX
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import NoteText, load_case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.follow_ups.commands import TOO_FAR
from shared.casework.follow_ups.domain import State
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework import codes, events
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

HOURS = (codes.SafeHours.MORNING, codes.SafeHours.AFTERNOON, codes.SafeHours.EVENING)
OUT_HOURS = (1, 2, 3, 4, 6, 8)  # how long a worker may say that she is away: few and plain


class HerWord(Body):
    """What she says about being visited."""

    is_safe: codes.Ternary
    way: SafeWay | None = None
    hours: codes.SafeHours | None = None
    language: events.LanguageTag
    interpreter: str | None = None


class NewVisit(Body):
    """A visit, and who knows of it."""

    kind: Kind
    which: Which = Which.OTHER
    due_on: date
    part: codes.SafeHours | None = None
    second: str | None = Field(default=None, max_length=NAME_CHARACTERS_MAX)
    knows: str | None = None


class Answered(Body):
    """What became of it."""

    state: State
    outcome: Outcome | None = None
    note: NoteText | None = None


WORD_WORDS = {
    "is_safe": _("Say whether a visit is safe."), "way": _("Say how a visit is safe."), "hours": _("Say when a visit is safe."),
    "language": _("Choose the language in which it was asked."),
}  # fmt: skip
VISIT_WORDS = {"kind": _("Choose where the visit is."), "due_on": _("Choose the day of the visit.")}
ANSWER_WORDS = {
    "state": _("Say that the visit was kept, or that nobody has come yet."), "outcome": _("Say how it went."),
    "note": _("The note is too long."),
}  # fmt: skip
ABOUT = {TOO_FAR: "due_on", commands.WHO_KNOWS: "knows"}


@router.get("/cases/{case_id}/visits")
async def show_visits(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The visits of a case, and making one."""
    return await _plan_page(case_id, request, edge, visit, await draft_of(request, visit))


async def _plan_page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "visits")
        plan = await views.plan_of(tx, case)
        today = edge.here.day_of(tx.clock.now())
    return edge.pages.show(
        request, "visits/plan.html", visit, status=status, form=form, errors=bool(form.errors), case=case, plan=plan, today=today,
        kinds=list(Kind), whichs=list(Which), hours_here=HOURS, knowing=edge.here.posts(visit.actor.facility or case.facility),
        here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/visits")
async def post_visit(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Makes one, or says why not."""
    form = fill(NewVisit, values, VISIT_WORDS)
    asked = form.model
    if asked is None:
        return await _plan_page(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        command = MakeVisit(
            kind=asked.kind, which=asked.which, due_on=asked.due_on, part=asked.part if asked.kind in AT_HERS else None,
            second=asked.second, knows=asked.knows,
        )  # fmt: skip
        await commands.make_visit(case_id, command, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/visits"

    try:
        return await submit(request, edge, visit, values, work)
    except (Conflict, NotFound) as error:
        if isinstance(error, NotFound) and asked.second is None:
            raise
        name = "second" if isinstance(error, NotFound) else ABOUT.get(error.sentence, "kind")
        return await _plan_page(case_id, request, edge, visit, form.error(name, error), status=422)


@router.get("/cases/{case_id}/visiting")
async def show_word(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Whether a visit is safe, asked alone."""
    return await _word_page(case_id, request, edge, visit, await draft_of(request, visit))


async def _word_page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "visits")
        plan = await views.plan_of(tx, case)
    return edge.pages.show(
        request, "visits/word.html", visit, status=status, form=form, errors=bool(form.errors), case=case, plan=plan,
        safe_ways=list(SafeWay), hours_here=HOURS, here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/visiting")
async def post_word(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps it."""
    form = fill(HerWord, values, WORD_WORDS)
    asked = form.model
    is_safe = asked is not None and asked.is_safe is codes.Ternary.YES
    if asked is not None and asked.is_safe is codes.Ternary.UNKNOWN:
        form.error("is_safe", WORD_WORDS["is_safe"])
    for name in ("way", "hours") if is_safe else ():
        if getattr(asked, name) is None or getattr(asked, name) is codes.SafeHours.NEVER:
            form.error(name, WORD_WORDS[name])
    if asked is None or form.errors:
        return await _word_page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        command = SayVisiting(
            is_safe=is_safe, way=asked.way if is_safe else None, hours=asked.hours if is_safe else None, language=asked.language,
            interpreter=asked.interpreter is not None,
        )  # fmt: skip
        await commands.say_visiting(case_id, command, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/visits"

    return await submit(request, edge, visit, values, work)


@router.get("/visits/{visit_id}")
async def show_visit(visit_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One visit."""
    return await _visit_page(visit_id, request, edge, visit, await draft_of(request, visit))


async def _visit_page(visit_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    async with edge.database.write() as tx:  # the look is kept
        row = await commands.load_visit(tx, visit_id, visit.actor)
        case = await load_case(tx, row.case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "visits")
        plan = await views.plan_of(tx, case)
        today, turns_back = edge.here.day_of(tx.clock.now()), await commands.turns_back(tx, row)
    return edge.pages.show(
        request, "visits/visit.html", visit, status=status, form=form, errors=bool(form.errors), case=case, row=row, plan=plan,
        goes_out=row.kind in AT_HERS, outcomes=list(Outcome), states=(State.KEPT, State.MISSED, State.CALLED_OFF),
        out_hours=OUT_HOURS, today=today,
        turns_back=turns_back, here_now="/cases",
    )  # fmt: skip


@router.post("/visits/{visit_id}/answer")
async def post_answer(visit_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """What became of it, and how it went."""
    visit.actor.may_work()
    async with edge.database.read() as tx:
        await commands.load_visit(tx, visit_id, visit.actor)
    form = fill(Answered, values, ANSWER_WORDS)
    asked = form.model
    if asked is not None and asked.state is State.KEPT and asked.outcome is None:
        form.error("outcome", ANSWER_WORDS["outcome"])
    if asked is None or form.errors:
        return await _visit_page(visit_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        command = AnswerVisit(state=asked.state, outcome=asked.outcome, note=asked.note)
        row = await commands.answer_visit(visit_id, command, tx, edge.here, visit.actor)
        return f"/cases/{row.case_id}/visits"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _visit_page(visit_id, request, edge, visit, form.error("state", error), status=422)


class Out(Body):
    """How long she is away at most."""

    out_hours: int


@router.post("/visits/{visit_id}/set-out")
async def post_set_out(visit_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """She goes: one tap says for how long at most."""
    visit.actor.may_work()
    form = fill(Out, values, {})

    async def work(tx: Transaction) -> str:
        await commands.load_visit(tx, visit_id, visit.actor)
        if form.model is None or form.model.out_hours not in OUT_HOURS:
            raise Conflict(BACK_BY)
        back_by = tx.clock.now() + timedelta(hours=form.model.out_hours)
        await commands.set_out(visit_id, SetOut(back_by=back_by), tx, edge.here, visit.actor)
        return f"/visits/{visit_id}"

    return await submit(request, edge, visit, values, work)


@router.post("/visits/{visit_id}/back")
async def post_back(visit_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """She is back: one tap."""
    visit.actor.may_work()

    async def work(tx: Transaction) -> str:
        await commands.come_back(visit_id, tx, edge.here, visit.actor)
        return f"/visits/{visit_id}"

    return await submit(request, edge, visit, values, work)
