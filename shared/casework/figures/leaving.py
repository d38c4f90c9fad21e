"""What of a programme's indicators may leave the agency (decision 34).

What is of places leaves exact. What is of people leaves only as computed from what was released in cubes before: no new
number of people ever stands beside them, so nothing can be worked out that could not be before. Of calls a year's sums leave, where
none of them is small. Everything else stays.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from shared.casework.figures.commands import Calls, Table, added, releases_of, tables_of
from shared.casework.figures.counting import At, Counts, in_order
from shared.casework.figures.domain import CUBES, STEPS, STEPS_REACHED, TOTAL, Period, key, year_of
from shared.casework.figures.suppression import is_small
from shared.casework.here import Here
from shared.contracts.casework.codes import SEXUAL_VIOLENCE
from shared.kit.db import Transaction
from shared.programmes.indicators import Duration, Indicator, Measure, NotHeld
from shared.programmes.tallies import Counted

OF_PLACES = frozenset(
    {
        # No sums of a box: what was taken from one at one station in one month is how many women were given something there.
        Measure.FACILITIES, Measure.DISTRICTS, Measure.STATIONS, Measure.STATIONS_READY, Measure.DESKS_READY,
        Measure.STOCK_OUT_DAYS,
    }
)  # fmt: skip
OF_CALLS = frozenset({Measure.CALLS, Measure.CALLS_ROUTED, Measure.CALLS_WRONG_NUMBER})
# The measures that a cube has, each as the sum of these of its published numbers.
IN_CUBES: Mapping[Measure, tuple[str, tuple[str, ...]]] = {
    Measure.REPORTS: ("reports", (TOTAL,)),
    Measure.REPORTS_SEXUAL_VIOLENCE: ("reports", tuple(key(("incident", one)) for one in sorted(SEXUAL_VIOLENCE))),
    Measure.REFERRALS_ISSUED: ("referrals", (TOTAL,)),
    **{measure: ("reports", tuple(key(("step", one)) for one in STEPS[n:])) for n, measure in enumerate(STEPS_REACHED, 1)},
}
Released = Mapping[str, Table]  # by cube


async def released(tx: Transaction, of: Period) -> Released:
    """What was released of a period; of a year, its quarters or the months of those. Nothing where one is missing."""
    parts = [of] if not of.is_year else [*of.quarters, *of.months]
    there = {name: tables_of(release.shown) for name, release in (await releases_of(tx, parts)).items()}
    if not of.is_year:
        return there.get(of.name, {})
    whole = [
        part
        for quarter in of.quarters
        for part in ([there[quarter.name]] if quarter.name in there else [there.get(month.name, {}) for month in quarter.months])
    ]
    if not all(whole):
        return {}
    return {cube.id: added(Table(cube.id, cube.chain), [part[cube.id] for part in whole]) for cube in CUBES}


class Leaving:
    """A tally of what may leave, for `Indicator.value`: raises NotHeld for everything else."""

    def __init__(self, counted: Counted, known: Mapping[int | None, Released]) -> None:
        """`counted`: what the agency counts of the period (None among the years of `known`) and of years that indicators name."""
        self._counted, self._known = counted, known

    def count(self, measure: Measure, *, year: int | None = None, place: str | None = None, kind: str | None = None) -> int:
        """How many there are, as far as that may leave; raises NotHeld."""
        number = self._counted.count(measure, year=year, place=place, kind=kind)  # what is not held here is not told either
        if measure in OF_PLACES:
            return number
        cube, keys = IN_CUBES.get(measure, ("", ()))
        values = getattr(self._known.get(year, {}).get(cube), "values", None) or {}
        numbers = [values.get(one) for one in keys]
        if not keys or place is not None or kind is not None or None in numbers:
            raise NotHeld(measure)
        return sum(one for one in numbers if one is not None)

    def hours(self, duration: Duration, *, year: int | None = None) -> Sequence[float]:
        """Nobody's hours leave."""
        raise NotHeld(duration)

    def places(self, kind: str | None = None) -> Sequence[str]:
        """The places of the agency."""
        return self._counted.places(kind)


def as_released(known: Leaving, kept: Collection[Measure]) -> dict[Measure, int | None]:
    """Of what cubes have and records are kept of here, the sums of published numbers; None where one of these is not."""
    found: dict[Measure, int | None] = {}
    for measure in (one for one in Measure if one in IN_CUBES and one in kept):
        try:
            found[measure] = known.count(measure)
        except NotHeld:
            found[measure] = None
    return found


def of_calls(counted: Counted, of: Period, left: Sequence[Calls], *, is_over: bool) -> Calls | None:
    """A year's calls, and those of them for which no desk was found; None where that may not leave. Only a year that is over, so
    that no two of these numbers lie within one another; and neither number, nor the difference between them, is from 1 to 9.
    `left`: what left of it before, oldest first. The last of these stands until what came late is no number from 1 to 9 either."""
    if not (of.is_year and is_over):
        return None
    standing = left[-1] if left else None
    try:
        calls, routed, wrong = (counted.count(one) for one in (Measure.CALLS, Measure.CALLS_ROUTED, Measure.CALLS_WRONG_NUMBER))
    except NotHeld:
        return standing
    now = Calls(calls, calls - routed - wrong)
    differences = [one - other for before in left for one, other in zip(now.parts, before.parts, strict=True)]
    return standing if any(map(is_small, [*now.parts, *differences])) else now


def of_places(here: Here, counts: Counts) -> Iterator[tuple[Measure, At, int]]:
    """What was counted of places, each place by itself, in the order of the network file."""
    for measure in (one for one in Measure if one in OF_PLACES & counts.found.keys()):
        for at, number in in_order(here, counts.found[measure]):
            yield measure, at, number


def is_unrouted(indicator: Indicator) -> bool:
    """Whether an indicator is calls less those that were routed and the wrong numbers, which leaves as `of_calls` says; of one kind
    of place alone it stays."""
    is_of_one_kind = indicator.kind is not None or bool(indicator.kinds)
    return indicator.plus == (Measure.CALLS,) and set(indicator.minus) == OF_CALLS - {Measure.CALLS} and not is_of_one_kind


def named_years(indicators: Sequence[Indicator]) -> list[Period]:
    """The years that indicators name by themselves, whatever period is asked for."""
    found = {year for one in indicators for year in (one.year, one.since) if year is not None}
    return [year_of(year) for year in sorted(found)]
