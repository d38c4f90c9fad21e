"""Pages of the police: the number of a case in the occurrence book. A local field: it is never sent to anybody."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.dockets import commands
from services.police.dockets.commands import EnterDocket
from services.police.dockets.tables import Docket
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

WORDS = {"number": _("Type the number as it stands in the book: letters, digits, / and -, such as OB/123/26.")}


async def docket_of(tx: Transaction, case_id: UUID) -> Sequence[tuple[str, str | None, str]]:
    """The line of a case's page: what it is called, the number where it is known, and where it is entered."""
    docket = await tx.session.get(Docket, case_id)
    return [(_("Number in the occurrence book"), docket.number if docket else None, f"/cases/{case_id}/docket")]


@router.get("/cases/{case_id}/docket")
async def show_docket(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The number, to be entered or corrected."""
    return await _page(case_id, request, edge, visit, await draft_of(request, visit))


async def _page(case_id: UUID, request: Request, edge: Edge, visit: Visitor, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "docket")
        docket = await tx.session.get(Docket, case.id)
    return edge.pages.show(
        request, "police/docket.html", visit, status=status, errors=bool(form.errors), form=form, case=case, docket=docket,
        here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/docket")
async def post_docket(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps the number; small letters and spaces are a way of typing."""
    typed = {**values, "number": ["".join(one.split()).upper() for one in values.get("number", [])]}
    form = fill(EnterDocket, typed if typed["number"] else {}, WORDS)
    asked = form.model
    if asked is None:
        return await _page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        await commands.enter_docket(case_id, asked, tx, visit.actor)
        return f"/cases/{case_id}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _page(case_id, request, edge, visit, Filled(values, {"number": error}), status=422)
