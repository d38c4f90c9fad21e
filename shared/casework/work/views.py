"""What a desk has to do now, most urgent first. Reads only; the lists are bounded, and what is folded is counted."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlmodel import col

from shared.casework.cases.tables import Case
from shared.casework.circles.tables import Progress
from shared.casework.here import Actor, Here
from shared.casework.messages.tables import Message
from shared.casework.referrals.tables import Referral, WalkIn
from shared.contracts.casework.codes import Flag, ProgressCode, Urgency
from shared.kit.db import Transaction

UNSEEN_IS_RED = timedelta(minutes=10)  # an acute referral that nobody has opened by then: a call costs less than waiting
WEEK = timedelta(days=7)  # "court this week"
LIST_MAX = 50  # of one section; a desk that has more needs the list of cases
ANSWER_SHOWN = timedelta(days=2)  # how long "cannot take" and "finished" stand on the work list


@dataclass(slots=True)
class WorkList:
    """The sections of a work list. Every list is newest or most urgent first."""

    unseen: list[Referral] = field(default_factory=list)  # ours, acute or flagged, nobody has opened them
    unsent: list[Referral] = field(default_factory=list)  # ours, have not left
    refused: list[Referral] = field(default_factory=list)  # ours, the place cannot take them
    waiting: list[Referral] = field(default_factory=list)  # ours, sent and not alarming yet
    under_way: int = 0  # ours, seen: nothing to do
    fresh: list[Referral] = field(default_factory=list)  # to us, not yet seen
    cancels: list[Referral] = field(default_factory=list)  # to us, a request to cancel waits for a person
    coming: list[Referral] = field(default_factory=list)  # to us, accepted, not here yet
    here_now: list[Referral] = field(default_factory=list)  # to us, arrived or in care
    late: list[Referral] = field(default_factory=list)  # to us, time has passed, still open
    walk_ins: list[tuple[WalkIn, Case]] = field(default_factory=list)  # came without a referral, not matched yet
    dates: list[tuple[Progress, Case]] = field(default_factory=list)  # hearings and visits of this week
    messages: list[tuple[Message, Referral]] = field(default_factory=list)  # to pass on


async def work_list(tx: Transaction, here: Here, by: Actor, today: date) -> WorkList:
    """The work of the account's desk."""
    now = tx.clock.now()
    work = WorkList()
    mine = [col(Referral.desk).in_(by.desks)] if by.facility is not None else []
    outgoing, incoming = [*mine, col(Referral.direction) == "out"], [*mine, col(Referral.direction) == "in"]
    for row in await _rows(tx, [*outgoing, col(Referral.is_open).is_(True), col(Referral.state) == "issued"]):
        _sort_issued(work, row, now)
    work.refused = await _refused(tx, outgoing, now)
    seen = [*outgoing, col(Referral.is_open), col(Referral.state) != "issued"]
    work.under_way = int((await tx.session.execute(select(func.count()).select_from(Referral).where(*seen))).scalar_one())
    for row in await _rows(tx, [*incoming, col(Referral.is_open).is_(True)]):
        _sort_received(work, row)
    for received in (work.fresh, work.coming):
        received.sort(key=lambda r: (r.urgency != Urgency.ACUTE, r.expected_at or r.respond_by))
    work.walk_ins = await _walk_ins(tx, by)
    work.dates = await _dates(tx, by, today)
    work.messages = await _messages(tx, by)
    return work


async def _rows(tx: Transaction, conditions: list[ColumnElement[bool]]) -> list[Referral]:
    query = select(Referral).where(*conditions).order_by(col(Referral.urgency), col(Referral.issued_at)).limit(LIST_MAX * 4)
    return list((await tx.session.execute(query)).scalars())


def _sort_issued(work: WorkList, row: Referral, now: datetime) -> None:
    is_acute = row.urgency == Urgency.ACUTE
    if row.sent_at is None:
        work.unsent.append(row)
    elif Flag.UNACKNOWLEDGED in row.flags or Flag.UNDELIVERED in row.flags or (is_acute and now - row.issued_at > UNSEEN_IS_RED):
        work.unseen.append(row)
    else:
        work.waiting.append(row)


