"""What a desk has to do now, most urgent first. Reads only; every section is bounded by itself, and what is cut off is counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.tables import CaseRead
from shared.casework.cases.tables import Case, Incident
from shared.casework.circles.tables import Progress
from shared.casework.here import Actor, Here
from shared.casework.messages.tables import Message
from shared.casework.messages.views import hours_of
from shared.casework.referrals.asked_again import refused_of, shown
from shared.casework.referrals.pathways import seen_within
from shared.casework.referrals.tables import DraftedReferral, Referral, ReferralFact, WalkIn
from shared.contracts.casework import events
from shared.contracts.casework.codes import CancelReason, Flag, ReferralState, SafeHours, Urgency
from shared.kit.columns import UtcDateTime
from shared.kit.db import Transaction
from shared.kit.sealed import shut_shown

UNSEEN_IS_RED = timedelta(minutes=10)  # an acute referral that nobody has opened by then: a call costs less than waiting
WEEK = timedelta(days=7)  # "court this week"
LIST_MAX = 50  # of one section: more than a desk does in a shift; the rest is counted, and stands in the list of cases
ANSWER_SHOWN = timedelta(days=2)  # how long "cannot take" stands on the work list
OPENED_SHOWN = timedelta(days=7)  # how long what happened, of which nothing was sent, stands there: one week's shifts have seen it
TAKEN_BACK_SHOWN = timedelta(days=7)  # at most, until it is read: a place that is staffed once a week still sees it
TAKEN_BACK_READ = "taken_back:"  # the look that says so, with the referral's id: of one case several desks may have expected her

S = ReferralState
REFERRALS = (  # sections of referrals
    "unseen", "unsent", "no_way", "told", "refused", "waiting", "fresh", "cancels", "coming", "here_now", "late", "taken_back",
)  # fmt: skip
RECEIVED = ("fresh", "cancels", "coming", "here_now", "late")  # of which a list shows who they are about

Conditions = list[ColumnElement[bool]]
Kinds = tuple[tuple[str, ...], ...]  # the agencies of the network, those of a kind together


@dataclass(slots=True)
class WorkList:
    """The sections of a work list, each with its most urgent and newest; `totals` says how many there are of each in all."""

    unseen: list[Referral] = field(default_factory=list)  # ours, acute or flagged, nobody has opened them
    unsent: list[Referral] = field(default_factory=list)  # ours, have not left
    no_way: list[Referral] = field(default_factory=list)  # ours, acute and seen, and nobody has said that she set out
    told: list[Referral] = field(default_factory=list)  # ours, somebody there was told by phone and nobody has opened them
    refused: list[Referral] = field(default_factory=list)  # ours, the place cannot take them
    drafted: list[tuple[DraftedReferral, Case]] = field(default_factory=list)  # ours, not sent: she wants to think
    opened: list[tuple[Case, datetime]] = field(default_factory=list)  # ours, told lately, nothing was sent nor kept to be sent
    waiting: list[Referral] = field(default_factory=list)  # ours, sent and not alarming yet
    under_way: int = 0  # ours, seen: nothing to do
    fresh: list[Referral] = field(default_factory=list)  # to us, not yet seen
    cancels: list[Referral] = field(default_factory=list)  # to us, a request to cancel waits for a person
    coming: list[Referral] = field(default_factory=list)  # to us, accepted, not here yet
    here_now: list[Referral] = field(default_factory=list)  # to us, arrived or in care
    late: list[Referral] = field(default_factory=list)  # to us, time has passed, still open
    taken_back: list[Referral] = field(default_factory=list)  # to us, expected until consent was taken back, not read yet
    goes_on: list[tuple[WalkIn, Case, Referral]] = field(default_factory=list)  # here, and consent for the request was taken back
    walk_ins: list[tuple[WalkIn, Case]] = field(default_factory=list)  # came without a referral, not matched yet
    dates: list[tuple[Progress, Case]] = field(default_factory=list)  # hearings and visits of this week
    messages: list[tuple[Message, Referral]] = field(default_factory=list)  # to pass on
    safe: Mapping[UUID, SafeHours | None] = field(default_factory=dict)  # by message, when it is: None, only when she comes here
    not_used: Mapping[UUID, frozenset[str]] = field(default_factory=dict)  # by referral, what she said no to here
    totals: dict[str, int] = field(default_factory=dict)

    def total(self, section: str) -> int:
        """How many a section has, with those that are cut off."""
        return self.totals.get(section, 0)

    def beyond(self, section: str) -> int:
        """How many of a section are not shown."""
        return self.total(section) - len(getattr(self, section))

    def shown(self, referral: Referral) -> dict[str, Any]:
        """What was told of a request, without what she said no to here."""
        return shown(referral, self.not_used.get(referral.id, ()))


@dataclass(frozen=True, slots=True)
class Questions:
    """What a work list asks. It is put together once and asked with the values of a look: to put it together again for each look
    would take as long as all the rest of the page."""

    sent: Select[Any]
    received: Select[Any]
    under_way: Select[Any]
    ahead: Select[Any]  # hearings and visits of which only this is known without opening them
    listed: Mapping[str, Select[Any]]  # section → its rows, each with how many there are in all


MOST = bindparam("most", type_=Integer)
SLOW_BEFORE = bindparam("slow_before", type_=UtcDateTime)
ANSWERED_AFTER = bindparam("answered_after", type_=UtcDateTime)
OPENED_AFTER = bindparam("opened_after", type_=UtcDateTime)
TAKEN_BACK_AFTER = bindparam("taken_back_after", type_=UtcDateTime)


async def work_list(tx: Transaction, here: Here, by: Actor, today: date) -> WorkList:
    """The work of the account's desk. What does not open, because its key is not here, stands on it as `SHUT`."""
    with shut_shown():
        return await _work_list(tx, here, by, today)


