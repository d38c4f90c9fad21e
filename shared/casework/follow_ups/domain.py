"""What may become of a visit that was made, and which days one may be made for. No visit is a condition of anything."""

from datetime import date, timedelta
from enum import StrEnum

AHEAD_MAX = timedelta(days=366)  # a later day is a mistyped year


class State(StrEnum):
    """What became of a visit. Not come is a fact, not an end: whoever comes later has kept it. Called off is neither: it was made
    by mistake, or she said that she does not want it."""

    MADE = "made"
    KEPT = "kept"
    MISSED = "missed"
    CALLED_OFF = "called_off"


def is_within_a_year(day: date, today: date) -> bool:
    """Whether a visit may be made for a day, or entered afterwards for it."""
    return today - AHEAD_MAX <= day <= today + AHEAD_MAX


def may_become(state: str, asked: State) -> bool:
    """Whether what is said of a visit is news: whoever had kept it has, what is called off is over, and not come is said once."""
    return state not in {State.KEPT, State.CALLED_OFF, asked}
