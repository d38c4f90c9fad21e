"""Services that are in the directory and do not answer: places that were asked, and from which nothing has come for thirty days.

A word by phone is an answer, and so is that there will be no feedback by her choice. Whoever wants to be in no figure is in none.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_
from sqlmodel import col

from shared.casework import scope
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted
from shared.casework.here import Actor, Here
from shared.casework.referrals import story
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import ReferralState
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure

SILENT_AFTER = timedelta(days=30)  # the practice guide's monthly figure 11


@dataclass(frozen=True, slots=True)
class Silent:
    """One such service: who is waiting for it, since when the first of them does, and how many requests lie there."""

    agency: str
    facility: str | None
    desks: frozenset[str]
    longest: str  # the desk that waits longest
    since: datetime
    count: int


async def silent_services(tx: Transaction, at: datetime, by: Actor) -> Sequence[Silent]:
    """Those for which the account's places wait, the longest silent first; for supervisors."""
    by.may_let_out()
    async with scope.whole_agency(tx):  # whether a place answers is asked of all that it was sent: which cases do not matter
        return [one for one in await _silent(tx, at) if any(by.sees(desk) for desk in one.desks)]


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """How many there are at the end of a period, or now where it goes on: each once, at the desk that waits longest."""
    found = Counts.of(Measure.SERVICES_SILENT)
    for one in await _silent(tx, min(here.begin_of(of.until), tx.clock.now())):
        found.add(Measure.SERVICES_SILENT, one.longest)
    return found


async def _silent(tx: Transaction, at: datetime) -> list[Silent]:
    long_ago = at - SILENT_AFTER
    columns = (
        col(Referral.recipient), col(Referral.to_facility), col(Referral.desk), col(Referral.issued_at), col(Referral.standing),
    )  # fmt: skip
    asked = of_counted(Referral, *columns).where(_waits(at), col(Referral.issued_at) <= long_ago, *_known_open(tx, at))
    waiting: dict[tuple[str, str | None], list[Any]] = defaultdict(list)
    for row in await tx.session.execute(asked):
        if not story.load(row.standing).no_feedback:
            waiting[row.recipient, row.to_facility].append(row)
    if not waiting:
        return []
    answered_at = _answered_at()
    spoke = of_counted(Referral, col(Referral.recipient), col(Referral.to_facility)).where(
        col(Referral.direction) == "out", answered_at > long_ago, answered_at <= at
    )
    for recipient, facility in (await tx.session.execute(spoke.distinct())).tuples():
        waiting.pop((recipient, facility), None)
    found = []
    for (recipient, facility), rows in waiting.items():
        first = min(rows, key=lambda row: (row.issued_at, row.desk))
        found.append(Silent(recipient, facility, frozenset(row.desk for row in rows), first.desk, first.issued_at, len(rows)))
    return sorted(found, key=lambda one: (one.since, one.agency, one.facility or ""))


def _answered_at() -> ColumnElement[Any]:
    """What is declined is not said to have been seen before; it was answered when it moved."""
    declined = case((col(Referral.state) == ReferralState.DECLINED, col(Referral.moved_at)))
    return func.coalesce(col(Referral.acknowledged_at), col(Referral.told_by_phone_at), declined)


def _waits(at: datetime) -> ColumnElement[bool]:
    answered_at, ended_at = _answered_at(), col(Referral.ended_at)
    return and_(
        col(Referral.direction) == "out", or_(answered_at.is_(None), answered_at > at), or_(ended_at.is_(None), ended_at > at)
    )


def _known_open(tx: Transaction, at: datetime) -> Sequence[ColumnElement[bool]]:
    """What waits now is open, and there is an index of that; of what waited once it says nothing."""
    return [and_(col(Referral.is_open))] if at >= tx.clock.now() else []
