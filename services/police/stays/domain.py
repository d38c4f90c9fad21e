"""A stay at a centre as its facts make it, in whatever order they were entered: when a plan is due, when the limit is, and whether
somebody is to be told. The limits are the programme's rule; nothing here ends a stay, and no time that passes does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from shared.programmes.profile import Programme
from shared.programmes.rules import ask, days_after
from shared.programmes.situation import Answer, Message, Situation
from shared.programmes.situation import Stay as Stayed
from shared.programmes.terms import Act, Fact
from shared.programmes.vocabulary import StayLimit

EXTENSION_MAX = timedelta(days=60)  # from today: a later day is a mistyped one; whoever needs longer is extended again
NEEDS_PLAN, OVER_LIMIT = "stay_needs_plan", "stay_over_limit"  # kinds of alarms
ALARM_OF = {
    Message.STAY_NEEDS_A_PLAN: NEEDS_PLAN, Message.STAY_OVER_LIMIT: OVER_LIMIT, Message.STAY_OVER_LIMIT_WITHOUT_PLAN: OVER_LIMIT,
}  # fmt: skip


class Kind(StrEnum):
    """What happens in a stay after she came."""

    PLANNED = "planned"  # where to afterwards is agreed
    PLAN_DROPPED = "plan_dropped"  # and is not any more
    HOSPITAL_OUT = "hospital_out"
    HOSPITAL_BACK = "hospital_back"
    EXTENDED = "extended"
    LEFT = "left"


class Way(StrEnum):
    """Where to after a stay."""

    AGENCY = "agency"  # an NGO or a ministry that has accepted
    FAMILY = "family"  # with her own yes, and after the risks were looked at
    OWN_CHOICE = "own_choice"
    HOSPITAL = "hospital"  # stays there, and does not come back here
    OTHER = "other"


PLANS = (Way.AGENCY, Way.FAMILY, Way.OWN_CHOICE)


class WhyLonger(StrEnum):
    """Why a supervisor lets a stay go on past the limit."""

    NO_PLACE = "no_place"  # nobody has taken her yet
    NOT_SAFE = "not_safe"
    IN_CARE = "in_care"
    IN_COURT = "in_court"
    SHE_ASKS = "she_asks"
    OTHER = "other"


class Gap(StrEnum):
    """What does not fit, because an entry is missing or its time is wrong. It is shown, and refuses nothing."""

    BACK_WITHOUT_OUT = "back_without_out"
    OUT_TWICE = "out_twice"
    AFTER_THE_END = "after_the_end"
    LEFT_TWICE = "left_twice"


_RANK = {kind: rank for rank, kind in enumerate(Kind)}  # of facts at one moment


@dataclass(frozen=True, slots=True)
class Happened:
    """One fact at its own time. `until`: of an extension, the end of its last day."""

    kind: Kind
    at: datetime
    way: Way | None = None
    until: datetime | None = None
    reason: WhyLonger | None = None
    referral_id: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the facts come to at a moment. `answer` is the programme's rule: its deadline, and whether a post is to be told."""

    answer: Answer
    plan: Happened | None  # in force
    left: Happened | None
    in_hospital: bool
    nights_in_hospital: int
    days: int  # that count, from the day on which she came
    plan_due_at: datetime
    limit_at: datetime  # without an extension
    limit: timedelta  # that many days, on the wall: clocks may have been changed meanwhile
    until_at: datetime  # with it
    was_over_without_plan: bool
    gaps: frozenset[Gap]

    @property
    def is_over(self) -> bool:
        """Whether the time that was granted has passed, while she stays or before she left."""
        return ALARM_OF.get(self.answer.message) == OVER_LIMIT

    @property
    def alarm(self) -> str | None:
        """The alarm that is to stand now."""
        return ALARM_OF.get(self.answer.message) if self.left is None and self.answer.raises_alarm else None


