"""Rules of giving a product before care that no profile states. Pure: of times and codes. What a profile states is in rules.py."""

from datetime import datetime, timedelta
from enum import StrEnum

VOMITED_WITHIN = timedelta(hours=3)  # practice guide: a dose that is vomited within 2 to 3 hours is given again (assumption)
COUNT_AGAIN_AFTER = timedelta(hours=24)  # assumption: where no shift is handed over in the system, the box is counted each day
SINCE = ((timedelta(hours=72), "72"), (timedelta(hours=120), "120"))  # the bands of reports: limits of PEP and of the contraceptive


class Outcome(StrEnum):
    """What became of an offer."""

    GIVEN = "given"
    DECLINED = "declined"
    NONE_HERE = "none_here"


class Kind(StrEnum):
    """Which dose for this incident it was."""

    FIRST = "first"
    VOMITED = "vomited"  # in place of one that was vomited
    AGAIN = "again"


class AgainReason(StrEnum):
    """Why somebody gives a second dose for one incident, although the page says that there was a first."""

    NOT_SWALLOWED = "not_swallowed"
    LOST = "lost"
    VOMITED_LATER = "vomited_later"
    NURSE_SAID_SO = "nurse_said_so"
    FIRST_NOT_TAKEN = "first_not_taken"


def dose_kind(given_before: list[datetime], at: datetime, *, vomited: bool) -> Kind:
    """Which dose it is, after those that were given for the same incident. One that was vomited later than the limit is a second
    one like any other, and asks for a reason."""
    if not given_before:
        return Kind.FIRST
    return Kind.VOMITED if vomited and timedelta(0) <= at - max(given_before) <= VOMITED_WITHIN else Kind.AGAIN


def since_band(earliest_at: datetime | None, latest_at: datetime | None, at: datetime) -> str:
    """Hours from the incident to the dose as figures band them, from its earliest moment, as those of reports are."""
    since = earliest_at or latest_at
    if since is None:
        return "unknown"
    return next((name for limit, name in SINCE if at - since <= limit), "later")


def count_is_due(last_count: datetime | None, last_hand_over: datetime | None, begun: datetime | None, now: datetime) -> bool:
    """Whether the box shall be counted by two: after each shift that was handed over, and after a day in any case. An empty book
    (`begun` None) has no box."""
    if begun is None:
        return False
    if last_count is None:
        return True
    return (last_hand_over is not None and last_hand_over > last_count) or now - last_count > COUNT_AGAIN_AFTER
