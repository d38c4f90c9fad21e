"""Routes of circles: a place tells those who are in one that nobody is there any more."""

from fastapi import APIRouter, Request, Response

from shared.casework.circles.closing import ClosePlace, close_place
from shared.casework.edge import IdempotencyKey, OneEdge, SignedIn, command
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["lines"])


class ToldView(Body):
    """How many cases' circles were told, and which agencies are in any of them; of which cases, their own records say."""

    cases: int
    agencies: tuple[str, ...]


@router.post("/place-closed", response_model=ToldView)
async def post_place_closed(
    body: ClosePlace, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Tells the circles of a place's cases, and nobody else, that it is closed; for supervisors, before its keys are destroyed."""

    async def work(tx: Transaction) -> ToldView:
        told = await close_place(body, tx, edge.here, by)
        return ToldView(cases=told.cases, agencies=told.agencies)

    return await command(request, edge, by, work, key=key)
