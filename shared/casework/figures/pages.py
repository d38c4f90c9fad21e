"""Pages: the figures of a month or a quarter, as they may leave: what was released, or what a release would publish."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.casework.edge import Edge, OneEdge
from shared.casework.figures.commands import TOO_FEW, Table, figures_of, hidden_count, release_figures
from shared.casework.figures.domain import PLACE, TOTAL, Period, group_of, key, period, periods_before
from shared.casework.figures.suppression import HIDDEN_BELOW
from shared.casework.pages.visits import Posted, Visitor, submit
from shared.kit.db import Transaction

router = APIRouter(include_in_schema=False)

MONTHS_SHOWN = 24  # two years, for who compares a month with the same one a year ago


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: its category, its cells, and their sum. None is a hidden number."""

    category: str
    cells: Sequence[int | None]
    whole: int | None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table between two dimensions. The last line sums up the columns."""

    rows: str
    columns: str
    categories: Sequence[str]
    lines: Sequence[Line]
    sums: Line


def grids_of(table: Table, edge: Edge, agency: str | None = None) -> list[Grid]:
    """A cube's tables, this agency's or another's. Places stand by their names, whatever their numbers: nothing here ranks them.
    The longer dimension runs down: a telephone is narrow."""
    ordered = {d: _ordered(d, found, edge, agency or edge.here.agency) for d, found in table.categories.items()}
    return [_grid(table, ordered, one, two) for one, two in pairwise(table.chain)] if table.values is not None else []


def _ordered(dimension: str, categories: Sequence[str], edge: Edge, agency: str) -> list[str]:
    if dimension != PLACE:
        return list(categories)
    return sorted(categories, key=lambda place: (edge.pages.place(agency, place), place))


def _grid(table: Table, ordered: dict[str, list[str]], one: str, two: str) -> Grid:
    values = table.values or {}
    is_turned = len(ordered[one]) > len(ordered[two])
    rows, columns = (one, two) if is_turned else (two, one)

    def cell(row: str, column: str) -> int | None:
        parts = (one, row if is_turned else column), (two, column if is_turned else row)
        return values[key(*parts)]

    lines = [Line(row, [cell(row, column) for column in ordered[columns]], values[key((rows, row))]) for row in ordered[rows]]
    sums = Line(TOTAL, [values[key((columns, column))] for column in ordered[columns]], values[TOTAL])
    return Grid(rows, columns, ordered[columns], lines, sums)


def _periods(edge: Edge) -> list[Period]:
    today: date = edge.pages.times("en", edge.database.clock.now()).today()
    return periods_before(today, MONTHS_SHOWN)


@router.get("/figures")
async def show_figures(
    request: Request, edge: OneEdge, visit: Visitor, name: Annotated[str | None, Query(alias="period", max_length=7)] = None
) -> Response:
    """The figures of a period."""
    visit.actor.may_let_out()
    periods = _periods(edge)
    of = period(name) if name else next(one for one in periods if not one.is_quarter)
    async with edge.database.read() as tx:
        found = await figures_of(tx, edge.here, of)
    shown, proposed = found.shown or {}, found.proposed or {}
    return edge.pages.show(
        request, "figures/figures.html", visit, found=found, of=of, periods=periods, group_of=group_of, below=HIDDEN_BELOW,
        tables=[(table, grids_of(table, edge)) for table in shown.values()], place_dimension=PLACE,
        newer=[(table, grids_of(table, edge)) for table in proposed.values()] if found.release is not None else [],
        hidden=sum(map(hidden_count, shown.values())), too_few=TOO_FEW, whose=edge.here.agency, late=found.late,
    )  # fmt: skip


@router.post("/figures/{period_name}/release")
async def post_release(period_name: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """They may leave from now on, as they stand on the page."""
    of = period(period_name)

    async def work(tx: Transaction) -> str:
        await release_figures(tx, edge.here, visit.actor, of)
        return f"/figures?period={of.name}"

    return await submit(request, edge, visit, values, work)
