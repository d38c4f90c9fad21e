"""Posts, not persons: alarms go to a post at a facility, and the roster says who holds it."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts.commands import load_account
from shared.casework.accounts.tables import Account, Duty
from shared.casework.cases.commands import Form
from shared.casework.here import Actor, Here
from shared.casework.scope import OutOfSight
from shared.contracts.casework import events
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.ids import new_id

DUTY_MAX = timedelta(hours=24)  # a longer shift is a mistake of the day
SHOWN = timedelta(days=8)  # of the roster: this week and its end
DUTIES_MAX = 200  # lines in one request: a week of a large station, or a day of a country's desks; 0.2 s of one transaction


class SetDuty(Form):
    """An account holds a post from one time to another."""

    facility: events.FacilityId
    post: events.Code
    account_id: UUID
    from_at: events.Moment
    until_at: events.Moment


class SetDuties(Form):
    """Several lines at once."""

    duties: tuple[SetDuty, ...] = Field(min_length=1, max_length=DUTIES_MAX)


async def set_duty(command: SetDuty, tx: Transaction, here: Here, by: Actor) -> Duty:
    """Puts an account on the roster; raises Conflict where the post or the hours cannot be."""
    return (await set_duties(SetDuties(duties=(command,)), tx, here, by))[0]


async def set_duties(command: SetDuties, tx: Transaction, here: Here, by: Actor) -> list[Duty]:
    """The same for several at once, all or none."""
    rows = [await _checked(one, tx, here, by) for one in command.duties]
    tx.session.add_all(rows)
    await tx.session.flush()
    return rows


async def _checked(command: SetDuty, tx: Transaction, here: Here, by: Actor) -> Duty:
    by.may_supervise()
    if not by.sees(command.facility):
        raise NotFound("This account does not look after %(place)s.", place=Coded(command.facility, "place"))
    if command.post not in here.facility(command.facility).posts:
        place, post = Coded(command.facility, "place"), Coded(command.post, "post")
        raise Conflict("%(place)s has no post “%(post)s”; the network file names its posts.", place=place, post=post)
    if not timedelta(0) < command.until_at - command.from_at <= DUTY_MAX:
        raise Conflict("A duty ends after it begins, within a day.")
    account = await load_account(tx, command.account_id, by)
    if account.is_disabled:
        raise Conflict("A disabled account holds no post; choose another one.")
    return Duty(
        id=new_id(), facility=command.facility, post=command.post, account_id=account.id, from_at=command.from_at,
        until_at=command.until_at, entered_by=by.account_id,
    )  # fmt: skip


async def end_duty(duty_id: UUID, tx: Transaction, by: Actor) -> None:
    """Takes a duty off the roster; raises OutOfSight."""
    by.may_supervise()
    duty = await tx.session.get(Duty, duty_id)
    if duty is None or not by.sees(duty.facility):
        raise OutOfSight("There is no such duty.", duty_id)
    await tx.session.delete(duty)


async def duties_of(tx: Transaction, facilities: Collection[str]) -> dict[str, list[tuple[Duty, str]]]:
    """The duties of each facility from now on, with the account's name, in order of time."""
    now = tx.clock.now()
    query = (
        select(Duty, col(Account.name))
        .join(Account, col(Account.id) == col(Duty.account_id))
        .where(col(Duty.facility).in_(facilities), col(Duty.until_at) > now, col(Duty.from_at) < now + SHOWN)
        .order_by(col(Duty.from_at), col(Duty.post))
    )
    found: dict[str, list[tuple[Duty, str]]] = {facility: [] for facility in facilities}
    for duty, name in (await tx.session.execute(query)).tuples():
        found[duty.facility].append((duty, name))
    return found


async def duties_at(tx: Transaction, facility: str, by: Actor) -> list[Duty]:
    """Those of one, for whoever looks after the place; raises Forbidden, NotFound."""
    by.may_supervise()
    if not by.sees(facility):
        raise NotFound("This account does not look after %(place)s.", place=Coded(facility, "place"))
    return [duty for duty, _name in (await duties_of(tx, [facility]))[facility]]


async def holders(tx: Transaction, facilities: Collection[str]) -> dict[str, dict[str, str]]:
    """Who holds each post now, by facility and post: of several, whoever came last. A post that nobody holds is left out."""
    now = tx.clock.now()
    query = (
        select(col(Duty.facility), col(Duty.post), col(Account.name))
        .join(Account, col(Duty.account_id) == col(Account.id))
        .where(
            col(Duty.facility).in_(facilities), col(Duty.from_at) <= now, col(Duty.until_at) > now,
            col(Account.is_disabled).is_(False),
        )
        .order_by(col(Duty.from_at), col(Duty.id))
    )  # fmt: skip
    found: dict[str, dict[str, str]] = {}
    for facility, post, name in (await tx.session.execute(query)).tuples():
        found.setdefault(facility, {})[post] = name
    return found
