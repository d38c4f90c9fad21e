"""Raising, taking, resolving and climbing: an alarm goes to a post, and up the facility's ladder until somebody takes it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, not_, or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.commands import on_disable
from shared.casework.accounts.tables import Account
from shared.casework.alarms.tables import Alarm
from shared.casework.cases.commands import Form, NoteText
from shared.casework.here import NOWHERE, Actor, Here
from shared.contracts.casework.codes import Role, Urgency
from shared.exchange import feed
from shared.exchange.outbox import insert_if_absent
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id

END_WAITS = "end_waits"  # a peer's consent has ended, and is kept open here by a request that could not be taken up
CAME_IN_ERROR = "came_in_error"  # a peer had said that she came, and it was somebody else
# About a peer, seen by whoever looks after lines.
LINE_TROUBLES = frozenset(
    {
        "parked",
        END_WAITS,
        "fork",
        "unopenable",
        "root_mismatch",
        "reopened",
        "not_put_home",
        "broker_silent",
        "overfull",
        "cleared",
        "head_refused",
        "looks_lost",
        "rewritten",
        "key_given_up",
        "key_lost",
    }
)


class ResolveAlarm(Form):
    """How it ended; a sentence that stays here."""

    note: NoteText | None = None


async def raise_alarm(
    tx: Transaction, here: Here, kind: str, about: UUID, facility: str, urgency: Urgency,
    case_id: UUID | None = None, detail: dict[str, Any] | None = None, *, to_supervisor: bool = False, post: str | None = None,
) -> None:  # fmt: skip
    """Raises an alarm to the lowest post of the facility's ladder, to the one above it, because it is about who holds that, or to a
    `post` of it that knows of the matter; one that is open already is not raised twice."""
    now = tx.clock.now()
    posts = here.posts(facility) or here.facility(facility).posts  # which says that there is no such place
    level = posts.index(post) if post in posts else min(1, len(posts) - 1) if to_supervisor else 0
    row = {
        "id": new_id(), "kind": kind, "about": about, "case_id": case_id, "facility": facility, "post": posts[level],
        "level": level, "is_acute": urgency is Urgency.ACUTE, "detail": detail or {}, "raised_at": now,
        "climbs_at": now + here.programme.limits.ladder_step_h.of(urgency) if len(posts) > level + 1 else None,
    }  # fmt: skip
    made = await tx.session.execute(insert_if_absent(tx, Alarm).returning(col(Alarm.id)), [row])
    if made.first() is not None:
        await _tell(tx, here, "alarm.raised", row)


async def _tell(tx: Transaction, here: Here, kind: str, alarm: Alarm | dict[str, Any]) -> None:
    row = alarm if isinstance(alarm, dict) else alarm.model_dump()
    line = feed.Line(
        kind=kind, subject=row["id"], agency=here.agency, is_own=True, occurred_at=tx.clock.now(), case_id=row["case_id"],
        facility=row["facility"], detail={"alarm": row["kind"], "post": row["post"], "about": str(row["about"])},
    )  # fmt: skip
    await feed.record(tx, line)


async def alarms_about(tx: Transaction, about: Sequence[UUID]) -> list[Alarm]:
    """Every alarm, open or resolved, about some referrals."""
    if not about:
        return []
    return list((await tx.session.execute(select(Alarm).where(col(Alarm.about).in_(about)))).scalars())


async def climb(tx: Transaction, here: Here, alarm: Alarm, urgency: Urgency) -> None:
    """Nobody took it in time: the next post is told. The highest post keeps it."""
    posts = here.posts(alarm.facility)
    if alarm.level + 1 >= len(posts):  # the network file has changed since it was raised
        alarm.climbs_at = None
        await tx.session.flush()
        return
    alarm.level += 1
    alarm.post = posts[alarm.level]
    last = alarm.level + 1 >= len(posts)
    alarm.climbs_at = None if last else tx.clock.now() + here.programme.limits.ladder_step_h.of(urgency)
    await tx.session.flush()
    await _tell(tx, here, "alarm.climbed", alarm)


async def clear(tx: Transaction, here: Here, about: UUID, kinds: set[str]) -> None:
    """What raised them is over: open alarms of these kinds are resolved by the watcher."""
    if not kinds:
        return
    query = select(Alarm).where(col(Alarm.about) == about, col(Alarm.kind).in_(kinds), col(Alarm.resolved_at).is_(None))
    query = query.with_for_update().execution_options(populate_existing=True)
    for alarm in (await tx.session.execute(query)).scalars().all():
        alarm.resolved_at, alarm.resolution, alarm.climbs_at = tx.clock.now(), "no longer the case", None
        await tx.session.flush()
        await _tell(tx, here, "alarm.resolved", alarm)


async def load_alarm(tx: Transaction, alarm_id: UUID, by: Actor, *, lock: bool = False) -> Alarm:
    """An alarm that the account may see; raises OutOfSight."""
    query = select(Alarm).where(col(Alarm.id) == alarm_id, seen_by(by))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    alarm = (await tx.session.execute(query)).scalar_one_or_none()
    if alarm is None:
        raise scope.OutOfSight("There is no such alarm.", alarm_id)
    return alarm


def _is_anothers(alarm: Alarm, by: Actor) -> None:
    if str(by.account_id) in {alarm.detail.get("account"), alarm.detail.get("second")}:
        raise Conflict("This alarm is about what you did; somebody else answers for it.")


async def give_back(tx: Transaction, here: Here, account: Account) -> None:
    """What a disabled account had taken is nobody's again, and climbs from where it is."""
    query = select(Alarm).where(col(Alarm.taken_by) == account.id, col(Alarm.resolved_at).is_(None)).with_for_update()
    for alarm in (await tx.session.execute(query)).scalars():
        alarm.taken_by = alarm.taken_at = None
        _climbs_from_now(tx, here, alarm)
        await tx.session.flush()
        await _tell(tx, here, "alarm.raised", alarm)


