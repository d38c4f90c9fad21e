"""Pages: the examinations of a case with their order, and what waits."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.justice.examinations import commands, views
from services.justice.examinations.commands import AskOrder, Begin, Finish, Number, OrderCame
from services.justice.examinations.domain import AskedOf, order_rule
from services.justice.examinations.web import LOOK
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_listed, note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards, when_of
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework import events
from shared.contracts.casework.lifecycle import MissingDetail
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class NewExamination(Afterwards):
    """Her yes, by which post, and the order where it is there."""

    agreed: Literal["yes"]
    post: events.Code
    order_number: Number | None = None


class Asked(Body):
    """Who was asked for the order."""

    asked_of: AskedOf


class Came(Body):
    """The order's number."""

    came_number: Number


ASKED_OF = _("Choose who was asked for the order.")
NUMBER = _("Type the number of the order: letters, digits, / and -.")
WORDS = {
    **AFTERWARDS_WORDS, "agreed": _("Without a yes there is no examination: ask, and mark the answer."),
    "post": _("Choose the post."), "order_number": NUMBER, "came_number": NUMBER, "asked_of": ASKED_OF,
}  # fmt: skip


@router.get("/examinations")
async def show_unfinished(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Examinations that are not over, or whose order has not come."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        rows = await views.unfinished(tx, visit.actor)
        await note_listed(tx, [case.id for _row, case in rows], visit.actor)
    return edge.pages.show(request, "examinations/unfinished.html", visit, rows=rows)


@router.get("/cases/{case_id}/examinations")
async def show_examinations(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The examinations of a case, and a new one."""
    return await _page(case_id, request, edge, visit, await draft_of(request, visit))


async def _page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, LOOK)
        found = await commands.examinations_of(tx, case.id)
    rule = order_rule(edge.here.programme)
    return edge.pages.show(
        request, "examinations/of_case.html", visit, status=status, form=form, errors=bool(form.errors), case=case, found=found,
        rule=rule, is_assumed=rule is not None and rule.is_assumption(), asked_of=list(AskedOf),
        desk_posts=edge.here.posts(visit.actor.facility or case.facility), here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/examinations")
async def post_examination(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """One begins."""
    values = _typed(values)
    form = fill(NewExamination, values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if asked is None or form.errors:
        return await _page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        body = Begin(agreed=True, post=asked.post, order_number=asked.order_number, occurred_at=at)
        await commands.begin(case_id, body, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/examinations"

    try:
        return await submit(request, edge, visit, values, work)
    except MissingDetail as error:
        form.error(error.field, error)
    except Conflict as error:
        form.error("order_number", error)
    return await _page(case_id, request, edge, visit, Filled(values, form.errors), status=422)


@router.post("/examinations/{examination_id}/order-asked")
async def post_asked(examination_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Who was asked for the order: one tap each."""
    visit.actor.may_work()
    asked = fill(Asked, values, WORDS).model

    async def work(tx: Transaction) -> str:
        row = await commands.load_examination(tx, examination_id, visit.actor)
        if asked is None:
            raise Conflict(ASKED_OF)
        await commands.ask_order(examination_id, AskOrder(asked_of=asked.asked_of), tx, visit.actor)
        return f"/cases/{row.case_id}/examinations"

    return await submit(request, edge, visit, values, work)


@router.post("/examinations/{examination_id}/order-came")
async def post_came(examination_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """The order is there, with its number."""
    visit.actor.may_work()
    values = _typed(values)
    form = fill(Came, values, WORDS)
    asked = form.model
    async with edge.database.read() as tx:
        case_id = (await commands.load_examination(tx, examination_id, visit.actor)).case_id
    if asked is None:
        return await _page(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        await commands.order_came(examination_id, OrderCame(order_number=asked.came_number), tx, edge.here, visit.actor)
        return f"/cases/{case_id}/examinations"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _page(case_id, request, edge, visit, form.error("came_number", error), status=422)


@router.post("/examinations/{examination_id}/done")
async def post_done(examination_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """It is over: one tap."""
    visit.actor.may_work()

    async def work(tx: Transaction) -> str:
        row = await commands.finish(examination_id, Finish(), tx, visit.actor)
        return f"/cases/{row.case_id}/examinations"

    return await submit(request, edge, visit, values, work)


def _typed(values: Values) -> Values:
    """Small letters and spaces in the number of an order are a way of typing."""
    typed = {name: values[name] for name in ("order_number", "came_number") if name in values}
    return {**values, **{name: ["".join(one.split()).upper() for one in several] for name, several in typed.items()}}
