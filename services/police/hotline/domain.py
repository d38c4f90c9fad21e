"""Which desk a call goes to, what that desk lacks, and what a month of calls came to: pure functions over plain data.

Routing is within the agency: no referral, and nothing crosses. The profile's rule `route_by` finds the desk; here stand the order
in which desks are offered to it, and what happens when it finds none.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf

from shared.contracts.casework.codes import AgeBand, IncidentType, ServicePackage
from shared.programmes.indicators import quantile
from shared.programmes.places import FallBack
from shared.programmes.profile import Programme
from shared.programmes.rules import answers, ask, readiness_of
from shared.programmes.situation import DeskNow, Message, Situation
from shared.programmes.terms import Act
from shared.programmes.vocabulary import ReadinessRequired, RouteBy

ALIKE_WITHIN = timedelta(hours=1)  # two calls from one district for one thing may be of one person; a design assumption
SEEN_WITHIN = timedelta(minutes=15)  # where the profile says no `dispatch_min`; domain.md 4.3, a design assumption


class What(StrEnum):
    """What a call was."""

    REPORT = "report"
    INFORMATION = "information"
    WRONG_NUMBER = "wrong_number"
    CUT = "cut"


class Step(StrEnum):
    """How far down the chain a desk was found."""

    FITS = "fits"
    FALL_BACK = "fall_back"
    LAST_RESORT = "last_resort"  # the room that took it keeps it, and its supervisor is told
    ANSWERED = "answered"  # by the room that took it: nobody else has anything to do


@dataclass(frozen=True, slots=True)
class Caller:
    """What a route goes by: nothing else of a call is looked at."""

    district: str | None = None
    need: ServicePackage | None = None
    language: str | None = None
    needs_vehicle: bool = False
    incident: IncidentType | None = None  # as far as she said it: a mandate may be for some kinds only


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk as it stands now. `km_from`: by other desk, as the network file has it. `waiting`: calls that it has not seen yet.
    `at`: the station under whose roof it is, where the network file says so."""

    now: DeskNow
    languages: frozenset[str] | None = None
    waiting: int = 0
    km_from: Mapping[str, float] = field(default_factory=dict)
    at: str | None = None

    @property
    def id(self) -> str:
        """The facility."""
        return self.now.id

    @property
    def station(self) -> str:
        """Its station; a desk of which no roof is known is one by itself."""
        return self.at or self.id


@dataclass(frozen=True, slots=True)
class Lack:
    """What the desk does not have that the call needs, and the nearest desk that has it."""

    what: str  # an asset of the profile, or "language"
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call goes. `desk` None: there is no desk at all, or the chain has ended."""

    desk: str | None
    step: Step
    lacks: tuple[Lack, ...] = ()


def routing_rule(programme: Programme) -> tuple[str, RouteBy] | None:
    """The rule by which calls are routed; a profile with a hotline has one."""
    rules = programme.rules.items()
    return next(((id_, rule) for id_, rule in rules if isinstance(rule, RouteBy) and rule.act is Act.ROUTE_CALL), None)


def seen_within(programme: Programme) -> timedelta:
    """In what time a desk is to say that it has seen a call."""
    minutes = programme.hotline.dispatch_min if programme.hotline else None
    return timedelta(minutes=minutes) if minutes is not None else SEEN_WITHIN


def in_order(programme: Programme, desks: Iterable[Desk], caller: Caller) -> list[Desk]:
    """The desks as they are offered: the district's own first, then by the way there, then districts as the profile lists them
    (where no way is entered); of equals whoever has what is needed, waits least, and comes first by name. No two are ever equal."""
    known = list(desks)
    places = {district: number for number, district in enumerate(programme.districts)}
    home = places.get(caller.district or "")
    starts = [desk.id for desk in known if desk.now.district == caller.district]

    def order(desk: Desk) -> tuple[float | bool | int | str, ...]:
        is_own = caller.district is None or desk.now.district == caller.district
        ways = [desk.km_from[start] for start in starts if start in desk.km_from]
        place = places.get(desk.now.district or "")
        beside = abs(place - home) if place is not None and home is not None else len(places)
        lacks = len(_lacking(programme, desk, caller))
        return (not is_own, 0 if is_own else min(ways, default=inf), 0 if is_own else beside, lacks, desk.waiting, desk.id)

    return sorted(known, key=order)


def route(
    programme: Programme, caller: Caller, desks: Sequence[Desk], room: str, now: datetime, tried: Collection[str] = ()
) -> Route:
    """Exactly one desk: as the rule finds it among those that were not tried, else the last resort. Where the profile names no last
    resort, any desk of the agency stands in for it, ready or not, so that no first call is left without one."""
    found = routing_rule(programme)
    if found is None:
        return Route(room, Step.LAST_RESORT)
    id_, rule = found
    asked = in_order(programme, (desk for desk in desks if desk.now.kind in rule.to), caller)
    left = [desk for desk in asked if desk.id not in tried]
    packages = frozenset({caller.need} if caller.need else ())
    situation = Situation(
        Act.ROUTE_CALL, now, incident_type=caller.incident, district=caller.district, packages=packages,
        desks=tuple(desk.now for desk in left),
    )  # fmt: skip
    answer = ask(programme, id_, rule, situation)
    if answer is not None and answer.to_desks:
        desk = next(one for one in left if one.id == answer.to_desks[0])
        step = Step.FITS if answer.message is Message.ROUTED else Step.FALL_BACK
        return Route(desk.id, step, lacks_of(programme, desk, asked, caller))
    if FallBack.LAST_RESORT in rule.fall_back:
        return Route(room, Step.LAST_RESORT)
    return Route(left[0].id if left else None, Step.LAST_RESORT)


def lacks_of(programme: Programme, desk: Desk, asked: Sequence[Desk], caller: Caller) -> tuple[Lack, ...]:
    """What a desk lacks for a call, each with the first other desk that is known to have it and somebody there."""
    found = []
    for what in _lacking(programme, desk, caller):
        others = (
            one.id for one in asked
            if one.id != desk.id and one.now.is_staffed and one.now.is_open is not False and _has(one, what, caller)
        )  # fmt: skip
        found.append(Lack(what, next(others, None)))
    return tuple(found)


LANGUAGE = "language"


def _lacking(programme: Programme, desk: Desk, caller: Caller) -> list[str]:
    """What a desk is known not to have; what it did not report is not held against it."""
    wanted: list[str] = []
    for rule in programme.rules.values():
        if isinstance(rule, ReadinessRequired) and rule.is_routable_without:
            ready = programme.readiness[rule.readiness]
            if ready.kind == desk.now.kind:
                wanted += [one for one in ready.assets if caller.needs_vehicle or not programme.assets[one].is_transport]
    lacking = [one for one in dict.fromkeys(wanted) if desk.now.assets is not None and one not in desk.now.assets]
    speaks_not = caller.language is not None and desk.languages is not None and caller.language not in desk.languages
    return [*lacking, LANGUAGE] if speaks_not else lacking


def _has(desk: Desk, what: str, caller: Caller) -> bool:
    if what == LANGUAGE:
        return desk.languages is not None and caller.language in desk.languages
    return desk.now.assets is not None and what in desk.now.assets


def needs_of(programme: Programme, need: ServicePackage | None, now: datetime, *, is_child: bool) -> tuple[ServicePackage, ...]:
    """What is needed, and what the profile's rules add for a child."""
    asked = (need,) if need is not None else ()
    if not is_child:
        return asked
    # Which band she is in was not asked on the telephone; any of a child's says the same.
    situation = Situation(Act.ROUTE_CALL, now, age_band=AgeBand.A15_17, packages=frozenset(asked))
    said = [one.packages for one in answers(programme, situation) if one.message is Message.CHILD_ADDS]
    return tuple(dict.fromkeys([*asked, *(package for packages in said for package in packages)]))


