"""Finding a case of one's own agency by two exact things, and never by fewer: no list, no part of a word, nothing that is near.

Whoever finds a case of another desk is told at which place it lies, and nothing of it. Every try is counted and kept.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, case, distinct, func, or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.tables import Account, Attempt, CaseRead
from shared.casework.arrivals.commands import count_try, tried_lately
from shared.casework.cases.commands import Form
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_read
from shared.casework.eyes.tables import Opening
from shared.casework.here import Actor, Here
from shared.casework.paper.tables import Sheet
from shared.casework.referrals import domain
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import events
from shared.kit.db import Transaction
from shared.kit.digits import typed
from shared.kit.ids import new_id

ITEMS = ("number", "own", "sheet", "code", "opened_on")
MISSED = "look_up_missed"
FOUND = "look_up"
IN_DANGER = "look_up_in_danger"  # among attempts: about nothing that is known
SHOWN_FOR = timedelta(days=7)  # of what a supervisor sees of it: she looks once a week, or after an alarm
LOOKED_UP_MAX = 50  # accounts of one list; a place has a dozen
OwnNumber = Callable[[Transaction, str], Awaitable[UUID | None]]  # what one kind of agency alone knows a case by, exactly


class LookUp(Form):
    """Two things that are known exactly."""

    number: str | None = Field(default=None, max_length=20, description="the agency's own number of the case")
    own: str | None = Field(default=None, max_length=30, description="a number that this kind of agency alone has")
    sheet: str | None = Field(default=None, max_length=20, description="the number of a paper sheet")
    code: str | None = Field(default=None, max_length=20, description="the number that she shows or says")
    opened_on: events.Day | None = None

    @model_validator(mode="after")
    def _two(self) -> "LookUp":
        if sum(getattr(self, name) is not None for name in ITEMS) != 2:  # fewer finds a stranger, more tells less than it asks
            raise ValueError("two")
        return self


@dataclass(frozen=True, slots=True)
class Found:
    """A case that both things fit; `is_seen` where it lies at the account's own desks."""

    case: Case
    is_seen: bool


@dataclass(frozen=True, slots=True)
class Spent:
    """The account has tried too often: nothing more is looked for until a time."""

    until: datetime


async def look_up(
    asked: LookUp, tx: Transaction, here: Here, by: Actor, own: OwnNumber | None = None, *, in_danger: bool = False
) -> Found | Spent | None:
    """The one case that both things fit; None where there is none, or the account may never see it. A case of another desk that is
    found counts as much as a miss, because whoever tries numbers in turn finds some. `in_danger`: somebody has shown that it is
    she, and that a life is: tries are not counted with the others then, but by themselves."""
    by.may_work()
    async with scope.whole_agency(tx):
        tries = await tried_lately(tx, by)  # locks the account's row: what is found at once is counted one by one too
        lately = await _found_lately(tx, by)
        until = _over_until([*tries, *lately.values()])
        is_apart = until is not None and in_danger
        if is_apart:
            until = _over_until(await _in_danger_lately(tx, by))
        if until is not None and not lately:
            return Spent(until)
        named = await _named(asked, tx, own)
        day = _on(asked.opened_on, here) if asked.opened_on is not None else []
        candidates = list((await tx.session.execute(select(Case).where(*named, *day))).scalars())
        fitting = [one for one in candidates if asked.code is None or await _has_code(tx, one, asked.code)]
        found = [one for one in fitting if one.id not in by.never]
        is_known = len(found) == 1 and found[0].id in lately  # what it has found stays findable: it is about to be opened
        if until is not None and not is_known:
            return Spent(until)
        if len(found) != 1:
            await (_count_in_danger(tx, by) if is_apart else count_try(tx, by))
            almost = list((await tx.session.execute(select(Case).where(or_(*named)))).scalars()) if named else fitting
            for one in almost:
                await note_read(tx, one.id, by, MISSED)
            return None
        seen = select(col(Case.id)).where(col(Case.id) == found[0].id, scope.this_case(by))
        is_seen = (await tx.session.execute(seen)).first() is not None
        if not is_seen and not is_apart:  # else its opening is kept, and counted
            await note_read(tx, found[0].id, by, FOUND)
        return Found(found[0], is_seen)


