"""The page of hand-overs that are due."""

from fastapi import APIRouter, Request, Response

from services.justice.hand_overs import views
from shared.casework.edge import OneEdge
from shared.casework.pages.visits import Visitor
from shared.casework.referrals.pathways import is_respond_assumed
from shared.contracts.casework.codes import ServicePackage

router = APIRouter(include_in_schema=False)


@router.get("/hand-overs")
async def show_hand_overs(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What the police handed over and nobody has accepted."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        rows = await views.due(tx, visit.actor)
    is_assumed = is_respond_assumed(edge.here, ServicePackage.PROSECUTION)
    return edge.pages.show(request, "hand_overs/due.html", visit, rows=rows, is_assumed=is_assumed)
