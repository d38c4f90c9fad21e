"""The page on which any agency writes down what went against the protocol, without JavaScript."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.accounts.sessions import Visit
from shared.casework.breaches import commands
from shared.casework.breaches.commands import RecordBreach
from shared.casework.breaches.domain import BreachCode, ByWhom
from shared.casework.breaches.views import breaches_of
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards, when_of
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.kit.db import Transaction
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class NewBreach(Afterwards):
    """What was done or demanded."""

    code: BreachCode
    by_whom: ByWhom


WORDS = {
    **AFTERWARDS_WORDS,
    "code": _("Choose what was done or demanded."),
    "by_whom": _("Choose from whose side it came."),
}


@router.get("/cases/{case_id}/breach")
async def show_breach(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What was done or demanded against the protocol, and what stands here already."""
    return await _page(case_id, request, edge, visit, await draft_of(request, visit))


async def _page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "complaint")
        kept_here = await breaches_of(tx, case.id)
    lists = {"breach": list(BreachCode), "by_whom": list(ByWhom)}
    return edge.pages.show(
        request, "breaches/breach.html", visit, status=status, form=form, errors=bool(form.errors), case=case, lists=lists,
        breaches=kept_here, here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/breach")
async def post_breach(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps it, and tells the supervisor's post."""
    form = fill(NewBreach, values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if asked is None or form.errors:
        return await _page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        command = RecordBreach(code=asked.code, by_whom=asked.by_whom, occurred_at=at)
        await commands.record_breach(case_id, command, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/breach"

    return await submit(request, edge, visit, values, work)