async def _work_list(tx: Transaction, here: Here, by: Actor, today: date) -> WorkList:
    now = tx.clock.now()
    asked = _questions(_by_kind(here), scope.Later.like(by))
    values = scope.Later.values(by) | {
        "most": LIST_MAX, "slow_before": now - UNSEEN_IS_RED, "answered_after": now - ANSWER_SHOWN,
        "opened_after": now - OPENED_SHOWN, "taken_back_after": now - TAKEN_BACK_SHOWN,
    }  # fmt: skip
    work = WorkList()
    for query in (asked.sent, asked.received):
        for row, section, total in (await tx.session.execute(query, values)).tuples():
            getattr(work, section).append(row)
            work.totals[section] = int(total)
    for received in (work.fresh, work.coming):
        received.sort(key=lambda r: (r.urgency != Urgency.ACUTE, r.expected_at or r.respond_by))
    work.under_way = int((await tx.session.execute(asked.under_way, values)).scalar_one())
    for section, query in asked.listed.items():
        found = (await tx.session.execute(query, values)).all()
        work.totals[section] = int(found[0][-1]) if found else 0
        getattr(work, section).extend(tuple(row[:-1]) if len(row) > 2 else row[0] for row in found)
    work.dates, work.totals["dates"] = await _dates(tx, asked.ahead, values, today)
    work.safe = await hours_of(tx, here, work.messages)
    work.not_used = await refused_of(tx, here, [row for section in RECEIVED for row in getattr(work, section)])
    return work


def look_at_taken_back(referral_id: UUID) -> str:
    """What is kept where a desk has read that somebody whom it expected on this referral will not come."""
    return f"{TAKEN_BACK_READ}{referral_id.hex}"


def alarm_at(here: Here, referral: Referral) -> datetime | None:
    """When a post is told of a referral of ours, unless somebody there sees it before; None where a post has been told."""
    limits, urgency = here.programme.limits, Urgency(referral.urgency)
    if referral.sent_at is None or {Flag.UNACKNOWLEDGED, Flag.UNDELIVERED}.intersection(referral.flags):
        return None
    due = [referral.respond_by, referral.sent_at + seen_within(here, referral)]
    if referral.delivered_at is None:
        due.append(referral.sent_at + limits.delivered_h.of(urgency))
    return min(due)


def _by_kind(here: Here) -> Kinds:
    kinds: dict[str, list[str]] = {}
    for agency, entry in here.network.agencies.items():
        kinds.setdefault(entry.kind, []).append(agency)
    return tuple(tuple(agencies) for agencies in kinds.values())


