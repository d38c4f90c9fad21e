"""Releases the figures of a period, or says why they are held back. What is released is kept, and every release is compared with
those before it: the same period's, its months' or its quarter's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope
from shared.casework.figures.domain import CUBES, PLACE, Categories, Period, Shown, keys_of
from shared.casework.figures.suppression import Network, first_release, hidden_of, next_release, shown
from shared.casework.figures.tables import FigureRelease
from shared.casework.figures.telling import tell_release
from shared.casework.figures.views import Counted, counted
from shared.casework.here import Actor, Here
from shared.exchange.tables import Recovery
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.kit.sealed import Under

CALLS = "calls"  # what a year's release has in the place of cubes
NOT_OVER = _("This period is not over yet; its figures can be released afterwards.")
HAS_QUARTER = _("The quarter has been released. A month of it beside it would show what is hidden; read the quarter.")
HAS_MONTHS = _("Some months of this quarter have been released. Release the others first; the quarter is then their sum.")
RECOVERS = _(
    "These records were restored, and the oversight body has not yet told what was released before; a second release beside it"
    " would show what is hidden. Try again once it has answered."
)
LOST = _(
    "What was counted for the release of this period was lost with a database: nothing can be compared with it, and it stands."
)
NO_CHANGE = _("Nothing has changed since the last release.")
TOO_FEW = _("What has changed since the last release is held back: whoever compares the two would see single late entries. "
            "It can be released once more has come in; the last release stands.")  # fmt: skip


class HeldBack(Conflict):
    """The figures are not released now, for the reason that the page gives beforehand."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Table:
    """A cube as it is published. `values` is None where the whole of it is withheld."""

    id: str
    chain: tuple[str, ...]
    categories: Categories = field(default_factory=dict)
    values: Shown | None = None

    def to_json(self) -> dict[str, Any] | None:
        """As it is kept."""
        if self.values is None:
            return None
        return {"categories": {d: list(found) for d, found in self.categories.items()}, "values": dict(self.values)}


def tables_of(kept: Mapping[str, Any]) -> dict[str, Table]:
    """The tables of a release, each with its categories in the order in which they are always shown."""
    found = {}
    for cube in CUBES:
        one = kept.get(cube.id)
        found[cube.id] = Table(cube.id, cube.chain)
        if one is not None:
            # What was released before the chain grew has the tables that there were.
            chain = tuple(d for d in cube.chain if d in one["categories"])
            found[cube.id] = Table(cube.id, chain, {d: tuple(one["categories"][d]) for d in chain}, one["values"])
    return found


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a period: what stands, and what a release would publish, or why there is none."""

    period: Period
    release: FigureRelease | None
    proposed: Mapping[str, Table] | None
    held: str | None
    counted: Mapping[str, Any] = field(default_factory=dict)
    late: frozenset[str] = frozenset()  # cubes whose late changes are held back: their last table stands in what is proposed

    @property
    def standing(self) -> Mapping[str, Table] | None:
        """What was released last."""
        return tables_of(self.release.shown) if self.release is not None else None

    @property
    def shown(self) -> Mapping[str, Table] | None:
        """What there is to see: what was released last, else what would be."""
        return self.standing or self.proposed


class Calls(NamedTuple):
    """A year's calls as they may leave: all of them, and those for which no desk was found."""

    calls: int
    unrouted: int

    @property
    def parts(self) -> tuple[int, int, int]:
        """What can be read off the two."""
        return self.calls, self.unrouted, self.calls - self.unrouted


async def calls_released(tx: Transaction, of: Period) -> list[Calls]:
    """What left of a year's calls, oldest first. It stands among the releases by the year's name, which no cube is counted for."""
    query = select(col(FigureRelease.shown)).where(col(FigureRelease.period) == of.name).order_by(col(FigureRelease.number))
    return [Calls(**shown[CALLS]) for shown in (await tx.session.execute(query)).scalars()] if of.is_year else []


