"""Somebody who works out what figures hide: all published sums at once, nothing below nought, as linear programmes.

The solver is another than the product's own (HiGHS, in SciPy), and so are the sums: they are written down here from the published
tables. It is not told that counts are hidden for being small.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from shared.casework.figures.domain import TOTAL, key, keys_of
from shared.casework.figures.suppression import hidden_of

Categories = Mapping[str, tuple[str, ...]]
Published = dict[str, int | None]
System = tuple[Any, list[float], list[int]]  # a matrix of sums, what each comes to, and the variables of its columns
WIDE_ENOUGH = 10  # what is promised of each hidden number (security guide, small cells); not read from the product
NEARLY = 1e-6  # what HiGHS may be off by


@dataclass
class Attack:
    """Somebody who has every table that was ever published, and writes down all that they say."""

    names: dict[tuple[str, str], int] = field(default_factory=dict)  # (which table, key) → variable
    sums: list[tuple[dict[int, float], float]] = field(default_factory=list)
    least: list[float | None] = field(default_factory=list)
    _written: tuple[int, int] | None = None
    _systems: dict[int, System] = field(default_factory=dict)
    _part: Any = None

    def variable(self, table: str, key_: str, least: float | None = 0) -> int:
        if (table, key_) not in self.names:
            self.names[table, key_] = len(self.names)
            self.least.append(least)
        return self.names[table, key_]

    def equal(self, weights: dict[int, float], number: float) -> None:
        self.sums.append((weights, number))

    def sees(self, table: str, chain: Sequence[str], categories: Categories, published: Published | None) -> None:
        """One table's numbers, and that its margins are sums of its cells."""
        for one in keys_of(chain, categories):
            number = published[one] if published is not None else None
            here = self.variable(table, one)
            if number is not None:
                self.equal({here: 1}, number)
        for dimension in chain:
            self._adds_up(table, TOTAL, [key((dimension, c)) for c in categories[dimension]])
        for one, two in pairwise(chain):
            for c in categories[one]:
                self._adds_up(table, key((one, c)), [key((one, c), (two, f)) for f in categories[two]])
            for f in categories[two]:
                self._adds_up(table, key((two, f)), [key((one, c), (two, f)) for c in categories[one]])

    def _adds_up(self, table: str, whole: str, parts: list[str]) -> None:
        self.equal({self.variable(table, whole): -1, **{self.variable(table, part): 1 for part in parts}}, 0)

    def grew(self, before: str, after: str, keys: Sequence[str]) -> None:
        """What was added between two releases is not below nought either."""
        for one in keys:
            added = self.variable(f"{before}→{after}", one)
            self.equal({self.variable(before, one): 1, added: 1, self.variable(after, one): -1}, 0)

    def width(self, table: str, key_: str) -> float:
        """How far apart the least and the greatest value are that fit all of it."""
        variable = self.names[table, key_]
        matrix, numbers, among = self._of(variable)
        ends = []
        for sign in (1, -1):
            goal = np.zeros(len(among))
            goal[among.index(variable)] = sign
            bounds = [(self.least[one], None) for one in among]
            found = linprog(goal, A_eq=matrix, b_eq=numbers, bounds=bounds, method="highs")
            if found.status == 3:  # without end
                return float("inf")
            assert found.status == 0, found.message
            ends.append(sign * found.fun)
        return float(ends[1] - ends[0])

    def _of(self, variable: int) -> System:
        """The sums that bind a number, by themselves or through others, and all that is in these; the rest says nothing of it."""
        if self._written != (len(self.sums), len(self.names)):
            entries = [(row, column, weight) for row, (parts, _) in enumerate(self.sums) for column, weight in parts.items()]
            rows, columns, weights = (np.array(one) for one in zip(*entries, strict=True))
            size = len(self.names)
            matrix = csr_array((weights, (rows, columns)), shape=(len(self.sums), size))
            bound = coo_array((np.ones(len(rows)), (rows + size, columns)), shape=(size + len(self.sums),) * 2)
            _, parts_of = connected_components(bound, directed=False)
            self._written, self._systems, self._part = (len(self.sums), size), {}, parts_of[:size]
            for part in set(self._part):
                among = np.flatnonzero(self._part == part)
                which = np.flatnonzero(parts_of[size:] == part)
                numbers = [self.sums[row][1] for row in which]
                self._systems[part] = matrix[which][:, among], numbers, among.tolist()
        return self._systems[self._part[variable]]


def withstands(attack: Attack, tables: dict[str, Published]) -> None:
    for table, published in tables.items():
        for one in sorted(hidden_of(published)):
            assert attack.width(table, one) >= WIDE_ENOUGH - NEARLY, (table, one, published)
