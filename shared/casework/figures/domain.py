"""Which figures leave an agency, and how they are divided: a few fixed cubes, for a month or a quarter. Nobody can define another.

A cube divides one kind of thing along a chain of dimensions; what is published are the tables between neighbours of the chain, each
with its margins, and the total. Chains keep the question of what can be worked out exact (see suppression.py). Each cube counts
other things than the others do, so that none says anything about another.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from shared.contracts.casework.codes import AgeBand, AgencyKind, IncidentType, Sex, Urgency
from shared.kit.errors import Conflict
from shared.programmes.indicators import Measure

HIDDEN = "–"  # what stands for a hidden number
TOTAL = ""  # the key of the number of everything
UNKNOWN = "unknown"
HOURS = ("72", "120", "later", UNKNOWN)  # from what happened to the report: the limits of PEP and emergency contraception
STAGES = ("not_seen", "seen", "accepted", "came", "finished", "ended_otherwise", "no_news")
ANSWERS = ("yes", "taken_back", "no")
KINDS = (*(kind.value for kind in AgencyKind if kind is not AgencyKind.OVERSIGHT), UNKNOWN)  # agencies by kind, never by name
WAYS = (*KINDS, "by_herself")
ENDS = ("open", "finished", "ended_otherwise")
STEPS = ("reported", "investigated", "charged", "tried", "verdict")  # how far a report came; each lies in one of them only
STEPS_REACHED = (  # the measure of each after the first: as far, or further
    Measure.REPORTS_INVESTIGATED, Measure.REPORTS_CHARGED, Measure.REPORTS_TRIED, Measure.REPORTS_WITH_VERDICT,
)  # fmt: skip
DESKS = ("specialist", "other", UNKNOWN)  # who sent it: a desk made for survivors, or another. Never which desk
BREACHES = (
    "mediation_attempted", "police_report_demanded", "fee_demanded", "permission_demanded", "pressure_to_settle",
    "sent_on_unrecorded", "property_not_returned", "made_an_offence", "address_stored", "files_linked", UNKNOWN,
)  # fmt: skip
WHOM = ("police", "health", "social_welfare", "partner", "justice", "family", "community", "other", "not_known", UNKNOWN)
# Alarms that posts answer for. What a line or a key has is no figure; nor is what another cube counts (a breach), or what says
# the same from the other side (a case that was opened from here).
ALARMS = (
    "undelivered", "unacknowledged", "stalled", "window_closing", "lapsed", "declined_without_next_place", "came_after_the_end",
    "nobody_to_tell_by_law", "not_erased", "consent_ends_soon", "never_left", "opened_beyond", "dose_adverse", "dose_misused",
    "box_variance", "station_reported", "parcel_differs", "call_not_seen", "call_at_last_resort", "call_unrouted",
    "desk_unmanned", "report_before_limit", "custody_gap", "report_custody", "agreement_ends", "hand_over_due", "hand_over_late",
    "order_missing", "stay_needs_plan", "stay_over_limit", "no_other_desks", "visit_overdue", "visit_not_safe", "met_not_safe",
    "hearing_without_day", "refused_by_peer", "came_in_error", "station_silent", "station_number_lacking",
    "station_number_twice", UNKNOWN,
)  # fmt: skip
ALARM_STATES = ("open", "resolved")
# The version of how cubes are counted, told with every release. 2: steps, kinds of desks, breaches, alarms; 3: alarms of visits,
# hand-overs, hearings, stays, stations and agreements each by its kind, which were of another kind before; 4: the same of breaches,
# and those by partners, which were by somebody not known; 5: alarms of an arrival that was somebody else's.
FORMULAS = 5
# A category that a version added, with its cube and dimension: by it a release says that it is not of an older one.
ADDED = (
    (3, "alarms", "alarm", "agreement_ends"),
    (4, "breaches", "breach", "files_linked"),
    (5, "alarms", "alarm", "came_in_error"),
)
# The group of words that a dimension's categories are called by; the others have one together.
WORDS_OF = {
    "incident": "incident", "age": "age", "sex": "sex", "urgency": "urgency", "to_kind": "kind", "way": "way", "alarm": "alarm",
    "breach": "breach", "by_whom": "by_whom",
}  # fmt: skip
PLACE = "place"  # the one dimension whose categories are this agency's own: its facilities

DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "hours": HOURS,
    "incident": (*IncidentType, UNKNOWN),
    "age": tuple(AgeBand),
    "sex": tuple(Sex),
    "again": ("first", "again"),
    PLACE: (),
    "urgency": tuple(Urgency),
    "to_kind": KINDS,
    "stage": STAGES,
    "offered": ANSWERS,
    "way": WAYS,
    "ended": ENDS,
    "step": STEPS,
    "from_desk": DESKS,
    "breach": BREACHES,
    "by_whom": WHOM,
    "alarm": ALARMS,
    "alarm_state": ALARM_STATES,
}


@dataclass(frozen=True, slots=True)
class Cube:
    """What is counted, and the chain that it is divided along."""

    id: str
    chain: tuple[str, ...]


# Practice guide, monthly figures 1 to 3, 7 and 13; domain.md, section 5, for attrition and isolation. A referral's cube has no
# place in it: stations are not compared by how many they refer, because that would push them to. How far a report came and which
# kind of desk sent a referral are further tables of a chain, and no cubes of their own: they count the same things.
CUBES = (
    Cube("reports", ("step", "hours", "incident", "age", "sex", "again", PLACE)),
    Cube("referrals", ("urgency", "to_kind", "stage", "from_desk")),
    Cube("offers", ("to_kind", "offered")),
    Cube("arrivals", ("way", "ended")),
    Cube("breaches", ("breach", "by_whom")),
    Cube("alarms", ("alarm", "alarm_state", "age")),
)

Categories = Mapping[str, tuple[str, ...]]  # of each dimension of a cube, in the order in which they stand
Values = Mapping[str, int]  # how many, by key
Shown = Mapping[str, int | None]  # the same as it is published: None is hidden


def key(*parts: tuple[str, str]) -> str:
    """The key of a cell, of a margin, or of the total: `age=0-9|sex=male`, `age=0-9`, and nothing."""
    return "|".join(f"{dimension}={category}" for dimension, category in parts)


def keys_of(chain: Sequence[str], categories: Categories) -> list[str]:
    """Every key of a cube: the total, the margins, the cells between neighbours."""
    margins = [key((d, c)) for d in chain for c in categories[d]]
    cells = [key((d, c), (e, f)) for d, e in pairwise(chain) for c in categories[d] for f in categories[e]]
    return [TOTAL, *margins, *cells]


def count(chain: Sequence[str], categories: Categories, things: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """Counts things, each with its category in every dimension of the chain."""
    found = dict.fromkeys(keys_of(chain, categories), 0)
    for thing in things:
        found[TOTAL] += 1
        for dimension in chain:
            found[key((dimension, thing[dimension]))] += 1
        for one, two in pairwise(chain):
            found[key((one, thing[one]), (two, thing[two]))] += 1
    return found


def formulas_of(shown: Mapping[str, Any]) -> int:
    """The version of how the cubes of a release were counted; where the cube that would tell was withheld, this software's."""
    for version, cube, dimension, category in ADDED:
        told = shown.get(cube)
        if told is not None and category not in told["categories"].get(dimension, ()):
            return version - 1
    return FORMULAS


