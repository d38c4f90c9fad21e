"""Figures of doses and of boxes, counted from the records without opening a case: nobody is shown one, and no look is kept.

Doses are counted where she has not said no to being counted; the box counts every dose, because its book must fit the box.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from services.police.dispensing.domain import Kind, Outcome
from services.police.dispensing.resupply import Sums, sums_of
from services.police.dispensing.rules import products
from services.police.dispensing.tables import BoxEntry, Dose, SafetyReport
from shared.casework import scope
from shared.casework.cases.figures import HOUR
from shared.casework.cases.tables import Case, Incident
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import COUNTED, of_counted, rows, said, sealed
from shared.casework.here import Actor, Here
from shared.casework.stock.domain import GOES_OUT, EntryKind
from shared.contracts.casework.codes import CareClock, CareProduct
from shared.kit.db import Transaction
from shared.programmes.indicators import Duration, Measure
from shared.programmes.profile import Programme

CARE_OF = {
    CareProduct.EMERGENCY_CONTRACEPTION: CareClock.EMERGENCY_CONTRACEPTION, CareProduct.PEP_STARTER: CareClock.PEP,
}  # fmt: skip


@dataclass(slots=True)
class Doses:
    """What became of offers of one product at one station; of those given, hours since the incident by band, and which dose."""

    outcomes: Counter[str] = field(default_factory=Counter)
    since: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    eligible: int = 0  # incidents for which a first dose could have been the answer; nobody is asked why she said no
    timely: int = 0  # of these, a first dose within the programme's window, from the incident's earliest moment


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
    async with scope.whole_agency(tx):  # counted of every case there is; which ones an account may open changes no number
        begins, ends = here.begin_of(first), here.begin_of(until)
        found = []
        boxes = set((await tx.session.execute(select(col(BoxEntry.facility)).distinct())).scalars())
        doses, _offered = await _doses(tx, here, begins, ends)
        for facility in sorted(place for place in boxes | here.entry.facilities.keys() if by.sees(place)):
            for product in products(here.programme):
                sums = await sums_of(tx, here, facility, product, first, until)
                found.append(StationFigures(facility, product, doses.get((facility, product), Doses()), sums))
        return found


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer of a product, and what became of it. `happened`: the incident's earliest moment that is known."""

    incident_id: UUID
    facility: str
    said: dict[str, Any]
    at: datetime
    happened: datetime | None

    @property
    def product(self) -> CareProduct:
        """What was offered."""
        return CareProduct(self.said["product"])

    @property
    def is_first_dose(self) -> bool:
        """Whether the first dose for its incident was given."""
        return bool(self.said["outcome"] == Outcome.GIVEN and self.said["kind"] == Kind.FIRST)

    def is_in_time(self, programme: Programme) -> bool:
        """Whether it was a first dose within the window of its product, from the earliest moment. Where there is none, or nobody
        knows when it happened, it was not."""
        window = programme.windows.get(CARE_OF[self.product])
        return self.is_first_dose and window is not None and window.fits(self.happened, None, self.at) is True


def decisive(offers: Iterable[Offer]) -> list[Offer]:
    """One offer of each product for each incident, so that whoever was offered it again counts once: the first dose, else the last
    offer to which one could have been the answer. A second dose is none."""
    found: dict[tuple[UUID, CareProduct], Offer] = {}
    for offer in offers:
        if offer.said["outcome"] == Outcome.GIVEN and not offer.is_first_dose:
            continue
        key = (offer.incident_id, offer.product)
        found[key] = max(found.get(key, offer), offer, key=lambda one: (one.is_first_dose, one.at))
    return list(found.values())


async def _doses(
    tx: Transaction, here: Here, begins: datetime, ends: datetime
) -> tuple[dict[tuple[str, str], Doses], list[Offer]]:  # fmt: skip
    """What became of a span's offers, by station and product; and these. An incident counts in the span of the decisive one."""
    found: dict[tuple[str, str], Doses] = {}
    offers = [offer async for offer in _offers(tx, begins)]
    within = [offer for offer in offers if begins <= offer.at < ends]
    for offer in within:
        _count(found.setdefault((offer.facility, offer.product), Doses()), offer.said)
    for offer in (one for one in decisive(offers) if begins <= one.at < ends):
        doses = found[offer.facility, offer.product]
        doses.eligible += 1
        doses.timely += offer.is_in_time(here.programme)
    return found, within


