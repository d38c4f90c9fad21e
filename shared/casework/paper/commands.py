"""Printing numbered sheets, and entering afterwards what was written on them, with the times at which it happened."""

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, text
from sqlmodel import col

from shared.casework.cases.commands import happened
from shared.casework.consents.tables import Consent, Refusal
from shared.casework.here import Actor, Here
from shared.casework.paper.tables import Sheet, SheetCount
from shared.casework.referrals.tables import Referral
from shared.casework.scope import OutOfSight
from shared.exchange.outbox import insert_if_absent
from shared.kit.db import Transaction
from shared.kit.digits import typed
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.i18n import Times
from shared.kit.ids import new_id

SHEETS_MAX = 100  # of one printing: a pad
ENTERING = timedelta(hours=2)  # a sheet is entered in one sitting; what is typed later happened later
CHECK = "ABCDEFGHJKLMNPRSTUVWXYZ"  # 23 letters, a prime: one wrong digit and two swapped ones are noticed
LETTER_OF = {"visit": "V", "request": "R"}
WEIGHTS = (2, 3, 4, 5, 6, 7)


class SheetKind(StrEnum):
    """What a sheet is for."""

    VISIT = "visit"  # somebody came, and what was given
    REQUEST = "request"  # somebody asks for help, and is sent on


class BeforePrinted(ValueError):
    """What is said to stand on a sheet is of a day on which there was no such sheet."""


def sheet_number(kind: SheetKind, count: int) -> str:
    """As printed: V-00017-K. The letter at the end is a check on the digits."""
    digits = f"{count:05d}"
    check = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, reversed(digits), strict=False))
    return f"{LETTER_OF[kind]}-{digits}-{CHECK[check % len(CHECK)]}"


def read_number(written: str) -> str:
    """A number as somebody typed it; raises Conflict where it cannot be one of a sheet."""
    plain = typed(written).replace("-", "").upper()
    kinds = {letter: SheetKind(kind) for kind, letter in LETTER_OF.items()}
    if len(plain) >= 7 and plain[0] in kinds and plain[1:-1].isascii() and plain[1:-1].isdigit() and len(plain) <= 8:
        number = sheet_number(kinds[plain[0]], int(plain[1:-1]))
        if number.endswith(plain[-1]):
            return number
    raise Conflict("This is not the number of a sheet; type it as it is printed, such as V-00017-K.")


async def print_sheets(tx: Transaction, here: Here, by: Actor, kind: SheetKind, facility: str, count: int) -> UUID:
    """Numbers a batch of sheets for a facility; returns the batch."""
    by.may_work()
    here.facility(facility)
    if not by.sees(facility):
        raise NotFound("This account does not work at %(place)s.", place=Coded(facility, "place"))
    if not 1 <= count <= SHEETS_MAX:
        raise Conflict("A batch has 1 to %(most)s sheets.", most=SHEETS_MAX)
    await tx.session.execute(insert_if_absent(tx, SheetCount), [{"kind": kind, "last": 0}])
    query = text("UPDATE casework_sheet_counts SET last = last + :count WHERE kind = :kind RETURNING last")
    last = int((await tx.session.execute(query, {"count": count, "kind": str(kind)})).scalar_one())
    batch, now = new_id(), tx.clock.now()
    for number in range(last - count + 1, last + 1):
        tx.session.add(
            Sheet(number=sheet_number(kind, number), facility=facility, kind=kind, batch=batch, printed_at=now,
                  printed_by=by.account_id)
        )  # fmt: skip
    await tx.session.flush()
    return batch


async def batch_of(tx: Transaction, by: Actor, batch: UUID) -> list[Sheet]:
    """The sheets of a batch, in order; raises OutOfSight."""
    rows = list((await tx.session.execute(select(Sheet).where(col(Sheet.batch) == batch).order_by(col(Sheet.number)))).scalars())
    if not rows or not by.sees(rows[0].facility):
        raise OutOfSight("There is no such batch of sheets.", batch)
    return rows


async def open_sheet(tx: Transaction, by: Actor, typed: str, kind: SheetKind | None = None) -> Sheet:
    """A printed sheet that has not been entered yet, locked; raises NotFound or Conflict, also where it is of another kind."""
    query = select(Sheet).where(col(Sheet.number) == read_number(typed)).with_for_update()
    sheet = _seen((await tx.session.execute(query)).scalar_one_or_none(), by)
    if sheet.entered_at is not None:
        raise Conflict("Sheet %(number)s has been entered already; open its case instead.", number=sheet.number)
    if kind is not None and sheet.kind != kind:
        raise Conflict("Sheet %(number)s says that somebody came; enter it on the page for paper.", number=sheet.number)
    return sheet


def _seen(sheet: Sheet | None, by: Actor) -> Sheet:
    if sheet is None or not by.sees(sheet.facility):
        raise NotFound("No sheet of this place has that number; look at it again.")
    return sheet