# --- figures ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Coverage:
    """Desks that are ready now, of those to which calls go, and which are not; and stations with a ready desk or more, of all."""

    ready: int
    of: int
    gaps: tuple[str, ...]
    stations: frozenset[str]
    stations_ready: frozenset[str]

    @property
    def percent(self) -> float | None:
        """Of stations, to one decimal; None where there is none."""
        return round(100 * len(self.stations_ready) / len(self.stations), 1) if self.stations else None


def coverage(programme: Programme, desks: Iterable[Desk], stations: Collection[str] = ()) -> Coverage:
    """Stations with a ready desk ÷ stations (domain.md, section 5), now. A station with two desks is one; one of `stations` that
    has no desk at all counts, and is not ready."""
    found = routing_rule(programme)
    asked = [desk for desk in desks if found is not None and desk.now.kind in found[1].to]
    gaps = tuple(desk.id for desk in asked if not is_ready(programme, desk))
    ready = frozenset(desk.station for desk in asked if desk.id not in gaps)
    return Coverage(len(asked) - len(gaps), len(asked), gaps, frozenset({*stations, *(desk.station for desk in asked)}), ready)


def is_ready(programme: Programme, desk: Desk) -> bool:
    """Whether somebody is there and nothing is known to be missing that the programme asks for."""
    return desk.now.is_staffed is True and readiness_of(programme, desk.now)[0] is not False


@dataclass(frozen=True, slots=True)
class Counted:
    """One call, as figures see it. `is_routed`: a desk had it, or none was sought (`is_rooms_own`): the room answered what was
    asked, or nobody knows where she is."""

    what: What
    is_routed: bool
    minutes_to_seen: float | None = None
    place: str | None = None  # its desk, or the room that took it
    is_due: bool = False  # a desk was to see it: it has been seen, or its time to be has passed
    is_rooms_own: bool = False

    def is_in_time(self, within: timedelta) -> bool:
        """Whether its desk has seen it in time; the room that kept it for want of one is no desk."""
        return self.is_routed and self.minutes_to_seen is not None and self.minutes_to_seen <= within / timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a span of calls came to. Minutes are from the route to *Seen*, of calls that a desk has seen."""

    calls: int
    routed: int
    rooms_own: int  # of the routed ones those for which no desk was sought
    wrong_numbers: int
    cut: int
    seen: int
    due: int
    seen_in_time: int
    minutes_median: float | None
    minutes_p90: float | None

    @property
    def unrouted(self) -> int:
        """Calls for which a desk was sought and none was found: calls - routed - wrong numbers (domain.md, section 5)."""
        return self.calls - self.routed - self.wrong_numbers


def figures(rows: Sequence[Counted], within: timedelta) -> Figures:
    """Counts them."""
    minutes = [row.minutes_to_seen for row in rows if row.minutes_to_seen is not None]
    middle, slow = quantile(minutes, 0.5), quantile(minutes, 0.9)
    return Figures(
        calls=len(rows), routed=sum(row.is_routed for row in rows), rooms_own=sum(row.is_rooms_own for row in rows),
        wrong_numbers=sum(row.what is What.WRONG_NUMBER for row in rows),
        cut=sum(row.what is What.CUT for row in rows), seen=len(minutes),
        due=sum(row.is_due for row in rows), seen_in_time=sum(row.is_in_time(within) for row in rows),
        minutes_median=round(middle, 1) if middle is not None else None,
        minutes_p90=round(slow, 1) if slow is not None else None,
    )  # fmt: skip
