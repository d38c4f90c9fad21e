"""How the tables of a cube lie on a page: the longer dimension runs down, and every number stands where its two categories meet."""

import pytest

from shared.casework.figures.commands import Table
from shared.casework.figures.domain import count, key
from shared.casework.figures.pages import _grid

SHORT, LONG = ("open", "resolved"), ("a", "b", "c", "d")


@pytest.mark.parametrize(("one", "two"), [("alarm", "alarm_state"), ("alarm_state", "alarm")])
def test_the_longer_dimension_runs_down_and_numbers_stay_where_they_belong(one: str, two: str) -> None:
    categories = {"alarm": LONG, "alarm_state": SHORT}
    things = [{"alarm": a, "alarm_state": s} for n, a in enumerate(LONG) for m, s in enumerate(SHORT) for _ in range(10 * n + m)]
    values = count((one, two), categories, things)
    grid = _grid(
        Table("alarms", (one, two), categories, values), {name: list(found) for name, found in categories.items()}, one, two
    )
    assert (grid.rows, grid.columns, grid.categories) == ("alarm", "alarm_state", list(SHORT))
    assert [(line.category, line.cells, line.whole) for line in grid.lines] == [
        (a, [10 * n, 10 * n + 1], 20 * n + 1) for n, a in enumerate(LONG)
    ]
    assert (grid.sums.cells, grid.sums.whole) == ([60, 64], 124)
    assert values[key(("alarm_state", "open"))] == 60
