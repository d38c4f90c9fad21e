"""Which numbers of a cube are hidden, so that nobody can work out any of them to within less than `WIDTH_MIN`.

A chain of dimensions is a network: its cells lead from the categories of one dimension to those of the next, its margins lead
through a category, its total leads from the end back to the beginning, and what is counted flows round. To raise a hidden number
means to push more through its arc, and back through other hidden ones: how far that goes is a maximum flow, in whole numbers, and
exactly what somebody can work out who solves all published sums at once with nothing below nought (Cox 1980; Kelly, Golden and
Assad 1992). Networks have whole-numbered corners, so counting in whole numbers or in fractions gives the same bounds.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise

from shared.casework.figures.domain import TOTAL, Categories, Shown, Values, key

HIDDEN_BELOW = 10  # counts of 1 to 9 do not leave an agency (Washington State's rule for small numbers, see the security guide)
WIDTH_MIN = 10  # how far apart the least and the greatest possible value of each hidden number are
STEPS = (WIDTH_MIN, 5, 2, 1)  # how much more a detour through newly hidden numbers shall carry: best all at once
MARGIN_COSTS = 4  # what hiding a margin costs against a cell as great: it is read more, and says more of the table
COSTS_AT_LEAST = 10  # hiding a nought costs something too

Node = tuple[int, str]


def is_small(count: int) -> bool:
    """Whether a count, or a difference between two that are published, may not be shown."""
    return 0 < abs(count) < HIDDEN_BELOW


@dataclass(slots=True)
class Network:
    """A cube's chain as arcs between nodes; arcs go by their keys."""

    tails: dict[str, Node] = field(default_factory=dict)
    heads: dict[str, Node] = field(default_factory=dict)
    at: dict[Node, list[str]] = field(default_factory=dict)  # the arcs that begin or end there
    margins: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, chain: Sequence[str], categories: Categories) -> "Network":
        """The network of a chain. Between dimension n and the next lie node pairs: before and after a category."""
        made, last = cls(), 2 * len(chain) - 1
        begin, end = (0, ""), (last, "")
        made._add(TOTAL, end, begin)
        for n, dimension in enumerate(chain):
            for category in categories[dimension]:
                before = begin if n == 0 else (2 * n, category)
                after = end if n == len(chain) - 1 else (2 * n + 1, category)
                made._add(key((dimension, category)), before, after)
                made.margins.add(key((dimension, category)))
        for n, (one, two) in enumerate(pairwise(chain)):
            for c in categories[one]:
                for f in categories[two]:
                    after = (2 * n + 1, c)
                    made._add(key((one, c), (two, f)), after, (2 * n + 2, f))
        return made

    def _add(self, arc: str, tail: Node, head: Node) -> None:
        self.tails[arc], self.heads[arc] = tail, head
        self.at.setdefault(tail, []).append(arc)
        self.at.setdefault(head, []).append(arc)


class _Push:
    """How much more can be pushed from one node to another through certain arcs, beside what flows there."""

    def __init__(self, network: Network, values: Values, without: str, source: Node, target: Node) -> None:
        self._network, self._values, self._without = network, values, without
        self._source, self._target = source, target
        self._moved: dict[str, int] = {}

    def more(self, through: Collection[str], enough: int) -> int:
        """Pushes until nothing more goes through these arcs, or `enough`; returns how much went."""
        pushed = 0
        while pushed < enough and (path := self._shortest(through)):
            pushed += self._along(path, enough - pushed)
        return pushed

    def _shortest(self, through: Collection[str]) -> list[tuple[str, bool]] | None:
        came: dict[Node, tuple[Node, str, bool] | None] = {self._source: None}
        waiting = deque([self._source])
        while waiting:
            node = waiting.popleft()
            for arc, is_forward, to in self._steps(node, 1):
                if to not in came and arc in through:
                    came[to] = (node, arc, is_forward)
                    if to == self._target:
                        return _path(came, to)
                    waiting.append(to)
        return None

    def cheapest(self, through: Collection[str], costs: Mapping[str, int], step: int) -> list[str] | None:
        """The arcs that are not among these and that together cost least, of a way that carries `step`; None without any."""
        came: dict[Node, tuple[Node, str, bool] | None] = {}
        waiting: list[tuple[int, int, Node, tuple[Node, str, bool] | None]] = [(0, 0, self._source, None)]
        order = 0
        while waiting:
            cost, _, node, by = heappop(waiting)
            if node in came:
                continue
            came[node] = by
            if node == self._target:
                return [arc for arc, _ in _path(came, node) if arc not in through]
            for arc, is_forward, to in self._steps(node, step):
                if to not in came and (arc in through or arc in costs):
                    order += 1  # of two ways that cost the same the one that was found first: always the same one
                    heappush(waiting, (cost + (0 if arc in through else costs[arc]), order, to, (node, arc, is_forward)))
        return None

    def _steps(self, node: Node, step: int) -> Iterable[tuple[str, bool, Node]]:
        network = self._network
        for arc in network.at[node]:
            if arc == self._without:
                continue
            if network.tails[arc] == node:  # more may always flow
                yield arc, True, network.heads[arc]
            if network.heads[arc] == node and self._values[arc] + self._moved.get(arc, 0) >= step:  # less, down to nothing
                yield arc, False, network.tails[arc]

    def _along(self, path: list[tuple[str, bool]], most: int) -> int:
        backward = [self._values[arc] + self._moved.get(arc, 0) for arc, is_forward in path if not is_forward]
        amount = min([most, *backward])
        for arc, is_forward in path:
            self._moved[arc] = self._moved.get(arc, 0) + (amount if is_forward else -amount)
        return amount