@cache
def _questions(kinds: Kinds, by: scope.Later) -> Questions:
    mine: Conditions = [scope.at_desk(by, col(Referral.desk), col(Referral.case_id))]
    is_open = and_(col(Referral.is_open))
    outgoing, incoming = [*mine, col(Referral.direction) == "out"], [*mine, col(Referral.direction) == "in"]
    seen = [*outgoing, is_open, col(Referral.state) != S.ISSUED, ~_has_no_way()]
    listed = {
        "refused": _refused(kinds, outgoing),
        "drafted": _drafted(by),
        "opened": _opened(by),
        "taken_back": _taken_back(incoming),
        "goes_on": _goes_on(by),
        "walk_ins": _walk_ins(by),
        "messages": _messages(mine),
    }
    return Questions(
        _in_sections(_sections_of_sent(), [*outgoing, is_open, or_(col(Referral.state) == S.ISSUED, _has_no_way())]),
        _in_sections(_sections_of_received(), [*incoming, is_open]),
        select(func.count()).select_from(Referral).where(*seen),
        _ahead(by),
        {section: query.add_columns(func.count().over()).limit(MOST) for section, query in listed.items()},
    )


def _flag(flag: Flag) -> ColumnElement[bool]:
    return cast(col(Referral.flags), String).contains(f'"{flag}"', autoescape=True)


def _sections_of_sent() -> dict[str, ColumnElement[bool]]:
    is_slow = and_(
        col(Referral.urgency) == Urgency.ACUTE, col(Referral.sent_at) < SLOW_BEFORE
    )  # what lay on paper could not be seen
    return {
        "no_way": col(Referral.state) != S.ISSUED,
        "unsent": col(Referral.sent_at).is_(None),
        "told": col(Referral.told_by_phone_at).is_not(None),  # the call stopped the clock: nothing about them is red
        "unseen": or_(_flag(Flag.UNACKNOWLEDGED), _flag(Flag.UNDELIVERED), is_slow),
        "waiting": col(Referral.sent_at).is_not(None),
    }


def _has_no_way() -> ColumnElement[bool]:
    """Care is promised at once, and nobody has said that she set out, nor that she came: no vehicle was found, or nobody looked."""
    return and_(
        col(Referral.urgency) == Urgency.ACUTE, col(Referral.state).in_([S.ACKNOWLEDGED, S.ACCEPTED]),
        col(Referral.set_out_at).is_(None), col(Referral.arrived_at).is_(None),
    )  # fmt: skip


def _sections_of_received() -> dict[str, ColumnElement[bool]]:
    state = col(Referral.state)
    asks_to_cancel = col(Referral.standing)["cancel_pending"].as_string().is_not(None)
    return {
        "fresh": state == S.ISSUED,
        "cancels": and_(asks_to_cancel, state != S.ACKNOWLEDGED),
        "late": and_(_flag(Flag.LAPSED), col(Referral.arrived_at).is_(None)),
        "coming": state.in_([S.ACKNOWLEDGED, S.ACCEPTED]),
        "here_now": state.not_in([S.ISSUED, S.ACKNOWLEDGED, S.ACCEPTED]),
    }


def _rank() -> ColumnElement[int]:
    # Codes do not sort by urgency.
    return case((col(Referral.urgency) == Urgency.ACUTE, 0), (col(Referral.urgency) == Urgency.URGENT, 1), else_=2)


def _in_sections(sections: Mapping[str, ColumnElement[bool]], conditions: Conditions) -> Select[Any]:
    """Each referral in the first section that fits. Each section is cut off by itself: urgent ones stay, then the newest, because
    an old one has its alarm already; and a long section never hides what is new in another."""
    named = case(*((fits, name) for name, fits in sections.items()), else_="")
    each = select(col(Referral.id), col(Referral.issued_at), _rank().label("rank"), named.label("section"))
    rows = each.where(*conditions).subquery()
    order = [rows.c.rank, rows.c.issued_at.desc(), rows.c.id.desc()]
    places = select(
        rows.c.id, rows.c.section, func.count().over(partition_by=rows.c.section).label("total"),
        func.row_number().over(partition_by=rows.c.section, order_by=order).label("place"),
    ).subquery()  # fmt: skip
    return (
        select(Referral, places.c.section, places.c.total)
        .join(places, places.c.id == col(Referral.id))
        .where(places.c.place <= MOST)
        .order_by(places.c.section, places.c.place)
    )


