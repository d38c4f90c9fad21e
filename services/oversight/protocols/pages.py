"""Pages of the oversight body: publishing a protocol, and which places work by it; without JavaScript. No place is ranked."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.oversight.protocols import commands
from services.oversight.protocols.commands import Publish
from services.oversight.protocols.domain import Standing
from services.oversight.protocols.tables import PublishedProtocol
from services.oversight.protocols.views import adopted, adopted_of, published
from shared.casework.accounts.sessions import Visit
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.protocols.domain import TEXT_CHARACTERS_MAX
from shared.contracts.casework import events
from shared.contracts.casework.codes import ProtocolTopic
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class NewProtocol(Body):
    """What it is about, its text, and from which day it holds."""

    topic: ProtocolTopic
    from_on: events.Day
    text: str = Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)


WORDS = {
    "topic": _("Choose what it is about."), "from_on": _("Type the day: year, month, day."), "text": _("Put the whole text in."),
}  # fmt: skip


@router.get("/protocols")
async def show_protocols(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The newest version of each protocol, and how many places work by it."""
    visit.actor.may_work()
    async with edge.database.read() as tx:
        found = await adopted(tx, edge.here, edge.here.day_of(tx.clock.now()))
    return edge.pages.show(request, "oversight_protocols/list.html", visit, found=found, standings=list(Standing))


@router.get("/protocols/new")
async def show_new(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """A new version."""
    return _new(request, edge, visit, await draft_of(request, visit))


def _new(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    return edge.pages.show(
        request, "oversight_protocols/new.html", visit, status=status, form=form, errors=bool(form.errors),
        topics=list(ProtocolTopic), here_now="/protocols",
    )  # fmt: skip


@router.post("/protocols/new")
async def post_new(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Publishes it."""
    form = fill(NewProtocol, values, WORDS)
    asked = form.model
    if asked is None:
        return _new(request, edge, visit, form, 422)

    async def work(tx: Transaction) -> str:
        row = await commands.publish(Publish(**asked.model_dump()), tx, edge.here, visit.actor)
        return f"/protocols/{row.topic}/{row.version}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        form.error("text", error)
    return _new(request, edge, visit, form, 409)


@router.get("/protocols/{topic}/{version}")
async def show_protocol(topic: ProtocolTopic, version: int, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """A version, and every place beside it."""
    visit.actor.may_work()
    async with edge.database.read() as tx:
        row = await tx.session.get(PublishedProtocol, (str(topic), version))
        if row is None:
            raise NotFound("There is no such protocol here.")
        one = await adopted_of(tx, edge.here, row, edge.here.day_of(tx.clock.now()))
        versions = [other.version for other in await published(tx) if other.topic == topic]
    return edge.pages.show(
        request, "oversight_protocols/one.html", visit, one=one, versions=versions, is_newest=version == versions[0],
        here_now="/protocols",
    )  # fmt: skip
