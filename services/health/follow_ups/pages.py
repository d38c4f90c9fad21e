"""Pages: the follow-up visits of a case, and what waits for a doctor at this place."""

from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.health.follow_ups import commands, views
from services.health.follow_ups.commands import MakeVisit, MoveVisit
from services.health.follow_ups.domain import Which
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_listed, note_read
from shared.casework.custody import views as custody
from shared.casework.edge import Edge, OneEdge
from shared.casework.follow_ups.commands import AnswerVisit
from shared.casework.follow_ups.domain import State
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.reports import views as reports
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

WORDS = {"which": _("Choose which visit."), "due_on": _("Choose the day of the visit.")}
FOR_A_DOCTOR = ("sign", "examine")  # of the lists of reports


class NewVisit(Body):
    """Which visit, and when."""

    which: Which = Which.OTHER
    due_on: date


@router.get("/waits")
async def show_waits(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What waits for a doctor: reports to be signed, visits that are due, samples that are not sealed."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        found = reports.in_sections(edge.here, await reports.open_ones(tx, visit.actor), tx.clock.now())
        due = await views.due(tx, edge.here, visit.actor)
        samples = await custody.due(tx, edge.here, visit.actor)
        to_write = [(reports.SECTIONS[edge.here.kind][name], found[name]) for name in FOR_A_DOCTOR]
        listed = {one.case.id for _name, ones in to_write for one in ones} | {case.id for _row, case in (*due, *samples)}
        await note_listed(tx, listed, visit.actor)
    return edge.pages.show(request, "follow_ups/waits.html", visit, sections=to_write, due=due, samples=samples)


@router.get("/cases/{case_id}/follow-ups")
async def show_plan(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The visits of a case, and what may be made."""
    return await _page(case_id, request, edge, visit, await draft_of(request, visit))


async def _page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "care")
        plan = await views.plan_of(tx, edge.here, case)
        today = edge.here.day_of(tx.clock.now())
    return edge.pages.show(
        request, "follow_ups/plan.html", visit, status=status, form=form, errors=bool(form.errors), case=case, plan=plan,
        today=today, here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/follow-ups")
async def post_visit(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Makes one."""
    form = fill(NewVisit, values, WORDS)
    asked = form.model
    if asked is None:
        return await _page(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        await commands.make_visit(case_id, MakeVisit(which=asked.which, due_on=asked.due_on), tx, edge.here, visit.actor)
        return f"/cases/{case_id}/follow-ups"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _page(case_id, request, edge, visit, form.error("due_on", error), status=422)


@router.get("/follow-ups/{visit_id}/move")
async def show_move(visit_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One visit, to be given another day or called off."""
    return await _move_page(visit_id, request, edge, visit, await draft_of(request, visit))


async def _move_page(visit_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        row = await commands.load_visit(tx, visit_id, visit.actor)
        case = await load_case(tx, row.case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "care")
    return edge.pages.show(
        request, "follow_ups/move.html", visit, status=status, form=form, errors=bool(form.errors), case=case, planned=row,
        here_now="/cases",
    )  # fmt: skip


@router.post("/follow-ups/{visit_id}/move")
async def post_move(visit_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Gives it another day."""
    form = fill(MoveVisit, values, WORDS)
    asked = form.model
    if asked is None:
        return await _move_page(visit_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        row = await commands.move_visit(visit_id, asked, tx, edge.here, visit.actor)
        return f"/cases/{row.case_id}/follow-ups"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _move_page(visit_id, request, edge, visit, form.error("due_on", error), status=422)


@router.post("/follow-ups/{visit_id}/answer")
async def post_answer(visit_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Kept, nobody has come yet, or called off: one tap."""
    form = fill(
        AnswerVisit, values, {"state": _("Say that the visit was kept, that nobody has come yet, or that it is called off.")}
    )

    async def work(tx: Transaction) -> str:
        row = await commands.load_visit(tx, visit_id, visit.actor)
        asked = form.model or AnswerVisit(state=State.MADE)
        await commands.answer_visit(visit_id, asked, tx, edge.here, visit.actor)
        return f"/cases/{row.case_id}/follow-ups"

    visit.actor.may_work()
    return await submit(request, edge, visit, values, work)
