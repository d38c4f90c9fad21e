"""Coded steps of cases that this agency took, by place; among them that somebody was pressed to settle, which any agency notes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, true
from sqlmodel import col

from shared.casework.cases.tables import Case
from shared.casework.circles.tables import Progress
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted
from shared.casework.here import Here
from shared.contracts.casework.codes import ProgressCode
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure


@dataclass(frozen=True, slots=True)
class Step:
    """One step, at the place of its case."""

    code: ProgressCode
    case_id: UUID
    place: str


async def steps(
    tx: Transaction, here: Here, codes: Collection[ProgressCode], first: datetime, until: datetime,
    seen: ColumnElement[bool] | None = None,
) -> list[Step]:  # fmt: skip
    """Steps of these kinds that were taken in a span, by their own times; only of cases that are `seen`, where that is said."""
    columns = (col(Progress.code), col(Progress.case_id), col(Case.facility))
    query = of_counted(Progress, *columns).where(
        col(Progress.agency) == here.agency, col(Progress.code).in_(codes), true() if seen is None else seen,
        col(Progress.occurred_at) >= first, col(Progress.occurred_at) < until,
    )  # fmt: skip
    return [Step(ProgressCode(code), case_id, place) for code, case_id, place in (await tx.session.execute(query)).tuples()]


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Pressure to settle, as it was noted."""
    found = Counts.of(Measure.PRESSURE_TO_SETTLE)
    for step in await steps(tx, here, {ProgressCode.PRESSURE_TO_SETTLE}, here.begin_of(of.first), here.begin_of(of.until)):
        found.add(Measure.PRESSURE_TO_SETTLE, step.place)
    return found
