"""What the clinic gave to those who came in time, as a programme's measures: monthly figure 4. How many, and not
who.

Those who came in time are those of `referrals.figures.into_care`, so that one divides into the other.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.health.care.commands import Care, CareResult
from services.health.care.tables import CareGiven
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import ROWS, said, sealed
from shared.casework.here import Here
from shared.casework.referrals.figures import arrivals
from shared.casework.referrals.tables import WalkIn
from shared.kit.bulk import among
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure

GIVEN = {
    Care.EMERGENCY_CONTRACEPTION: Measure.ARRIVALS_GIVEN_EC, Care.PEP: Measure.ARRIVALS_GIVEN_PEP,
    Care.STI_PROPHYLAXIS: Measure.ARRIVALS_GIVEN_STI,
}  # fmt: skip


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Of each line of care what was kept last decides, as on the clinic's own page; also what was kept before her request was
    found, and before consent for an earlier one was taken back while she was here."""
    found = Counts.of(*GIVEN.values())
    desks = {one.id: one.desk async for one in arrivals(tx, here, of) if one.is_in_time}
    ids = list(desks)
    for n in range(0, len(ids), ROWS):
        for referral, care in await _given(tx, ids[n : n + ROWS]):
            if care in GIVEN:
                found.add(GIVEN[Care(care)], desks[referral])
    return found


async def _given(tx: Transaction, referrals: list[UUID]) -> list[tuple[UUID, str]]:
    """Which lines of care were given on these referrals, each once."""
    counted = await _same_visits(tx, referrals)
    on = func.coalesce(col(CareGiven.referral_id), col(WalkIn.referral_id)).label("on")
    query = (
        select(on, *sealed(CareGiven, "care", "result"))
        .select_from(CareGiven)
        .outerjoin(WalkIn, col(WalkIn.id) == col(CareGiven.walk_in_id))
        .where(among(tx, on, counted))
        .order_by(col(CareGiven.recorded_at), col(CareGiven.id))
    )
    last = {
        (referral, said(tx, CareGiven, row, "care")): said(tx, CareGiven, row, "result")
        for row in (await tx.session.execute(query)).all()
        for referral in counted[row.on]
    }
    return [line for line, result in last.items() if result == CareResult.GIVEN]


async def _same_visits(tx: Transaction, referrals: list[UUID]) -> dict[UUID, set[UUID]]:
    """Of each referral on which care may be kept, for which of these it counts: for itself, and for the one on which she was asked
    for once more when consent for the first was taken back and she stayed."""
    counted = {referral: {referral} for referral in referrals}
    later = set(referrals)
    while later:
        query = select(col(WalkIn.referral_id), col(WalkIn.after_referral)).where(
            among(tx, col(WalkIn.referral_id), later), col(WalkIn.after_referral).is_not(None)
        )
        pairs: Any = (await tx.session.execute(query)).tuples().all()
        for this, before in pairs:
            counted.setdefault(before, set()).update(counted[this])
        later = {before for _this, before in pairs}
    return counted
