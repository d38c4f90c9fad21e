"""Routes: holds on a case, by order of a court. A supervisor places and lifts them."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, answer, command
from shared.casework.holds import commands
from shared.casework.holds.commands import PlaceHold
from shared.casework.holds.releasing import destroy_soon
from shared.casework.holds.tables import Hold
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1/cases/{case_id}/holds", tags=["holds"])


class HoldView(OfACase):
    """A hold; `order` is what the paper says."""

    look: ClassVar[str] = "holds"

    id: UUID
    case_id: UUID
    order: str
    placed_at: datetime
    lifted_at: datetime | None


def _view(hold: Hold) -> HoldView:
    return HoldView.model_validate(hold.model_dump(include=set(HoldView.model_fields)))


@router.get("")
async def get_holds(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """The holds on a case that are in force."""
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "holds")
        return Page(items=[_view(hold) for hold in await commands.holds_of(tx, case.id)])


@router.post("", status_code=201, response_model=HoldView)
async def post_hold(
    case_id: UUID, body: PlaceHold, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """From now on nothing of the case is destroyed here."""

    async def work(tx: Transaction) -> HoldView:
        return _view(await commands.place_hold(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.delete("/{hold_id}", response_model=HoldView)
async def delete_hold(case_id: UUID, hold_id: UUID, edge: OneEdge, by: SignedIn) -> Response:
    """The court allows it again: what was taken back meanwhile is destroyed now, and its senders are told."""
    async with edge.database.write() as tx:
        view = _view(await commands.lift_hold(case_id, hold_id, tx, edge.here, by))
        await view.keep_look(tx, by)
    await destroy_soon(edge.database, edge.here, case_id)
    return answer(view)
