"""Routes: what is open while an agreement ends, and what was decided of it."""

from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.partner.afterwards import commands, views
from services.partner.afterwards.commands import Decide
from shared.casework.cases.views import OfACase
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["partner"])


class AfterwardsView(OfACase):
    """A request, the agreement that ends under it, and what was decided; None: nothing yet."""

    look: ClassVar[str] = "referral"

    case_id: UUID
    referral_id: UUID
    agreement: str
    plan: str | None


@router.get("/afterwards")
async def get_afterwards(edge: OneEdge, by: SignedIn) -> Page:
    """What is open while its agreement ends or has ended, at the account's desks."""
    by.may_work()
    async with edge.database.write() as tx:
        found = await views.to_decide(tx, edge.here, by)
        items = [
            AfterwardsView(case_id=one.referral.case_id, referral_id=one.referral.id, agreement=one.agreement, plan=one.plan)
            for one in found
        ]
        return Page(items=items)


@router.post("/referrals/{referral_id}/afterwards", status_code=201, response_model=AfterwardsView)
async def post_afterwards(
    referral_id: UUID, body: Decide, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """What is to become of it; the newest word counts."""

    async def work(tx: Transaction) -> AfterwardsView:
        row = await commands.decide(referral_id, body, tx, edge.here, by)
        return AfterwardsView(case_id=row.case_id, referral_id=row.referral_id, agreement=row.agreement, plan=row.plan)

    return await command(request, edge, by, work, status=201, key=key)
