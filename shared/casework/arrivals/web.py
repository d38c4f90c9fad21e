"""Routes: arrivals at the door, with or without a referral."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.arrivals import commands
from shared.casework.arrivals.commands import DeclinedHere, EndArrival, MatchArrival, Miss, RecordArrival
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.referrals import views
from shared.casework.referrals.tables import Referral, WalkIn
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["referrals"])


@router.post("/arrivals", status_code=201, response_model=views.ArrivalView)
async def post_arrival(
    request: Request, edge: OneEdge, by: SignedIn, body: RecordArrival | None = None, key: IdempotencyKey = None
) -> Response:
    """Somebody has come, with or without a referral. A code that is not of a referral open at this door is answered with
    `matched: false`, whether it fits another or nothing: ask who sent her, and when, and match the arrival with that."""

    async def work(tx: Transaction) -> views.ArrivalView:
        return _view(*await commands.record_arrival(body or RecordArrival(), tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


def _view(walk_in: WalkIn | None, found: Referral | Miss | DeclinedHere | None) -> views.ArrivalView:
    return views.arrival_view(walk_in, found if isinstance(found, Referral) else None)


@router.get("/arrivals")
async def get_arrivals(edge: OneEdge, by: SignedIn, matched: bool = False) -> Page:
    """Who came without a referral, newest first: those whose referral is not known yet, or with `?matched=true` the others."""
    by.may_work()
    async with edge.database.read() as tx:
        return Page(items=[views.arrival_view(row, None) for row in await views.arrivals(tx, by, matched=matched)])


@router.post("/arrivals/{arrival_id}/match", response_model=views.ArrivalView)
async def post_match(
    arrival_id: UUID, body: MatchArrival, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Later it is known which referral she came on: one of this desk's by its id, any other by her code, who sent her and when."""

    async def work(tx: Transaction) -> views.ArrivalView:
        return _view(*await commands.match_arrival(arrival_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/arrivals/{arrival_id}/end", response_model=views.ArrivalView)
async def post_end(
    arrival_id: UUID, request: Request, edge: OneEdge, by: SignedIn, body: EndArrival | None = None, key: IdempotencyKey = None
) -> Response:
    """Care is finished for somebody who came without a referral; nothing is told to anybody."""
    end = body or EndArrival()

    async def work(tx: Transaction) -> views.ArrivalView:
        return views.arrival_view(await commands.end_arrival(arrival_id, end, tx, edge.here, by, edge.pages.look.care_kept), None)

    return await command(request, edge, by, work, key=key)
