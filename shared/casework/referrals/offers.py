"""What the programme's pathways say is always offered (`always_offer`), until it is asked for or she says no. She decides."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import col

from shared.casework.cases.tables import Case, Incident
from shared.casework.consents.views import is_no, last_answers
from shared.casework.here import Here
from shared.casework.referrals.pathways import NOT_ASKED
from shared.casework.referrals.tables import Referral
from shared.casework.situations import situation_of
from shared.contracts.casework.codes import ServicePackage
from shared.kit.db import Transaction
from shared.programmes.terms import Act


@dataclass(frozen=True, slots=True)
class Offer:
    """What one pathway says is always offered. `is_agreed`: somebody who gives it may know already."""

    packages: tuple[ServicePackage, ...]
    is_agreed: bool


async def offers_of(tx: Transaction, here: Here, case: Case, incident: Incident | None, desk: str) -> list[Offer]:
    """What is still to be offered from a desk: nobody was asked for it for this incident, and not all who give it were refused."""
    start = here.kind_of_place(desk)
    always = [way for way in here.programme.pathways_from(start).values() if way.always_offer] if start is not None else []
    if not always:
        return []
    query = select(col(Referral.services)).where(
        col(Referral.case_id) == case.id, col(Referral.direction) == "out", col(Referral.state).not_in(NOT_ASKED),
        col(Referral.incident_id) == incident.id if incident is not None else col(Referral.incident_id).is_(None),
    )  # fmt: skip
    asked = {service for services in (await tx.session.execute(query)).scalars() for service in services}
    last = await last_answers(tx, case.id)
    situation = situation_of(here, Act.REFER, tx.clock.now(), desk, case, incident)
    found = []
    for way in always:
        givers = [
            peer for peer in here.serving
            if any(here.kind_at(peer, place) in way.to for place in here.network.agencies[peer].facilities)
        ]  # fmt: skip
        is_hers = way.when is None or way.when.holds(situation) is not False
        if is_hers and not asked & set(way.packages) and any(not is_no(last.get(peer)) for peer in givers):
            found.append(Offer(way.packages, any(peer in last and not is_no(last[peer]) for peer in givers)))
    return found