async def _offers(tx: Transaction, begins: datetime) -> AsyncIterator[Offer]:
    """What was ever offered for incidents for which something was offered from a moment on: which offer decides may lie before it.
    Of a case that was erased the box's book still has the dose, and nobody knows whose it was: it is in none."""
    lately = select(col(Dose.incident_id)).where(col(Dose.recorded_at) >= begins)  # nothing is given after it is written down
    columns = (
        col(Dose.id), col(Dose.incident_id), col(Dose.facility), *sealed(Dose, "said", "given_at"),
        *sealed(Incident, "earliest_at", "latest_at"),
    )  # fmt: skip
    query = of_counted(Dose, *columns).join(Incident, col(Incident.id) == col(Dose.incident_id)).where(
        col(Dose.incident_id).in_(lately)
    )  # fmt: skip
    async for row in rows(tx, query, col(Dose.id)):
        offer, at = said(tx, Dose, row, "said"), said(tx, Dose, row, "given_at")
        if offer is not None and at is not None:
            happened = said(tx, Incident, row, "earliest_at") or said(tx, Incident, row, "latest_at")
            yield Offer(row.incident_id, row.facility, offer, at, happened)


def _count(of: Doses, offer: dict[str, Any]) -> None:
    of.outcomes[offer["outcome"]] += 1
    if offer["outcome"] == Outcome.GIVEN:
        of.since[offer["since"]] += 1
        of.kinds[offer["kind"]] += 1


# --- as a programme's measures --------------------------------------------------------------------------------------------


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Doses of emergency contraception by the time at which each was given, what was reported, and the boxes' sums between counts,
    with how many of them were counted: of the others nobody knows. Nothing where no product is given here; of stock nothing where
    nobody counted a box in the period."""
    if not products(here.programme):
        return Counts()
    found = await _given(tx, here, of)
    found.also(await _reported(tx, here, of))
    found.also(Counts.of(Measure.BOXES, Measure.BOXES_COUNTED))
    boxes = (await tx.session.execute(select(col(BoxEntry.facility)).distinct())).scalars()
    for facility in sorted(boxes):
        is_counted = False
        for product in products(here.programme):
            sums = await sums_of(tx, here, facility, product, of.first, of.until)
            is_counted = is_counted or sums.between is not None
            found.add(Measure.STOCK_OUT_DAYS, facility, sums.stock_out_days)
            for measure, number in _stock(sums).items():
                found.add(measure, facility, number)
        found.add(Measure.BOXES, facility)
        found.add(Measure.BOXES_COUNTED, facility, int(is_counted))
    return found


def _stock(sums: Sums) -> dict[Measure, int]:
    if sums.between is None:
        return {}
    moved = sums.between.moved
    return {
        Measure.STOCK_OPENING: sums.between.opening,
        Measure.STOCK_RECEIVED: moved.get(EntryKind.RECEIVED, 0),
        Measure.STOCK_DISPENSED: moved.get(EntryKind.DISPENSED, 0),
        Measure.STOCK_DISCARDED: sum(moved.get(kind, 0) for kind in GOES_OUT - {EntryKind.DISPENSED}),
        Measure.STOCK_COUNTED: sums.between.counted,
        Measure.STOCK_VARIANCE: abs(sums.between.variance),  # else one too many here would hide one too few there
    }


async def _given(tx: Transaction, here: Here, of: Period) -> Counts:
    found = Counts.of(Measure.DOSES, Measure.DOSES_IN_TIME, Measure.DOSES_ELIGIBLE, Duration.DOSE_DELAY)
    every, offers = await _doses(tx, here, here.begin_of(of.first), here.begin_of(of.until))
    for offer in offers:
        is_given = offer.said["outcome"] == Outcome.GIVEN and offer.product is CareProduct.EMERGENCY_CONTRACEPTION
        if is_given and offer.happened is not None:
            found.add_hours(Duration.DOSE_DELAY, offer.facility, (offer.at - offer.happened) / HOUR)
    for (facility, product), doses in every.items():
        if product != CareProduct.EMERGENCY_CONTRACEPTION:
            continue
        found.add(Measure.DOSES, facility, doses.outcomes[Outcome.GIVEN])
        found.add(Measure.DOSES_IN_TIME, facility, doses.timely)
        found.add(Measure.DOSES_ELIGIBLE, facility, doses.eligible)
    return found


async def _reported(tx: Transaction, here: Here, of: Period) -> Counts:
    """Adverse events and misuse; what was reported of somebody who said no to being counted stays in the box's own sums alone."""
    found = Counts.of(Measure.ADVERSE_EVENTS, Measure.MISUSE)
    query = select(col(SafetyReport.facility), col(SafetyReport.is_misuse)).outerjoin(
        Case, col(Case.id) == col(SafetyReport.case_id)
    ).where(
        or_(col(Case.id).is_(None), COUNTED), col(SafetyReport.recorded_at) >= here.begin_of(of.first),
        col(SafetyReport.recorded_at) < here.begin_of(of.until),
    )  # fmt: skip
    for facility, is_misuse in (await tx.session.execute(query)).tuples():
        found.add(Measure.MISUSE if is_misuse else Measure.ADVERSE_EVENTS, facility)
    return found