def _sort_received(work: WorkList, row: Referral) -> None:
    if row.standing.get("cancel_pending") and row.state not in {"issued", "acknowledged"}:
        work.cancels.append(row)
    elif row.state == "issued":
        work.fresh.append(row)
    elif Flag.LAPSED in row.flags and row.arrived_at is None:
        work.late.append(row)
    elif row.state in {"acknowledged", "accepted"}:
        work.coming.append(row)
    else:
        work.here_now.append(row)


async def _refused(tx: Transaction, outgoing: list[ColumnElement[bool]], now: datetime) -> list[Referral]:
    query = select(Referral).where(*outgoing, col(Referral.state) == "declined", col(Referral.ended_at) > now - ANSWER_SHOWN)
    rows = list((await tx.session.execute(query.order_by(col(Referral.ended_at).desc()).limit(LIST_MAX))).scalars())
    answered = select(col(Referral.case_id), func.max(col(Referral.issued_at))).where(col(Referral.direction) == "out")
    newest = dict((await tx.session.execute(answered.group_by(col(Referral.case_id)))).tuples().all()) if rows else {}
    # Another referral of the same case since then means that somebody has dealt with it.
    return [r for r in rows if newest.get(r.case_id) == r.issued_at]


async def _walk_ins(tx: Transaction, by: Actor) -> list[tuple[WalkIn, Case]]:
    query = select(WalkIn, Case).join(Case, col(Case.id) == col(WalkIn.case_id)).where(col(WalkIn.referral_id).is_(None))
    if by.facility is not None:
        query = query.where(col(WalkIn.facility).in_(by.desks))
    return list((await tx.session.execute(query.order_by(col(WalkIn.came_at).desc()).limit(LIST_MAX))).tuples())


async def _dates(tx: Transaction, by: Actor, today: date) -> list[tuple[Progress, Case]]:
    query = (
        select(Progress, Case)
        .join(Case, col(Case.id) == col(Progress.case_id))
        .where(
            col(Progress.code).in_([ProgressCode.HEARING_DATE, ProgressCode.NEXT_CLINIC_DATE]),
            col(Progress.on_date) >= today, col(Progress.on_date) <= today + WEEK,
        )
    )  # fmt: skip
    if by.facility is not None:
        at_desk = exists().where(and_(col(Referral.case_id) == col(Case.id), col(Referral.desk).in_(by.desks)))
        query = query.where(or_(col(Case.facility).in_(by.desks), at_desk))
    return list((await tx.session.execute(query.order_by(col(Progress.on_date)).limit(LIST_MAX))).tuples())


async def _messages(tx: Transaction, by: Actor) -> list[tuple[Message, Referral]]:
    query = (
        select(Message, Referral)
        .join(Referral, col(Referral.id) == col(Message.referral_id))
        .where(col(Message.direction) == "in", col(Message.answer).is_(None))
    )
    if by.facility is not None:
        query = query.where(col(Referral.desk).in_(by.desks))
    return list((await tx.session.execute(query.order_by(col(Message.asked_at)).limit(LIST_MAX))).tuples())


def shown_cases(work: WorkList) -> set[UUID]:
    """The cases of which the list shows more than a number: who they are about, what was asked."""
    received = (work.fresh, work.cancels, work.coming, work.here_now, work.late)
    return {row.case_id for rows in received for row in rows}


def open_items(work: WorkList) -> dict[str, Any]:
    """What a hand-over keeps: ids by section, never words."""

    def ids(rows: list[Referral]) -> list[str]:
        return [str(row.id) for row in rows]

    return {
        "unseen": ids(work.unseen), "unsent": ids(work.unsent), "waiting": ids(work.waiting), "refused": ids(work.refused),
        "fresh": ids(work.fresh), "coming": ids(work.coming), "here_now": ids(work.here_now), "late": ids(work.late),
        "under_way": work.under_way,
    }  # fmt: skip
