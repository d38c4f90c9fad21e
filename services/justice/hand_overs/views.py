"""Hand-overs that wait for the office's promise, by the time to answer by. Reads only."""

from sqlalchemy import String, cast, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_listed
from shared.casework.here import Actor
from shared.casework.referrals.tables import Referral
from shared.casework.work.views import LIST_MAX
from shared.contracts.casework.codes import ServicePackage
from shared.kit.db import Transaction


async def due(tx: Transaction, by: Actor) -> list[tuple[Referral, Case]]:
    """Requests to prosecute at the account's desks that nobody has accepted, the nearest time first; whoever looks is kept."""
    asks = cast(col(Referral.services), String).contains(f'"{ServicePackage.PROSECUTION}"', autoescape=True)
    query = (
        select(Referral, Case)
        .join(Case, col(Case.id) == col(Referral.case_id))
        .where(col(Referral.direction) == "in", col(Referral.is_open), col(Referral.accepted_at).is_(None), asks)
        .where(scope.at_desk(by, col(Referral.desk), col(Referral.case_id)))
        .order_by(col(Referral.respond_by), col(Referral.id))
        .limit(LIST_MAX)
    )
    found = list((await tx.session.execute(query)).tuples())
    await note_listed(tx, [case.id for _referral, case in found], by)
    return found
