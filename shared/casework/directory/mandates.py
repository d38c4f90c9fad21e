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
from shared.casework.situations import situation_of
from shared.contracts.casework.codes import ReferralState
from shared.kit.db import Transaction
from shared.kit.sealed import is_shut, shut_shown
from shared.programmes.rules import answers
from shared.programmes.situation import Message
from shared.programmes.terms import Act

NOT_STANDING = (ReferralState.DRAFTED, ReferralState.DECLINED, ReferralState.CANCELLED)  # nobody there has it


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An incident outside the mandate of its case's place. `places`: of the agencies that may be told, by agency and id; none where
    the programme knows of nobody. `referral_id`: the first request that has gone to one of them and stands."""

    incident_id: UUID
    places: Sequence[tuple[str, str, Facility]]
    referral_id: UUID | None


def _kinds_elsewhere(here: Here, case: Case, incident: Incident, at: datetime) -> tuple[str, ...] | None:
    """The kinds of facility that have the mandate which a case's place lacks; None where nothing is known to lie outside it."""
    said = answers(here.programme, situation_of(here, Act.RECEIVE, at, case.facility, incident=incident))
    return next((one.to_kinds for one in said if one.message is Message.ANOTHER_MANDATE), None)


async def elsewhere(tx: Transaction, here: Here, case: Case) -> list[Elsewhere]:
    """The incidents of a case that another place has the mandate for, in the order in which they were written down."""
    now = tx.clock.now()
    query = select(Incident).where(col(Incident.case_id) == case.id).order_by(col(Incident.recorded_at), col(Incident.id))
    with shut_shown():
        incidents = [one for one in (await tx.session.execute(query)).scalars() if not is_shut(one)]
    outside = {one.id: kinds for one in incidents if (kinds := _kinds_elsewhere(here, case, one, now)) is not None}
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