async def release_calls(tx: Transaction, by: Actor, of: Period, calls: Calls) -> None:
    """Keeps what leaves of a year's calls, once, because whatever leaves later is compared with it."""
    left = await calls_released(tx, of)
    if calls in left[-1:]:
        return
    await _keep(tx, by, of, len(left) + 1, {CALLS: calls._asdict()}, {})


async def release_of(tx: Transaction, of: Period) -> FigureRelease | None:
    """The newest release of a period."""
    query = select(FigureRelease).where(col(FigureRelease.period) == of.name).order_by(col(FigureRelease.number).desc()).limit(1)
    return (await tx.session.execute(query)).scalar_one_or_none()


async def releases_of(tx: Transaction, periods: Sequence[Period]) -> dict[str, FigureRelease]:
    """The newest releases of several periods, by the periods' names; what was not released is not there."""
    names = [of.name for of in periods]
    query = select(FigureRelease).where(col(FigureRelease.period).in_(names)).order_by(col(FigureRelease.number))
    return {release.period: release for release in (await tx.session.execute(query)).scalars()}


async def figures_of(tx: Transaction, here: Here, of: Period) -> Figures:
    """What stands for a period, and what may be released now: of the whole agency, whoever asks."""
    async with scope.whole_agency(tx):  # two who saw different cases would publish the difference
        now: datetime = tx.clock.now()
        before = await release_of(tx, of)
        unheard = select(col(Recovery.peer)).where(col(Recovery.peer).in_(here.overseers), col(Recovery.answered_at).is_(None))
        if (await tx.session.execute(unheard.limit(1))).first() is not None:
            return Figures(of, before, None, RECOVERS)
        if here.day_of(now) < of.until:
            return Figures(of, before, None, NOT_OVER)
        if of.is_quarter:
            months = [await release_of(tx, month) for month in of.months]
            there = [month for month in months if month is not None]
            if there:
                return _sum_of(of, before, there) if len(there) == len(months) else Figures(of, before, None, HAS_MONTHS)
        elif (quarter := await release_of(tx, of.quarter)) is not None and quarter.counted != {}:
            return Figures(of, before, None, HAS_QUARTER)
        if before is not None and before.counted is None:
            return Figures(of, before, None, LOST)
        return _compared(of, before, await counted(tx, here, of))


def _sum_of(of: Period, before: FigureRelease | None, months: list[FigureRelease]) -> Figures:
    """A quarter whose months are known adds them up and says nothing that they do not: what one of them hides is hidden."""
    tables = [tables_of(month.shown) for month in months]
    proposed = {}
    for cube in CUBES:
        ones = [table[cube.id] for table in tables]
        proposed[cube.id] = added(Table(cube.id, cube.chain), ones)
    is_same = before is not None and _kept(proposed) == before.shown
    return Figures(of, before, None if is_same else proposed, NO_CHANGE if is_same else None)


def added(empty: Table, ones: Sequence[Table]) -> Table:
    """Tables added up: a number that one of them hides is hidden, and where one is withheld nothing is said."""
    if any(one.values is None or one.chain != empty.chain or not _alike(one, ones[0]) for one in ones):
        return empty
    categories = _merged(empty.chain, *(one.categories for one in ones))
    values: dict[str, int | None] = {}
    for key in keys_of(empty.chain, categories):
        parts = [(one.values or {}).get(key, 0) for one in ones]
        known = [part for part in parts if part is not None]
        values[key] = sum(known) if len(known) == len(parts) else None
    return Table(empty.id, empty.chain, categories, values)


def _alike(one: Table | Counted, other: Table | Counted) -> bool:
    """Whether two tables divide the same things by the same categories; places come and go. What became a category of its own was
    in another before, and by no means nought."""
    return one.chain == other.chain and all(
        set(one.categories[dimension]) == set(other.categories[dimension]) for dimension in one.chain if dimension != PLACE
    )


def _merged(chain: tuple[str, ...], *several: Categories) -> dict[str, tuple[str, ...]]:
    """Categories that one or the other has: places come and go."""
    found = {}
    for dimension in chain:
        every = dict.fromkeys(category for categories in several for category in categories[dimension])
        found[dimension] = tuple(sorted(every)) if dimension == PLACE else tuple(every)
    return found


