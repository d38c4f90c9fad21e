"""Whether somebody sat at a unit on a day: what was said of it, and what a period comes to. Nobody is assumed to be anywhere.

Three kinds of absence, because each asks for something else: who is called away comes back, who is on leave is stood in for by the
district office until then, and where nobody is posted the ministry is to post somebody.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from shared.programmes.terms import DayOfWeek

UNIT = "unit"  # the seat of the unit's own officers; others are named by their staff in the profile


class Presence(StrEnum):
    """What a unit says of a seat on a day."""

    PRESENT = "present"
    CALLED_AWAY = "called_away"  # at work elsewhere: court, a visit, a course
    ON_LEAVE = "on_leave"  # leave or ill
    NOT_POSTED = "not_posted"  # nobody has this seat


@dataclass(frozen=True, slots=True)
class Days:
    """Days of one seat in a period: all that it is counted on, those of which something was said, and of which nothing was."""

    days: int
    said: Mapping[Presence, int]

    @property
    def nobody_said(self) -> int:
        """Days of which nobody has said anything; neither there nor away."""
        return self.days - sum(self.said.values())


def days_between(first: date, until: date) -> Iterable[date]:
    """Each day, `until` not among them."""
    return (first + timedelta(days=n) for n in range(max((until - first).days, 0)))


def days_of(on: Collection[DayOfWeek], said: Mapping[date, Presence], first: date, until: date) -> Days:
    """What a period comes to for a seat that is counted `on` these days; what was said of another says nothing."""
    counted = [day for day in days_between(first, until) if DayOfWeek.of(day) in on]
    return Days(len(counted), {one: sum(said.get(day) is one for day in counted) for one in Presence})
