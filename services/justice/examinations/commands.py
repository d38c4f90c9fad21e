"""Beginning an examination, asking for its order, keeping that it came, and ending the examination. Nothing of it leaves."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlmodel import col

from services.justice.examinations.domain import OWED, AskedOf, Order, at_begin, due_at, order_rule
from services.justice.examinations.tables import Examination
from shared.casework import scope
from shared.casework.acts import ask_first
from shared.casework.alarms.commands import clear
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.here import Actor, Here
from shared.casework.situations import situation_of
from shared.contracts.casework import events
from shared.contracts.casework.lifecycle import MissingDetail
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id
from shared.programmes.terms import Act, Fact

ALARM = "order_missing"
Number = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9/-]{0,29}$")]


class Begin(Form):
    """An examination begins, with her yes to it; `order_number` where the order is there."""

    agreed: Literal[True]
    post: events.Code
    order_number: Number | None = None
    occurred_at: events.Moment | None = None


class AskOrder(Form):
    """Who was asked for the order."""

    asked_of: AskedOf
    occurred_at: events.Moment | None = None


class OrderCame(Form):
    """The order, by its number."""

    order_number: Number
    occurred_at: events.Moment | None = None


class Finish(Form):
    """The examination is over."""

    occurred_at: events.Moment | None = None


async def begin(case_id: UUID, command: Begin, tx: Transaction, here: Here, by: Actor) -> Examination:
    """Begins one; raises Conflict where the programme needs the order first, or another examination of the case is not over."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    facility = by.facility or case.facility
    if command.post not in here.posts(facility):
        raise MissingDetail("post", "This place has no such post; choose one of its own.")
    if any(one.done_at is None for one in await examinations_of(tx, case.id)):
        raise Conflict("An examination has begun and is not over; end that one first.")
    rule = order_rule(here.programme)
    order = at_begin(rule, is_there=command.order_number is not None)
    if order is None:
        raise Conflict("This programme needs the order before an examination begins; ask the police or the court for it.")
    now = tx.clock.now()
    at = happened("occurred_at", command.occurred_at, now)
    is_there = frozenset({Fact.POLICE_ORDER}) if command.order_number is not None else frozenset()
    await ask_first(
        tx, here, by.account_id, situation_of(here, Act.EXAMINE, at, facility, case, facts=is_there), facility, case.id, case.id
    )
    row = Examination(
        id=new_id(), case_id=case.id, facility=facility, post=command.post, begun_at=at, order_state=order,
        order_number=command.order_number, order_due_at=due_at(rule, order, at), recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def ask_order(examination_id: UUID, command: AskOrder, tx: Transaction, by: Actor) -> Examination:
    """Keeps that the order was asked for afterwards, and of whom; the clock goes on."""
    row = await _locked(tx, examination_id, by)
    if row.order_state not in OWED:
        raise Conflict("No order is owed for this examination.")
    row.order_state, row.order_asked_of = Order.ASKED, command.asked_of
    row.order_asked_at = happened("occurred_at", command.occurred_at, tx.clock.now())
    await tx.session.flush()
    return row


async def order_came(examination_id: UUID, command: OrderCame, tx: Transaction, here: Here, by: Actor) -> Examination:
    """Keeps the order's number; the clock ends."""
    row = await _locked(tx, examination_id, by)
    if row.order_state not in OWED:
        raise Conflict("No order is owed for this examination.")
    row.order_state, row.order_number = Order.CAME, command.order_number
    row.order_came_at = happened("occurred_at", command.occurred_at, tx.clock.now())
    await tx.session.flush()
    await clear(tx, here, row.id, {ALARM})
    return row


async def finish(examination_id: UUID, command: Finish, tx: Transaction, by: Actor) -> Examination:
    """Ends it; an order that is owed stays owed."""
    row = await _locked(tx, examination_id, by)
    if row.done_at is not None:
        raise Conflict("This stands here already.")
    row.done_at = happened("occurred_at", command.occurred_at, tx.clock.now())
    await tx.session.flush()
    return row


async def load_examination(tx: Transaction, examination_id: UUID, by: Actor, *, lock: bool = False) -> Examination:
    """An examination of a case that the account may see; raises OutOfSight."""
    by.may_work()
    query = select(Examination).where(col(Examination.id) == examination_id, scope.sees_case(by, col(Examination.case_id)))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = (await tx.session.execute(query)).scalar_one_or_none()
    if row is None:
        raise scope.OutOfSight("There is no such examination.", examination_id)
    return row


async def examinations_of(tx: Transaction, case_id: UUID) -> list[Examination]:
    """The examinations of a case, oldest first."""
    query = select(Examination).where(col(Examination.case_id) == case_id).order_by(col(Examination.begun_at), col(Examination.id))
    return list((await tx.session.execute(query)).scalars())


async def _locked(tx: Transaction, examination_id: UUID, by: Actor) -> Examination:
    row = await load_examination(tx, examination_id, by, lock=True)
    scope.not_as_guest(by, row.facility, row.case_id)
    return row