def when_written(sheet: Sheet, on: date, at: time, times: Times) -> datetime:
    """When a sheet was written, by what stands on it; raises BeforePrinted, WrongTime, and ValueError where there is no such time.

    The day counts, not the hour: the clock on a wall is not the one of the printer.
    """
    if on < times.local(sheet.printed_at).date():
        raise BeforePrinted
    return happened("written_at", times.moment(on, at), times.now)


async def keep_entered(tx: Transaction, sheet: Sheet, by: Actor, case_id: UUID, when: datetime) -> None:
    """The sheet is in the records: the paper can be filed."""
    now = tx.clock.now()
    sheet.written_at = happened("written_at", when, now)
    sheet.entered_at, sheet.entered_by, sheet.case_id = now, by.account_id, case_id
    await tx.session.flush()


async def sheet_of_visit(tx: Transaction, by: Actor, number: str, cases: Collection[UUID]) -> Sheet:
    """The sheet that somebody's coming was entered from, while what else stands on it is entered; raises NotFound."""
    query = select(Sheet).where(col(Sheet.number) == number, col(Sheet.kind) == SheetKind.VISIT, col(Sheet.case_id).in_(cases))
    return _seen((await tx.session.execute(query)).scalar_one_or_none(), by)


async def is_from_sheet(tx: Transaction, case_id: UUID) -> bool:
    """Whether somebody's coming was entered from a sheet."""
    query = select(col(Sheet.number)).where(col(Sheet.case_id) == case_id, col(Sheet.kind) == SheetKind.VISIT)
    return (await tx.session.execute(query.limit(1))).first() is not None


async def sheet_of_request(tx: Transaction, case_id: UUID, by: Actor) -> Sheet | None:
    """The sheet of which an account is entering what was sent; None where it is entering none. It is entered once, and what was
    answered since then is not on it: what rests on such an answer happens when it is typed."""
    sheet = await _being_entered(tx, case_id, by)
    if sheet is None:
        return None
    sent = select(col(Referral.id)).where(col(Referral.case_id) == case_id, col(Referral.issued_at) == sheet.written_at)
    later = [one > sheet.written_at for one in await _answered_at(tx, case_id)] if sheet.written_at is not None else []
    return None if any(later) or (await tx.session.execute(sent.limit(1))).first() is not None else sheet


async def written_at(tx: Transaction, case_id: UUID, by: Actor) -> datetime | None:
    """When the answers were written that an account is entering for a case; None where it is entering none, or has entered them."""
    sheet = await _being_entered(tx, case_id, by)
    return sheet.written_at if sheet is not None and sheet.written_at not in await _answered_at(tx, case_id) else None


async def _being_entered(tx: Transaction, case_id: UUID, by: Actor) -> Sheet | None:
    query = select(Sheet).where(
        col(Sheet.case_id) == case_id, col(Sheet.kind) == SheetKind.REQUEST, col(Sheet.entered_by) == by.account_id,
        col(Sheet.entered_at) > tx.clock.now() - ENTERING,
    )  # fmt: skip
    return (await tx.session.execute(query.limit(1))).scalar_one_or_none()


async def _answered_at(tx: Transaction, case_id: UUID) -> list[datetime]:
    yes = select(col(Consent.given_at)).where(col(Consent.case_id) == case_id)
    no = select(col(Refusal.said_at)).where(col(Refusal.case_id) == case_id)
    return [moment for query in (yes, no) for moment in (await tx.session.execute(query)).scalars()]


async def sheet_to_enter(tx: Transaction, by: Actor, typed: str | None) -> Sheet | None:
    """The sheet that a page is about to enter, for what the page says of it; None where there is none such. Whoever sends the page
    is told what is wrong with its number."""
    try:
        number = read_number(typed or "")
    except Conflict:
        return None
    sheet = await tx.session.get(Sheet, number)
    return sheet if sheet is not None and by.sees(sheet.facility) else None


async def case_of_sheet(tx: Transaction, by: Actor, typed: str | None) -> UUID | None:
    """The case that a sheet was entered into, so that it can be opened instead; None where it has not been entered."""
    sheet = await sheet_to_enter(tx, by, typed)
    return sheet.case_id if sheet is not None and sheet.entered_at is not None else None


async def sheets_of(tx: Transaction, case_id: UUID) -> list[Sheet]:
    """The sheets that a case was entered from, in the order in which they were written."""
    query = select(Sheet).where(col(Sheet.case_id) == case_id).order_by(col(Sheet.written_at), col(Sheet.number))
    return list((await tx.session.execute(query)).scalars())


async def standing_of_sheets(tx: Transaction, by: Actor) -> list[tuple[str, str, int, int]]:
    """For each facility and kind in scope: how many sheets were printed and how many have been entered."""
    query = select(col(Sheet.facility), col(Sheet.kind), func.count(), func.count(col(Sheet.entered_at)))
    if by.facility is not None:
        query = query.where(col(Sheet.facility).in_(by.desks))
    rows = (await tx.session.execute(query.group_by(col(Sheet.facility), col(Sheet.kind)).order_by(col(Sheet.facility)))).tuples()
    return [(facility, kind, int(printed), int(entered)) for facility, kind, printed, entered in rows]
