"""Which visits follow which care, and when: a proposal that a nurse takes up or leaves. No visit is a condition of anything."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Which(StrEnum):
    """What a visit is."""

    TWO_WEEKS = "two_weeks"
    PEP_DAY_28 = "pep_day_28"
    THREE_MONTHS = "three_months"
    SIX_MONTHS = "six_months"
    OTHER = "other"


# Days after the first care. Two weeks, three and six months are trade knowledge (K); day 28 is the end of PEP (O2, O3).
DAYS: dict[Which, int] = {Which.TWO_WEEKS: 14, Which.PEP_DAY_28: 28, Which.THREE_MONTHS: 91, Which.SIX_MONTHS: 182}
AFTER_PEP = frozenset(DAYS)
AFTER_ANY_CARE = AFTER_PEP - {Which.PEP_DAY_28}


class State(StrEnum):
    """What became of a visit. Not come is a fact, not an end: whoever comes later has kept it. Called off is neither: it was made
    by mistake, or she said that she does not want it."""

    MADE = "made"
    KEPT = "kept"
    MISSED = "missed"
    CALLED_OFF = "called_off"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A visit that may be made."""

    which: Which
    due_on: date


def proposals(given: Iterable[tuple[str, date]], made: Iterable[Which], pep: str) -> list[Proposal]:
    """Visits that follow what was given, counted from its first day, without those made; `pep`: how that care is called."""
    days = list(given)
    if not days:
        return []
    first_pep = min((day for care, day in days if care == pep), default=None)
    first = min(day for _care, day in days)
    known = set(made)
    found = [
        Proposal(which, (first_pep if which is Which.PEP_DAY_28 and first_pep else first) + timedelta(days=DAYS[which]))
        for which in (AFTER_PEP if first_pep else AFTER_ANY_CARE) - known
    ]
    return sorted(found, key=lambda one: (one.due_on, one.which))
