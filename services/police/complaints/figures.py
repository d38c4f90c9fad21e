"""Complaints as a programme's measures: how far they came, how many were withdrawn, by place.

Stages count cases, each once in a period, so that one divides into the next (domain.md, section 5, attrition)."""

from sqlalchemy import and_, exists, or_
from sqlmodel import col

from services.police.complaints.domain import Where
from services.police.complaints.tables import Complaint, ComplaintStep
from shared.casework.cases.tables import Case
from shared.casework.circles.figures import has_been, steps
from shared.casework.circles.tables import Progress
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted, rows, said, sealed
from shared.casework.here import Here
from shared.contracts.casework.codes import AgencyKind, ProgressCode
from shared.kit.db import Transaction
from shared.kit.sealed import shut_shown
from shared.programmes.indicators import Measure

_P = ProgressCode
# A case is under investigation from the first of these on; which of them came first differs from station to station.
STAGES = {
    _P.STATEMENT_TAKEN: Measure.INVESTIGATED, _P.SUSPECT_KNOWN: Measure.INVESTIGATED, _P.CHARGED: Measure.CHARGED,
    _P.VERDICT: Measure.VERDICTS,
}  # fmt: skip


WHERE = {Where.STATION: Measure.REPORTS_WITHDRAWN_AT_STATION, Where.COURT: Measure.REPORTS_WITHDRAWN_IN_COURT}


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """By the times at which things happened; a case is tried in the period in which a hearing was, and not when it was set. Charge,
    hearing and verdict count also as the prosecutor told them, of cases whose complaint is here: justice counts none of them."""
    found = Counts.of(*STAGES.values(), Measure.TRIED, Measure.REPORTS_WITHDRAWN, *WHERE.values())
    first, until = here.begin_of(of.first), here.begin_of(of.until)
    of_justice = [peer for peer in here.peers if here.kind_of(peer) is AgencyKind.JUSTICE]
    has_complaint = exists().where(col(Complaint.case_id) == col(Progress.case_id)).correlate(Progress)
    whose = or_(col(Progress.agency) == here.agency, and_(col(Progress.agency).in_(of_justice), has_complaint))
    taken = await steps(tx, here, STAGES, first, until, whose=whose)
    for measure, _case, place in {(STAGES[step.code], step.case_id, step.place) for step in taken}:
        found.add(measure, place)
    for step in await steps(tx, here, {_P.COMPLAINT_WITHDRAWN}, first, until):
        found.add(Measure.REPORTS_WITHDRAWN, step.place)
    withdrawn = of_counted(Progress, col(Case.facility), col(ComplaintStep.said)).join(
        ComplaintStep, col(ComplaintStep.position) == col(Progress.position)
    ).where(
        col(Progress.agency) == here.agency, col(Progress.code) == _P.COMPLAINT_WITHDRAWN, col(Progress.occurred_at) >= first,
        col(Progress.occurred_at) < until,
    )  # fmt: skip
    with shut_shown():  # what does not open is counted without what it said
        for place, answers in (await tx.session.execute(withdrawn)).tuples():
            if (where := (answers or {}).get("where")) in WHERE:
                found.add(WHERE[where], place)
    ends = min(of.until, here.day_of(tx.clock.now()))  # what is set for today or later has not been yet
    columns = (col(Progress.position), col(Progress.case_id), col(Case.facility), *sealed(Progress, "on_date"))
    heard = of_counted(Progress, *columns).where(whose, col(Progress.code) == _P.HEARING_DATE, col(Progress.on_date).is_not(None))
    tried = set()
    with shut_shown():
        async for row in rows(tx, heard, col(Progress.position)):
            if has_been(said(tx, Progress, row, "on_date"), ends, of.first):
                tried.add((row.case_id, row.facility))
    for _case, place in tried:
        found.add(Measure.TRIED, place)
    return found
