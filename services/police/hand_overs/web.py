"""Routes: complaints that are to be handed over, and those of a case with their clocks. The hand-over itself is a referral."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from services.police.hand_overs import views
from services.police.hand_overs.views import Due
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_listed, note_read
from shared.casework.edge import OneEdge, Page, SignedIn
from shared.kit.bodies import Body

router = APIRouter(prefix="/api/v1", tags=["police"])


class HandOverView(Body):
    """A complaint with its clock; `handed_at`: of the first request to prosecute that stands."""

    complaint_id: UUID
    case_id: UUID
    incident_id: UUID | None
    counted_from: datetime
    due_at: datetime
    handed_at: datetime | None
    stands: str


def _view(one: Due) -> HandOverView:
    return HandOverView(
        complaint_id=one.complaint.id, case_id=one.case.id, incident_id=one.complaint.incident_id,
        counted_from=one.facts.counted_from, due_at=one.facts.due_at, handed_at=one.facts.handed_at, stands=one.stands,
    )  # fmt: skip


@router.get("/hand-overs")
async def get_hand_overs(edge: OneEdge, by: SignedIn) -> Page:
    """What the account's desks still have to hand over, the nearest time first."""
    by.may_work()
    async with edge.database.write() as tx:
        found = await views.due(tx, edge.here, by)
        await note_listed(tx, [one.case.id for one in found], by)
        return Page(items=[_view(one) for one in found])


@router.get("/cases/{case_id}/hand-overs")
async def get_of_case(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """The complaints of a case with their clocks."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "complaint")
        return Page(items=[_view(one) for one in await views.of_case(tx, edge.here, case)])
