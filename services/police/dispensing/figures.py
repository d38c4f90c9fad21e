"""Figures of doses and of boxes, counted from the records without opening a case: nobody is shown one, and no look is kept.

Doses are counted where she has not said no to being counted; the box counts every dose, because its book must fit the box.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import col

from services.police.dispensing.domain import Outcome
from services.police.dispensing.resupply import Sums, sums_of
from services.police.dispensing.rules import products
from services.police.dispensing.tables import BoxEntry, Dose
from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.kit.db import Transaction
from shared.kit.sealed import as_it_lies, sealed_columns

ROWS = 500  # read at once: opening what they say takes some 10 ms, and others wait no longer for their pages


@dataclass(slots=True)
class Doses:
    """What became of offers of one product at one station; of those given, hours since the incident by band, and which dose."""

    outcomes: Counter[str] = field(default_factory=Counter)
    since: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def eligible(self) -> int:
        """Offers to which a first dose could have been the answer: nobody is asked why she said no, and none is counted twice."""
        return self.kinds["first"] + self.outcomes[Outcome.DECLINED] + self.outcomes[Outcome.NONE_HERE]

    @property
    def timely(self) -> int:
        """Given within 120 hours of the incident's earliest moment (domain guide, section 5)."""
        return self.since["72"] + self.since["120"]


@dataclass(frozen=True, slots=True)
class StationFigures:
    """One station and product in a period."""

    facility: str
    product: str
    doses: Doses
    sums: Sums


async def figures(tx: Transaction, here: Here, by: Actor, first: date, until: date) -> list[StationFigures]:
    """Of each station of the account and each product, `until` not among the days; for supervisors. Also where everything is 0."""
    by.may_let_out()
    await scope.for_the_agency(tx)  # counted of every case there is; which ones an account may open changes no number
    zone = ZoneInfo(here.programme.time_zone)
    begins, ends = (datetime.combine(day, time(), zone) for day in (first, until))
    found = []
    boxes = set((await tx.session.execute(select(col(BoxEntry.facility)).distinct())).scalars())
    for facility in sorted(place for place in boxes | here.entry.facilities.keys() if by.sees(place)):
        doses = await _doses(tx, facility, begins, ends)
        for product in products(here.programme):
            sums = await sums_of(tx, here, facility, product, first, until)
            found.append(StationFigures(facility, product, doses.get(product, Doses()), sums))
    return found


async def _doses(tx: Transaction, facility: str, begins: datetime, ends: datetime) -> dict[str, Doses]:
    found: dict[str, Doses] = {}
    column, last = sealed_columns(Dose)["said"], None
    query: Any = (
        select(col(Dose.id), as_it_lies(Dose.said))
        .join(Case, col(Case.id) == col(Dose.case_id))
        .where(~col(Case.not_counted), col(Dose.facility) == facility)
        .where(col(Dose.recorded_at) >= begins, col(Dose.recorded_at) < ends)
        .order_by(col(Dose.id))
        .limit(ROWS)
    )
    while True:
        rows = (await tx.session.execute(query if last is None else query.where(col(Dose.id) > last))).all()
        for _id, held in rows:
            said = column.read(held, tx.keys)
            if said is not None:  # else its case was erased: the box's book still has the dose, and nobody knows whose it was
                _count(found.setdefault(said["product"], Doses()), said)
        if len(rows) < ROWS:
            return found
        last = rows[-1][0]


def _count(of: Doses, said: dict[str, Any]) -> None:
    of.outcomes[said["outcome"]] += 1
    if said["outcome"] == Outcome.GIVEN:
        of.since[said["since"]] += 1
        of.kinds[said["kind"]] += 1
