"""How many outreach sessions there were and how many people they reached: monthly figure 14."""

from sqlalchemy import select
from sqlmodel import col

from services.social_welfare.outreach.commands import counts_still
from services.social_welfare.outreach.tables import OutreachSession
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.here import Here
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure


async def counts(tx: Transaction, _here: Here, of: Period) -> Counts:
    """By place, of the sessions that were held in a period and that no later line corrects."""
    found = Counts.of(Measure.OUTREACH_SESSIONS, Measure.PEOPLE_REACHED)
    query = select(col(OutreachSession.facility), col(OutreachSession.total)).where(
        counts_still(), col(OutreachSession.held_on) >= of.first, col(OutreachSession.held_on) < of.until
    )
    for facility, total in (await tx.session.execute(query)).tuples():
        found.add(Measure.OUTREACH_SESSIONS, facility)
        found.add(Measure.PEOPLE_REACHED, facility, total)
    return found
