"""Hand-overs as a programme's measures: how many, how many in time and of how many, and after how many hours, by the place of the
complaint."""

from datetime import datetime, timedelta

from sqlalchemy import exists, or_
from sqlmodel import col

from services.police.complaints.tables import Complaint
from services.police.hand_overs.domain import Facts, HandOver, counted_at, standing
from services.police.hand_overs.views import BEGINS, asks_to_prosecute, clocks_of, limit_of, of_complaint
from shared.casework.circles.tables import Progress
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted, pages
from shared.casework.here import Here
from shared.casework.referrals.tables import Referral
from shared.kit.db import Transaction
from shared.programmes.indicators import Duration, Measure


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Each complaint once of each: as handed over, by the time at which its first request was sent; as due, by that or by its
    limit, whichever came first."""
    found = Counts.of(Measure.HAND_OVERS, Measure.HAND_OVERS_IN_TIME, Measure.HAND_OVERS_DUE, Duration.HAND_OVER_TIME)
    first, until = here.begin_of(of.first), here.begin_of(of.until)
    asked = (col(Referral.case_id) == col(Complaint.case_id), asks_to_prosecute(), of_complaint())
    handed_then = exists().where(*asked, col(Referral.issued_at) >= first, col(Referral.issued_at) < until)
    longest = max((limit_of(here, place) or timedelta() for place in here.entry.facilities), default=timedelta())
    begun = exists().where(  # on the case: a milestone need not name its complaint
        col(Progress.case_id) == col(Complaint.case_id), col(Progress.agency) == here.agency, col(Progress.code).in_(BEGINS),
        col(Progress.occurred_at) >= first - longest, col(Progress.occurred_at) < until,
    )  # fmt: skip
    query = of_counted(Complaint, col(Complaint.id), col(Complaint.case_id), col(Complaint.facility)).where(or_(handed_then, begun))
    async for page in pages(tx, query, col(Complaint.id)):
        clocks = await clocks_of(tx, here, page)
        for row in page:
            if row.id in clocks:
                _count(found, row.facility, clocks[row.id], (first, until), tx.clock.now())
    return found


def _count(found: Counts, place: str, facts: Facts, span: tuple[datetime, datetime], now: datetime) -> None:
    at = counted_at(facts, now)
    if at is not None and span[0] <= at < span[1]:
        found.add(Measure.HAND_OVERS_DUE, place)
    if facts.handed_at is None or not span[0] <= facts.handed_at < span[1]:
        return
    found.add(Measure.HAND_OVERS, place)
    found.add(Measure.HAND_OVERS_IN_TIME, place, int(standing(facts, now) is HandOver.IN_TIME))
    found.add_hours(Duration.HAND_OVER_TIME, place, (facts.handed_at - facts.counted_from).total_seconds() / 3600)
