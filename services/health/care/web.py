"""Routes: what was given for a referral."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.health.care import commands
from services.health.care.commands import KeepCare
from services.health.care.tables import CareGiven
from shared.casework.cases.views import note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.referrals.commands import load_referral
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1/referrals/{referral_id}/care", tags=["health"])


class CareView(BaseModel):
    """One line of the package."""

    id: UUID
    referral_id: UUID
    care: str
    result: str
    occurred_at: datetime


def _view(row: CareGiven) -> CareView:
    return CareView(id=row.id, referral_id=row.referral_id, care=row.care, result=row.result, occurred_at=row.occurred_at)


@router.post("", status_code=201, response_model=CareView)
async def post_care(
    referral_id: UUID, body: KeepCare, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Keeps what was given, refused or out of stock; it never leaves this agency."""

    async def work(tx: Transaction) -> CareView:
        return _view(await commands.keep_care(referral_id, body, tx, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("")
async def get_care(referral_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """What was kept for a referral."""
    async with edge.database.write() as tx:
        rows = await commands.care_of(referral_id, tx, by)
        await note_read(tx, (await load_referral(tx, referral_id, by)).case_id, by, "care")
        return Page(items=[_view(row) for row in rows])
