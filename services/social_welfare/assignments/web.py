"""Routes: who looks after a case, and a worker's own cases."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.social_welfare.assignments import commands
from services.social_welfare.assignments.commands import Assign
from shared.casework.cases.views import OfACase, case_view, note_listed
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["social welfare"])


class AssignmentView(OfACase):
    """Whose case it is."""

    look: ClassVar[str] = "case"

    case_id: UUID
    account_id: UUID
    assigned_at: datetime


@router.post("/cases/{case_id}/assignment", response_model=AssignmentView)
async def post_assignment(
    case_id: UUID, request: Request, edge: OneEdge, by: SignedIn, body: Assign | None = None, key: IdempotencyKey = None
) -> Response:
    """Takes a case, or gives it to a colleague."""

    async def work(tx: Transaction) -> AssignmentView:
        row = await commands.assign(case_id, body or Assign(), tx, edge.here, by)
        return AssignmentView(case_id=row.case_id, account_id=row.account_id, assigned_at=row.assigned_at)

    return await command(request, edge, by, work, key=key)


@router.get("/my-cases")
async def get_my_cases(edge: OneEdge, by: SignedIn) -> Page:
    """The cases that are the account's own."""
    async with edge.database.write() as tx:
        cases = await commands.my_cases(tx, by)
        await note_listed(tx, [case.id for case in cases], by)
        return Page(items=[case_view(case) for case in cases])