def _climbs_from_now(tx: Transaction, here: Here, alarm: Alarm) -> None:
    urgency = Urgency.ACUTE if alarm.is_acute else Urgency.URGENT
    may_climb = alarm.level + 1 < len(here.posts(alarm.facility))
    alarm.climbs_at = tx.clock.now() + here.programme.limits.ladder_step_h.of(urgency) if may_climb else None


async def lie_at(tx: Transaction, here: Here, case_id: UUID, facility: str) -> None:
    """A place looks after a case that lay nowhere: its alarms are that place's, and nobody's that has not taken them yet climbs the
    ladder there."""
    query = select(Alarm).where(col(Alarm.case_id) == case_id, col(Alarm.facility) == NOWHERE)
    posts = here.posts(facility)
    for alarm in (await tx.session.execute(query.with_for_update().execution_options(populate_existing=True))).scalars():
        alarm.facility, alarm.level = facility, min(alarm.level, len(posts) - 1)
        alarm.post = posts[alarm.level]
        if alarm.resolved_at is None and alarm.taken_by is None:
            _climbs_from_now(tx, here, alarm)
    await tx.session.flush()


def seen_by(by: Actor) -> ColumnElement[bool]:
    """Alarms about a case are for those who work on cases; alarms about a line for supervisors and the administrator."""
    about_a_line = col(Alarm.kind).in_(LINE_TROUBLES)
    if by.role is Role.ADMINISTRATOR:
        return about_a_line
    here = scope.at_desk(by, col(Alarm.facility), col(Alarm.case_id))
    return or_(about_a_line, here) if by.role is Role.SUPERVISOR else and_(not_(about_a_line), here)


async def take(tx: Transaction, here: Here, alarm_id: UUID, by: Actor) -> Alarm:
    """Somebody has it: it climbs no further. Raises Conflict where another account took it."""
    alarm = await load_alarm(tx, alarm_id, by, lock=True)
    if alarm.resolved_at is not None:
        raise Conflict("This alarm has been resolved.")
    _is_anothers(alarm, by)
    if alarm.taken_by not in (None, by.account_id):
        raise Conflict("Another account has taken this alarm.")
    if alarm.taken_by is None:
        alarm.taken_by, alarm.taken_at, alarm.climbs_at = by.account_id, tx.clock.now(), None
        await tx.session.flush()
        await _tell(tx, here, "alarm.taken", alarm)
    return alarm


async def resolve(command: ResolveAlarm, tx: Transaction, here: Here, alarm_id: UUID, by: Actor) -> Alarm:
    """It is dealt with. The same trouble later is a new alarm."""
    alarm = await load_alarm(tx, alarm_id, by, lock=True)
    if alarm.resolved_at is not None:
        raise Conflict("This alarm has been resolved.")
    _is_anothers(alarm, by)
    alarm.resolved_at, alarm.resolved_by, alarm.climbs_at = tx.clock.now(), by.account_id, None
    alarm.resolution = command.note
    await tx.session.flush()
    await _tell(tx, here, "alarm.resolved", alarm)
    return alarm


on_disable(give_back)
