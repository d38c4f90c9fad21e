"""Routes: hand-overs that nobody has accepted."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from services.justice.hand_overs import views
from shared.casework.edge import OneEdge, Page, SignedIn
from shared.kit.bodies import Body

router = APIRouter(prefix="/api/v1", tags=["justice"])


class HandOverView(Body):
    """A request to prosecute, and by when it is to be answered."""

    referral_id: UUID
    case_id: UUID
    issuer: str
    from_facility: str
    issued_at: datetime
    respond_by: datetime


@router.get("/hand-overs")
async def get_hand_overs(edge: OneEdge, by: SignedIn) -> Page:
    """Those at the account's desks, the nearest time first."""
    by.may_work()
    async with edge.database.write() as tx:
        found = await views.due(tx, by)
    return Page(
        items=[
            HandOverView(
                referral_id=one.id, case_id=one.case_id, issuer=one.issuer, from_facility=one.from_facility,
                issued_at=one.issued_at, respond_by=one.respond_by,
            )
            for one, _case in found
        ]
    )  # fmt: skip
