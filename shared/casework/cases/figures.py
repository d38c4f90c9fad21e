"""What was reported to this agency: incidents, when they were told. A sheet counts in the period in which it was written."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists
from sqlalchemy.orm import aliased
from sqlmodel import col

from shared.casework.cases.tables import Case, Incident
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted, rows, said, sealed
from shared.casework.here import Here
from shared.contracts.casework.codes import SEXUAL_VIOLENCE
from shared.exchange.tables import Activity
from shared.kit.db import Transaction
from shared.programmes.indicators import Duration, Measure

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Report:
    """One incident as it was told: at which place, how long after it had happened (from the earliest moment of its range), and
    whether the case had one before. What was erased is None."""

    incident_id: UUID
    case_id: UUID
    place: str
    since: timedelta | None
    incident_type: str | None
    needs: Mapping[str, Any]
    is_again: bool
    is_received: bool  # of a case that another agency sent


def told_within(first: datetime, until: datetime) -> ColumnElement[bool]:
    """In a query for incidents with their line in the diary: those that were told in a span."""
    # Nothing is told after it is written down, so the index on the latter finds where to begin.
    return and_(col(Incident.recorded_at) >= first, col(Activity.occurred_at) >= first, col(Activity.occurred_at) < until)


IS_ITS_LINE = (col(Activity.subject) == col(Incident.id)) & (col(Activity.kind) == "incident.recorded")


async def reports(tx: Transaction, first: datetime, until: datetime) -> AsyncIterator[Report]:
    """Incidents that were told in a span of time."""
    earlier = aliased(Incident)
    is_again = exists().where(col(earlier.case_id) == col(Incident.case_id), col(earlier.id) < col(Incident.id))
    columns = [
        col(Incident.id), col(Incident.case_id), col(Case.facility), col(Case.is_received), col(Activity.occurred_at),
        is_again.label("is_again"), *sealed(Incident, "incident_type", "earliest_at", "latest_at"), *sealed(Case, "needs"),
    ]  # fmt: skip
    query = of_counted(Incident, *columns).join(Activity, IS_ITS_LINE).where(told_within(first, until))
    async for row in rows(tx, query, col(Incident.id)):
        happened = said(tx, Incident, row, "earliest_at") or said(tx, Incident, row, "latest_at")
        yield Report(
            row.id, row.case_id, row.facility, row.occurred_at - happened if happened is not None else None,
            said(tx, Incident, row, "incident_type") or None, said(tx, Case, row, "needs") or {}, bool(row.is_again),
            bool(row.is_received),
        )  # fmt: skip


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Reports at each place, those of sexual violence, the cases that these are of, and hours from what happened to the report.

    A case counts once in each period in which such a report was made of it. One that another agency sent is no case of ours to
    refer: whoever comes from a clinic is in care already.
    """
    found = Counts.of(
        Measure.REPORTS, Measure.REPORTS_SEXUAL_VIOLENCE, Measure.CASES_SEXUAL_VIOLENCE, Duration.REPORT_DELAY,
        Duration.SEXUAL_REPORT_DELAY,
    )  # fmt: skip
    cases: dict[UUID, str] = {}
    async for report in reports(tx, here.begin_of(of.first), here.begin_of(of.until)):
        found.add(Measure.REPORTS, report.place)
        if report.since is not None:
            found.add_hours(Duration.REPORT_DELAY, report.place, report.since / HOUR)
        if report.incident_type in SEXUAL_VIOLENCE:
            found.add(Measure.REPORTS_SEXUAL_VIOLENCE, report.place)
            if report.since is not None:
                found.add_hours(Duration.SEXUAL_REPORT_DELAY, report.place, report.since / HOUR)
            if not report.is_received:
                cases[report.case_id] = report.place
    for place in cases.values():
        found.add(Measure.CASES_SEXUAL_VIOLENCE, place)
    return found
