"""What lies outside the mandate of the place that she came to: she is received there all the same, whatever she tells, and the desk
is told which places have it. The hand-over is a referral like any other, with her consent; nothing is sent by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework.cases.tables import Case, Incident
from shared.casework.directory.network import Facility
from shared.casework.here import Here
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import IncidentType, ReferralState
from shared.kit.db import Transaction
from shared.kit.sealed import shut_shown
from shared.programmes.profile import Programme
from shared.programmes.rules import answers
from shared.programmes.situation import Message, Situation
from shared.programmes.terms import Act

NOT_STANDING = (ReferralState.DRAFTED, ReferralState.DECLINED, ReferralState.CANCELLED)  # nobody there has it


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An incident outside the mandate of its case's place. `places`: of the agencies that may be told, by agency and id; none where
    the programme knows of nobody. `referral_id`: the first request that has gone to one of them and stands."""

    incident_id: UUID
    places: Sequence[tuple[str, str, Facility]]
    referral_id: UUID | None


def kinds_elsewhere(programme: Programme, kind: str | None, incident: str | None, at: datetime) -> tuple[str, ...] | None:
    """The kinds of facility that have the mandate which a kind lacks; None where nothing lies outside it, as far as is known. The
    coarse word says nothing of a mandate."""
    known = IncidentType(incident) if incident is not None and incident != IncidentType.GBV else None
    if known is None:
        return None
    said = answers(programme, Situation(Act.RECEIVE, at, incident_type=known, facility_kind=kind))
    return next((one.to_kinds for one in said if one.message is Message.ANOTHER_MANDATE), None)


async def elsewhere(tx: Transaction, here: Here, case: Case) -> list[Elsewhere]:
    """The incidents of a case that another place has the mandate for, in the order in which they were written down."""
    kind, now = here.kind_of_place(case.facility), tx.clock.now()
    query = select(Incident).where(col(Incident.case_id) == case.id).order_by(col(Incident.recorded_at), col(Incident.id))
    with shut_shown():
        incidents = [(one.id, one.incident_type) for one in (await tx.session.execute(query)).scalars()]
    types = {str(one) for one in IncidentType}
    outside = {
        id_: kinds for id_, said in incidents
        if said in types and (kinds := kinds_elsewhere(here.programme, kind, said, now)) is not None
    }  # fmt: skip
    if not outside:
        return []
    query_sent = select(Referral).where(
        col(Referral.case_id) == case.id, col(Referral.direction) == "out", col(Referral.state).not_in(NOT_STANDING)
    )
    sent = (await tx.session.execute(query_sent.order_by(col(Referral.issued_at)))).scalars().all()
    found = []
    for id_, kinds in outside.items():
        places = [
            (peer, facility, place)
            for peer in here.serving for facility, place in here.network.agencies[peer].facilities.items() if place.kind in kinds
        ]  # fmt: skip
        keys = {(peer, facility) for peer, facility, _place in places}
        to = next((r.id for r in sent if r.incident_id in (id_, None) and (r.recipient, r.to_facility) in keys), None)
        found.append(Elsewhere(id_, places, to))
    return found
