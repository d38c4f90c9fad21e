"""The locked box: what comes in and goes out, and its count by two who do not see each other's figures."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import func, select
from sqlmodel import col

from services.police.dispensing.certificates import box_at, require
from services.police.dispensing.domain import COUNT_AGAIN_AFTER, count_is_due
from services.police.dispensing.tables import IS_AGREED, BoxCount, BoxEntry
from shared.casework.accounts.tables import HandOver
from shared.casework.alarms.commands import raise_alarm
from shared.casework.cases.commands import Form, happened
from shared.casework.directory.news import place_subject
from shared.casework.here import Actor, Here
from shared.casework.scope import OutOfSight, whole_agency
from shared.casework.stock import commands as stock
from shared.casework.stock.domain import OF_AN_ENTRY, Lot
from shared.contracts.casework import events
from shared.contracts.casework.codes import CareProduct, Urgency
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id

NEWEST = (col(BoxCount.counted_at).desc(), col(BoxCount.id).desc())  # first


class WriteEntry(stock.ByHand):
    """A line that is written by hand: what came without a request, went back, was destroyed, or corrects an earlier line.
    `quantity` is more than 0; of a correction it has a sign, and `about` is the line that was mistyped."""

    about: UUID | None = None


class Counted(Form):
    """One batch as it was counted."""

    product: CareProduct
    batch: events.BatchCode
    quantity: events.Doses


class CountBox(Form):
    """What one officer has counted: every batch that lies there by the book, 0 where none is left."""

    counted: tuple[Counted, ...] = Field(max_length=events.BATCHES_MAX * len(CareProduct))
    facility: events.FacilityId | None = None


class CountAgain(Form):
    """What the second one has counted."""

    counted: tuple[Counted, ...] = Field(max_length=events.BATCHES_MAX * len(CareProduct))


async def write_entry(command: WriteEntry, tx: Transaction, here: Here, by: Actor) -> BoxEntry:
    """Writes a line by hand; raises Conflict."""
    facility = box_at(here, by, command.facility)
    await require(tx, here, by, place_subject(here.agency, facility))
    await stock.alone(tx, BoxEntry, facility)
    if command.about is not None:
        await _puts_right(tx, facility, command.about, command)
    elif command.reason in OF_AN_ENTRY:
        raise Conflict("Say which line was mistyped: else what is put right looks like a loss.")
    at = happened("occurred_at", command.occurred_at, tx.clock.now())
    change = stock.Change(
        command.product, command.batch, command.expires_on, command.kind, command.quantity, at, command.reason, command.about
    )
    return await stock.write(tx, BoxEntry, facility, change, by.account_id)


async def _puts_right(tx: Transaction, facility: str, about: UUID, command: WriteEntry) -> None:
    wrong = await tx.session.get(BoxEntry, about)
    if wrong is None or wrong.facility != facility:
        raise OutOfSight("There is no such line in this box's book.", about)
    if (wrong.product, wrong.batch) != (command.product, command.batch):
        raise Conflict("Line %(number)s is of another batch; put each right by itself.", number=wrong.number)
    query = select(func.sum(col(BoxEntry.quantity))).where(col(BoxEntry.about) == about)
    left = wrong.quantity + int((await tx.session.execute(query)).scalar_one() or 0) + command.quantity
    if left * wrong.quantity < 0:
        raise Conflict("Line %(number)s was of fewer doses than that; look at the figure again.", number=wrong.number)


async def count_box(command: CountBox, tx: Transaction, here: Here, by: Actor) -> BoxCount:
    """The first of two counts; a colleague lays a second one beside it. Raises Conflict where a batch of the book is left out."""
    facility = box_at(here, by, command.facility)
    await require(tx, here, by, place_subject(here.agency, facility))
    return await _keep(tx, facility, command.counted, by, None)


async def second_count(count_id: UUID, command: CountAgain, tx: Transaction, here: Here, by: Actor) -> BoxCount:
    """The second: by another officer of the desk, certified or not, who is not shown the first. Where both are alike the count
    stands, and any difference from the book is an alarm. What was given or came in between is taken off or added: nobody waits for
    a dose because a box is being counted. Raises OutOfSight, Conflict."""
    first = await open_count(tx, count_id, by, lock=True)
    if first.counted_by == by.account_id:
        raise Conflict("Somebody else counts a second time.")
    async with whole_agency(tx):  # the ledger is not shown to her, and is compared all the same
        second = await _keep(tx, first.facility, command.counted, by, first)
        if second.is_agreed and second.counted != second.book:
            found = {
                batch: [second.book[batch], counted] for batch, counted in second.counted.items() if counted != second.book[batch]
            }
            await raise_alarm(
                tx, here, "box_variance", second.id, first.facility, Urgency.URGENT, None, {"batches": found}, to_supervisor=True
            )
        return second


async def _as_counted_now(tx: Transaction, first: BoxCount) -> dict[str, int]:
    """What a second count comes to where it is like the first: with what was written in the book since."""
    found = Counter[str](first.counted)
    for row in await stock.entries(tx, BoxEntry, first.facility):
        if row.number > first.upto:
            found[f"{row.product}/{row.batch}"] += row.quantity
    return _there(found)


def _there(counted: Mapping[str, int]) -> dict[str, int]:
    return {batch: n for batch, n in counted.items() if n}


async def to_count(tx: Transaction, first: BoxCount) -> list[str]:
    """The batches that a second count is asked for: those that lie there by the book now. Whoever counts is shown no figure."""
    async with whole_agency(tx):
        found = await stock.lots(tx, BoxEntry, first.facility)
    return sorted(key_of(product, lot) for product, lots in found.items() for lot in lots)


async def open_count(tx: Transaction, count_id: UUID, by: Actor, *, lock: bool = False) -> BoxCount:
    """A first count that waits for a second one, at one of the account's desks; raises OutOfSight, and Conflict once it has one."""
    by.may_work()
    query = select(BoxCount).where(col(BoxCount.id) == count_id, col(BoxCount.of).is_(None))
    query = query.with_for_update() if lock else query
    first = (await tx.session.execute(query)).scalar_one_or_none()
    if first is None or not by.sees(first.facility):
        raise OutOfSight("There is no such count.", count_id)
    laid = select(col(BoxCount.id)).where(col(BoxCount.of) == first.id)
    if (await tx.session.execute(laid)).first() is not None:
        raise Conflict("A second count was laid beside this one already.")
    return first


