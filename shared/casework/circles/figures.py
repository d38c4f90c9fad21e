"""Coded steps of cases that this agency took, by place; among them that somebody was pressed to settle, which any agency notes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, true
from sqlmodel import col

from shared.casework.cases.figures import reports
from shared.casework.cases.tables import Case
from shared.casework.circles.tables import Progress
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import STEPS_REACHED, Period
from shared.casework.figures.reading import of_counted, rows, said, sealed
from shared.casework.here import Here
from shared.contracts.casework.codes import AgencyKind, ProgressCode
from shared.kit.db import Transaction
from shared.kit.sealed import shut_shown
from shared.programmes.indicators import Measure


@dataclass(frozen=True, slots=True)
class Step:
    """One step, at the place of its case."""

    code: ProgressCode
    case_id: UUID
    place: str


async def steps(
    tx: Transaction, here: Here, codes: Collection[ProgressCode], first: datetime, until: datetime,
    seen: ColumnElement[bool] | None = None, whose: ColumnElement[bool] | None = None,
) -> list[Step]:  # fmt: skip
    """Steps of these kinds that were taken in a span, by their own times: this agency's own, or `whose` they are; only of cases
    that are `seen`, where that is said."""
    columns = (col(Progress.code), col(Progress.case_id), col(Case.facility))
    query = of_counted(Progress, *columns).where(
        col(Progress.agency) == here.agency if whose is None else whose, col(Progress.code).in_(codes),
        true() if seen is None else seen,
        col(Progress.occurred_at) >= first, col(Progress.occurred_at) < until,
    )  # fmt: skip
    return [Step(ProgressCode(code), case_id, place) for code, case_id, place in (await tx.session.execute(query)).tuples()]


# How far a case has come, as figures.domain.STEPS counts it; which of the first two came first differs from station to station.
REACHED = {
    ProgressCode.STATEMENT_TAKEN: 1, ProgressCode.SUSPECT_KNOWN: 1, ProgressCode.CHARGED: 2, ProgressCode.HEARING_DATE: 3,
    ProgressCode.VERDICT: 4,
}  # fmt: skip


async def furthest_steps(tx: Transaction, here: Here) -> dict[UUID, int]:
    """The furthest step of each case, taken here or told by the prosecutor: where there is one, charge and verdict are that one's.
    A case is tried once a hearing was, and not when it was set."""
    today = here.day_of(tx.clock.now())
    own = [here.agency, *(peer for peer in here.peers if here.kind_of(peer) is AgencyKind.JUSTICE)]
    columns = (col(Progress.position), col(Progress.case_id), col(Progress.code), *sealed(Progress, "on_date"))
    query = of_counted(Progress, *columns).where(col(Progress.agency).in_(own), col(Progress.code).in_(REACHED))
    found: dict[UUID, int] = {}
    with shut_shown():
        async for row in rows(tx, query, col(Progress.position)):
            if row.code != ProgressCode.HEARING_DATE or has_been(said(tx, Progress, row, "on_date"), today):
                found[row.case_id] = max(found.get(row.case_id, 0), REACHED[ProgressCode(row.code)])
    return found


def has_been(on_date: Any, before: date, since: date = date.min) -> bool:
    """Whether a day is known and lies in a span; one that does not open, because its key is not here, is not known."""
    return isinstance(on_date, date) and since <= on_date < before


async def attrition(tx: Transaction, here: Here, of: Period) -> Counts:
    """Of the reports of a period, those whose case has come so far by now, or further: what is divided by what came before it is of
    the same reports, and never more than all."""
    found = Counts.of(*STEPS_REACHED)
    furthest = await furthest_steps(tx, here)
    async for report in reports(tx, here.begin_of(of.first), here.begin_of(of.until)):
        for measure in STEPS_REACHED[: furthest.get(report.case_id, 0)]:
            found.add(measure, report.place)
    return found


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Pressure to settle, as it was noted."""
    found = Counts.of(Measure.PRESSURE_TO_SETTLE)
    for step in await steps(tx, here, {ProgressCode.PRESSURE_TO_SETTLE}, here.begin_of(of.first), here.begin_of(of.until)):
        found.add(Measure.PRESSURE_TO_SETTLE, step.place)
    return found
