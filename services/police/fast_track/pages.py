"""Pages: the tap on the work list, and for a supervisor how long people waited."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.dispensing.resupply import days_of, month_before
from services.police.fast_track.commands import only_where_there_is_one, see_now
from services.police.fast_track.views import minutes
from services.police.fast_track.web import minutes_view
from shared.casework.edge import OneEdge
from shared.casework.figures.domain import period
from shared.casework.pages.visits import Posted, Visitor, submit
from shared.kit.db import Transaction

router = APIRouter(include_in_schema=False)


@router.post("/cases/{case_id}/seen")
async def post_seen(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Somebody sees her now: her file opens."""

    async def work(tx: Transaction) -> str:
        return f"/cases/{await see_now(case_id, tx, edge.here, visit.actor)}/consent"

    return await submit(request, edge, visit, values, work)


@router.get("/fast-track")
async def show_minutes(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """This month and the one before, station by station in the programme's order."""
    only_where_there_is_one(edge.here)
    async with edge.database.read() as tx:
        on = edge.here.day_of(tx.clock.now())
        months = [
            (period(month).first, [minutes_view(one) for one in await minutes(tx, edge.here, visit.actor, *days_of(month))])
            for month in (f"{on.year}-{on.month:02}", month_before(on))
        ]
    return edge.pages.show(request, "fast_track/minutes.html", visit, months=months)
