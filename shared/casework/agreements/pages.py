"""The page of the agreements, the same at both ends."""

from fastapi import APIRouter, Request, Response

from shared.casework.agreements import views
from shared.casework.edge import OneEdge
from shared.casework.pages.visits import Visitor

router = APIRouter(include_in_schema=False)


@router.get("/agreement")
async def show_agreement(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """With whom, from when until when, for what, and what is under way."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # what a list shows of a case is a look at it
        found = await views.shown(tx, edge.here, visit.actor)
        more = [(template, await load(tx, edge.here, visit.actor)) for template, load in edge.pages.look.agreement_more]
    names = {id_: kind.name.in_(edge.here.programme.languages[0], "en") for id_, kind in edge.here.programme.facilities.items()}
    names |= {id_: place.name.in_(edge.here.programme.languages[0], "en") for id_, place in edge.here.programme.places.items()}
    return edge.pages.show(request, "agreements/agreement.html", visit, agreements=found, names=names, more=more)
