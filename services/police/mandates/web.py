"""Route: what of a case another place has the mandate for."""

from uuid import UUID

from fastapi import APIRouter

from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_read
from shared.casework.directory.mandates import Elsewhere, elsewhere
from shared.casework.edge import OneEdge, Page, SignedIn
from shared.kit.bodies import Body

router = APIRouter(prefix="/api/v1", tags=["police"])


class MandateView(Body):
    """An incident outside the mandate of the place that she came to. `to`: the places that have it, as agency/facility; none where
    nobody is known. `referral_id`: the request by which it was handed on."""

    incident_id: UUID
    to: list[str]
    referral_id: UUID | None


def _view(one: Elsewhere) -> MandateView:
    to = [f"{agency}/{facility}" for agency, facility, _place in one.places]
    return MandateView(incident_id=one.incident_id, to=to, referral_id=one.referral_id)


@router.get("/cases/{case_id}/mandates")
async def get_mandates(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """The incidents of a case that are outside its place's mandate. None of them is refused here."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "incidents")
        return Page(items=[_view(one) for one in await elsewhere(tx, edge.here, case)])
