"""What agencies have counted, put together: `Counted` is the `Tally` that a programme's indicators are computed from.

Each agency counts its own records and answers for itself (`GET /api/v1/counts`); nothing here asks for a case, and nothing is
known of a measure that nobody who answered keeps records of: it is not held, which is something else than nought.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.programmes.indicators import Duration, Formula, Indicator, Measure, NotHeld

# How things stand when it is asked, and not what came in a year: several years of one agency are not added up, the last one counts.
STANDING = frozenset(
    {
        Measure.FACILITIES, Measure.DISTRICTS, Measure.STATIONS, Measure.STATIONS_READY, Measure.PLACES_DAY_AND_NIGHT,
        Measure.DESKS, Measure.DESKS_READY, Measure.DESKS_STAFFED, Measure.DESKS_WITH_ROOM, Measure.DESKS_WITH_VEHICLE,
    }
)  # fmt: skip
# Which end of a referral counts what, so that both can be added up. One agency alone has one end of the referrals that it sent and
# the other end of those that it was sent: what is divided over the two says something only of all agencies together.
SENDERS = frozenset(
    {
        Measure.REFERRALS_ISSUED, Measure.REFERRALS_ACKNOWLEDGED, Measure.REFERRALS_ACKNOWLEDGED_IN_TIME,
        Measure.REFERRALS_WITH_FEEDBACK, Measure.REFERRALS_LOST, Measure.REFERRALS_FROM_SPECIALISTS,
        Measure.REFERRALS_FROM_OTHERS, Measure.REFERRALS_FREE, Measure.ACUTE_CONSENTED,
    }
)  # fmt: skip
RECIPIENTS = frozenset(
    {
        Measure.REFERRALS_ACCEPTED, Measure.REFERRALS_ARRIVED, Measure.REFERRALS_SERVED, Measure.REFERRALS_LOST,
        Measure.REFERRALS_SAID_NO_THERE, Measure.REFERRALS_NOT_AVAILABLE, Measure.REFERRALS_NOT_REACHED,
        Measure.ARRIVALS_WITHIN_PEP, Measure.ARRIVALS_GIVEN_EC, Measure.ARRIVALS_GIVEN_PEP, Measure.ARRIVALS_GIVEN_STI,
    }
)  # fmt: skip
# What an agency keeps of a period only where somebody counted a box in it, or keeps its book; of everything else it keeps records,
# or it never does.
WHERE_COUNTED = frozenset(
    {
        Measure.STOCK_OPENING, Measure.STOCK_RECEIVED, Measure.STOCK_DISPENSED, Measure.STOCK_DISCARDED, Measure.STOCK_COUNTED,
        Measure.STOCK_VARIANCE, Measure.STOCK_OUT_DAYS,
    }
)  # fmt: skip
# What either end may have written down of the same thing, without a word to the other: the larger number stands, not the sum. It is
# a least one, and it is nought only where nobody wrote any down.
AT_BOTH_ENDS = frozenset({Measure.FEES_CHARGED})


def measures_of(indicator: Indicator) -> list[Measure]:
    """The measures that an indicator is computed of."""
    return [*(one for one in (indicator.of, indicator.over) if one is not None), *indicator.plus, *indicator.minus]


def kept_for(indicator: Indicator) -> list[Measure | Duration]:
    """What records an indicator is computed from; the places are counted for those that look at each place by itself."""
    places = [Measure.FACILITIES] if indicator.formula is Formula.SITES_GE else []
    return [*measures_of(indicator), *places, *([indicator.durations] if indicator.durations is not None else [])]


def needs_both_ends(indicator: Indicator) -> bool:
    """Whether an indicator is of both ends of a referral, so that no agency has it by itself."""
    measures = {*measures_of(indicator)}
    return bool(measures & SENDERS) and bool(measures & RECIPIENTS)


class CountRow(BaseModel):
    """How many of a measure: at one of the agency's places, of a kind of facility, or (both null) of the agency."""

    model_config = ConfigDict(frozen=True)
    measure: Measure
    place: str | None = None
    kind: str | None = None
    count: int


