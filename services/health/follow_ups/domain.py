"""Which visits follow which care, and when: a proposal that a nurse takes up or leaves. No visit is a condition of anything."""

from collections.abc import Iterable, Mapping
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


@dataclass(frozen=True, slots=True)
class Proposal:
    """A visit that may be made."""

    which: Which
    due_on: date


def proposals(given: Iterable[tuple[str, date]], made: Iterable[Which], pep: str, days: Mapping[Which, int]) -> list[Proposal]:
    """Visits that follow what was given, counted from its first day, without those made; `pep`: how that care is called; `days`:
    after how many the programme has each."""
    known = list(given)
    if not known:
        return []
    first, first_pep = min(day for _care, day in known), min((day for care, day in known if care == pep), default=None)
    begins = {which: first_pep if which is Which.PEP_DAY_28 else first for which in days.keys() - set(made)}
    found = [Proposal(which, day + timedelta(days=days[which])) for which, day in begins.items() if day is not None]
    return sorted(found, key=lambda one: (one.due_on, one.which))
