"""Where a complaint stands on its way to the prosecutor, by its own times: the clock counts from its registration, or from the day
on which it went on after a withdrawal. Pure rules; nothing here hands anything over, and late is never too late.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

WARNED_AT = 0.75  # of the time: of 24 hours, six remain; a shift is eight (a design of ours)


class HandOver(StrEnum):
    """How it stands."""

    DUE = "due"
    DUE_SOON = "due_soon"
    LATE = "late"
    IN_TIME = "in_time"
    HANDED_LATE = "handed_late"
    SAID_NO = "said_no"  # she does not want the prosecutor to be told: her no stands over the clock
    WITHDRAWN = "withdrawn"


OPEN = frozenset({HandOver.DUE, HandOver.DUE_SOON, HandOver.LATE})


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a complaint. `handed_at`: of the first request to prosecute that stands."""

    counted_from: datetime
    limit: timedelta
    handed_at: datetime | None = None
    said_no: bool = False
    is_withdrawn: bool = False

    @property
    def due_at(self) -> datetime:
        """By when; the last moment is in time."""
        return self.counted_from + self.limit


def counted_from(begun: Collection[datetime], handed_at: datetime | None) -> datetime:
    """From when the clock counts: the last time that it was registered or went on. What goes on after it was handed over begins no
    clock: a late hand-over would be in time, and what was handed over before it would have taken no time."""
    before = [at for at in begun if handed_at is None or at <= handed_at]
    return max(before, default=min(begun))  # whoever asked before a time that was written down later was in time


def standing(facts: Facts, now: datetime) -> HandOver:
    """How it stands at a moment."""
    if facts.handed_at is not None:
        return HandOver.IN_TIME if facts.handed_at <= facts.due_at else HandOver.HANDED_LATE
    if facts.is_withdrawn:
        return HandOver.WITHDRAWN
    if facts.said_no:
        return HandOver.SAID_NO
    if now > facts.due_at:
        return HandOver.LATE
    return HandOver.DUE_SOON if now >= facts.counted_from + facts.limit * WARNED_AT else HandOver.DUE


def counted_at(facts: Facts, now: datetime) -> datetime | None:
    """When it counts as one that was due: as it was handed over in time, or as its limit passed. None while it may yet be in time,
    and where she said no or it was withdrawn, unless it was handed over all the same."""
    if facts.handed_at is not None:
        return min(facts.handed_at, facts.due_at)
    return facts.due_at if standing(facts, now) is HandOver.LATE else None
