"""Stays as a programme's measures: how many, within the limit, over it without a plan, refused because no place was free; by place.

A stay counts in the period in which she came, and so does what became of it, until now: it is as long as it has lasted so far where
she is still there, or the longest of all would be in no figure until it ends.
"""

from datetime import timedelta

from sqlmodel import col

from services.police.stays.commands import has_stays, standings_of
from services.police.stays.tables import Stay, StayRefusal
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted
from shared.casework.here import Here
from shared.kit.db import Transaction
from shared.kit.sealed import shut_shown
from shared.programmes.indicators import Duration, Measure

HOUR = timedelta(hours=1)


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Nothing where the programme has no stays. Nights in hospital are no part of a stay's length where they do not count."""
    if not has_stays(here):
        return Counts()
    found = Counts.of(
        Measure.STAYS, Measure.STAYS_WITHIN_LIMIT, Measure.STAYS_OVER_WITHOUT_PLAN, Measure.REFUSED_FOR_LACK_OF_PLACE,
        Duration.STAY_LENGTH,
    )  # fmt: skip
    first, until = here.begin_of(of.first), here.begin_of(of.until)
    query = of_counted(Stay, Stay).where(col(Stay.came_at) >= first, col(Stay.came_at) < until)
    with shut_shown():  # beds and days count, whatever its key opens
        stays = {one.id: one for one in (await tx.session.execute(query)).scalars()}
    now = tx.clock.now()
    for id_, stands in (await standings_of(tx, here, list(stays.values()))).items():
        stay = stays[id_]
        end = stay.left_at or now
        found.add(Measure.STAYS, stay.facility)
        found.add(Measure.STAYS_WITHIN_LIMIT, stay.facility, int(end <= stands.limit_at))
        found.add(Measure.STAYS_OVER_WITHOUT_PLAN, stay.facility, int(stands.was_over_without_plan))
        spared = stands.limit_at - stay.came_at - stands.limit
        found.add_hours(Duration.STAY_LENGTH, stay.facility, (end - stay.came_at - spared) / HOUR)
    refused = of_counted(StayRefusal, col(StayRefusal.facility)).where(
        col(StayRefusal.occurred_at) >= first, col(StayRefusal.occurred_at) < until
    )
    for place in (await tx.session.execute(refused)).scalars():
        found.add(Measure.REFUSED_FOR_LACK_OF_PLACE, place)
    return found
