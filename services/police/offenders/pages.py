"""Pages of the register of offenders. No page of a survivor leads here, and none of these leads to one."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.offenders import commands
from services.police.offenders.commands import AddEntry, EnterOffender, Who
from shared.casework.accounts.sessions import Visit
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework.codes import Role
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

WORDS = {
    "who": _("Type who it is, as it stands in the register on paper."), "what": _("Choose what was done."),
    "on": _("Choose the day."), "facility": _("Choose the station."),
}  # fmt: skip


class NewOffender(Body):
    """Somebody and what was done."""

    who: Who
    what: str
    on: date
    facility: str | None = None


class NewEntry(Body):
    """What was done."""

    what: str
    on: date


def ways_here(here: Here, by: Actor) -> Sequence[Way]:
    """A way in, where the programme keeps such a register."""
    if by.role is Role.ADMINISTRATOR or not commands.has_register(here):
        return ()
    return (("/offenders", _("Register of offenders")),)


@router.get("/offenders")
async def show_register(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Who stands in it, and the form for somebody who does not."""
    return await _register(request, edge, visit, await draft_of(request, visit))


async def _register(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    async with edge.database.read() as tx:
        rows = await commands.listed(tx, edge.here, visit.actor)
    stations = [(id_, one.name) for id_, one in edge.here.entry.facilities.items() if visit.actor.sees(id_)]
    return edge.pages.show(
        request, "offenders/register.html", visit, status=status, form=form, errors=bool(form.errors), rows=rows,
        stations=stations, done=_choices(request, edge, visit),
    )  # fmt: skip


def _choices(request: Request, edge: Edge, visit: Visit) -> list[tuple[str, str]]:
    language = edge.pages.language(request, visit.language)
    named = [(code, said.in_(language, "en")) for code, said in commands.choices(edge.here).items()]
    return [("", edge.pages.say(_("Choose"), language)), *named]  # nobody has been warned because a list began with it


@router.post("/offenders")
async def post_register(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Enters somebody."""
    form = fill(NewOffender, values, WORDS)
    asked = form.model
    if asked is None:
        return await _register(request, edge, visit, Filled(values, form.errors), 422)

    async def work(tx: Transaction) -> str:
        body = EnterOffender(who=asked.who, what=asked.what, on=asked.on, facility=asked.facility)
        return f"/offenders/{(await commands.enter(body, tx, edge.here, visit.actor)).id}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _register(request, edge, visit, Filled(values, {"on": error}), 422)


@router.get("/offenders/{offender_id}")
async def show_offender(offender_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One of them, with everything that was done."""
    return await _offender(offender_id, request, edge, visit, await draft_of(request, visit))


async def _offender(
    offender_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    async with edge.database.write() as tx:  # the look is kept
        offender, entries = await commands.open_one(tx, offender_id, edge.here, visit.actor)
        await commands.note_look(tx, offender.id, visit.actor)
    return edge.pages.show(
        request, "offenders/offender.html", visit, status=status, form=form, errors=bool(form.errors), offender=offender,
        entries=entries, done=_choices(request, edge, visit), here_now="/offenders",
    )  # fmt: skip


@router.post("/offenders/{offender_id}")
async def post_offender(offender_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Adds what was done."""
    form = fill(NewEntry, values, WORDS)
    asked = form.model
    if asked is None:
        return await _offender(offender_id, request, edge, visit, Filled(values, form.errors), 422)
    return await _added(offender_id, AddEntry(what=asked.what, on=asked.on), request, edge, visit, values)


async def _added(offender_id: UUID, entry: AddEntry, request: Request, edge: Edge, visit: Visit, values: Values) -> Response:
    async def work(tx: Transaction) -> str:
        await commands.add_entry(offender_id, entry, tx, edge.here, visit.actor)
        return f"/offenders/{offender_id}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _offender(offender_id, request, edge, visit, Filled(values, {"on": error}), 422)