def _refused(kinds: Kinds, outgoing: Conditions) -> Select[Any]:
    """What cannot be taken, until it was sent elsewhere: in its place, or for the same incident to the same kind of agency.

    Whoever was told along with it does not count: another kind of agency was asked for something else.
    """
    later = aliased(Referral)
    same_kind = or_(*(and_(col(Referral.recipient).in_(of), col(later.recipient).in_(of)) for of in kinds))
    same_incident = or_(
        col(later.incident_id) == col(Referral.incident_id),
        and_(col(later.incident_id).is_(None), col(Referral.incident_id).is_(None)),
    )
    is_later = or_(
        col(later.issued_at) > col(Referral.issued_at),
        and_(col(later.issued_at) == col(Referral.issued_at), col(later.id) > col(Referral.id)),
    )
    dealt_with = exists().where(
        col(later.case_id) == col(Referral.case_id), col(later.direction) == "out",
        or_(col(later.in_place_of) == col(Referral.id), and_(same_kind, same_incident, is_later)),
    )  # fmt: skip
    return (
        select(Referral)
        .where(*outgoing, col(Referral.state) == S.DECLINED, col(Referral.ended_at) > ANSWERED_AFTER, ~dealt_with)
        .order_by(_rank(), col(Referral.ended_at).desc())
    )


def _drafted(by: scope.Later) -> Select[Any]:
    query = select(DraftedReferral, Case).join(Case, col(Case.id) == col(DraftedReferral.case_id))
    query = query.where(scope.at_desk(by, col(DraftedReferral.facility), col(DraftedReferral.case_id)))
    return query.order_by(col(DraftedReferral.kept_at).desc())


def _opened(by: scope.Later) -> Select[Any]:
    """By what happened last: it may have happened again to somebody of whom much was sent, and a sheet may be entered long after it
    was written. Her no is no end: it stands here too, and leaves after the same time. Who came without a request has a section of
    its own."""
    later = aliased(Incident)
    is_last = ~exists().where(col(later.case_id) == col(Case.id), col(later.recorded_at) > col(Incident.recorded_at))
    of_this = or_(col(Referral.incident_id) == col(Incident.id), col(Referral.incident_id).is_(None), col(Incident.id).is_(None))
    is_sent = exists().where(col(Referral.case_id) == col(Case.id), of_this)
    is_drafted = exists().where(col(DraftedReferral.case_id) == col(Case.id))
    came = select(col(WalkIn.case_id)).where(col(WalkIn.recorded_at) > OPENED_AFTER)
    since = func.coalesce(col(Incident.recorded_at), col(Case.opened_at))
    query = select(Case, since).outerjoin(Incident, col(Incident.case_id) == col(Case.id))
    fresh, told = aliased(Case), aliased(Incident)
    opened = select(col(fresh.id)).where(col(fresh.opened_at) > OPENED_AFTER)
    opened = opened.where(scope.at_desk(by, col(fresh.facility), col(fresh.id)))
    query = query.where(scope.at_desk(by, col(Case.facility), col(Case.id)))
    lately = union_all(select(col(told.case_id)).where(col(told.recorded_at) > OPENED_AFTER), opened)
    query = query.where(
        col(Case.id).in_(lately), col(Case.is_received).is_(False), is_last, ~is_sent, ~is_drafted, col(Case.id).not_in(came)
    )
    return query.order_by(since.desc(), col(Case.id).desc())


