"""Routes: what was given for a referral, and to somebody who came without one."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.health.care import commands
from services.health.care.commands import InCare, KeepCare
from services.health.care.tables import CareGiven
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.here import Actor
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["health"])


class CareView(OfACase):
    """One line of the package, of a referral or of an arrival without one."""

    look: ClassVar[str] = "care"

    id: UUID
    case_id: UUID
    referral_id: UUID | None
    arrival_id: UUID | None
    care: str
    result: str
    occurred_at: datetime


def _view(row: CareGiven, case_id: UUID) -> CareView:
    return CareView(
        id=row.id, case_id=case_id, referral_id=row.referral_id, arrival_id=row.walk_in_id, care=row.care, result=row.result,
        occurred_at=row.occurred_at,
    )  # fmt: skip


@router.post("/referrals/{referral_id}/care", status_code=201, response_model=CareView)
async def post_care(
    referral_id: UUID, body: KeepCare, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Keeps what was given, refused or out of stock; it never leaves this agency."""

    async def work(tx: Transaction) -> CareView:
        whom = await commands.received(referral_id, tx, by)
        return _view(await commands.keep_care(whom, body, tx, by), whom.case_id)

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/referrals/{referral_id}/care")
async def get_care(referral_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """What was kept for a referral."""
    async with edge.database.write() as tx:
        return await _page(await commands.received(referral_id, tx, by), tx, by)


@router.post("/arrivals/{arrival_id}/care", status_code=201, response_model=CareView)
async def post_care_of_arrival(
    arrival_id: UUID, body: KeepCare, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """The same for somebody who came without a referral."""

    async def work(tx: Transaction) -> CareView:
        whom = await commands.came(arrival_id, tx, by)
        return _view(await commands.keep_care(whom, body, tx, by), whom.case_id)

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/arrivals/{arrival_id}/care")
async def get_care_of_arrival(arrival_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """What was kept for somebody who came without a referral."""
    async with edge.database.write() as tx:
        return await _page(await commands.came(arrival_id, tx, by), tx, by)


async def _page(whom: InCare, tx: Transaction, by: Actor) -> Page:
    await note_read(tx, whom.case_id, by, "care")
    return Page(items=[_view(row, whom.case_id) for row in await commands.care_of(whom, tx)])
