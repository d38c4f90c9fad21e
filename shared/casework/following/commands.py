"""Following a case, a facility or a service, and stopping."""

from uuid import UUID

from pydantic import model_validator
from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope
from shared.casework.cases.commands import Form, load_case
from shared.casework.following.tables import FollowedThing
from shared.casework.here import Actor, Here
from shared.contracts.casework import codes, events
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.ids import new_id

SUBSCRIPTIONS_MAX = 500  # of one account: a social worker's cases are tens


class Follow(Form):
    """What to follow: exactly one of a case, a facility of this agency, or a service."""

    case_id: UUID | None = None
    facility: events.FacilityId | None = None
    service: codes.ServicePackage | None = None

    @model_validator(mode="after")
    def _one(self) -> "Follow":
        if sum(part is not None for part in (self.case_id, self.facility, self.service)) != 1:
            raise ValueError("name exactly one of 'case_id', 'facility' and 'service'")
        return self


async def follow(command: Follow, tx: Transaction, here: Here, by: Actor) -> FollowedThing:
    """Follows something within the account's scope; following it twice is the same subscription."""
    by.may_work()
    if command.case_id is not None:
        await load_case(tx, command.case_id, by)
    if command.facility is not None:
        here.facility(command.facility)
        if not by.sees(command.facility):
            raise NotFound("This account does not work at %(place)s.", place=Coded(command.facility, "place"))
    mine = await subscriptions(tx, by)
    for known in mine:
        if (known.case_id, known.facility, known.service) == (command.case_id, command.facility, command.service):
            return known
    if len(mine) >= SUBSCRIPTIONS_MAX:
        raise Conflict("An account follows %(most)s things at most; end one that is no longer needed.", most=SUBSCRIPTIONS_MAX)
    row = FollowedThing(
        id=new_id(), account_id=by.account_id, case_id=command.case_id, facility=command.facility, service=command.service,
        created_at=tx.clock.now(),
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def subscriptions(tx: Transaction, by: Actor) -> list[FollowedThing]:
    """What the account follows, oldest first."""
    query = select(FollowedThing).where(col(FollowedThing.account_id) == by.account_id).order_by(col(FollowedThing.created_at))
    return list((await tx.session.execute(query)).scalars())


async def unfollow(subscription_id: UUID, tx: Transaction, by: Actor) -> None:
    """Ends one of the account's own subscriptions; raises NotFound."""
    row = await tx.session.get(FollowedThing, subscription_id)
    if row is None or row.account_id != by.account_id:
        raise scope.OutOfSight("There is no such subscription.", subscription_id)
    await tx.session.delete(row)
    await tx.session.flush()
