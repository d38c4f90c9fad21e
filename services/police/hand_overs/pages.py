"""Pages: what is to be handed over, and handing one case over."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.police.hand_overs import views
from services.police.hand_overs.domain import OPEN
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_listed, note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.referrals.commands import IssueReferral, issue_referral
from shared.casework.referrals.pathways import is_respond_assumed
from shared.casework.sharing import ConsentMissing, releases
from shared.contracts.casework.codes import AgencyKind, ConsentItem, ServicePackage, Urgency
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class HandOverForm(Body):
    """To which office, and which complaint where a case has several."""

    place: str = Field(pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_-]*$")
    complaint: UUID | None = None


WORDS = {"place": _("Choose the office."), "complaint": _("Choose the complaint.")}


@router.get("/hand-overs")
async def show_hand_overs(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What is to be handed over, the nearest time first."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        rows = await views.due(tx, edge.here, visit.actor)
        await note_listed(tx, [one.case.id for one in rows], visit.actor)
    return edge.pages.show(request, "hand_overs/due.html", visit, rows=rows, is_assumed=_is_assumed(edge))


def _is_assumed(edge: Edge) -> bool:
    return is_respond_assumed(edge.here, ServicePackage.PROSECUTION)


@router.get("/cases/{case_id}/prosecutor")
async def show_prosecutor(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The complaints of a case with their clocks, and handing over."""
    return await _page(case_id, request, edge, visit, await draft_of(request, visit))


async def _page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    here = edge.here
    async with edge.database.write() as tx:  # consents are looked at under their lock, as when something is said
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "complaint")
        found = await views.of_case(tx, here, case)
        told = await releases(tx, here, case.id, [peer for peer in here.peers if here.kind_of(peer) is AgencyKind.JUSTICE])
    agreed = {peer for peer, release in told.items() if ConsentItem.REQ in release.items}
    offices = [(key, place.name) for key, place in views.prosecutors(here).items() if key.split("/")[0] in agreed]
    return edge.pages.show(
        request, "hand_overs/of_case.html", visit, status=status, form=form, errors=bool(form.errors), case=case, found=found,
        waiting=[one for one in found if one.stands in OPEN], offices=offices, here_now="/cases",
        is_assumed=_is_assumed(edge),
    )  # fmt: skip


@router.post("/cases/{case_id}/prosecutor")
async def post_prosecutor(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Hands over: a referral with its own service."""
    form = fill(HandOverForm, values, WORDS)
    asked = form.model
    if asked is not None and asked.place not in views.prosecutors(edge.here):
        form.error("place", WORDS["place"])
    if asked is None or form.errors:
        return await _page(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        case = await load_case(tx, case_id, visit.actor)
        found = await views.of_case(tx, edge.here, case)
        of = next((one for one in found if asked.complaint in (None, one.complaint.id)), None)
        agency, facility = asked.place.split("/")
        body = IssueReferral(
            case_id=case.id, incident_id=of.complaint.incident_id if of is not None else None, to_agency=agency,
            to_facility=facility, services=(ServicePackage.PROSECUTION,), urgency=Urgency.URGENT,
        )  # fmt: skip
        return f"/referrals/{(await issue_referral(body, tx, edge.here, visit.actor)).id}"

    try:
        return await submit(request, edge, visit, values, work)
    except ConsentMissing:
        form.error("place", _("Nobody agreed that this place may know. Ask first, then send."))
    except Conflict as error:
        form.error("place", error)
    return await _page(case_id, request, edge, visit, form, status=422)
