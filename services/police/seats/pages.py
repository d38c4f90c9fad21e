"""The page on which a unit says who is there, and on which a supervisor reads it."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from services.police.seats import commands, views
from services.police.seats.commands import SaySeat
from services.police.seats.domain import UNIT, Presence, days_of
from shared.casework.accounts.sessions import Visit
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework.codes import Role
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

SHOWN = timedelta(days=28)  # of the table below the form


class SeatForm(Body):
    """How it stands with one seat."""

    seat: str
    presence: Presence
    on: date | None = None
    facility: str | None = None


WORDS = {
    "seat": _("Choose whose seat."), "presence": _("Choose how it stands."), "on": _("Choose the day."),
    "facility": _("Choose the unit."),
}  # fmt: skip


def ways_here(here: Here, by: Actor) -> Sequence[Way]:
    """A way in, where workers of another agency are posted here."""
    if by.role is Role.ADMINISTRATOR or not commands.units(here, by):
        return ()
    return (("/seats", _("Who is there")),)


@router.get("/seats")
async def show_seats(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What was said of each seat in four weeks, and the form."""
    return await _page(request, edge, visit, await draft_of(request, visit))


async def _page(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    here, places = edge.here, commands.units(edge.here, visit.actor)
    if not places:
        raise NotFound("There is nothing at this address.")
    language = edge.pages.language(request, visit.language)
    async with edge.database.read() as tx:
        today = here.day_of(tx.clock.now())
        begins = max(today - SHOWN + timedelta(days=1), await views.first_day(tx) or today)
        known = await views.said(tx, begins, today + timedelta(days=1), places)
    seats = list(dict.fromkeys(seat for place in places for seat in commands.seats_of(here, place)))
    named = [(seat, name_of(here, seat, language) or edge.pages.say(_("Officers of the unit"), language)) for seat in seats]
    rows = [
        (place, name, said.get(today), days_of(commands.counted_on(here, place, seat), said, begins, today + DAY))
        for place in places for seat, name in named if seat in commands.seats_of(here, place)
        for said in [known.get((place, seat), {})]
    ]  # fmt: skip
    choose = [("", edge.pages.say(_("Choose"), language))]
    return edge.pages.show(
        request, "seats/seats.html", visit, status=status, form=form, errors=bool(form.errors), rows=rows, begins=begins,
        seats=[*choose, *named], places=[*choose, *((id_, here.facility(id_).name) for id_ in places)] if len(places) > 1 else [],
        presences=list(Presence), here_now="/seats",
    )  # fmt: skip


DAY = timedelta(days=1)


def name_of(here: Here, seat: str, language: str) -> str | None:
    """What the programme calls whose seat it is; None for the unit's own."""
    return None if seat == UNIT else here.programme.staff[seat].name.in_(language, "en")


@router.post("/seats")
async def post_seats(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Says how it stands with one seat."""
    form = fill(SeatForm, values, WORDS)
    asked = form.model
    if asked is None:
        return await _page(request, edge, visit, form, 422)

    async def work(tx: Transaction) -> str:
        said = SaySeat(seat=asked.seat, presence=asked.presence, on=asked.on, facility=asked.facility)
        await commands.say(said, tx, edge.here, visit.actor)
        return "/seats"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _page(request, edge, visit, Filled(values, {"on" if asked.on else "seat": error}), 422)
