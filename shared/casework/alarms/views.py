"""Alarms as posts see them, and what waits too long. Whatever a page asks is one query a kind of thing, however much is wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from sqlalchemy import String, and_, case, cast, func, or_, select
from sqlmodel import SQLModel, col

from shared.casework import scope
from shared.casework.accounts.rosters import holders
from shared.casework.accounts.tables import Account
from shared.casework.alarms.commands import seen_by
from shared.casework.alarms.tables import Alarm
from shared.casework.cases.tables import Case
from shared.casework.cases.views import OfACase
from shared.casework.here import Actor, Here
from shared.casework.referrals.tables import Referral
from shared.casework.timeline.views import page_by_opening
from shared.contracts.casework.codes import Flag, Urgency
from shared.exchange.tables import Peer
from shared.kit.db import Transaction

ALARMS_MAX = 100  # of one page; more than these is a bad day: those that nobody took, acute and old, come first


class AlarmView(OfACase):
    """An alarm: what, about what, to which post, and how far up the ladder."""

    look: ClassVar[str] = "alarm"

    id: UUID
    kind: str
    about: UUID
    case_id: UUID | None
    facility: str
    post: str
    level: int
    is_acute: bool
    detail: dict[str, Any]
    raised_at: datetime
    climbs_at: datetime | None
    taken_at: datetime | None
    resolved_at: datetime | None


def alarm_view(alarm: Alarm) -> AlarmView:
    """An alarm as it is shown."""
    return AlarmView.model_validate(alarm.model_dump(include=set(AlarmView.model_fields)))


async def alarms_page(
    tx: Transaction, by: Actor, cursor: str | None, limit: int, *, is_open: bool
) -> tuple[list[AlarmView], str | None]:
    """The alarms that the account may see, newest first."""
    conditions = [seen_by(by)]
    if is_open:
        conditions.append(col(Alarm.resolved_at).is_(None))
    rows, following = await page_by_opening(tx, Alarm, "alarm.raised", cursor, limit, *conditions)
    return [alarm_view(row) for row in rows], following


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An open alarm with what its page says beside it."""

    alarm: Alarm
    referral: Referral | None
    case: Case | None
    taken: Account | None
    who: Account | None  # whom it is about, where it is about somebody's looking
    posts: Sequence[str]
    holders: dict[str, str]


@dataclass(slots=True)
class AlarmBoard:
    """The open alarms that an account may see: the most pressing ones, and how many there are in all."""

    rows: list[ShownAlarm] = field(default_factory=list)
    untaken: int = 0
    taken: int = 0

    @property
    def beyond(self) -> int:
        """How many are not shown."""
        return self.untaken + self.taken - len(self.rows)


async def alarm_board(tx: Transaction, here: Here, by: Actor) -> AlarmBoard:
    """What nobody has taken first, then what somebody has."""
    mine = (col(Alarm.resolved_at).is_(None), seen_by(by))
    counts = select(func.count(), func.count(col(Alarm.taken_at))).where(*mine)
    total, taken = (await tx.session.execute(counts)).tuples().one()
    query = select(Alarm).where(*mine)
    query = query.order_by(col(Alarm.taken_at).is_not(None), col(Alarm.is_acute).desc(), col(Alarm.raised_at), col(Alarm.id))
    alarms = list((await tx.session.execute(query.limit(ALARMS_MAX))).scalars())
    referrals = await _by_id(tx, Referral, (a.about for a in alarms))
    cases = await _by_id(tx, Case, (a.case_id for a in alarms))
    accounts = await _by_id(tx, Account, (id_ for a in alarms for id_ in (a.taken_by, _who(a))))
    held = await holders(tx, {a.facility for a in alarms})
    rows = [
        ShownAlarm(
            a, referrals.get(a.about), cases.get(a.case_id), accounts.get(a.taken_by), accounts.get(_who(a)),
            here.posts(a.facility), held.get(a.facility, {}),
        )
        for a in alarms
    ]  # fmt: skip
    return AlarmBoard(rows, int(total) - int(taken), int(taken))


def _who(alarm: Alarm) -> UUID | None:
    account = alarm.detail.get("account")
    return UUID(account) if account else None


Row = TypeVar("Row", bound=SQLModel)


async def _by_id(tx: Transaction, table: type[Row], ids: Iterable[UUID | None]) -> dict[UUID | None, Row]:
    wanted = {id_ for id_ in ids if id_ is not None}
    if not wanted:
        return {}
    query = select(table).where(table.id.in_(wanted))  # type: ignore[attr-defined]  # every table of ours has one
    return {row.id: row for row in (await tx.session.execute(query)).scalars()}  # type: ignore[attr-defined]


@dataclass(slots=True)
class Overdue:
    """A facility, another agency's or our own: what nobody there has seen in time, and what is open past its time."""

    name: str
    mode: str
    heard: datetime | None
    unseen: int = 0
    acute: int = 0
    late: int = 0


async def overdue_by_facility(tx: Transaction, here: Here, by: Actor) -> list[Overdue]:
    """By facility that we sent to, and each of ours that was sent to; in order of name: quiet places may have no power, so nobody
    is ranked."""
    heard = {row.peer: row.last_heard_at for row in (await tx.session.execute(select(Peer))).scalars()}
    table = {
        (agency, id_): Overdue(facility.name, facility.mode, heard.get(agency))
        for agency in here.serving
        for id_, facility in here.network.agencies[agency].facilities.items()
    }
    ours = {(here.agency, id_): Overdue(f.name, f.mode, tx.clock.now()) for id_, f in here.entry.facilities.items() if by.sees(id_)}
    table |= ours
    for agency, facility, unseen, acute, late in await _counted(tx, by):
        entry = table.get((agency, facility))
        if entry is not None:
            entry.unseen, entry.acute, entry.late = int(unseen), int(acute), int(late)
    return sorted(table.values(), key=lambda entry: entry.name)


async def _counted(tx: Transaction, by: Actor) -> list[Any]:
    flags = cast(col(Referral.flags), String)
    is_late, is_unseen = flags.contains(f'"{Flag.LAPSED}"'), flags.contains(f'"{Flag.UNACKNOWLEDGED}"')
    unseen = and_(col(Referral.state) == "issued", is_unseen)
    sent_to = func.coalesce(col(Referral.standing)["facility"].as_string(), col(Referral.to_facility))
    at = case((col(Referral.direction) == "in", col(Referral.desk)), else_=sent_to)
    sums = [func.sum(case((what, 1), else_=0)) for what in (unseen, and_(unseen, col(Referral.urgency) == Urgency.ACUTE), is_late)]
    query = select(col(Referral.recipient), at, *sums).where(col(Referral.is_open), or_(is_late, is_unseen))
    query = query.where(scope.at_desk(by, col(Referral.desk), col(Referral.case_id)))
    return list((await tx.session.execute(query.group_by(col(Referral.recipient), at))).tuples())
