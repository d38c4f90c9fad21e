"""Pages: a court forbids to destroy anything of a case, and allows it again. A supervisor types what the order says."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.holds import commands
from shared.casework.holds.commands import PlaceHold
from shared.casework.holds.releasing import destroy_soon
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.kit.db import Transaction
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

WORDS = {"order": _("Write which court ordered it, the order’s number and its date.")}


@router.get("/cases/{case_id}/hold")
async def show_hold(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The orders in force, what lifting each does, and room for another."""
    return await _hold_page(case_id, request, edge, visit, await draft_of(request, visit))


async def _hold_page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        visit.actor.may_supervise()
        await note_read(tx, case.id, visit.actor, "holds")
        holds = await commands.holds_of(tx, case.id)
    return edge.pages.show(
        request, "holds/hold.html", visit, status=status, form=form, errors=bool(form.errors), case=case, holds=holds,
        here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/hold")
async def post_hold(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """From now on nothing of the case is destroyed here."""
    form = fill(PlaceHold, values, WORDS)
    asked = form.model
    if asked is None:
        return await _hold_page(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        visit.actor.may_work()
        await commands.place_hold(case_id, asked, tx, edge.here, visit.actor)
        return f"/cases/{case_id}"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/holds/{hold_id}/lift")
async def post_lift(case_id: UUID, hold_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """The court allows it again: what was taken back meanwhile is destroyed now."""

    async def work(tx: Transaction) -> str:
        visit.actor.may_work()
        await commands.lift_hold(case_id, hold_id, tx, edge.here, visit.actor)
        return f"/cases/{case_id}"

    done = await submit(request, edge, visit, values, work)
    await destroy_soon(edge.database, edge.here, case_id)
    return done