_PERIOD = re.compile(r"(20\d\d)-(?:(0[1-9]|1[0-2])|Q([1-4]))")


YEARS = (2000, 2099)  # that a period may lie in; a programme's own time is later than that, or is typed wrongly


@dataclass(frozen=True, slots=True)
class Period:
    """A month or a quarter, as `2026-10` or `2026-Q4`; a whole year only where a programme's measures are counted."""

    name: str
    first: date
    until: date  # the day after its last

    @property
    def is_year(self) -> bool:
        """Whether it is a whole year."""
        return "-" not in self.name

    @property
    def is_quarter(self) -> bool:
        """Whether it is a quarter."""
        return "Q" in self.name

    @property
    def months(self) -> tuple["Period", ...]:
        """The months of a quarter or a year; a month itself."""
        count = 12 if self.is_year else 3 if self.is_quarter else 1
        return tuple(period(f"{self.first.year}-{self.first.month + n:02}") for n in range(count))

    @property
    def quarters(self) -> tuple["Period", ...]:
        """The quarters of a year."""
        return tuple(period(f"{self.first.year}-Q{n}") for n in range(1, 5))

    @property
    def quarter(self) -> "Period":
        """The quarter that a month lies in; a quarter itself."""
        return period(f"{self.first.year}-Q{(self.first.month + 2) // 3}")


def period(name: str) -> Period:
    """A period by its name; raises Conflict."""
    found = _PERIOD.fullmatch(name)
    if found is None:
        raise Conflict("“%(name)s” is no month and no quarter; write it as 2026-10 or as 2026-Q4.", name=name)
    year, months = int(found[1]), 3 if found[3] else 1
    month = int(found[2]) if found[2] else 3 * int(found[3]) - 2
    later = month + months
    return Period(name, date(year, month, 1), date(year + (later > 12), (later - 1) % 12 + 1, 1))


def year_of(number: int) -> Period:
    """A whole year."""
    return Period(str(number), date(number, 1, 1), date(number + 1, 1, 1))


def span(name: str) -> Period:
    """A year, a month or a quarter by its name; raises Conflict."""
    is_year = name.isascii() and name.isdigit() and YEARS[0] <= int(name) <= YEARS[1]
    return year_of(int(name)) if is_year else period(name)


def periods_before(today: date, months: int) -> list[Period]:
    """The newest periods that are over, months and the quarters that they end, newest first."""
    found: list[Period] = []
    year, month = today.year, today.month
    for _ in range(months):
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        if month % 3 == 0:
            found.append(period(f"{year}-Q{month // 3}"))
        found.append(period(f"{year}-{month:02}"))
    return found


def group_of(dimension: str, category: str) -> str:
    """The group of words that a category is called by. Of a closed list that is counted here, what is not in it is of another kind:
    that it is not known may stand in the list itself."""
    if category == UNKNOWN:
        return "another" if dimension in {"breach", "by_whom", "alarm"} else "counted"
    return WORDS_OF.get(dimension, "counted")
