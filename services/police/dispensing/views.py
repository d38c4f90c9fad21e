"""What is read of boxes and doses: a box as its page shows it, the register of a station, and the lines of a work list."""

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.police.dispensing import box, resupply
from services.police.dispensing.certificates import may_give, standing_of
from services.police.dispensing.rules import is_for, products
from services.police.dispensing.tables import BoxCount, BoxEntry, Dose, Resupply
from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.stock import commands as stock
from shared.casework.stock.domain import Lot, usable
from shared.contracts.casework.codes import Role
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Said, Sentence
from shared.kit.i18n import mark as _
from shared.programmes.staff import Standing

REQUESTS_MAX = 20  # of one page: the open ones and some before; a station asks once a month


@dataclass(slots=True)
class Box:
    """A station's box."""

    facility: str
    lots: dict[str, list[Lot]]
    on: date
    is_count_due: bool
    waiting: BoxCount | None
    last: BoxCount | None
    month_due: str | None
    requests: list[Resupply] = field(default_factory=list)
    unanswered: list[Resupply] = field(default_factory=list)  # the newest of a product, and nobody has answered it for days

    def usable(self, product: str) -> int:
        """How many doses of a product may be given today."""
        return sum(lot.quantity for lot in usable(self.lots.get(product, ()), self.on))


async def box_of(tx: Transaction, here: Here, facility: str) -> Box:
    """The box as it stands; whoever asks was let in before."""
    asked = select(Resupply).where(col(Resupply.facility) == facility).order_by(col(Resupply.asked_at).desc()).limit(REQUESTS_MAX)
    requests, newest = list((await tx.session.execute(asked)).scalars()), dict[str, Resupply]()
    for one in requests:
        newest.setdefault(one.product, one)
    before = tx.clock.now() - resupply.ANSWERED_WITHIN
    return Box(
        facility, await stock.lots(tx, BoxEntry, facility), here.day_of(tx.clock.now()), await box.is_count_due(tx, facility),
        await box.waiting_count(tx, facility), await box.last_count(tx, facility),
        await resupply.is_statement_due(tx, here, facility), requests,
        [one for one in newest.values() if one.state == "asked" and one.asked_at <= before],
    )  # fmt: skip


async def register(
    tx: Transaction, by: Actor, facility: str, cursor: UUID | None, limit: int
) -> tuple[list[tuple[Dose, Case]], str | None]:
    """A page of a station's register, newest first: of cases that the account may see. The cursor is a line's id."""
    query = (
        select(Dose, Case)
        .join(Case, col(Case.id) == col(Dose.case_id))
        .where(col(Dose.facility) == facility, scope.sees_case(by, col(Dose.case_id)))
    )
    if cursor is not None:
        query = query.where(col(Dose.id) < cursor)
    rows = (await tx.session.execute(query.order_by(col(Dose.id).desc()).limit(limit + 1))).tuples().all()
    return list(rows[:limit]), str(rows[limit - 1][0].id) if len(rows) > limit else None


async def case_ways(tx: Transaction, here: Here, by: Actor, case: Case) -> list[Way]:
    """To whoever has been on the course: the page that offers a product, or says why she may not."""
    for_her = [one for one in products(here.programme) if is_for(here.programme, one, case, tx.clock.now())]
    if by.role is Role.ADMINISTRATOR or not for_her:
        return []
    found = await standing_of(tx, here, by)
    return [(f"/cases/{case.id}/dispense", _("Give a product from the locked box"))] if found.standing is not Standing.NONE else []


async def work_lines(tx: Transaction, here: Here, by: Actor) -> list[tuple[str, Said]]:
    """What the boxes of an account's desks wait for. Who may not read one is only asked to count it a second time."""
    found: list[tuple[str, Said]] = []
    may_read = bool(await may_give(tx, here, by))
    for facility in (one for one in here.entry.facilities if by.sees(one)):
        waiting = await box.waiting_count(tx, facility)
        if waiting is not None and waiting.counted_by != by.account_id:
            said = _said(_("Count the locked box of %(place)s a second time."), facility)
            found.append((f"/dispensing/counts/{waiting.id}", said))
        if may_read:
            found += await _of_box(tx, here, facility)
    return found


def _said(sentence: str, facility: str, **params: object) -> Sentence:
    return Sentence(sentence, {"place": Coded(facility, "place"), **params})


async def _of_box(tx: Transaction, here: Here, facility: str) -> list[tuple[str, Said]]:
    shown = await box_of(tx, here, facility)
    address = f"/dispensing?facility={facility}"
    found: list[tuple[str, Said]] = []
    if shown.is_count_due and shown.waiting is None:
        said = _said(_("Count the locked box of %(place)s: a count by two is due."), facility)
        found.append((f"/dispensing/count?facility={facility}", said))
    for product, lots in shown.lots.items():
        named = Coded(product, "product")
        if not shown.usable(product):
            found.append((address, _said(_("%(place)s: none of %(product)s may be given any more."), facility, product=named)))
        found += [
            (address, _said(_("%(place)s: batch %(batch)s has expired; take it out and write it off."), facility, batch=lot.batch))
            for lot in lots if lot.is_expired(shown.on)
        ]  # fmt: skip
        found += [
            (
                address,
                _said(
                    _("%(place)s: batch %(batch)s expires on %(day)s."), facility, batch=lot.batch, day=lot.expires_on.isoformat()
                ),
            )
            for lot in lots if lot.expires_soon(shown.on)
        ]  # fmt: skip
    found += [
        (f"/dispensing/requests/{one.id}", _said(_("%(place)s: supplies were sent; count what has come."), facility))
        for one in shown.requests if one.state == "sent"
    ]  # fmt: skip
    found += [
        (
            f"/dispensing/ask?facility={facility}",
            _said(
                _("%(place)s: nobody has answered the request for %(product)s; call the place, or ask another."), facility,
                product=Coded(one.product, "product"),
            ),
        )
        for one in shown.unanswered
    ]  # fmt: skip
    if shown.month_due is not None:
        said = _said(_("%(place)s: tell the clinic what the box came to in %(month)s."), facility, month=shown.month_due)
        found.append((address, said))
    if not found and shown.lots:
        found.append((address, _said(_("%(place)s: the locked box and its book."), facility)))
    return found
