"""Hand-overs as a programme's measures: how many, how many in time, and after how many hours, by the place of the complaint."""

from datetime import datetime

from sqlalchemy import exists
from sqlmodel import col

from services.police.complaints.tables import Complaint
from services.police.hand_overs.domain import Facts, HandOver, standing
from services.police.hand_overs.views import asks_to_prosecute, clocks_of, of_complaint
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import ROWS, of_counted, rows
from shared.casework.here import Here
from shared.casework.referrals.tables import Referral
from shared.kit.db import Transaction
from shared.programmes.indicators import Duration, Measure


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """By the times at which complaints were handed over; each is counted once, with its first request."""
    found = Counts.of(Measure.HAND_OVERS, Measure.HAND_OVERS_IN_TIME, Duration.HAND_OVER_TIME)
    first, until = here.begin_of(of.first), here.begin_of(of.until)
    handed = exists().where(
        col(Referral.case_id) == col(Complaint.case_id), asks_to_prosecute(), of_complaint(), col(Referral.issued_at) >= first,
        col(Referral.issued_at) < until,
    )  # fmt: skip
    query = of_counted(Complaint, col(Complaint.id), col(Complaint.case_id), col(Complaint.facility)).where(handed)
    complaints = [row async for row in rows(tx, query, col(Complaint.id))]
    for begin in range(0, len(complaints), ROWS):
        page = complaints[begin : begin + ROWS]
        clocks = await clocks_of(tx, here, page)
        for row in page:
            if row.id in clocks:
                _count(found, row.facility, clocks[row.id], first, until)
    return found


def _count(found: Counts, place: str, facts: Facts, first: datetime, until: datetime) -> None:
    if facts.handed_at is None or not first <= facts.handed_at < until:
        return
    found.add(Measure.HAND_OVERS, place)
    found.add(Measure.HAND_OVERS_IN_TIME, place, int(standing(facts, facts.handed_at) is HandOver.IN_TIME))
    found.add_hours(Duration.HAND_OVER_TIME, place, (facts.handed_at - facts.counted_from).total_seconds() / 3600)
