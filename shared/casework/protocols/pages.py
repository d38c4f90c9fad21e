"""Pages: the protocols that hold here, their texts, and the confirmation of a place; without JavaScript."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from shared.casework.accounts.sessions import Visit
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Forbidden
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.protocols import commands
from shared.casework.protocols.commands import Adopt
from shared.casework.protocols.domain import TEXT_CHARACTERS_MAX
from shared.casework.protocols.views import Shown, protocols_of
from shared.contracts.casework.codes import ProtocolTopic
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

CHOOSE = _("Choose the place and the post.")


class AdoptForm(Body):
    """A place and a post, as `place/post`."""

    at: str = Field(pattern=r"^[a-z][a-z0-9_-]*/[a-z][a-z0-9_-]*$")
    version: int = Field(ge=1)


class TextForm(Body):
    """The text that somebody brought."""

    text: str = Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)


@router.get("/protocols")
async def show_protocols(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What holds, and which of the account's places have confirmed it."""
    visit.actor.may_work()
    async with edge.database.read() as tx:
        found = await protocols_of(tx, edge.here, visit.actor)
        today = edge.here.day_of(tx.clock.now())
    return edge.pages.show(request, "protocols/list.html", visit, found=found, today=today)


@router.get("/protocols/{agency}/{topic}")
async def show_protocol(agency: str, topic: ProtocolTopic, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One of them."""
    return await _page(agency, topic, request, edge, visit, await draft_of(request, visit))


async def _page(
    agency: str, topic: str, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    visit.actor.may_work()
    async with edge.database.read() as tx:
        found = await protocols_of(tx, edge.here, visit.actor)
    one: Shown | None = next((o for o in found if (o.protocol.agency, o.protocol.topic) == (agency, topic)), None)
    if one is None:
        raise NotFound("There is no such protocol here.")
    places = [(place, edge.pages.place(edge.here.agency, place), edge.here.posts(place)) for place in one.lacking]
    return edge.pages.show(
        request, "protocols/one.html", visit, status=status, form=form, errors=bool(form.errors), one=one, lacking=places,
        here_now="/protocols",
    )  # fmt: skip


@router.post("/protocols/{agency}/{topic}/adopt")
async def post_adopt(
    agency: str, topic: ProtocolTopic, request: Request, edge: OneEdge, visit: Visitor, values: Posted
) -> Response:
    """A place works by it."""
    form = fill(AdoptForm, values, {"at": CHOOSE})
    asked = form.model
    if asked is None:
        return await _page(agency, topic, request, edge, visit, form, 422)
    facility, _slash, post = asked.at.partition("/")

    async def work(tx: Transaction) -> str:
        await commands.adopt(agency, topic, asked.version, Adopt(facility=facility, post=post), tx, edge.here, visit.actor)
        return f"/protocols/{agency}/{topic}"

    try:
        return await submit(request, edge, visit, values, work)
    except (Conflict, Forbidden) as error:
        form.error("at", error)
    return await _page(agency, topic, request, edge, visit, form, 409)


@router.post("/protocols/{agency}/{topic}/text")
async def post_text(agency: str, topic: ProtocolTopic, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Brings the text here."""
    form = fill(TextForm, values, {"text": _("Put the whole text in.")})
    asked = form.model
    if asked is None:
        return await _page(agency, topic, request, edge, visit, form, 422)

    async def work(tx: Transaction) -> str:
        await commands.bring_text(agency, topic, asked.text, tx, edge.here, visit.actor)
        return f"/protocols/{agency}/{topic}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        form.error("text", error)
    return await _page(agency, topic, request, edge, visit, form, 409)