def _path(came: Mapping[Node, tuple[Node, str, bool] | None], node: Node) -> list[tuple[str, bool]]:
    path: list[tuple[str, bool]] = []
    while (by := came[node]) is not None:
        node, arc, is_forward = by
        path.append((arc, is_forward))
    return path[::-1]


def protect(network: Network, values: Values, hidden: Iterable[str], spared: Collection[str] = ()) -> frozenset[str] | None:
    """Hides more until every hidden number that is not `spared` is wide enough, the least that costs as far as one number at a time
    tells; None where nothing helps. The total is never hidden: without one it would bind the cubes of one period together.

    Hiding more only ever widens, so each number is looked at once.
    """
    found = set(hidden)
    if TOTAL in found:
        return None
    costs = {
        arc: (value + COSTS_AT_LEAST) * (MARGIN_COSTS if arc in network.margins else 1)
        for arc, value in values.items() if arc != TOTAL
    }  # fmt: skip
    waiting = deque(sorted(found - set(spared), key=lambda arc: (values[arc], arc)))
    while waiting:
        arc = waiting.popleft()
        added = _widen(network, values, found, arc, costs)
        if added is None:
            return None
        found |= added
        waiting.extend(sorted(added))
    return frozenset(found)


def _widen(network: Network, values: Values, hidden: set[str], arc: str, costs: Mapping[str, int]) -> set[str] | None:
    """What must be hidden too for one number to be wide enough."""
    tail, head, added = network.tails[arc], network.heads[arc], set[str]()
    ways = [(_Push(network, values, arc, head, tail), WIDTH_MIN), (_Push(network, values, arc, tail, head), values[arc])]
    width = sum(push.more(hidden, min(most, WIDTH_MIN)) for push, most in ways)
    while width < WIDTH_MIN:
        more = next(filter(None, (push.cheapest(hidden | added, costs, step) for step in STEPS for push, _ in ways[:1])), None)
        if more is None:
            return None
        added |= set(more)
        width += ways[0][0].more(hidden | added, WIDTH_MIN - width)
    return added


def shown(values: Values, hidden: Collection[str]) -> dict[str, int | None]:
    """A cube as it is published."""
    return {arc: None if arc in hidden else value for arc, value in values.items()}


def hidden_of(published: Shown) -> frozenset[str]:
    """What a published cube hides."""
    return frozenset(arc for arc, value in published.items() if value is None)


def first_release(network: Network, values: Values) -> frozenset[str] | None:
    """What to hide where nothing has been published yet; None where nothing may be shown at all."""
    small = {arc for arc, value in values.items() if is_small(value)}
    return protect(network, values, small)


def next_release(network: Network, before: Values, published: Shown, values: Values) -> frozenset[str] | None:
    """What to hide in a further release of the same period, beside an earlier one; None where it must not be released.

    What was hidden stays hidden. Then whoever has both knows some numbers of the first and some of what was added since, and the
    two do not touch: what was hidden before is as wide as it was, and what is newly hidden is as wide as what was added there. A
    difference of 1 to 9 between two published numbers is hidden like a count. Where something became less, each table is looked at
    alone. Somebody may still know of some categories that things only come to them (whom a referral was sent to never changes, how
    far it has come does), so what is newly hidden there is as wide as what was added.
    """
    was_hidden = hidden_of(published)
    added = {arc: value - before[arc] for arc, value in values.items()}
    small = was_hidden | {arc for arc in values if is_small(values[arc]) or is_small(added[arc])}
    hidden = protect(network, values, small) if min(added.values()) < 0 else small
    if hidden is None:
        return None
    room = {arc: values[arc] if more < 0 else more for arc, more in added.items()}  # how much less each may be, for all they know
    return protect(network, room, hidden, spared=was_hidden)
