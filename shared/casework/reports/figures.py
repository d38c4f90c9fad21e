"""Figures of medical reports, counted from their folded times without opening a case: nobody is shown one, and no look is kept.

Each measure is counted where it is known: what was asked for and what was unsigned at the limit by the police, what was signed by
health. A fee is counted where it was written down, once for each request; of several agencies that wrote it down the largest number
stands (`tallies.AT_BOTH_ENDS`). Whoever said no to being counted is in none.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.breaches.figures import fees_demanded
from shared.casework.cases.tables import Case
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import COUNTED, ROWS
from shared.casework.here import Actor, Here
from shared.casework.referrals.tables import Referral
from shared.casework.reports.domain import Step
from shared.casework.reports.tables import Report, ReportFact
from shared.contracts.casework.codes import AgencyKind
from shared.kit.db import Transaction
from shared.kit.sealed import as_it_lies, sealed_columns
from shared.programmes.indicators import Duration, Measure, quantile

MEASURES: Mapping[AgencyKind, tuple[Measure, ...]] = {
    AgencyKind.POLICE: (
        Measure.MEDICAL_REPORTS_REQUESTED, Measure.MEDICAL_REPORTS_UNSIGNED_AT_LIMIT, Measure.FEES_CHARGED,
    ),
    AgencyKind.HEALTH: (Measure.MEDICAL_REPORTS_SIGNED, Measure.FEES_CHARGED),
    AgencyKind.SOCIAL_WELFARE: (Measure.FEES_CHARGED,), AgencyKind.PARTNER: (Measure.FEES_CHARGED,),
}  # fmt: skip


@dataclass(slots=True)
class PlaceFigures:
    """One place in a period: each measure that this kind of agency knows, also where it is 0; and hours until signed."""

    facility: str
    counts: Counter[Measure] = field(default_factory=Counter)
    until_signed_h: list[float] = field(default_factory=list)

    @property
    def median_h(self) -> float | None:
        """Hours from request to signature, as every median is taken; None where nothing was signed."""
        return quantile(self.until_signed_h, 0.5)


async def figures(tx: Transaction, here: Here, by: Actor, first: date, until: date) -> list[PlaceFigures]:
    """Of each place of the account, `until` not among the days; for supervisors. Also where everything is 0."""
    by.may_let_out()
    async with scope.whole_agency(tx):  # counted of every case there is; which ones an account may open changes no number
        return [one for one in await _everywhere(tx, here, first, until) if by.sees(one.facility)]


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """The same as a programme's measures."""
    found = Counts.of(*MEASURES.get(here.kind, ()), *([Duration.SIGN_TIME] if here.kind is AgencyKind.HEALTH else []))
    for one in await _everywhere(tx, here, of.first, of.until):
        for measure, number in one.counts.items():
            found.add(measure, one.facility, number)
        for hours in one.until_signed_h if Duration.SIGN_TIME in found.hours else ():
            found.add_hours(Duration.SIGN_TIME, one.facility, hours)
    return found


async def _everywhere(tx: Transaction, here: Here, first: date, until: date) -> list[PlaceFigures]:
    begins, ends = here.begin_of(first), here.begin_of(until)
    nothing = dict.fromkeys(MEASURES.get(here.kind, ()), 0)
    found = {place: PlaceFigures(place, Counter(nothing)) for place in sorted(here.entry.facilities)}
    for measure, when in _when(here, begins, ends, tx.clock.now()).items():
        for facility, number in await _by_place(tx, when):
            if facility in found:
                found[facility].counts[measure] += number
    if here.kind in MEASURES:
        await _fees(tx, found, begins, ends)
    signed = select(_place(), col(Report.requested_at), col(Report.signed_at)).select_from(Report)
    query = _of_counted(signed).where(col(Report.signed_at) >= begins, col(Report.signed_at) < ends)
    for facility, asked, at in (await tx.session.execute(query)).tuples():
        if facility in found:
            found[facility].until_signed_h.append(max(at - asked, timedelta()) / timedelta(hours=1))
    return list(found.values())


def _when(here: Here, begins: datetime, ends: datetime, now: datetime) -> dict[Measure, list[ColumnElement[bool]]]:
    if here.kind is AgencyKind.HEALTH:
        return {Measure.MEDICAL_REPORTS_SIGNED: [col(Report.signed_at) >= begins, col(Report.signed_at) < ends]}
    if here.kind is not AgencyKind.POLICE:
        return {}
    unsigned = or_(col(Report.signed_at).is_(None), col(Report.signed_at) > col(Report.limit_at))
    return {
        Measure.MEDICAL_REPORTS_REQUESTED: [col(Report.requested_at) >= begins, col(Report.requested_at) < ends],
        Measure.MEDICAL_REPORTS_UNSIGNED_AT_LIMIT: [
            col(Report.limit_at) >= begins, col(Report.limit_at) < min(ends, now), unsigned,
        ],
    }  # fmt: skip


def _place() -> Any:
    return func.coalesce(col(Referral.desk), col(Report.facility)).label("place")


def _of_counted(query: Any) -> Any:
    joined = query.join(Case, col(Case.id) == col(Report.case_id))
    return joined.outerjoin(Referral, col(Referral.id) == col(Report.referral_id)).where(COUNTED)


async def _by_place(tx: Transaction, when: list[ColumnElement[bool]]) -> list[tuple[str, int]]:
    place = _place()
    query = _of_counted(select(place, func.count()).select_from(Report)).where(*when).group_by(place)
    return list((await tx.session.execute(query)).tuples())


async def _fees(tx: Transaction, found: dict[str, PlaceFigures], begins: datetime, ends: datetime) -> None:
    """Requests on which a fee was asked that the programme says is a breach, by the day on which it was: whether it is lies sealed.

    A breach that was written down names no request: it counts where the case has no other, so that one fee is never two.
    """
    column, last = sealed_columns(ReportFact)["said"], 0
    asked: dict[UUID, set[tuple[UUID, str]]] = defaultdict(set)
    query = _of_counted(
        select(col(ReportFact.position), _place(), as_it_lies(ReportFact.said), col(Report.id), col(Report.case_id))
        .select_from(ReportFact)
        .join(Report, col(Report.id) == col(ReportFact.report_id))
    ).where(
        col(ReportFact.step) == Step.FEE_ASKED, col(ReportFact.occurred_at) >= begins, col(ReportFact.occurred_at) < ends
    )  # fmt: skip
    while True:
        page = query.where(col(ReportFact.position) > last).order_by(col(ReportFact.position)).limit(ROWS)
        rows = (await tx.session.execute(page)).tuples().all()
        for _position, facility, held, report, case in rows:
            if (column.read(held, tx.keys) or {}).get("is_breach"):
                asked[case].add((report, facility))
        if len(rows) < ROWS:
            break
        last = rows[-1][0]
    for case, facility in await fees_demanded(tx, begins, ends):
        if not asked[case]:
            asked[case].add((case, facility))
    for facility in (facility for several in asked.values() for _request, facility in several):
        if facility in found:
            found[facility].counts[Measure.FEES_CHARGED] += 1
