"""Services that are in the directory and do not answer: places that were asked, and from which nothing has come for thirty days.

A word by phone is an answer, and so is that there will be no feedback by her choice. Whoever wants to be in no figure is in none.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted
from shared.casework.here import Actor, Here
from shared.casework.referrals import story
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import ReferralState
from shared.contracts.casework.events import ToldByPhone
from shared.exchange.tables import Activity
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure

SILENT_AFTER = timedelta(days=30)  # the practice guide's monthly figure 11


WAITING = (
    col(Referral.recipient), col(Referral.to_facility), col(Referral.desk), col(Referral.issued_at), col(Referral.standing),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Silent:
    """One such service: which desk has waited longest for it, since when, and how many requests wait there."""

    agency: str
    facility: str | None
    longest: str
    since: datetime
    count: int


async def silent_services(tx: Transaction, by: Actor) -> Sequence[Silent]:
    """Those for which the account's own places wait now, the longest silent first; for supervisors. What another desk asked, and a
    case that is kept from her, is in no line: of those it is asked only whether the service answers."""
    by.may_let_out()
    at: datetime = tx.clock.now()
    seen = scope.at_desk(by, col(Referral.desk), col(Referral.case_id))
    return await _silent(tx, at, select(*WAITING).where(seen, _waits(at), and_(col(Referral.is_open))))


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """How many there are at the end of a period, or now where it goes on: each once, at the desk that waits longest."""
    found, at = Counts.of(Measure.SERVICES_SILENT), min(here.begin_of(of.until), tx.clock.now())
    is_now = [and_(col(Referral.is_open))] if at >= tx.clock.now() else []  # of what is open there is an index
    for one in await _silent(tx, at, of_counted(Referral, *WAITING).where(_waits(at), *is_now)):
        found.add(Measure.SERVICES_SILENT, one.longest)
    return found


async def _silent(tx: Transaction, at: datetime, asked: Select[Any]) -> list[Silent]:
    waiting: dict[tuple[str, str | None], list[Any]] = defaultdict(list)
    for row in await tx.session.execute(asked):
        if not story.load(row.standing).no_feedback:
            waiting[row.recipient, row.to_facility].append(row)
    for place in await _who_spoke(tx, at) if waiting else ():
        waiting.pop(place, None)
    found = []
    for (recipient, facility), rows in waiting.items():
        first = min(rows, key=lambda row: (row.issued_at, row.desk))
        found.append(Silent(recipient, facility, first.desk, first.issued_at, len(rows)))
    return sorted(found, key=lambda one: (one.since, one.agency, one.facility or ""))


async def _who_spoke(tx: Transaction, at: datetime) -> set[tuple[str, str | None]]:
    """The places from which anything came in the thirty days, of whatever they were sent: a word of theirs, or one by phone. Read
    out of the diary, whose lines of thirty days an index finds."""
    since, theirs = at - SILENT_AFTER, and_(~col(Activity.is_own), col(Activity.agency) == col(Referral.recipient))
    spoke = (
        select(col(Referral.recipient), col(Referral.to_facility))
        .join(Activity, col(Activity.subject) == col(Referral.id))
        .where(
            col(Referral.direction) == "out", or_(theirs, col(Activity.kind) == ToldByPhone.type),
            col(Activity.recorded_at) > since, col(Activity.occurred_at) > since, col(Activity.occurred_at) <= at,
        )
        .distinct()
    )  # fmt: skip
    async with scope.whole_agency(tx):  # whether a place answers, whoever asked: which cases do not matter
        return set((await tx.session.execute(spoke)).tuples())


def _waits(at: datetime) -> ColumnElement[bool]:
    """Asked thirty days before, and neither seen, told by phone, declined nor over since. What is declined was answered when it
    moved: it is not said to have been seen before."""
    seen_at, phoned_at, ended_at = col(Referral.acknowledged_at), col(Referral.told_by_phone_at), col(Referral.ended_at)
    return and_(
        col(Referral.direction) == "out", col(Referral.issued_at) <= at - SILENT_AFTER, or_(seen_at.is_(None), seen_at > at),
        or_(phoned_at.is_(None), phoned_at > at), or_(ended_at.is_(None), ended_at > at),
        or_(col(Referral.state) != ReferralState.DECLINED, col(Referral.moved_at) > at),
    )  # fmt: skip
