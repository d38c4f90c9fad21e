"""Pages: the lines to the other agencies, messages that could not be used, and the directory of places."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from shared.casework.accounts.sessions import Visit
from shared.casework.agreements import views as agreements
from shared.casework.directory.news import SayPlaceNews, say_place_news
from shared.casework.directory.places import places
from shared.casework.edge import Edge, OneEdge
from shared.casework.lines import commands, views
from shared.casework.lines.recovery import recovery_of
from shared.casework.pages.visits import Posted, Visitor, submit
from shared.contracts.casework.codes import ServicePackage
from shared.contracts.casework.events import STAFF_MAX
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import NotFound
from shared.kit.forms import fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


@router.get("/parked")
async def show_parked(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What could not be used, in words, with a retry; and what could not be opened, or came in two versions."""
    visit.actor.may_supervise()
    async with edge.database.read() as tx:
        rows, set_aside = await views.parked(tx, edge.here), await views.set_aside(tx)
    return edge.pages.show(request, "lines/parked.html", visit, rows=rows, set_aside=set_aside)


@router.post("/parked/{sender}/{event_id}/{what}")
async def post_parked(
    sender: str, event_id: UUID, what: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted
) -> Response:
    """Tries it again, or gives it up: then its sender is told."""
    visit.actor.may_supervise()
    if what == "retry":
        await commands.retry_parked(sender, event_id, edge.database, edge.inbox)
        return RedirectResponse("/parked", 303)
    if what != "discard":
        raise NotFound("There is no such page.")

    async def work(tx: Transaction) -> str:
        await commands.discard_parked(sender, event_id, tx, edge.here, visit.actor)
        return "/parked"

    response = await submit(request, edge, visit, values, work)
    await commands.go_on(edge.inbox)
    return response


@router.get("/lines")
async def show_lines(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The state of each line."""
    visit.actor.may_supervise()
    async with edge.database.read() as tx:
        rows, recovery = await views.peers(tx, edge.here), await recovery_of(tx, edge.pages.look.local_facts)
    return edge.pages.show(request, "lines/lines.html", visit, rows=rows, recovery=recovery)


class News(Body):
    """What a place says about itself."""

    facility: str
    is_open: bool
    staff: int = Field(ge=0, le=STAFF_MAX)
    has_female_staff: bool
    waiting: int = Field(ge=0, le=STAFF_MAX)


NEWS_WORDS = {
    "facility": _("Choose the place."),
    "is_open": _("Say whether it is open now."),
    "staff": _("Type how many are on duty, as a number."),
    "waiting": _("Type how many are waiting, as a number."),
    "has_female_staff": _("Say whether a woman is on duty."),
}


@router.get("/directory")
async def show_directory(
    request: Request, edge: OneEdge, visit: Visitor, service: Annotated[ServicePackage | None, Query()] = None
) -> Response:
    """Places, by what they offer, open ones and near ones first."""
    return await _directory(request, edge, visit, service)


async def _directory(request: Request, edge: Edge, visit: Visit, service: ServicePackage | None = None, **more: Any) -> Response:
    here = edge.here
    async with edge.database.read() as tx:
        now = tx.clock.now()
        local = edge.pages.times("en", now).local(now)
        found = await places(
            tx, here, (here.agency, *here.serving), visit.actor.facility, local, [service] if service else [], planned=True
        )
    today = here.day_of(now)
    told = {p.key: agreements.refusal(here, p.agency, p.id, p.facility.services, today) for p in found if p.agency != here.agency}
    offered = {s for a in (here.agency, *here.serving) for f in here.network.agencies[a].facilities.values() for s in f.services}
    return edge.pages.show(
        request, "lines/directory.html", visit, places=found, service=service,
        outside={key: said for key, said in told.items() if said is not None},
        services=[s for s in ServicePackage if s in offered], **more,
    )  # fmt: skip


@router.post("/directory/ours")
async def post_news(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Says who is here now: the desks that send see it."""
    visit.actor.may_work()
    form = fill(News, values, NEWS_WORDS)
    asked = form.model
    if asked is None:
        return await _directory(request, edge, visit, form=form, errors=True, status=422)

    async def work(tx: Transaction) -> str:
        await say_place_news(SayPlaceNews.model_validate(asked.model_dump()), tx, edge.here, visit.actor)
        return "/directory"

    return await submit(request, edge, visit, values, work)
