"""Hand-overs as a programme's measures: how many, how many in time, and after how many hours, by the place of the complaint."""

from sqlalchemy import and_, func
from sqlmodel import col

from services.police.complaints.tables import Complaint, ComplaintStep
from services.police.hand_overs.domain import Facts, HandOver, standing
from services.police.hand_overs.views import asks_to_prosecute, limit_of, of_complaint
from shared.casework.circles.tables import Progress
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted
from shared.casework.here import Here
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import ProgressCode
from shared.kit.db import Transaction
from shared.programmes.indicators import Duration, Measure


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """By the times at which complaints were handed over; each is counted once, with its first request."""
    found = Counts.of(Measure.HAND_OVERS, Measure.HAND_OVERS_IN_TIME, Duration.HAND_OVER_TIME)
    first, until = here.begin_of(of.first), here.begin_of(of.until)
    codes = (ProgressCode.COMPLAINT_REGISTERED, ProgressCode.COMPLAINT_REOPENED)
    handed = func.min(col(Referral.issued_at))
    query = (
        of_counted(Complaint, col(Complaint.id), col(Complaint.facility), handed, func.max(col(Progress.occurred_at)))
        .join(Referral, and_(col(Referral.case_id) == col(Complaint.case_id), asks_to_prosecute(), of_complaint()))
        .join(ComplaintStep, col(ComplaintStep.complaint_id) == col(Complaint.id))
        .join(Progress, and_(col(Progress.position) == col(ComplaintStep.position), col(Progress.code).in_(codes)))
        .where(col(Progress.occurred_at) <= col(Referral.issued_at))
        .group_by(col(Complaint.id), col(Complaint.facility))
        .having(handed >= first, handed < until)
    )
    for _id, place, handed_at, counted_from in (await tx.session.execute(query)).tuples():
        limit = limit_of(here, place)
        if limit is None:
            continue
        stands = standing(Facts(counted_from, limit, handed_at), handed_at)
        found.add(Measure.HAND_OVERS, place)
        found.add(Measure.HAND_OVERS_IN_TIME, place, int(stands is HandOver.IN_TIME))
        found.add_hours(Duration.HAND_OVER_TIME, place, (handed_at - counted_from).total_seconds() / 3600)
    return found
