"""Pages: a station's register, with what nobody has confirmed and who was informed; and stations as their mother sees them."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.police.stations import commands, views
from services.police.stations.commands import COUNT_MAX, CountInformed, StateNumber
from services.police.stations.domain import GAPS_SHOWN, HowStated, Informed, reference
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.views import note_listed
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework.codes import Role
from shared.contracts.casework.events import STATION_NUMBER_MAX
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

INFORMED_WORDS = {
    "what": _("Choose what they were informed of."), "count": _("Type how many, as a number."), "on": _("Choose the day."),
}  # fmt: skip
STATED_WORDS = {"number": _("Type the number without its letter."), "how": _("Say how you know it.")}
WORDS = {
    "informed": {
        Informed.HER_RIGHTS.value: _("Her rights"),
        Informed.WHERE_CARE_IS.value: _("Where there is care"),
        Informed.HOW_TO_REPORT.value: _("How to report"),
        Informed.SHELTER.value: _("Shelter"),
        Informed.LEGAL_AID.value: _("Legal aid"),
        Informed.OTHER.value: _("Something else"),
    },
    "registered": {"complaint": _("Complaint"), "referral": _("Request to another agency")},
    "how_stated": {HowStated.PHONE.value: _("By phone"), HowStated.PAPER.value: _("On a slip of paper")},
}


class NewInformed(Body):
    """How many were informed of what."""

    what: Informed
    count: int = Field(ge=1, le=COUNT_MAX)
    on: date


class NewStated(Body):
    """A station's newest number."""

    number: int = Field(ge=1, le=STATION_NUMBER_MAX)
    how: HowStated
    corrects: UUID | None = None


def ways_here(here: Here, by: Actor) -> Sequence[Way]:
    """Its register to a station; its stations to whoever supervises at their mother station."""
    found: list[Way] = []
    if here.entry.mother is not None and by.role is not Role.ADMINISTRATOR:
        found.append(("/register", _("Register of this station")))
    if here.stations and by.role in {Role.SUPERVISOR, Role.ADMINISTRATOR}:
        found.append(("/stations", _("Stations without a line")))
    return found


@router.get("/register")
async def show_register(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What was numbered here, who has confirmed it, and the counts of who was informed."""
    return await _register(request, edge, visit, await draft_of(request, visit))


async def _register(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    commands.is_station(edge.here)
    async with edge.database.write() as tx:  # what it shows of cases is a look at them
        informed = await views.informed(tx, edge.here, visit.actor)
        register = await views.register_of(tx, edge.here, visit.actor)
        await note_listed(tx, register.cases, visit.actor)
    return edge.pages.show(
        request, "stations/register.html", visit, status=status, form=form, errors=bool(form.errors), register=register,
        informed=informed, kinds=[code.value for code in Informed], reference=reference, gaps_shown=GAPS_SHOWN,
        mother=edge.here.entry.mother,
    )  # fmt: skip


@router.post("/register/informed")
async def post_informed(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Counts people who were informed and registered nothing."""
    form = fill(NewInformed, values, INFORMED_WORDS)
    asked = form.model
    if asked is None:
        return await _register(request, edge, visit, Filled(values, form.errors), 422)

    async def work(tx: Transaction) -> str:
        await commands.count_informed(CountInformed.model_validate(asked.model_dump()), tx, edge.here, visit.actor)
        return "/register"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _register(request, edge, visit, Filled(values, {"on": error}), 422)


@router.get("/stations")
async def show_stations(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Each station: what is held of its numbers, what is lacking, and whose files are nowhere else."""
    visit.actor.may_supervise()
    if not edge.here.stations:
        raise NotFound("This agency is the mother station of none.")
    async with edge.database.read() as tx:
        stations = await views.stations_of(tx, edge.here)
    return edge.pages.show(request, "stations/stations.html", visit, stations=stations, reference=reference, gaps_shown=GAPS_SHOWN)


@router.get("/stations/{sender}/stated")
async def show_stated(sender: str, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """A station's newest number, as somebody knows it."""
    return await _stated(sender, request, edge, visit, await draft_of(request, visit))


async def _stated(sender: str, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_supervise()
    if sender not in edge.here.stations:
        raise NotFound("“%(agency)s” is no station of this agency.", agency=sender)
    async with edge.database.read() as tx:
        station = await views.station_of(tx, sender)
    return edge.pages.show(
        request, "stations/stated.html", visit, status=status, form=form, errors=bool(form.errors), station=station,
        hows=[code.value for code in HowStated], reference=reference,
    )  # fmt: skip


@router.post("/stations/{sender}/stated")
async def post_stated(sender: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps a station's newest number."""
    form = fill(NewStated, values, STATED_WORDS)
    asked = form.model
    if asked is None:
        return await _stated(sender, request, edge, visit, Filled(values, form.errors), 422)

    async def work(tx: Transaction) -> str:
        await commands.state_number(sender, StateNumber.model_validate(asked.model_dump()), tx, edge.here, visit.actor)
        return "/stations"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _stated(sender, request, edge, visit, Filled(values, {"corrects": error}), 422)
