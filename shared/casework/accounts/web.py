"""Routes: the roster, for programs that keep it elsewhere: a week of all desks comes in a few requests."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from shared.casework.accounts import rosters
from shared.casework.accounts.rosters import SetDuties
from shared.casework.accounts.tables import Duty
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1/duties", tags=["roster"])


class DutyView(Body):
    """A line of the roster: an account holds a post from one time to another."""

    id: UUID
    facility: str
    post: str
    account_id: UUID
    from_at: datetime
    until_at: datetime


class DutiesView(Body):
    """What was put on the roster, in the order of the request."""

    items: list[DutyView]


def _view(duty: Duty) -> DutyView:
    return DutyView.model_validate(duty.model_dump(include=set(DutyView.model_fields)))


@router.post("", status_code=201, response_model=DutiesView)
async def post_duties(body: SetDuties, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Puts accounts on the roster, all or none; for supervisors and administrators."""

    async def work(tx: Transaction) -> DutiesView:
        return DutiesView(items=[_view(duty) for duty in await rosters.set_duties(body, tx, edge.here, by)])

    return await command(request, edge, by, work, status=201, key=key)


@router.get("")
async def get_duties(edge: OneEdge, by: SignedIn, facility: Annotated[str, Query(max_length=40)]) -> Page:
    """The duties of a place that the account looks after, from now on, in order of time."""
    async with edge.database.read() as tx:
        return Page(items=[_view(duty) for duty in await rosters.duties_at(tx, facility, by)])
