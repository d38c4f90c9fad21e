"""What an agency counts of a programme's measures, out of its own records: each feature folder counts what is its own
(`figures.py`), each kind of agency says which of them are its (`main.py`), and here they are put together.

Each measure belongs to the end that knows it, so that agencies can be added up: what was issued is counted by whoever issued it,
what became of it by whoever it was sent to. What is counted here is exact and stays within the agency (decision 34).
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.casework import scope
from shared.casework.figures.domain import Period
from shared.casework.here import Actor, Here
from shared.kit.db import Transaction
from shared.kit.errors import NotFound
from shared.programmes.indicators import Duration, Measure
from shared.programmes.tallies import CountRow, CountsAnswer, HoursRow

HOURS_DECIMALS = 4  # a third of a second
PUBLIC = frozenset({Measure.FACILITIES, Measure.DISTRICTS})  # stand in the network file, which everybody has


@dataclass(frozen=True, slots=True)
class At:
    """Where something was: a place of this agency, or only the kind of place; both None: the agency as a whole."""

    place: str | None = None
    kind: str | None = None


@dataclass(slots=True)
class Counts:
    """What was counted of a period. A measure is there as soon as records of it are kept, also where nothing happened."""

    found: dict[Measure, Counter[At]] = field(default_factory=dict)
    hours: dict[Duration, list[tuple[str | None, float]]] = field(default_factory=dict)  # where, and how long
    counted_by: dict[Measure | Duration, list["Count"]] = field(default_factory=dict)  # so that few need not cost what all do

    @classmethod
    def of(cls, *kept: Measure | Duration) -> "Counts":
        """Nothing yet of what records are kept of."""
        made = cls()
        for one in kept:
            if isinstance(one, Measure):
                made.found[one] = Counter()
            else:
                made.hours[one] = []
        return made

    @property
    def kept(self) -> list[Measure | Duration]:
        """What records are kept of."""
        return [*self.found, *self.hours]

    def add(self, measure: Measure, place: str | None, number: int = 1, kind: str | None = None) -> None:
        """So many more, at a place."""
        self.found.setdefault(measure, Counter())[At(place, kind)] += number

    def add_all(self, numbers: Mapping[tuple[Measure, str], int]) -> None:
        """So many more of several, each at its place."""
        for (measure, place), number in numbers.items():
            self.add(measure, place, number)

    def add_hours(self, duration: Duration, place: str | None, hours: float) -> None:
        """One duration. A time that was entered wrongly makes none shorter than nothing."""
        self.hours.setdefault(duration, []).append((place, max(0.0, hours)))

    def who_counts(self, several: Iterable[Measure | Duration]) -> list["Count"]:
        """The features that counted these, each once."""
        return list(dict.fromkeys(count for one in several for count in self.counted_by.get(one, ())))

    def also(self, other: "Counts") -> None:
        """Takes another count in."""
        for measure, numbers in other.found.items():
            self.found.setdefault(measure, Counter()).update(numbers)
        for duration, several in other.hours.items():
            self.hours.setdefault(duration, []).extend(several)


Count = Callable[[Transaction, Here, Period], Awaitable[Counts]]  # one feature's, of a whole agency


async def counts_of(tx: Transaction, here: Here, by: Actor, counts: Iterable[Count], of: Period) -> Counts:
    """Everything that an agency counts of a period, at the places that a supervisor looks after; raises NotFound for whoever is
    none. Which cases an account may open changes no number."""
    if not by.may_see_counts:
        raise NotFound("There is nothing at this address.")
    return _seen(await of_the_agency(tx, here, counts, of), by)


async def of_the_agency(tx: Transaction, here: Here, counts: Iterable[Count], of: Period) -> Counts:
    """Everything that an agency counts of a period, at all of its places; whether somebody may have this counted is decided by
    then."""
    async with scope.whole_agency(tx):
        found = Counts()
        for count in counts:
            one = await count(tx, here, of)
            found.also(one)
            for kept in one.kept:
                found.counted_by.setdefault(kept, []).append(count)
        if not here.has_other_desks(here.agency):  # where there is none, its share is not nought: nobody keeps records of it
            found.found.pop(Measure.REFERRALS_FROM_OTHERS, None)
        return found


def _seen(counts: Counts, by: Actor) -> Counts:
    def at(measure: Measure, numbers: Mapping[At, int]) -> Counter[At]:
        return Counter({one: n for one, n in numbers.items() if measure in PUBLIC or by.sees(one.place)})

    return Counts(
        {measure: at(measure, numbers) for measure, numbers in counts.found.items()},
        {duration: [one for one in several if by.sees(one[0])] for duration, several in counts.hours.items()},
        counts.counted_by,
    )


def answer(here: Here, year: int, counts: Counts) -> CountsAnswer:
    """As the route answers: places in the order of the network file, measures and durations in that of the programmes' guide."""
    rows = [
        CountRow(measure=measure, place=at.place, kind=at.kind or here.kind_of_place(at.place or ""), count=number)
        for measure in Measure if measure in counts.found
        for at, number in in_order(here, counts.found[measure])
    ]  # fmt: skip
    hours = [
        HoursRow(duration=duration, hours=tuple(sorted(round(one, HOURS_DECIMALS) for _place, one in counts.hours[duration])))
        for duration in Duration if duration in counts.hours
    ]  # fmt: skip
    return CountsAnswer(
        programme=here.programme.id, agency=here.agency, year=year, time_zone=here.programme.time_zone, counts=tuple(rows),
        hours=tuple(hours),
    )  # fmt: skip


def in_order(here: Here, numbers: Mapping[At, int]) -> Sequence[tuple[At, int]]:
    """What is not nought, place by place as the network file lists them; one nought where nothing is."""
    order = {place: n for n, place in enumerate(here.entry.facilities)}
    there, last = [(at, number) for at, number in numbers.items() if number], len(order)
    there.sort(key=lambda one: (order.get(one[0].place or "", last), one[0].place or "", one[0].kind or ""))
    return there or [(At(), 0)]
