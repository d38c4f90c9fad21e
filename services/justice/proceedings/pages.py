"""Pages: the proceedings of a case, and the hearings of this week."""

from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.justice.proceedings import commands, views
from services.justice.proceedings.commands import AnswerHearing, Charge, GiveVerdict, SetHearing
from services.justice.proceedings.domain import HearingState, Outcome
from services.justice.proceedings.web import LOOK
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards, when_of
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class NewHearing(Body):
    """The day."""

    hearing_on: date


class Answered(Body):
    """What became of a hearing."""

    state: HearingState
    next_on: date | None = None


class NewVerdict(Afterwards):
    """How a court decided."""

    outcome: Outcome


WORDS = {
    **AFTERWARDS_WORDS, "hearing_on": _("Choose the day of the hearing."), "outcome": _("Choose how the court decided."),
    "state": _("Say what became of the hearing."), "next_on": _("Choose the new day, or leave it empty."),
}  # fmt: skip


@router.get("/hearings")
async def show_hearings(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Hearings of this week."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        rows = await views.first(tx, edge.here, visit.actor)
    return edge.pages.show(request, "proceedings/hearings.html", visit, rows=rows)


@router.get("/cases/{case_id}/proceedings")
async def show_proceedings(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Charge, hearings, verdict."""
    return await _page(case_id, request, edge, visit, await draft_of(request, visit))


async def _page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, LOOK)
        found = await views.proceedings_of(tx, edge.here, case)
        today = edge.here.day_of(tx.clock.now())
    return edge.pages.show(
        request, "proceedings/of_case.html", visit, status=status, form=form, errors=bool(form.errors), case=case, found=found,
        outcomes=list(Outcome), today=today, here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/charge")
async def post_charge(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Somebody is charged: one tap."""
    visit.actor.may_work()

    async def work(tx: Transaction) -> str:
        await commands.charge(case_id, Charge(), tx, edge.here, visit.actor)
        return f"/cases/{case_id}/proceedings"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/hearings")
async def post_hearing(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Sets a hearing."""
    form = fill(NewHearing, values, WORDS)
    asked = form.model
    if asked is None:
        return await _page(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        await commands.set_hearing(case_id, SetHearing(on_date=asked.hearing_on), tx, edge.here, visit.actor)
        return f"/cases/{case_id}/proceedings"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _page(case_id, request, edge, visit, form.error("hearing_on", error), status=422)


@router.post("/hearings/{hearing_id}/answer")
async def post_answer(hearing_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """What became of it: one tap, with the new day where it is put off to one."""
    visit.actor.may_work()
    asked = fill(Answered, values, WORDS).model

    async def work(tx: Transaction) -> str:
        row = await commands.load_hearing(tx, hearing_id, visit.actor)
        if asked is None or asked.state is HearingState.SET:
            raise Conflict("Say what became of the hearing.")
        next_on = asked.next_on if asked.state is HearingState.PUT_OFF else None
        await commands.answer_hearing(
            hearing_id, AnswerHearing(state=asked.state, next_on=next_on), tx, edge.here, visit.actor
        )  # fmt: skip
        return f"/cases/{row.case_id}/proceedings"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/verdicts")
async def post_verdict(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """A court has decided."""
    form = fill(NewVerdict, values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if asked is None or form.errors:
        return await _page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        await commands.give_verdict(case_id, GiveVerdict(outcome=asked.outcome, occurred_at=at), tx, edge.here, visit.actor)
        return f"/cases/{case_id}/proceedings"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _page(case_id, request, edge, visit, form.error("outcome", error), status=422)
