"""Which cases an account may see, and everything of a case with it: the one rule that every read of a personal row goes through.

Role: an administrator sees none. Facility: a case is seen at its own place, at every desk that holds one of its referrals, and at
the place that works for those. Assignment: by whoever it was given to, wherever she sits. Purpose: an account acts for the cases of
its desks; what the agency itself must do beyond them (a number said at a door, a request sent on to another place) is declared with
`whole_agency`. On PostgreSQL the database holds the same rule by itself, as row-level security (migration 0023).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Uuid, and_, bindparam, exists, false, or_, true
from sqlalchemy.orm import Mapped
from sqlmodel import col

from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Forbidden
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role
from shared.kit.db import MACHINE, Transaction
from shared.kit.errors import NotFound, RefnetError

EVERYWHERE = "*"  # in place of an account's desks: the whole agency


class OutOfSight(NotFound):
    """Something that is not there, or not for this account: the two are never told apart, and either is kept as an attempt.
    `about` is the id that was asked for."""

    def __init__(self, sentence: str, about: UUID) -> None:
        super().__init__(sentence)
        self.about = about


ACCOUNT = bindparam("account_id", type_=Uuid())
DESKS: BindParameter[str] = bindparam("desks", expanding=True)
NEVER: BindParameter[UUID] = bindparam("never", expanding=True, type_=Uuid())


@dataclass(frozen=True, slots=True)
class Later:
    """An account in a query that is put together once and asked with `values`: only what differs between kinds of accounts is known
    by then. What is open to one beyond its desks for an hour stands on no list."""

    facility: str | None  # None where it sees the whole agency; which one it is says `desks`
    is_barred: bool
    role: Role
    account_id: Any = field(default=ACCOUNT, compare=False)
    desks: Any = field(default=DESKS, compare=False)
    never: Any = field(default=NEVER, compare=False)
    opened: frozenset[UUID] = frozenset()

    @classmethod
    def like(cls, by: Actor) -> "Later":
        """Any account of the same kind."""
        return cls(by.facility and "one", by.is_barred, by.role)

    @staticmethod
    def values(by: Actor) -> dict[str, Any]:
        """What is bound."""
        return {"account_id": by.account_id, "desks": by.desks, "never": sorted(by.never)}


def this_case(by: Actor | Later) -> ColumnElement[bool]:
    """In a query for cases: those that an account may see."""
    own = or_(col(Case.facility).in_(by.desks), col(Case.assigned_to) == by.account_id)
    return _as_far_as(by, or_(own, _is_sent_to(by, col(Case.id))), col(Case.id))


def sees_case(by: Actor | Later, case_id: Mapped[Any]) -> ColumnElement[bool]:
    """In any other query: what belongs to a case that an account may see, by the column that names the case."""
    own = or_(col(Case.facility).in_(by.desks), col(Case.assigned_to) == by.account_id)
    is_own = exists().where(col(Case.id) == case_id, own).correlate_except(Case)
    return _as_far_as(by, or_(is_own, _is_sent_to(by, case_id)), case_id)


def at_desk(by: Actor | Later, desk: Mapped[Any], case_id: Mapped[Any]) -> ColumnElement[bool]:
    """What lies at an account's own desks: a referral, an arrival. Of a case that is seen at two places each has its own."""
    return _as_far_as(by, desk.in_(by.desks), case_id)


def is_at_desk(by: Actor, desk: str, case_id: UUID) -> bool:
    """The same of a row that was read."""
    return by.role is not Role.ADMINISTRATOR and (by.sees(desk) or case_id in by.opened) and case_id not in by.never


def not_as_guest(by: Actor, desk: str, case_id: UUID) -> None:
    """Raises Forbidden where what lies at a desk is open to an account for the hour of an emergency alone: it may do what care
    needs, and takes nothing out of the hands of whoever looks after her."""
    if case_id in by.opened and not by.sees(desk):
        raise Forbidden(
            "This case is open here in an emergency, for what care needs. Call the desk where it lies: only it does this."
        )


def _is_sent_to(by: Actor | Later, case_id: Mapped[Any]) -> ColumnElement[bool]:
    # Asked of one case at a time, whatever lies at the desks by now.
    return exists().where(col(Referral.case_id) == case_id, col(Referral.desk).in_(by.desks)).correlate_except(Referral)


def _as_far_as(by: Actor | Later, seen: ColumnElement[bool], case_id: Mapped[Any]) -> ColumnElement[bool]:
    """What holds whatever lies at the desks: the role, the whole agency, an hour beyond the desks, and what is barred for ever."""
    if by.role is Role.ADMINISTRATOR:
        return false()
    if by.facility is None:
        seen = true()
    elif by.opened:
        seen = or_(seen, case_id.in_(by.opened))
    # What is about no case is about none that is barred.
    return and_(seen, or_(case_id.is_(None), case_id.not_in(by.never))) if by.is_barred else seen


def told(by: Actor) -> Mapping[str, str]:
    """What the database is told of an account, for the same rule."""
    desks = [EVERYWHERE] if by.facility is None else by.desks
    return {
        "asks": "account", "account": str(by.account_id), "desks": _listed([] if by.role is Role.ADMINISTRATOR else desks),
        "opened": _listed(map(str, by.opened)), "never": _listed(map(str, by.never)),
    }  # fmt: skip


def _listed(values: Any) -> str:
    return "{" + ",".join(sorted(values)) + "}"  # ids of places and random ids: nothing in them needs quotes


@asynccontextmanager
async def whole_agency(tx: Transaction) -> AsyncIterator[None]:
    """Within this the agency acts, beyond the account's desks: whether the account may have this done is decided by then, and
    nothing is shown of what it may not see. After it the account asks again."""
    before = tx.asks
    await tx.flush()  # what was written so far is the account's own
    await tx.tell(MACHINE)
    try:
        yield
    except RefnetError:
        await tx.tell(before)  # whoever refuses may go on; after any other error the transaction is over
        raise
    await tx.flush()
    await tx.tell(before)


async def for_the_agency(tx: Transaction) -> None:
    """The same to the end of the transaction, for an act that takes something out of the account's own sight: its answer still
    tells what was done."""
    await tx.tell(MACHINE)
