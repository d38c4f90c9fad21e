"""A programme's indicators as a supervisor sees them, each with what it is computed from and whether it may leave; reads only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.casework.figures.commands import Calls, calls_released
from shared.casework.figures.counting import At, Count, Counts, answer, counts_of, of_the_agency
from shared.casework.figures.domain import Period, year_of
from shared.casework.figures.leaving import OF_PLACES, Leaving, as_released, is_unrouted, named_years, of_calls, released
from shared.casework.here import Actor, Here
from shared.kit.db import Transaction
from shared.programmes.indicators import Alarm, Duration, Expected, Formula, Indicator, Measure, Tally
from shared.programmes.tallies import WHERE_COUNTED, Counted, kept_for, measures_of, needs_both_ends

# Of what pictures are drawn, the first of each line that is held: how many, never a rate, so that no place is compared by how many
# it refers.
PICTURED = ((Measure.REPORTS, Measure.REFERRALS_ARRIVED), (Measure.CALLS,))
DECIMALS = {
    Formula.COUNT: 0, Formula.SITES_GE: 0, Formula.BALANCE: 0, Formula.RATE: 3, Formula.TIMELY: 3, Formula.PERCENT: 1,
    Formula.CHANGE_PCT: 1, Formula.MEDIAN_H: 1, Formula.P90_H: 1,
    Formula.LONGEST_D: 1,
}  # fmt: skip


class Leaves(StrEnum):
    """Whether a figure may leave the agency."""

    EXACT = "exact"  # of places and stock
    AS_RELEASED = "as_released"  # computed from nothing but released cubes
    STAYS = "stays"


@dataclass(frozen=True, slots=True)
class Line:
    """One indicator. `value` None: there are no records, or nothing to divide by; `leaving` None: it stays here."""

    id: str
    indicator: Indicator
    expected: Expected | None
    value: float | None
    is_held: bool
    leaving: float | None

    @property
    def needs_both_ends(self) -> bool:
        """Whether no agency has it by itself."""
        return needs_both_ends(self.indicator)

    @property
    def leaves(self) -> Leaves:
        """Whether it may leave, and how."""
        if self.leaving is None:
            return Leaves.STAYS
        return Leaves.EXACT if set(measures_of(self.indicator)) <= OF_PLACES else Leaves.AS_RELEASED

    @property
    def is_past(self) -> bool:
        """Whether it is past what its programme sets, so that a post is told."""
        return is_past(self.indicator.alarm, self.value)

    @property
    def is_assumption(self) -> bool:
        """Whether what is expected of it, or where it is told, rests on no published source."""
        parts = [(self.expected, "value"), (self.indicator.alarm, "below"), (self.indicator.alarm, "above")]
        return any(part is not None and getattr(part, figure) is not None and part.is_assumption(figure) for part, figure in parts)


@dataclass(frozen=True, slots=True)
class Programme:
    """All indicators of a period, and what else was counted."""

    lines: Sequence[Line]
    counts: Counts
    calls: Calls | None  # as they may leave
    known: Mapping[Measure, int | None]  # what is kept of what cubes have, as far as it was released; None where it was not

    @property
    def held(self) -> set[Measure | Duration]:
        """What records are kept of."""
        return set(self.counts.kept)


def is_past(alarm: Alarm | None, value: float | None) -> bool:
    """Whether a value is past what an alarm is set to."""
    if alarm is None or value is None:
        return False
    return (alarm.below is not None and value < alarm.below) or (alarm.above is not None and value > alarm.above)


async def programme_of(tx: Transaction, here: Here, counts: Sequence[Count], of: Period, by: Actor | None = None) -> Programme:
    """The indicators of a period, at the places that a supervisor looks after; of the whole agency where nobody is named. Those
    that name years are of these, whatever the period."""
    now = await _counted(tx, here, counts, of, by)
    indicators = here.programme.indicators
    named = named_years(list(indicators.values()))
    theirs = _who_counts(now, [one for one in indicators.values() if one.year is not None], counts)
    others = [answer(here, year.first.year, await _counted(tx, here, theirs, year, by)) for year in named]
    own, years = Counted([answer(here, of.first.year, now)]), Counted(others)
    known = Leaving(own, {None: await released(tx, of)})
    known_years = Leaving(years, {year.first.year: await released(tx, year) for year in named})
    calls = of_calls(own, of, await calls_released(tx, of), is_over=here.day_of(tx.clock.now()) >= of.until)
    lines = [
        _line(here, id_, one, *((own, known, calls) if one.year is None else (years, known_years, None)))
        for id_, one in indicators.items()
    ]
    return Programme(lines, now, calls, as_released(known, now.found))


def _who_counts(now: Counts, indicators: Sequence[Indicator], counts: Sequence[Count]) -> Sequence[Count]:
    """Who counts what these are computed from; everybody, where something was not counted now and may have been in their years."""
    kept = {one for indicator in indicators for one in kept_for(indicator)}
    return counts if (kept - now.counted_by.keys()) & WHERE_COUNTED else now.who_counts(kept)


def _line(here: Here, id_: str, one: Indicator, counted: Counted, known: Tally, calls: Calls | None) -> Line:
    expected = here.programme.expect.get(id_)
    if needs_both_ends(one) or _is_anothers(here, one):
        return Line(id_, one, expected, None, is_held=False, leaving=None)
    leaving = float(calls.unrouted) if calls is not None and is_unrouted(one) else one.value(known)
    return Line(id_, one, expected, one.value(counted), counted.holds(one), leaving)


def _is_anothers(here: Here, one: Indicator) -> bool:
    """Whether it is of a kind of facility that another agency has."""
    named = [here.programme.facilities[kind].agency for kind in (one.kind, *one.kinds) if kind in here.programme.facilities]
    if here.agency in here.programme.agencies:  # of two agencies of one kind each knows its own
        return any(agency != here.agency for agency in named)
    return any(here.programme.agencies[agency].kind is not here.kind for agency in named)


async def _counted(tx: Transaction, here: Here, counts: Iterable[Count], of: Period, by: Actor | None) -> Counts:
    return await (of_the_agency(tx, here, counts, of) if by is None else counts_of(tx, here, by, counts, of))


def pictured(counts: Counts) -> list[Measure]:
    """What pictures are drawn of."""
    return [held[0] for line in PICTURED if (held := [one for one in line if one in counts.found])]


async def months_of(tx: Transaction, here: Here, counted: Counts, of: Period, by: Actor) -> list[tuple[Period, Counts]]:
    """The months of a period's year that have begun, each counted by itself: what is pictured, and nothing else."""
    today = here.day_of(tx.clock.now())
    months = [month for month in year_of(of.first.year).months if month.first <= today]
    counts = counted.who_counts(pictured(counted))
    return [(month, await counts_of(tx, here, by, counts, month)) for month in months]


def by_place(here: Here, counts: Counts, measure: Measure, by: Actor) -> Mapping[str, int]:
    """How many at each of the account's places, in the order of the network file: nothing is ranked."""
    found: Mapping[At, int] = counts.found.get(measure, {})
    return {place: found.get(At(place), 0) for place in here.entry.facilities if by.sees(place)}


def written(value: float | None, formula: Formula) -> str | None:
    """A value with as many decimals as its kind has; None stays None."""
    return None if value is None else f"{value:.{DECIMALS[formula]}f}"
