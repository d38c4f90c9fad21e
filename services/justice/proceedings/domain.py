"""Hearings of a case and how it ended in court. What leaves is that there is a charge, a hearing with its day, a verdict: the coded
steps of the published language. How a trial ended is about the accused, and stays here under seal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

WEEK = timedelta(days=7)


class HearingState(StrEnum):
    """What became of a hearing."""

    SET = "set"
    HELD = "held"
    PUT_OFF = "put_off"  # to another day, or to none yet
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How a trial ended. It is told to nobody by this system."""

    CONVICTED = "convicted"
    ACQUITTED = "acquitted"
    DISMISSED = "dismissed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Day:
    """A hearing's day and what became of it."""

    on_date: date
    state: HearingState


def next_day(days: Iterable[Day], today: date) -> date | None:
    """The next hearing to come; None where none is set."""
    return min((one.on_date for one in days if one.state is HearingState.SET and one.on_date >= today), default=None)
