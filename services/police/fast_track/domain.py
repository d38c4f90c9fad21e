"""Whom the programme sees without a queue, and how long that took: pure functions over the profile and plain data.

From first contact (the file was opened, or it was written down that it happened again) to the first thing that somebody did with
her: both are times that a desk enters anyway, or one tap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.contracts.casework.codes import AgeBand, IncidentContext, IncidentType, Sex
from shared.programmes.indicators import quantile
from shared.programmes.profile import Programme
from shared.programmes.rules import answers
from shared.programmes.situation import Message, Situation
from shared.programmes.terms import Act
from shared.programmes.vocabulary import FastTrack

SEEN_NOW = "seen_now"  # the look by which somebody began to see her
QUEUE_MAX = timedelta(
    hours=12
)  # a shift: whoever was not seen by then is not at the door any more, and stands among what was opened


def has_fast_track(programme: Programme) -> bool:
    """Whether a programme has anybody seen first."""
    return any(isinstance(rule, FastTrack) for rule in programme.rules.values())


def is_identified(
    programme: Programme, kind: str | None, now: datetime, incident: Mapping[str, Any], needs: Mapping[str, Any] | None
) -> bool:
    """Whether the rule speaks of somebody at a kind of facility. What nobody said counts for her, and so does the coarse word."""
    said = incident.get("incident_type")
    known = needs or {}
    situation = Situation(
        Act.RECEIVE, now, incident.get("earliest_at"), incident.get("latest_at"),
        IncidentType(said) if said is not None and said != IncidentType.GBV else None,
        frozenset(map(IncidentContext, incident.get("contexts") or ())), AgeBand(known.get("age_band", AgeBand.UNKNOWN)),
        Sex(known.get("sex", Sex.UNKNOWN)), facility_kind=kind,
    )  # fmt: skip
    return any(one.message is Message.NO_QUEUE for one in answers(programme, situation))


@dataclass(frozen=True, slots=True)
class Minutes:
    """What a place's waits came to. `not_seen`: nothing was entered yet; `not_known`: written on paper, which does not tell."""

    facility: str
    seen: int
    median: float | None
    p90: float | None
    not_seen: int
    not_known: int


def minutes_of(facility: str, waits: Sequence[timedelta], not_seen: int, not_known: int) -> Minutes:
    """By the nearest rank, as indicators are: a time that somebody really waited."""
    minutes = [wait / timedelta(minutes=1) for wait in waits]
    return Minutes(facility, len(minutes), quantile(minutes, 0.5), quantile(minutes, 0.9), not_seen, not_known)
