"""Finding a case of one's own agency by two exact things, and never by fewer: no list, no part of a word, nothing that is near.

Whoever finds a case of another desk is told at which place it lies, and nothing of it. Every try is counted and kept.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.arrivals.commands import count_try, may_try
from shared.casework.cases.commands import Form
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_read
from shared.casework.here import Actor, Here
from shared.casework.paper.tables import Sheet
from shared.casework.referrals import domain
from shared.casework.referrals.tables import Referral
from shared.kit.db import Transaction
from shared.kit.digits import typed

ITEMS = ("number", "own", "sheet", "code", "opened_on")
MISSED = "look_up_missed"
FOUND = "look_up"
OwnNumber = Callable[[Transaction, str], Awaitable[UUID | None]]  # what one kind of agency alone knows a case by, exactly


class LookUp(Form):
    """Two things that are known exactly."""

    number: str | None = Field(default=None, max_length=20, description="the agency's own number of the case")
    own: str | None = Field(default=None, max_length=30, description="a number that this kind of agency alone has")
    sheet: str | None = Field(default=None, max_length=20, description="the number of a paper sheet")
    code: str | None = Field(default=None, max_length=20, description="the number that she shows or says")
    opened_on: date | None = None

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


async def look_up(asked: LookUp, tx: Transaction, here: Here, by: Actor, own: OwnNumber | None = None) -> Found | None:
    """The one case that both things fit; None where there is none, the account may never see it, or it has tried too often."""
    by.may_work()
    if not await may_try(tx, by):
        return None
    await scope.for_the_agency(tx)
    named = await _named(asked, tx, own)
    day = _on(asked.opened_on, here) if asked.opened_on is not None else []
    candidates = list((await tx.session.execute(select(Case).where(*named, *day))).scalars())
    fitting = [case for case in candidates if asked.code is None or await _has_code(tx, case, asked.code)]
    found = [case for case in fitting if case.id not in by.never]
    if len(found) != 1:
        await count_try(tx, by)
        almost = list((await tx.session.execute(select(Case).where(or_(*named)))).scalars()) if named else fitting
        for case in almost:
            await note_read(tx, case.id, by, MISSED)
        return None
    seen = select(col(Case.id)).where(col(Case.id) == found[0].id, scope.this_case(by))
    is_seen = (await tx.session.execute(seen)).first() is not None
    if not is_seen:
        await note_read(tx, found[0].id, by, FOUND)
    return Found(found[0], is_seen)


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
    begins = datetime.combine(day, time(), ZoneInfo(here.programme.time_zone))
    return [col(Case.opened_at) >= begins, col(Case.opened_at) < begins + timedelta(days=1)]


async def _has_code(tx: Transaction, case: Case, code: str) -> bool:
    query = select(col(Referral.id), col(Referral.arrival_code_hash)).where(col(Referral.case_id) == case.id)
    known = (await tx.session.execute(query)).tuples()
    return any(domain.hash_of_code(id_, typed(code)) == digest for id_, digest in known)