class HoursRow(BaseModel):
    """Every duration of a kind, in hours, the shortest first."""

    model_config = ConfigDict(frozen=True)
    duration: Duration
    hours: tuple[float, ...]


class CountsAnswer(BaseModel):
    """What one agency counted of one year, by its programme's wall clock. A measure that it keeps no records of is left out; one
    that it keeps and of which there was nothing is there with a count of 0."""

    model_config = ConfigDict(frozen=True)
    programme: str
    agency: str
    year: int
    time_zone: str
    counts: tuple[CountRow, ...]
    hours: tuple[HoursRow, ...]


class Counted:
    """The answers of one or several agencies and years; several years of an agency are added up."""

    def __init__(self, answers: Iterable[CountsAnswer | Mapping[str, Any]]) -> None:
        """Takes answers, as models or as the JSON of the route; raises ValueError where one agency's year is there twice, because
        everything in it would count twice."""
        self._answers = [CountsAnswer.model_validate(answer) for answer in answers]
        asked = [(one.agency, one.year) for one in self._answers]
        if len(set(asked)) < len(asked):
            raise ValueError("one year of an agency is there twice; ask each once")

    def count(self, measure: Measure, *, year: int | None = None, place: str | None = None, kind: str | None = None) -> int:
        """How many there are; raises NotHeld where nobody who answered for the year keeps records of it."""
        rows = list(self._rows(measure, year))
        if not rows:
            raise NotHeld(measure)
        if measure is Measure.DISTRICTS and place is None and kind is None:
            # A district may have facilities of several kinds and agencies: how many it are in all is said by each agency.
            return max((row.count for row in rows if row.kind is None), default=0)
        if measure in AT_BOTH_ENDS:
            return sum(max(self._of_one_year(measure, one, place, kind)) for one in sorted({a.year for a in self._of(year)}))
        return sum(row.count for row in rows if place in (None, row.place) and kind in (None, row.kind))

    def _of_one_year(self, measure: Measure, year: int, place: str | None, kind: str | None) -> list[int]:
        """How many each agency has of a year, here or there or in all."""
        return [
            sum(
                row.count for row in answer.counts
                if row.measure is measure and place in (None, row.place) and kind in (None, row.kind)
            )
            for answer in self._of(year)
        ]  # fmt: skip

    def hours(self, duration: Duration, *, year: int | None = None) -> Sequence[float]:
        """Every duration of a kind, the shortest first; raises NotHeld."""
        held = [one for answer in self._of(year) for one in answer.hours if one.duration is duration]
        if not held:
            raise NotHeld(duration)
        return sorted(hours for one in held for hours in one.hours)

    def places(self, kind: str | None = None) -> Sequence[str]:
        """The places of those who answered, as the network file lists them; nobody is ranked. Raises NotHeld."""
        rows = [row for answer in self._answers for row in answer.counts if row.measure is Measure.FACILITIES]
        if not rows:
            raise NotHeld(Measure.FACILITIES)
        return list(dict.fromkeys(row.place for row in rows if row.place is not None and kind in (None, row.kind)))

    def holds(self, indicator: Indicator) -> bool:
        """Whether an indicator can be computed from what was answered, as far as records are kept."""
        measures = measures_of(indicator)
        years: set[int | None] = {one for one in (indicator.year, indicator.since) if one is not None} or {None}
        are_held = all(any(self._rows(measure, year)) for measure in measures for year in years)
        kept = {one.duration for answer in self._of(indicator.year) for one in answer.hours}
        return are_held and (indicator.durations is None or indicator.durations in kept)

    def _of(self, year: int | None) -> Iterator[CountsAnswer]:
        return (answer for answer in self._answers if year in (None, answer.year))

    def _rows(self, measure: Measure, year: int | None) -> Iterator[CountRow]:
        asked = list(self._of(year))
        last = {answer.agency: max(one.year for one in asked if one.agency == answer.agency) for answer in asked}
        for answer in asked:
            if measure not in STANDING or answer.year == last[answer.agency]:
                yield from (row for row in answer.counts if row.measure is measure)
