"""Routes: that somebody was counselled."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.counselling import commands
from services.police.counselling.commands import Counsel
from services.police.counselling.tables import Counselling
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1/cases/{case_id}/counsellings", tags=["counselling"])


class CounsellingView(OfACase):
    """One time."""

    look: ClassVar[str] = "counselling"

    id: UUID
    case_id: UUID
    what: str | None
    language: str | None
    interpreter: bool
    post: str
    note: str | None
    occurred_at: datetime


def _view(row: Counselling) -> CounsellingView:
    return CounsellingView(
        id=row.id, case_id=row.case_id, what=row.what, language=row.language, interpreter=row.interpreter, post=row.post,
        note=row.note, occurred_at=row.occurred_at,
    )  # fmt: skip


@router.post("", status_code=201, response_model=CounsellingView)
async def post_counselling(
    case_id: UUID, body: Counsel, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Somebody was counselled."""

    async def work(tx: Transaction) -> CounsellingView:
        return _view(await commands.counsel(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("")
async def get_counsellings(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """Every time of a case, oldest first."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        commands.needs_register(edge.here)
        await note_read(tx, case.id, by, "counselling")
        return Page(items=[_view(row) for row in await commands.counselled(tx, case.id)])
