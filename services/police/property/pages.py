"""Pages of her things, without JavaScript: the list of a case, one thing taken in, and what happens to it."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.police.property import commands, domain, views
from services.police.property.commands import NEEDED, AddEntry, Name, Note, TakeIn
from services.police.property.domain import Act, HerSign, Thing, WhyRefused
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards, when_of
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework import events
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

ACTS = (Act.ASKED_BACK, Act.RETURNED, Act.REFUSED, Act.HANDED_OVER)
WORDS = {
    **AFTERWARDS_WORDS, "kind": _("Choose what it is."), "post": _("Choose the post."), "other_post": _("Choose the post."),
    "name": _("Type the name as it stands in the book."), "other_name": _("Type the name as it stands in the book."),
    "reason": _("Choose why."), "her_sign": _("Say how it was signed for."), "note": _("Use up to 400 characters."),
}  # fmt: skip


class NewThing(Afterwards):
    """One thing."""

    kind: Thing
    note: Note | None = None
    post: events.Code
    name: Name


class NewEntry(Afterwards):
    """What happens to it; which of these are asked depends on that."""

    post: events.Code | None = None
    name: Name | None = None
    other_post: events.Code | None = None
    other_name: Name | None = None
    reason: WhyRefused | None = None
    her_sign: HerSign | None = None


@router.get("/cases/{case_id}/property")
async def show_things(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What is kept, and the form for one more thing."""
    return await _things(case_id, request, edge, visit, await draft_of(request, visit))


async def _things(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        commands.needs_register(edge.here)
        await note_read(tx, case.id, visit.actor, "property")
        things = await views.of_case(tx, case)
    return edge.pages.show(
        request, "property/things.html", visit, status=status, form=form, errors=bool(form.errors), case=case, things=things,
        kinds=list(Thing), acts=ACTS, desk_posts=edge.here.posts(visit.actor.facility or case.facility),
        within=domain.given_back_within(edge.here.programme), is_assumed=domain.is_assumed(edge.here.programme), here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/property")
async def post_thing(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Takes one thing in."""
    form = fill(NewThing, values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if asked is None or form.errors:
        return await _things(case_id, request, edge, visit, Filled(values, form.errors), 422)

    async def work(tx: Transaction) -> str:
        body = TakeIn(kind=asked.kind, note=asked.note, post=asked.post, name=asked.name, occurred_at=at)
        await commands.take_in(case_id, body, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/property"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _things(case_id, request, edge, visit, Filled(values, {"post": error}), 422)


@router.get("/property/{property_id}/{property_act}")
async def show_entry(property_id: UUID, property_act: str, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The page of one thing that happens to it."""
    return await _entry(property_id, property_act, request, edge, visit, await draft_of(request, visit))


async def _entry(
    property_id: UUID, act: str, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        row = await commands.load_property(tx, property_id, visit.actor)
        if act not in ACTS:
            raise NotFound("There is nothing at this address.")
        commands.needs_register(edge.here)
        case = await load_case(tx, row.case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "property")
        thing = await views.shown(tx, row)
    return edge.pages.show(
        request, "property/entry.html", visit, status=status, form=form, errors=bool(form.errors), case=case, thing=thing, act=act,
        asks=NEEDED[Act(act)], desk_posts=edge.here.posts(row.facility), reasons=list(WhyRefused), signs=list(HerSign),
        here_now="/cases",
    )  # fmt: skip


@router.post("/property/{property_id}/{property_act}")
async def post_entry(
    property_id: UUID, property_act: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted
) -> Response:
    """Keeps it."""
    form = fill(NewEntry, values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked: BaseModel | None = form.model
    needed = NEEDED.get(Act(property_act), frozenset()) if property_act in ACTS else frozenset()
    for name in sorted(needed) if asked is not None else ():
        if getattr(asked, name) is None:
            form.error(name, WORDS[name])
    if asked is None or form.errors or property_act not in ACTS:
        return await _entry(property_id, property_act, request, edge, visit, Filled(values, form.errors), 422)

    async def work(tx: Transaction) -> str:
        body = AddEntry(act=Act(property_act), occurred_at=at, **{name: getattr(asked, name) for name in needed})
        row = await commands.add_entry(property_id, body, tx, edge.here, visit.actor)
        return f"/cases/{row.case_id}/property"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _entry(property_id, property_act, request, edge, visit, Filled(values, {"on_date": error}), 422)
