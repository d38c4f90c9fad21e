"""Pages: what a worker follows, and following a place or a service besides a case. What changes in it stands on her own list."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.tables import Case
from shared.casework.edge import Edge, OneEdge
from shared.casework.following import commands
from shared.casework.following.commands import Follow
from shared.casework.following.tables import FollowedThing
from shared.casework.pages.visits import Posted, Visitor, submit
from shared.contracts.casework.codes import ServicePackage
from shared.contracts.casework.events import FacilityId
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class FollowForm(Body):
    """One of the two: a place of this agency, or a service wherever it is asked for."""

    facility: FacilityId | None = None
    service: ServicePackage | None = None


WORDS = {"facility": _("Choose the place."), "service": _("Choose the service.")}


@dataclass(frozen=True, slots=True)
class Followed:
    """One subscription as it is listed; `case` None where it follows none, or one that is out of reach by now."""

    row: FollowedThing
    case: Case | None


@router.get("/following")
async def show_following(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Everything that the account follows, and what else it may."""
    return await _page(request, edge, visit)


async def _page(request: Request, edge: Edge, visit: Visit, **more: Any) -> Response:
    visit.actor.may_work()
    async with edge.database.read() as tx:
        rows = await commands.subscriptions(tx, visit.actor)
        cases = await _cases(tx, visit, [row.case_id for row in rows if row.case_id])
    followed = {row.facility or row.service for row in rows}
    entry = edge.here.entry.facilities
    offered = {service for facility in entry.values() for service in facility.services}
    return edge.pages.show(
        request, "following/list.html", visit, rows=[Followed(row, cases.get(row.case_id)) for row in rows],
        facilities=[(id_, one.name) for id_, one in entry.items() if visit.actor.sees(id_) and id_ not in followed],
        services=[s for s in ServicePackage if s in offered and s not in followed], **more,
    )  # fmt: skip


async def _cases(tx: Transaction, visit: Visit, ids: list[UUID]) -> dict[UUID | None, Case]:
    query = select(Case).where(col(Case.id).in_(ids), scope.this_case(visit.actor))
    return {case.id: case for case in (await tx.session.execute(query)).scalars()} if ids else {}


@router.post("/following")
async def post_following(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Follows a place or a service from now on."""
    form = fill(FollowForm, values, WORDS)
    asked = form.model
    if asked is not None and (asked.facility is None) == (asked.service is None):
        form.error("facility", _("Choose a place or a service."))
    if asked is None or form.errors:
        return await _page(request, edge, visit, form=form, errors=True, status=422)

    async def work(tx: Transaction) -> str:
        await commands.follow(Follow(facility=asked.facility, service=asked.service), tx, edge.here, visit.actor)
        return "/following"

    try:
        return await submit(request, edge, visit, values, work)
    except (Conflict, NotFound) as error:
        form.error("service" if asked.facility is None else "facility", error)
    return await _page(request, edge, visit, form=form, errors=True, status=422)


@router.post("/following/{subscription_id}/end")
async def post_end(subscription_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """No longer."""

    async def work(tx: Transaction) -> str:
        await commands.unfollow(subscription_id, tx, visit.actor)
        return "/following"

    return await submit(request, edge, visit, values, work)
