"""How trials ended, as a programme's measures: how many cases, and nothing else of them. What it says of an accused stays here."""

from uuid import UUID

from sqlmodel import col

from services.justice.proceedings.domain import Outcome
from services.justice.proceedings.tables import Verdict
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted, rows, said, sealed
from shared.casework.here import Here
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure

ENDED = {Outcome.CONVICTED: Measure.CONVICTED, Outcome.ACQUITTED: Measure.ACQUITTED}


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Each case once, by its last verdict of the period: a higher court may have decided otherwise."""
    found = Counts.of(*ENDED.values())
    columns = (col(Verdict.id), col(Verdict.case_id), col(Verdict.facility), col(Verdict.occurred_at), *sealed(Verdict, "outcome"))
    query = of_counted(Verdict, *columns).where(
        col(Verdict.occurred_at) >= here.begin_of(of.first), col(Verdict.occurred_at) < here.begin_of(of.until)
    )
    last: dict[UUID, tuple[object, ...]] = {}
    async for row in rows(tx, query, col(Verdict.id)):
        one = (row.occurred_at, row.id, row.facility, said(tx, Verdict, row, "outcome"))
        last[row.case_id] = max(last.get(row.case_id, one), one)
    for _at, _id, place, outcome in last.values():
        if outcome in ENDED:
            found.add(ENDED[Outcome(str(outcome))], str(place))
    return found
