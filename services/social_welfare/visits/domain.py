"""When a home visit may be planned: only in the way and at the hours at which she said that it is safe, by her last word.

Sources: domain.md 7.10 (contact only by the stated safe method and time), practice.md, rule 2 (no alarm proposes a visit).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.contracts.casework.codes import SafeHours

OUT_MAX = timedelta(hours=24)  # a worker who is longer away than that has stayed somewhere: it is another visit


class Kind(StrEnum):
    """Where a visit is. Nobody is called on the telephone from here."""

    OFFICE = "office"
    HOME = "home"
    ELSEWHERE = "elsewhere"


AT_HERS = frozenset({Kind.HOME, Kind.ELSEWHERE})  # a worker goes out, and somebody knows where she is


class Which(StrEnum):
    """What a visit follows."""

    PLAN = "plan"
    AFTER_RETURN = "after_return"
    FOLLOW_UP = "follow_up"
    OTHER = "other"


class Way(StrEnum):
    """How a worker may come without harm, as she says it: never an address."""

    AT_HOME_ALONE = "at_home_alone"
    AT_HOME_WITH_SAFE_PERSON = "at_home_with_safe_person"
    AT_ANOTHER_PLACE = "at_another_place"


PLACES = {Way.AT_HOME_ALONE: Kind.HOME, Way.AT_HOME_WITH_SAFE_PERSON: Kind.HOME, Way.AT_ANOTHER_PLACE: Kind.ELSEWHERE}


class Outcome(StrEnum):
    """How a visit went, as a code."""

    MET_AND_SAFE = "met_and_safe"
    MET_NOT_SAFE = "met_not_safe"
    MET_WISHES_NO_MORE = "met_wishes_no_more"
    NOT_MET = "not_met"
    BROKEN_OFF = "broken_off"


class Refused(StrEnum):
    """Why a home visit may not be planned."""

    NOT_ASKED = "not_asked"
    NOT_SAFE = "not_safe"
    ANOTHER_PLACE = "another_place"
    ANOTHER_TIME = "another_time"


def why_not(word: Mapping[str, Any] | None, kind: Kind, part: str | None) -> Refused | None:
    """Why a visit of a kind, at a part of the day, may not be planned after her last word; None where it may. At the office it
    always may."""
    if kind not in AT_HERS:
        return None
    if word is None:
        return Refused.NOT_ASKED
    if not word.get("is_safe") or word.get("hours") == SafeHours.NEVER:
        return Refused.NOT_SAFE
    if PLACES[Way(word["way"])] is not kind:
        return Refused.ANOTHER_PLACE
    return None if part == word.get("hours") else Refused.ANOTHER_TIME


def is_out(set_out_at: datetime | None, back_at: datetime | None) -> bool:
    """Whether a worker has gone and has not said that she is back."""
    return set_out_at is not None and back_at is None
