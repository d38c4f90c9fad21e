"""Asking the place of care that supplies a box, counting what came of its parcel, and telling it each month what the box came to.

What is told is of products and places. It is told by the month, because a balance that falls by one at the hour at which somebody
is sent would say what she has not agreed to have said.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlalchemy import ColumnElement, and_, or_, select
from sqlmodel import col

from services.police.dispensing.certificates import box_at, require
from services.police.dispensing.rules import products
from services.police.dispensing.tables import IS_AGREED, BoxCount, BoxEntry, Resupply, SafetyReport, Statement
from shared.casework.alarms.commands import raise_alarm
from shared.casework.cases.commands import Form
from shared.casework.directory.news import place_subject
from shared.casework.here import Actor, Here
from shared.casework.scope import OutOfSight
from shared.casework.stock import commands as stock
from shared.casework.stock.domain import (
    DAY,
    OF_AN_ENTRY,
    EntryKind,
    Lot,
    Written,
    lots_of,
    put_right,
    same_parcel,
    stock_out_days,
    summed,
    variance,
)
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import AgencyKind, CareProduct, ServicePackage, Urgency
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict
from shared.kit.ids import new_id
from shared.kit.sealed import shut_shown

FAR_KM = 10_000.0  # of a place whose way is not known: chosen last


@dataclass(frozen=True, slots=True)
class Supplier:
    """The place of care that fills a box."""

    agency: str
    facility: str

    @property
    def key(self) -> str:
        """Its name on a form."""
        return f"{self.agency}/{self.facility}"


class AskSupplies(Form):
    """A request for doses."""

    product: CareProduct
    quantity: int = Field(ge=1, le=events.DOSES_MAX)
    reason: codes.SupplyReason
    to_agency: events.AgencyId | None = None
    to_facility: events.FacilityId | None = None
    facility: events.FacilityId | None = None


class ReceiveSupplies(Form):
    """What came of a parcel, as it was counted: nothing where none came."""

    batches: tuple[events.Batch, ...] = Field(max_length=events.BATCHES_MAX)


class StateMonth(Form):
    """The month that is told, which is over."""

    month: events.Month
    facility: events.FacilityId | None = None


def suppliers(here: Here, facility: str) -> list[Supplier]:
    """Places of care that may fill a station's box, the nearest first."""
    found = [
        (place.journeys[facility].km if facility in place.journeys else FAR_KM, peer, id_)
        for peer in here.peers if here.known_kind(peer) is AgencyKind.HEALTH
        for id_, place in here.network.agencies[peer].facilities.items()
        if ServicePackage.ACUTE_CARE in place.services and not place.is_planned
    ]  # fmt: skip
    return [Supplier(peer, id_) for _km, peer, id_ in sorted(found)]


ANSWERED_WITHIN = timedelta(days=3)  # a place of care answers on its next working day, and over a weekend (a design of ours)


def is_awaited(now: datetime) -> ColumnElement[bool]:
    """In a query for requests: asked lately, so that an answer may still come. One that nobody answers is asked of another place;
    what comes on it all the same is counted all the same."""
    return and_(col(Resupply.state) == "asked", col(Resupply.asked_at) > now - ANSWERED_WITHIN)


async def supplier_of(tx: Transaction, here: Here, facility: str) -> Supplier | None:
    """The place that was asked last, else the nearest."""
    known = suppliers(here, facility)
    query = select(Resupply).where(col(Resupply.facility) == facility).order_by(col(Resupply.asked_at).desc()).limit(1)
    last = (await tx.session.execute(query)).scalar_one_or_none()
    if last is not None and (asked := Supplier(last.agency, last.to_facility)) in known:
        return asked
    return next(iter(known), None)


