"""Routes of who sits at a unit."""

from datetime import date, timedelta

from fastapi import APIRouter, Request, Response

from services.police.seats import commands, views
from services.police.seats.commands import SaySeat
from services.police.seats.domain import Presence
from shared.casework.directory.seats import SeatsNow, instead_of
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import NotFound

router = APIRouter(prefix="/api/v1", tags=["seats"])


class SeatView(Body):
    """One seat today. `presence` null: nobody has said; it is not assumed. `instead`: kinds of facility that the programme proposes
    while the seat is empty."""

    facility: str
    seat: str
    on: date
    presence: Presence | None
    instead: tuple[str, ...] = ()


@router.get("/seats")
async def get_seats(edge: OneEdge, by: SignedIn) -> Page:
    """The seats of the account's units as they stand today; raises 404 where no programme posts anybody."""
    by.may_work()
    here, places = edge.here, commands.units(edge.here, by)
    if not places:
        raise NotFound("There is nothing at this address.")
    async with edge.database.read() as tx:
        now = tx.clock.now()
        today = here.day_of(now)
        known = await views.said(tx, today, today + timedelta(days=1), places)
    found = []
    for place in places:
        for seat in commands.seats_of(here, place):
            presence = known.get((place, seat), {}).get(today)
            empty = SeatsNow(frozenset({seat} if presence not in (None, Presence.PRESENT) else ()))
            proposed = instead_of(here.programme, here.kind_of_place(place), empty, (), now)
            kinds = tuple(kind for one in proposed for kind in one.to_kinds)
            found.append(SeatView(facility=place, seat=seat, on=today, presence=presence, instead=kinds))
    return Page(items=found)


@router.post("/seats", status_code=201, response_model=SeatView)
async def post_seat(body: SaySeat, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Says how it stands with one seat on one day."""

    async def work(tx: Transaction) -> SeatView:
        row = await commands.say(body, tx, edge.here, by)
        return SeatView(facility=row.facility, seat=row.seat, on=row.on_date, presence=Presence(row.presence))

    return await command(request, edge, by, work, status=201, key=key)
