"""Routes: the agreements that this agency has signed."""

from datetime import date

from fastapi import APIRouter

from shared.casework.agreements import views
from shared.casework.edge import OneEdge, Page, SignedIn
from shared.kit.bodies import Body

router = APIRouter(prefix="/api/v1", tags=["directory"])


class AgreementView(Body):
    """One agreement, as the programme has it; `open_now`: requests under way between its ends, at the account's desks."""

    id: str
    partner: str
    signed_with: list[str]
    begins_on: date
    ends_on: date | None
    services: list[str]
    facilities: list[str]
    standing: str
    open_now: int


@router.get("/agreements")
async def get_agreements(edge: OneEdge, by: SignedIn) -> Page:
    """The agreements of this agency, those that end first first."""
    by.may_work()
    async with edge.database.read() as tx:
        found = await views.shown(tx, edge.here, by)
    return Page(
        items=[
            AgreementView(
                id=one.id, partner=one.agreement.partner, signed_with=list(one.agreement.signed_with),
                begins_on=one.agreement.begins_on, ends_on=one.agreement.ends_on,
                services=[str(service) for service in one.agreement.services], facilities=list(one.agreement.facilities),
                standing=one.standing, open_now=one.open_now,
            )
            for one in found
        ]
    )  # fmt: skip
