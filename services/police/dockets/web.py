"""Routes: the docket number of a case."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.dockets import commands
from services.police.dockets.commands import EnterDocket
from services.police.dockets.tables import Docket
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, SignedIn, command
from shared.kit.db import Transaction
from shared.kit.errors import NotFound

router = APIRouter(prefix="/api/v1/cases/{case_id}/docket", tags=["police"])


class DocketView(OfACase):
    """A case's docket number."""

    look: ClassVar[str] = "docket"

    case_id: UUID
    number: str
    entered_at: datetime


def _view(docket: Docket) -> DocketView:
    return DocketView(case_id=docket.case_id, number=docket.number, entered_at=docket.entered_at)


@router.post("", response_model=DocketView)
async def post_docket(
    case_id: UUID, body: EnterDocket, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Enters or corrects the docket number."""

    async def work(tx: Transaction) -> DocketView:
        return _view(await commands.enter_docket(case_id, body, tx, by))

    return await command(request, edge, by, work, key=key)


@router.get("")
async def get_docket(case_id: UUID, edge: OneEdge, by: SignedIn) -> DocketView:
    """The case's docket number."""
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "docket")
        docket = await tx.session.get(Docket, case.id)
        if docket is None:
            raise NotFound("No docket number has been entered for this case.")
        return _view(docket)
