"""Somebody who works out what figures hide: all published sums at once, nothing below nought, as linear programmes.

The solver is another than the product's own (HiGHS, in SciPy), and so are the sums: they are written down here from the published
tables. It is not told that counts are hidden for being small.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.optimize import linprog

from shared.casework.figures.domain import TOTAL, key, keys_of
from shared.casework.figures.suppression import hidden_of

Categories = dict[str, tuple[str, ...]]
Published = dict[str, int | None]
WIDE_ENOUGH = 10  # what is promised of each hidden number (security guide, small cells); not read from the product
NEARLY = 1e-6  # what HiGHS may be off by


@dataclass
class Attack:
    """Somebody who has every table that was ever published, and writes down all that they say."""

    names: dict[tuple[str, str], int] = field(default_factory=dict)  # (which table, key) → variable
    sums: list[tuple[dict[int, float], float]] = field(default_factory=list)
    least: list[float | None] = field(default_factory=list)

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
        size = len(self.names)
        matrix = np.zeros((len(self.sums), size))
        for row, (weights, _) in enumerate(self.sums):
            for variable, weight in weights.items():
                matrix[row, variable] = weight
        numbers = [number for _, number in self.sums]
        ends = []
        for sign in (1, -1):
            goal = np.zeros(size)
            goal[self.names[table, key_]] = sign
            found = linprog(goal, A_eq=matrix, b_eq=numbers, bounds=[(least, None) for least in self.least], method="highs")
            if found.status == 3:  # without end
                return float("inf")
            assert found.status == 0, found.message
            ends.append(sign * found.fun)
        return float(ends[1] - ends[0])


def withstands(attack: Attack, tables: dict[str, Published]) -> None:
    for table, published in tables.items():
        for one in sorted(hidden_of(published)):
            assert attack.width(table, one) >= WIDE_ENOUGH - NEARLY, (table, one, published)