def limit_of(programme: Programme) -> tuple[str, StayLimit] | None:
    """The rule of a stay, by its name in the profile; None where the programme has no stays."""
    return next(((id_, rule) for id_, rule in programme.rules.items() if isinstance(rule, StayLimit)), None)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The end of a day on the wall."""
    return datetime.combine(day + timedelta(days=1), time(), zone)


def nights(out: datetime, back: datetime, zone: ZoneInfo) -> int:
    """How many nights lie between: midnights on the wall. Whoever is back on the same day was away for none."""
    return max((back.astimezone(zone).date() - out.astimezone(zone).date()).days, 0)


def standing(
    programme: Programme, rule: tuple[str, StayLimit], came_at: datetime, facts: Iterable[Happened], now: datetime
) -> Standing:
    """Where a stay stands. A total function: no order of entry is refused, and what does not fit is named."""
    zone, (id_, limit) = ZoneInfo(programme.time_zone), rule
    told = sorted(set(facts), key=lambda one: (one.at, _RANK[one.kind], str(one.until), one.referral_id or ""))
    left = next((one for one in told if one.kind is Kind.LEFT), None)
    end = left.at if left is not None else now
    gaps = {Gap.LEFT_TWICE} if sum(one.kind is Kind.LEFT for one in told) > 1 else set()
    if left is not None and any(one.at > left.at for one in told if one.kind is not Kind.LEFT):
        gaps.add(Gap.AFTER_THE_END)
    within = [one for one in told if one.at <= end]
    away, out_since = _in_hospital(within, end, zone, gaps)
    counted = 0 if limit.hospital_counts else away
    limit_at = days_after(came_at, limit.days + counted, zone)
    plan = _plan(within, end)
    extended = max((one.until for one in within if one.until is not None), default=None)
    known = frozenset({Fact.ONWARD_PLANNED}) if plan is not None else frozenset()
    situation = Situation(Act.CONTINUE_STAY, end, facts=known, stay=Stayed(came_at, away, extended))
    answer = ask(programme, id_, limit, situation)
    assert answer is not None  # it speaks of every stay
    assert answer.until is not None
    return Standing(
        answer, plan, left, out_since is not None and left is None, away, max(nights(came_at, end, zone) - counted, 0),
        days_after(came_at, limit.plan_by_days + counted, zone), limit_at, timedelta(days=limit.days), answer.until,
        _over_without_plan(within, limit_at, end),
        frozenset(gaps),
    )  # fmt: skip


def _in_hospital(facts: Iterable[Happened], end: datetime, zone: ZoneInfo, gaps: set[Gap]) -> tuple[int, datetime | None]:
    """The nights in hospital until `end`, and since when she is there now."""
    out: datetime | None = None
    count = 0
    for one in facts:
        if one.kind is Kind.HOSPITAL_OUT:
            gaps.update({Gap.OUT_TWICE} if out is not None else ())
            out = out or one.at
        elif one.kind is Kind.HOSPITAL_BACK:
            gaps.update({Gap.BACK_WITHOUT_OUT} if out is None else ())
            count, out = count + (nights(out, one.at, zone) if out is not None else 0), None
    return count + (nights(out, end, zone) if out is not None else 0), out


def _plan(facts: Iterable[Happened], at: datetime) -> Happened | None:
    """The plan in force at a moment: the last that was made, unless it was dropped. One that another agency broke drops with its
    own request only."""
    plan: Happened | None = None
    for one in facts:
        if one.at > at:
            break
        if one.kind is Kind.PLANNED:
            plan = one
        elif one.kind is Kind.PLAN_DROPPED and (one.referral_id is None or (plan and plan.referral_id == one.referral_id)):
            plan = None
    return plan


def _over_without_plan(facts: list[Happened], limit_at: datetime, end: datetime) -> bool:
    """Whether there was a moment past what was granted by then at which no plan was in force. It begins where a deadline passes, or
    where a plan is dropped."""
    extensions = [(one.at, one.until) for one in facts if one.until is not None]
    begins = {limit_at, *(until for _at, until in extensions), *(one.at for one in facts if one.kind is Kind.PLAN_DROPPED)}
    for moment in begins:
        granted = max([limit_at, *(until for at, until in extensions if at <= moment)])
        if granted <= moment < end and _plan(facts, moment) is None:
            return True
    return False


# What each fact must say, and may say, beside when it was.
NEEDED: Mapping[Kind, frozenset[str]] = {
    Kind.PLANNED: frozenset({"way"}), Kind.PLAN_DROPPED: frozenset(), Kind.HOSPITAL_OUT: frozenset(),
    Kind.HOSPITAL_BACK: frozenset(), Kind.EXTENDED: frozenset({"reason", "until"}), Kind.LEFT: frozenset({"way"}),
}  # fmt: skip
ALLOWED: Mapping[Kind, frozenset[str]] = {
    **NEEDED, Kind.PLANNED: frozenset({"way", "referral_id", "she_agrees", "risk_checked"}),
    Kind.LEFT: frozenset({"way", "referral_id", "she_agrees", "risk_checked"}),
}  # fmt: skip


def happened(kind: str, at: datetime, said: Mapping[str, Any] | None, zone: ZoneInfo) -> Happened:
    """A fact as it was kept; what its case's key no longer opens says only that it was."""
    words = said or {}
    until = end_of(date.fromisoformat(words["until"]), zone) if words.get("until") else None
    return Happened(
        Kind(kind), at, Way(words["way"]) if words.get("way") else None, until,
        WhyLonger(words["reason"]) if words.get("reason") else None, words.get("referral_id"),
    )  # fmt: skip