async def _keep(tx: Transaction, facility: str, counted: tuple[Counted, ...], by: Actor, first: BoxCount | None) -> BoxCount:
    await stock.alone(tx, BoxEntry, facility)
    held = await stock.lots(tx, BoxEntry, facility)
    book = {key_of(product, lot): lot.quantity for product, lots in held.items() for lot in lots}
    found = {f"{one.product}/{one.batch}": one.quantity for one in counted}
    if len(found) != len(counted) or found.keys() != book.keys():
        raise Conflict("Count every batch that lies there by the book, once each; 0 where none is left. Enter what is new first.")
    is_agreed = _there(found) == await _as_counted_now(tx, first) if first is not None else None
    row = BoxCount(
        id=new_id(), of=first.id if first is not None else None, facility=facility,
        upto=await stock.last_number(tx, BoxEntry, facility), counted=found, book=book,
        is_agreed=is_agreed, counted_by=by.account_id, counted_at=tx.clock.now(),
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


def key_of(product: str, lot: Lot) -> str:
    """What a batch is called in a count."""
    return f"{product}/{lot.batch}"


async def last_count(tx: Transaction, facility: str, until: datetime | None = None) -> BoxCount | None:
    """The last count on which two agreed."""
    query = select(BoxCount).where(col(BoxCount.facility) == facility, IS_AGREED)
    if until is not None:
        query = query.where(col(BoxCount.counted_at) < until)
    return (await tx.session.execute(query.order_by(*NEWEST).limit(1))).scalar_one_or_none()


async def waiting_count(tx: Transaction, facility: str) -> BoxCount | None:
    """The newest first count, where nobody has laid a second one beside it. The ledger is not looked at: who counts second may be
    somebody who is not shown it."""
    since = tx.clock.now() - COUNT_AGAIN_AFTER
    query = select(BoxCount).where(col(BoxCount.facility) == facility, col(BoxCount.counted_at) > since)
    newest = (await tx.session.execute(query.order_by(*NEWEST).limit(1))).scalar_one_or_none()
    return newest if newest is not None and newest.of is None else None


async def is_count_due(tx: Transaction, facility: str) -> bool:
    """Whether the box shall be counted now."""
    query = select(col(HandOver.written_at)).where(col(HandOver.facility) == facility).order_by(col(HandOver.written_at).desc())
    handed = (await tx.session.execute(query.limit(1))).scalar_one_or_none()
    first = select(col(BoxEntry.recorded_at)).where(col(BoxEntry.facility) == facility).order_by(col(BoxEntry.number)).limit(1)
    begun = (await tx.session.execute(first)).scalar_one_or_none()
    last = await last_count(tx, facility)
    return count_is_due(last.counted_at if last is not None else None, handed, begun, tx.clock.now())


def asked(values: dict[str, Any]) -> tuple[Counted, ...]:
    """The figures of a page: `product/batch` → what was typed. Raises ValueError."""
    found = []
    for key, typed in values.items():
        product, _slash, batch = key.partition("/")
        found.append(Counted(product=CareProduct(product), batch=batch, quantity=int(typed)))
    return tuple(found)
