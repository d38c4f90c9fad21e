"""Pages: a court forbids to destroy anything of a case, and allows it again. A supervisor types what the order says."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.holds import commands
from shared.casework.holds.commands import PlaceHold
from shared.casework.holds.releasing import destroy_soon
from shared.casework.holds.tables import Hold
from shared.casework.pages.visits import Posted, Visitor, draft_of, is_herself, submit
from shared.casework.scope import OutOfSight
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.digits import typed
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

ORDER_CHARACTERS_MIN = 3  # of an order's number: "12" would stand in any date
PIN_CHARACTERS_MAX = 12  # a PIN has six digits
LIFT_WORDS = {
    "order": _("Type the number of the order as it stands above."), "pin": _("Type your own PIN: it is lifted by your own hand."),
}  # fmt: skip
WORDS = {"order": _("Write which court ordered it, the order’s number and its date.")}


class LiftHold(Body):
    """The order before her, and that it is she."""

    order: str = ""
    pin: str = Field(min_length=1, max_length=PIN_CHARACTERS_MAX)


@router.get("/cases/{case_id}/hold")
async def show_hold(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The orders in force, what lifting each does, and room for another."""
    return await _hold_page(case_id, request, edge, visit, await draft_of(request, visit))


async def _hold_page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        visit.actor.may_supervise()
        holds = await commands.holds_of(tx, case.id)
        await note_read(tx, case.id, visit.actor, "holds" if holds else "hold_form")
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


async def _order_in_force(case_id: UUID, hold_id: UUID, tx: Transaction, visit: Visit) -> str | None:
    """What an order says that is in force, empty where it stands on paper alone; None where there is none."""
    case = await load_case(tx, case_id, visit.actor)
    visit.actor.may_supervise()
    return next((_legible(hold) for hold in await commands.holds_of(tx, case.id) if hold.id == hold_id), None)


def _legible(hold: Hold) -> str:
    return hold.order if hold.order and hold.order != commands.ON_PAPER else ""


def _names(said: str, order: str) -> bool:
    """Whether what was typed is an order's number, or more of it, as it was entered; spaces and capitals do not count."""
    short, whole = ("".join(typed(one).casefold().split()) for one in (said, order))
    return len(short) >= ORDER_CHARACTERS_MIN and short in whole and (any(c.isdigit() for c in short) or short == whole)


@router.get("/cases/{case_id}/holds/{hold_id}/lift")
async def show_lift(case_id: UUID, hold_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What lifting it destroys, before it is done."""
    return await _lift_page(case_id, hold_id, request, edge, visit, await draft_of(request, visit))


async def _lift_page(
    case_id: UUID, hold_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        visit.actor.may_supervise()
        await note_read(tx, case.id, visit.actor, "holds")
        holds = await commands.holds_of(tx, case.id)
        hold = next((one for one in holds if one.id == hold_id), None)
        if hold is None:
            raise OutOfSight("The case has no such hold.", hold_id)
        waiting = await commands.waiting_for_lifting(tx, case.id)
    return edge.pages.show(
        request, "holds/lift.html", visit, status=status, form=form, errors=bool(form.errors), case=case, hold=hold,
        is_last=len(holds) == 1, asks_order=bool(_legible(hold)), waiting=waiting, here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/holds/{hold_id}/lift")
async def post_lift(case_id: UUID, hold_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """The court allows it again: what was taken back meanwhile is destroyed now, by whoever names the order and shows her PIN."""
    form = fill(LiftHold, values, LIFT_WORDS)
    async with edge.database.read() as tx:
        order = await _order_in_force(case_id, hold_id, tx, visit)
    if order is not None:  # else it has been lifted: a second tap goes where the first one went
        if order and not _names(form.value("order"), order):
            form.error("order", LIFT_WORDS["order"])
        if form.model is not None and not form.errors and not await is_herself(edge, visit, typed(form.model.pin)):
            form.error("pin", _("That is not your PIN."))
        if form.errors:
            return await _lift_page(case_id, hold_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        visit.actor.may_work()
        await commands.lift_hold(case_id, hold_id, tx, edge.here, visit.actor)
        return f"/cases/{case_id}"

    done = await submit(request, edge, visit, values, work)
    await destroy_soon(edge.database, edge.here, case_id)
    return done
