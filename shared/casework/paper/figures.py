"""How complete the records are: at which places anything was written down, and which sheets of paper are still out. Monthly
figure 15."""

from sqlalchemy import func, or_, select
from sqlmodel import col

from shared.casework.cases.tables import Case
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.here import Here
from shared.casework.paper.tables import Sheet
from shared.exchange.tables import Activity
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure

# Lines of the diary that no person writes: a place at which there are only such has reported nothing.
OF_ITSELF = (
    "alarm.raised", "alarm.climbed", "circle.announced", "circle.referral_progress", "consent.ended", "consent.erased",
    "referral.flagged", "referral.no_feedback_by_choice", "referral.ended_undisclosed", "station.registered",
    "referral.cancelled", "referral.transition_refused",  # what is asked to be cancelled unseen is, without anybody
)  # fmt: skip


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Places with a line of their own in the diary of the period; and sheets that were out at its end, or are now where it goes on.
    A sheet that nobody wrote on is out, too: the pad is counted at the desk."""
    found = Counts.of(Measure.PLACES_REPORTED, Measure.SHEETS_OUT)
    first, until = here.begin_of(of.first), here.begin_of(of.until)
    by_hand = or_(col(Activity.kind) != "case.opened", ~col(Case.is_received))  # what is sent opens a case by itself
    wrote = (
        select(col(Activity.facility))
        .outerjoin(Case, col(Case.id) == col(Activity.case_id))
        .where(
            col(Activity.is_own), col(Activity.recorded_at) >= first, col(Activity.recorded_at) < until,
            col(Activity.kind).not_in(OF_ITSELF), by_hand,
        )
    )  # fmt: skip
    for place in (await tx.session.execute(wrote.distinct())).scalars():
        if place in here.entry.facilities:
            found.add(Measure.PLACES_REPORTED, place)
    out = select(col(Sheet.facility), func.count()).where(
        col(Sheet.printed_at) < until, or_(col(Sheet.entered_at).is_(None), col(Sheet.entered_at) >= until)
    )
    for place, number in (await tx.session.execute(out.group_by(col(Sheet.facility)))).tuples():
        found.add(Measure.SHEETS_OUT, place, number)
    return found