def _compared(of: Period, before: FigureRelease | None, now: Mapping[str, Counted]) -> Figures:
    earlier = tables_of(before.shown) if before is not None else {}
    was_counted: Mapping[str, Any] = (before.counted if before is not None else None) or {}
    proposed, counts, late = dict[str, Table](), dict[str, Mapping[str, int]](), set[str]()
    for cube in CUBES:
        was, counted_now = earlier.get(cube.id), now[cube.id]
        made = _protected(counted_now, was, was_counted.get(cube.id, {}))
        if was is not None and (made is None or not _says_more(made, was)):
            made, values = was, was_counted.get(cube.id, {})
            late |= {cube.id} if any(values.get(key, 0) != value for key, value in counted_now.values.items()) else set()
        else:
            assert made is not None, "only a comparison holds a table back"
            values = {key: counted_now.values.get(key, 0) for key in made.values or ()}
        proposed[cube.id] = made
        counts |= {cube.id: values} if made.values is not None else {}
    if before is not None and _kept(proposed) == before.shown:
        return Figures(of, before, None, TOO_FEW if late else NO_CHANGE)
    return Figures(of, before, proposed, None, counts, frozenset(late))


def _says_more(proposed: Table, earlier: Table) -> bool:
    """Whether anything is shown that is not known already: else a further release would only hide more."""
    known = earlier.values if earlier.values is not None else {}
    return any(
        value is not None and value != known.get(key, 0 if known else None) for key, value in (proposed.values or {}).items()
    )


def _protected(now: Counted, earlier: Table | None, before: Mapping[str, int]) -> Table | None:
    """A cube with enough hidden; None where it would say too much beside the earlier release of it."""
    if earlier is not None and earlier.values is not None and not _alike(earlier, now):
        return None  # of other tables than were released then nobody can say what the two tell together
    if earlier is None or earlier.values is None:  # nothing of this cube is known yet
        hidden = first_release(Network.of(now.chain, now.categories), now.values)
        return Table(now.id, now.chain, *((now.categories, shown(now.values, hidden)) if hidden is not None else ()))
    categories = _merged(now.chain, earlier.categories, now.categories)
    keys = keys_of(now.chain, categories)
    # What was not there yet was nought, and everybody knows it.
    was, values = ({key: found.get(key, 0) for key in keys} for found in (before, now.values))
    known = {key: earlier.values.get(key, 0) for key in keys}
    hidden = next_release(Network.of(now.chain, categories), was, known, values)
    return Table(now.id, now.chain, categories, shown(values, hidden)) if hidden is not None else None


def _kept(tables: Mapping[str, Table]) -> dict[str, Any]:
    return {name: table.to_json() for name, table in tables.items()}


async def release_figures(tx: Transaction, here: Here, by: Actor, of: Period) -> FigureRelease:
    """Releases the figures of a period; raises Forbidden, and Conflict where they are held back."""
    by.may_let_out()
    await tx.in_turn("figures")
    found = await figures_of(tx, here, of)
    if found.proposed is None:
        raise HeldBack(found.held or NO_CHANGE)
    number = found.release.number + 1 if found.release is not None else 1
    made = await _keep(tx, by, of, number, _kept(found.proposed), dict(found.counted))
    await tell_release(tx, here, made)
    return made


async def _keep(
    tx: Transaction, by: Actor, of: Period, number: int, shown_: dict[str, Any], counted_: dict[str, Any]
) -> FigureRelease:
    made = FigureRelease(
        id=new_id(), period=of.name, number=number, shown=shown_, counted={}, released_by=by.account_id, released_at=tx.clock.now()
    )
    made.counted = Under(None, counted_)  # type: ignore[assignment]  # about nobody in particular; a row read has the dict
    tx.session.add(made)
    await tx.session.flush()
    return made


def hidden_count(table: Table) -> int:
    """How many numbers of a table are hidden."""
    return len(hidden_of(table.values)) if table.values is not None else 0
