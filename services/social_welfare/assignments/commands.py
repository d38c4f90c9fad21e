"""Taking a case, or giving it to a colleague."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import delete, select, update
from sqlmodel import col

from services.social_welfare.assignments.tables import Assignment
from shared.casework import scope
from shared.casework.accounts.commands import NAME_CHARACTERS_MAX, find_account, on_disable
from shared.casework.accounts.sessions import actor_from
from shared.casework.accounts.tables import Account
from shared.casework.cases.commands import Form, load_case
from shared.casework.cases.tables import Case
from shared.casework.following.commands import Follow, follow
from shared.casework.here import Actor, Forbidden, Here
from shared.contracts.casework.codes import AgencyKind, Role
from shared.kit.db import Transaction
from shared.kit.errors import Conflict

MY_CASES_MAX = 500  # one worker has tens


class Assign(Form):
    """To whom: without a name, to oneself."""

    account: Annotated[str, Field(max_length=NAME_CHARACTERS_MAX)] | None = None


async def assign(case_id: UUID, command: Assign, tx: Transaction, here: Here, by: Actor) -> Assignment:
    """Gives a case to a social worker, who follows it from then on; only a supervisor may give it to somebody else."""
    by.may_work()
    case = await load_case(tx, case_id, by)
    scope.not_as_guest(by, case.facility, case.id)  # else an hour would last for ever
    to = by
    if command.account is not None and command.account != by.name:
        if by.role is not Role.SUPERVISOR:
            raise Forbidden("Only a supervisor may give a case to a colleague.")
        account = await find_account(tx, command.account)
        to = actor_from(here, account, ())
        if account.is_disabled or to.role is not Role.SOCIAL_WORKER:
            raise Conflict("“%(name)s” is not a social worker who can be given a case.", name=account.name)
    await scope.for_the_agency(tx)  # whoever gives it away may not see it afterwards
    await tx.session.execute(update(Case).where(col(Case.id) == case.id).values(assigned_to=to.account_id))
    row = await tx.session.get(Assignment, case.id)
    if row is None:
        row = Assignment(case_id=case.id, account_id=to.account_id, assigned_at=tx.clock.now(), assigned_by=by.account_id)
        tx.session.add(row)
    row.account_id, row.assigned_at, row.assigned_by = to.account_id, tx.clock.now(), by.account_id
    await tx.session.flush()
    await follow(Follow(case_id=case.id), tx, here, to)
    return row


async def give_back(tx: Transaction, _here: Here, account: Account) -> None:
    """A disabled account's cases have no worker: they stand under "new requests" of their office again."""
    await tx.session.execute(update(Case).where(col(Case.assigned_to) == account.id).values(assigned_to=None))
    await tx.session.execute(delete(Assignment).where(col(Assignment.account_id) == account.id))


async def my_cases(tx: Transaction, by: Actor) -> list[Case]:
    """The cases that are the account's own."""
    by.may_work()
    query = (
        select(Case).join(Assignment, col(Assignment.case_id) == col(Case.id))
        .where(col(Assignment.account_id) == by.account_id, scope.this_case(by))
    )  # fmt: skip
    return list((await tx.session.execute(query.order_by(col(Case.opened_at).desc()).limit(MY_CASES_MAX))).scalars())


on_disable(give_back, AgencyKind.SOCIAL_WELFARE)
