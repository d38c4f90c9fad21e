"""Routes: who waits to be seen first, the one tap that she is seen, and what waits came to."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.fast_track import views
from services.police.fast_track.commands import only_where_there_is_one, see_now
from services.police.fast_track.domain import Minutes
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.contracts.casework import events
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["police"])


class WaitsView(Body):
    """Somebody whom the programme's rule lets stand in no queue and with whom nothing was done yet."""

    case_id: UUID
    incident_id: UUID
    facility: str
    since: datetime


class SeenView(Body):
    """That somebody sees her now."""

    case_id: UUID


class MinutesView(Body):
    """From first contact to being seen, of one station. `not_known`: written on paper, which does not tell."""

    facility: str
    seen: int
    minutes_median: float | None
    minutes_p90: float | None
    not_seen: int
    not_known: int


def minutes_view(one: Minutes) -> MinutesView:
    """As it is shown: to the tenth of a minute."""
    middle, slow = (None if value is None else round(value, 1) for value in (one.median, one.p90))
    return MinutesView(
        facility=one.facility,
        seen=one.seen,
        minutes_median=middle,
        minutes_p90=slow,
        not_seen=one.not_seen,
        not_known=one.not_known,
    )


@router.get("/fast-track")
async def get_waiting(edge: OneEdge, by: SignedIn) -> Page:
    """Who is to be seen first at the account's desks, the longest wait first; looks are kept."""
    by.may_work()
    only_where_there_is_one(edge.here)
    async with edge.database.write() as tx:
        rows = await views.waiting(tx, edge.here, by)
        items = [
            WaitsView(case_id=row.case.id, incident_id=row.incident.id, facility=row.case.facility, since=row.since) for row in rows
        ]
    return Page(items=items)


@router.post("/cases/{case_id}/seen", response_model=SeenView)
async def post_seen(case_id: UUID, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Somebody sees her now."""

    async def work(tx: Transaction) -> SeenView:
        return SeenView(case_id=await see_now(case_id, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.get("/fast-track/figures")
async def get_minutes(edge: OneEdge, by: SignedIn, first: events.Day, until: events.Day) -> Page:
    """Minutes from first contact to being seen, station by station, for a supervisor: no case is opened for it."""
    only_where_there_is_one(edge.here)
    async with edge.database.read() as tx:
        found = await views.minutes(tx, edge.here, by, first, until)
    return Page(items=[minutes_view(one) for one in found])