async def ask_supplies(command: AskSupplies, tx: Transaction, here: Here, by: Actor) -> Resupply:
    """Asks; raises Conflict where a request for the product is still open, or the place cannot be asked."""
    facility = box_at(here, by, command.facility)
    await require(tx, here, by, place_subject(here.agency, facility))
    if command.product not in products(here.programme):
        raise Conflict("Police of this programme do not give %(product)s.", product=Coded(command.product, "product"))
    known = suppliers(here, facility)
    chosen = await supplier_of(tx, here, facility)
    if command.to_agency is not None and command.to_facility is not None:
        chosen = Supplier(command.to_agency, command.to_facility)
    if chosen is None or chosen not in known:
        raise Conflict("This place cannot be asked for supplies; choose one that gives acute care.")
    await stock.alone(tx, BoxEntry, facility)
    query = select(col(Resupply.id)).where(
        col(Resupply.facility) == facility, col(Resupply.product) == command.product,
        or_(col(Resupply.state) == "sent", is_awaited(tx.clock.now())),
    )  # fmt: skip
    if (await tx.session.execute(query)).first() is not None:
        raise Conflict("A request for this product is open already; call the place, or count what it has sent.")
    row = Resupply(
        id=new_id(), facility=facility, agency=chosen.agency, to_facility=chosen.facility, product=command.product,
        quantity=command.quantity, reason=command.reason, state="asked", asked_at=tx.clock.now(), asked_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    word = events.SuppliesRequested(
        facility=facility, to_facility=chosen.facility, request=row.id, product=command.product, quantity=command.quantity,
        reason_code=command.reason,
    )  # fmt: skip
    await stock.tell(tx, here, chosen.agency, word)
    return row


async def load_request(tx: Transaction, here: Here, request_id: UUID, by: Actor, *, lock: bool = False) -> Resupply:
    """A request of one of the account's desks; raises OutOfSight, and Forbidden to whoever is not certified any more."""
    by.may_work()
    query = select(Resupply).where(col(Resupply.id) == request_id)
    query = query.with_for_update().execution_options(populate_existing=True) if lock else query
    row = (await tx.session.execute(query)).scalar_one_or_none()
    if row is None or not by.sees(row.facility):
        raise OutOfSight("There is no such request.", request_id)
    await require(tx, here, by, request_id)
    return row


async def receive(request_id: UUID, command: ReceiveSupplies, tx: Transaction, here: Here, by: Actor) -> Resupply:
    """What came is written into the book as it was counted, and told: where it is not what was sent, both ends are alarmed."""
    row = await load_request(tx, here, request_id, by, lock=True)
    if row.state != "sent":
        raise Conflict("Nothing is on its way on this request; what came without one is entered in the book by hand.")
    now = tx.clock.now()
    came = [one for one in command.batches if one.quantity]
    for one in came:
        change = stock.Change(
            CareProduct(row.product), one.batch, one.expires_on, EntryKind.RECEIVED, one.quantity, now, about=row.id
        )
        await stock.write(tx, BoxEntry, row.facility, change, by.account_id)
    row.received = [one.model_dump(mode="json") for one in came]
    row.state, row.received_at, row.received_by = "received", now, by.account_id
    await tx.session.flush()
    if not same_parcel(row.sent, row.received):
        detail = {"product": row.product, "peer": row.agency}
        await raise_alarm(tx, here, "parcel_differs", row.id, row.facility, Urgency.URGENT, None, detail, to_supervisor=True)
    word = events.SuppliesReceived(
        facility=row.facility, to_facility=row.to_facility, request=row.id, product=CareProduct(row.product), batches=tuple(came)
    )
    await stock.tell(tx, here, row.agency, word)
    return row


# --- a month --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sums:
    """What a box came to in a period: each kind of entry summed, the last count of two within it, and what was reported."""

    product: str
    lots: list[Lot]
    opening: int
    moved: dict[EntryKind, int]
    between: "BetweenCounts | None"  # None: nobody counted in the period
    stock_out_days: int
    adverse: int
    misuse: int

    @property
    def counted(self) -> int | None:
        """What two counted last in the period."""
        return self.between.counted if self.between is not None else None

    @property
    def variance(self) -> int | None:
        """Doses that the book has and the box has not."""
        return self.between.variance if self.between is not None else None


@dataclass(frozen=True, slots=True)
class BetweenCounts:
    """What variance is computed of: from the last count before a period, or its opening by the book, to its last count."""

    opening: int
    moved: dict[EntryKind, int]
    counted: int

    @property
    def variance(self) -> int:
        """Doses that the book has and the box has not."""
        return variance(self.opening, self.moved, self.counted)


async def sums_of(tx: Transaction, here: Here, facility: str, product: str, first: date, until: date) -> Sums:
    """The sums of a period of days, `until` not among them. What is between counts is taken line by line of the book."""
    zone = ZoneInfo(here.programme.time_zone)
    begins, ends = here.begin_of(first), here.begin_of(until)
    book = await stock.entries(tx, BoxEntry, facility, product)
    rows = [row for row in book if row.recorded_at < ends]
    before = [row for row in rows if row.recorded_at < begins]
    opening = sum(row.quantity for row in before)
    closing, was = await _counted(tx, facility, product, ends), await _counted(tx, facility, product, begins)
    between = None
    if closing is not None and closing != was:
        lines = put_right(_written(book))  # also what was put right since: a slip is no loss of the period in which it was made
        since = was.upto if was is not None else before[-1].number if before else 0
        start = was.doses if was is not None else sum(one.quantity for one in lines if one.number <= since)
        between = BetweenCounts(start, summed(one for one in lines if since < one.number <= closing.upto), closing.doses)
    reports = await _reports(tx, facility, product, begins, ends)
    seen = min(until, here.day_of(tx.clock.now()) + DAY)  # days that have not come yet are no days without
    moves = [row.moved for row in rows]
    return Sums(
        product, [lot for lot in lots_of(moves) if lot.quantity], opening, summed(_written(rows[len(before):])), between,
        stock_out_days(moves, first, seen, zone), reports[False], reports[True],
    )  # fmt: skip


def _written(rows: Sequence[BoxEntry]) -> list[Written]:
    numbers = {row.id: row.number for row in rows}
    return [
        Written(
            row.number, EntryKind(row.kind), row.quantity, row.reason,
            numbers.get(row.about) if row.about is not None and row.reason in OF_AN_ENTRY else None,
        )
        for row in rows
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counted:
    """What two have counted of a product, when the book had come to its line `upto`."""

    id: UUID
    upto: int
    doses: int


async def _counted(tx: Transaction, facility: str, product: str, until: datetime) -> Counted | None:
    query = select(BoxCount).where(col(BoxCount.facility) == facility, IS_AGREED, col(BoxCount.counted_at) < until)
    query = query.order_by(col(BoxCount.counted_at).desc(), col(BoxCount.id).desc()).limit(1)
    last = (await tx.session.execute(query)).scalar_one_or_none()
    if last is None:
        return None
    return Counted(last.id, last.upto, sum(int(n) for key, n in last.counted.items() if key.partition("/")[0] == product))


async def _reports(tx: Transaction, facility: str, product: str, since: datetime, until: datetime) -> dict[bool, int]:
    query = select(col(SafetyReport.product), col(SafetyReport.is_misuse)).where(
        col(SafetyReport.facility) == facility, col(SafetyReport.recorded_at) >= since, col(SafetyReport.recorded_at) < until
    )
    with shut_shown():
        found = Counter(is_misuse for of, is_misuse in (await tx.session.execute(query)).tuples() if of == product)
    return {False: found[False], True: found[True]}


def days_of(month: str) -> tuple[date, date]:
    """The first day of a month and the first after it."""
    year, number = int(month[:4]), int(month[5:])
    return date(year, number, 1), date(year + number // 12, number % 12 + 1, 1)


def month_before(on: date) -> str:
    """The month that was over last."""
    return f"{on.year - (on.month == 1)}-{(on.month - 2) % 12 + 1:02}"


async def state_month(command: StateMonth, tx: Transaction, here: Here, by: Actor) -> list[Statement]:
    """Tells the place that supplies what the box came to in a month, each product by itself. Raises Conflict where the month is not
    over, was told before, or nobody can be told."""
    facility = box_at(here, by, command.facility)
    await require(tx, here, by, place_subject(here.agency, facility))
    first, until = days_of(command.month)
    now = tx.clock.now()
    if here.day_of(now) < until:
        raise Conflict("This month is not over yet; its figures are told afterwards.")
    supplier = await supplier_of(tx, here, facility)
    if supplier is None:
        raise Conflict("This place cannot be asked for supplies; choose one that gives acute care.")
    await stock.alone(tx, BoxEntry, facility)
    made = []
    for product in products(here.programme):
        if await tx.session.get(Statement, (facility, product, command.month)) is not None:
            raise Conflict("This month was told already.")
        word = _statement(facility, supplier, command.month, await sums_of(tx, here, facility, product, first, until))
        row = Statement(
            facility=facility, product=product, month=command.month, data=events.data_of(word), stated_at=now,
            stated_by=by.account_id,
        )  # fmt: skip
        tx.session.add(row)
        await tx.session.flush()
        await stock.tell(tx, here, supplier.agency, word)
        made.append(row)
    return made


def _statement(facility: str, supplier: Supplier, month: str, sums: Sums) -> events.SuppliesStated:
    def of(kind: EntryKind) -> int:
        return sums.moved.get(kind, 0)

    return events.SuppliesStated(
        facility=facility, to_facility=supplier.facility, product=CareProduct(sums.product), month=month,
        batches=stock.batches_of(sums.lots), opening=sums.opening, received=of(EntryKind.RECEIVED),
        dispensed=of(EntryKind.DISPENSED), returned=of(EntryKind.RETURNED), destroyed=of(EntryKind.DESTROYED),
        counted=sums.counted, variance=sums.variance, stock_out_days=sums.stock_out_days, adverse=sums.adverse, misuse=sums.misuse,
    )  # fmt: skip


async def is_statement_due(tx: Transaction, here: Here, facility: str) -> str | None:
    """The month before this one, where the box was there then and its figures have not been told."""
    month = month_before(here.day_of(tx.clock.now()))
    _first, until = days_of(month)
    if not await stock.entries(tx, BoxEntry, facility, until=here.begin_of(until)):
        return None
    told = select(col(Statement.month)).where(col(Statement.facility) == facility, col(Statement.month) == month)
    return month if (await tx.session.execute(told.limit(1))).first() is None else None