def _over_until(times: Sequence[datetime]) -> datetime | None:
    """Until when tries are too many; None where they are not."""
    over = len(times) - domain.CODE_ATTEMPTS_MAX
    return sorted(times)[over] + domain.CODE_ATTEMPTS_WINDOW if over >= 0 else None


async def _found_lately(tx: Transaction, by: Actor) -> dict[UUID, datetime]:
    """The cases of other desks that the account has found within the window in which tries are counted, each with when last."""
    since = tx.clock.now() - domain.CODE_ATTEMPTS_WINDOW
    query = (
        select(col(CaseRead.case_id), func.max(col(CaseRead.read_at)))
        .where(col(CaseRead.account_id) == by.account_id, col(CaseRead.what) == FOUND, col(CaseRead.read_at) > since)
        .group_by(col(CaseRead.case_id))
    )
    return dict((await tx.session.execute(query)).tuples().all())


async def _in_danger_lately(tx: Transaction, by: Actor) -> list[datetime]:
    """When the account opened something because a life was in danger, or looked for it in vain, within the same window."""
    since = tx.clock.now() - domain.CODE_ATTEMPTS_WINDOW
    opened = select(col(Opening.opened_at)).where(col(Opening.account_id) == by.account_id, col(Opening.opened_at) > since)
    tried = select(col(Attempt.tried_at)).where(
        col(Attempt.account_id) == by.account_id, col(Attempt.what) == IN_DANGER, col(Attempt.tried_at) > since
    )
    return [*(await tx.session.execute(opened)).scalars(), *(await tx.session.execute(tried)).scalars()]


async def _count_in_danger(tx: Transaction, by: Actor) -> None:
    tx.session.add(Attempt(id=new_id(), account_id=by.account_id, what=IN_DANGER, about=by.account_id, tried_at=tx.clock.now()))
    await tx.session.flush()


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What one account has looked for since a time: of how many cases of other desks it was told where they lie, and of how many
    one of two things fitted and the other did not."""

    name: str
    found: int
    missed: int


async def looked_up(tx: Transaction, by: Actor) -> list[LookedUp]:
    """Whoever works at a supervisor's desks and looks for cases of other desks, those who found most first; raises Forbidden."""
    by.may_supervise()
    async with scope.whole_agency(tx):  # how many they were, and nothing of any
        counts = [
            func.count(distinct(case((col(CaseRead.what) == what, col(CaseRead.case_id))))).label(what) for what in (FOUND, MISSED)
        ]
        query = (
            select(col(Account.name), *counts)
            .join(CaseRead, col(CaseRead.account_id) == col(Account.id))
            .where(col(CaseRead.what).in_([FOUND, MISSED]), col(CaseRead.read_at) > tx.clock.now() - SHOWN_FOR)
            .group_by(col(Account.name))
            .order_by(counts[0].desc(), counts[1].desc(), col(Account.name))
            .limit(LOOKED_UP_MAX)
        )
        if by.facility is not None:
            query = query.where(col(Account.facility).in_(by.desks))
        return [LookedUp(*row) for row in (await tx.session.execute(query)).tuples()]


async def _named(asked: LookUp, tx: Transaction, own: OwnNumber | None) -> list[ColumnElement[bool]]:
    """What names one case by itself."""
    conditions: list[ColumnElement[bool]] = []
    if asked.number is not None:
        conditions.append(col(Case.number) == typed(asked.number).upper())
    if asked.sheet is not None:
        of_sheet = select(col(Sheet.case_id)).where(col(Sheet.number) == typed(asked.sheet).upper())
        conditions.append(col(Case.id).in_(of_sheet))
    if asked.own is not None:
        conditions.append(col(Case.id) == (await own(tx, asked.own) if own is not None else None))
    return conditions


def _on(day: date, here: Here) -> list[ColumnElement[bool]]:
    begins = here.begin_of(day)
    return [col(Case.opened_at) >= begins, col(Case.opened_at) < begins + timedelta(days=1)]


async def _has_code(tx: Transaction, case: Case, code: str) -> bool:
    query = select(col(Referral.id), col(Referral.arrival_code_hash)).where(col(Referral.case_id) == case.id)
    known = (await tx.session.execute(query)).tuples()
    return any(domain.hash_of_code(id_, typed(code)) == digest for id_, digest in known)