def _taken_back(incoming: Conditions) -> Select[Any]:
    """Who was expected and will not come on this request any more, until somebody at the desk has read it."""
    ended_before = exists().where(
        col(ReferralFact.referral_id) == col(Referral.id),
        col(ReferralFact.type).in_([events.Declined.type, events.Cancelled.type, events.Closed.type]),
    )
    plain_id = func.replace(cast(col(Referral.id), String), "-", "")  # one of the two databases writes it with hyphens
    is_read = exists().where(
        col(CaseRead.case_id) == col(Referral.case_id), col(CaseRead.what) == literal(TAKEN_BACK_READ).concat(plain_id),
        col(CaseRead.read_at) >= col(Referral.moved_at),
    )  # fmt: skip
    return (
        select(Referral)
        .where(
            *incoming, col(Referral.state) == S.CANCELLED, col(Referral.ended_at) > TAKEN_BACK_AFTER,
            col(Referral.standing)["reason"].as_string() == CancelReason.CONSENT_TAKEN_BACK,
            col(Referral.acknowledged_at).is_not(None), col(Referral.arrived_at).is_(None), ~ended_before, ~is_read,
        )
        .order_by(col(Referral.ended_at).desc(), col(Referral.id).desc())
    )  # fmt: skip


def _walk_ins(by: scope.Later) -> Select[Any]:
    query = select(WalkIn, Case).join(Case, col(Case.id) == col(WalkIn.case_id))
    query = query.where(col(WalkIn.after_referral).is_(None), *_still_here(by))
    return query.order_by(col(WalkIn.came_at).desc())


def _goes_on(by: scope.Later) -> Select[Any]:
    query = select(WalkIn, Case, Referral).join(Case, col(Case.id) == col(WalkIn.case_id))
    query = query.join(Referral, col(Referral.id) == col(WalkIn.after_referral)).where(*_still_here(by))
    return query.order_by(col(WalkIn.came_at).desc())


def _still_here(by: scope.Later) -> Conditions:
    """Arrivals that no request is known of and that nobody has ended."""
    at_desk = scope.at_desk(by, col(WalkIn.facility), col(WalkIn.case_id))
    return [col(WalkIn.referral_id).is_(None), col(WalkIn.ended_at).is_(None), at_desk]


def _ahead(by: scope.Later) -> Select[Any]:
    query = select(col(Progress.position), col(Progress.on_date)).join(Case, col(Case.id) == col(Progress.case_id))
    return query.where(col(Progress.is_ahead), scope.this_case(by))


async def _dates(
    tx: Transaction, ahead: Select[Any], values: Mapping[str, Any], today: date
) -> tuple[list[tuple[Progress, Case]], int]:
    """The hearings and visits of a week, and how many: the days of all that lie ahead are opened, which are some for each case, and
    cases only of those that are shown."""
    days = (await tx.session.execute(ahead, values)).tuples()
    week = sorted((on, position) for position, on in days if isinstance(on, date) and today <= on <= today + WEEK)
    if not week:
        return [], 0
    shown = [position for _on, position in week[:LIST_MAX]]
    query = select(Progress, Case).join(Case, col(Case.id) == col(Progress.case_id)).where(col(Progress.position).in_(shown))
    found = {row.position: (row, of) for row, of in (await tx.session.execute(query)).tuples()}
    return [found[position] for position in shown if position in found], len(week)  # one may have gone with its consent just now


def _messages(mine: Conditions) -> Select[Any]:
    return (
        select(Message, Referral)
        .join(Referral, col(Referral.id) == col(Message.referral_id))
        .where(col(Message.direction) == "in", col(Message.answer).is_(None), *mine)
        .order_by(col(Message.asked_at))
    )


def shown_cases(work: WorkList) -> set[UUID]:
    """The cases of which the list shows more than a number: who they are about, what was asked."""
    return {row.case_id for section in RECEIVED for row in getattr(work, section)}


def open_items(work: WorkList) -> dict[str, Any]:
    """What a hand-over keeps: ids by section and how many there were, never words."""
    ids: dict[str, Any] = {section: [str(row.id) for row in getattr(work, section)] for section in REFERRALS}
    ids |= {"walk_ins": [str(one.id) for one, _ in work.walk_ins], "messages": [str(one.id) for one, _ in work.messages]}
    ids |= {"goes_on": [str(one.id) for one, _case, _referral in work.goes_on]}
    ids |= {"drafted": [str(one.id) for _, one in work.drafted], "opened": [str(one.id) for one, _ in work.opened]}
    return {**ids, "under_way": work.under_way, "totals": {name: work.total(name) for name in ids}}
