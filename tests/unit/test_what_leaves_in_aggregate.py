"""An attack on everything that is published of a cube: all sums at once, nothing below nought, solved as linear programmes.

See tests/support/attack.py for what it knows.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from attack import NEARLY, Attack, Categories, Published, withstands
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.casework.figures.commands import Table, _protected, added
from shared.casework.figures.domain import ALARMS, BREACHES, CUBES, FORMULAS, PLACE, TOTAL, UNKNOWN, count, formulas_of, period
from shared.casework.figures.suppression import (
    Network,
    _Push,
    first_release,
    hidden_of,
    is_small,
    next_release,
    shown,
)
from shared.casework.figures.views import Counted
from shared.kit.errors import Conflict

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@st.composite
def cubes(draw: st.DrawFn, kinds: int) -> tuple[list[str], Categories, list[list[dict[str, str]]]]:
    """A chain, its categories, and some piles of things to count: sparse ones, lopsided ones, ones in a single cell."""
    sizes = draw(SIZES)
    chain = [f"d{n}" for n in range(len(sizes))]
    categories = {d: tuple(f"c{i}" for i in range(size)) for d, size in zip(chain, sizes, strict=True)}
    piles = []
    for _ in range(kinds):
        things: list[dict[str, str]] = []
        for _heap in range(draw(st.integers(0, 5))):
            one = {d: draw(st.sampled_from(categories[d])) for d in chain}
            things += [one] * draw(st.sampled_from([1, 1, 2, 3, 9, 10, 11, 25]))
        piles.append(things)
    return chain, categories, piles


def pushed(network: Network, values: dict[str, int], hidden: frozenset[str], arc: str) -> int:
    """How far apart the least and the greatest value of a hidden number are, as far as the product's own flows carry."""
    tail, head = network.tails[arc], network.heads[arc]
    up, down = _Push(network, values, arc, head, tail), _Push(network, values, arc, tail, head)
    return up.more(hidden, 10_000) + down.more(hidden, values[arc])


@settings(max_examples=60, deadline=None)
@given(cubes(1))
def test_nobody_works_out_a_hidden_number_of_one_release(drawn: tuple[list[str], Categories, list[list[dict[str, str]]]]) -> None:
    chain, categories, (things,) = drawn
    values, network = count(chain, categories, things), Network.of(chain, categories)
    hidden = first_release(network, values)
    if hidden is None:
        assert is_small(len(things)), "only what is small as a whole is withheld"
        return
    assert {one for one in values if is_small(values[one])} <= hidden
    attack, published = Attack(), shown(values, hidden)
    attack.sees("t", chain, categories, published)
    withstands(attack, {"t": published})
    for one in hidden:  # what our own flows carry is the solver's
        assert pushed(network, values, hidden, one) == pytest.approx(attack.width("t", one), abs=NEARLY)


@settings(max_examples=60, deadline=None)
@given(cubes(3))
def test_nobody_works_out_a_hidden_number_by_comparing_releases(
    drawn: tuple[list[str], Categories, list[list[dict[str, str]]]],
) -> None:
    """Late entries are added twice; each release is compared with those before. One that would show too much is held back."""
    chain, categories, piles = drawn
    network, attack = Network.of(chain, categories), Attack()
    tables: dict[str, Published] = {}
    things: list[dict[str, str]] = []
    last: tuple[str, dict[str, int]] | None = None
    for n, late in enumerate(piles):
        things += late
        values = count(chain, categories, things)
        hidden = first_release(network, values) if last is None else next_release(network, last[1], tables[last[0]], values)
        if hidden is None:
            assert last is None or is_small(len(things) - last[1][TOTAL])
            continue
        name = f"release {n}"
        tables[name] = shown(values, hidden)
        attack.sees(name, chain, categories, tables[name])
        if last is not None:
            assert hidden_of(tables[last[0]]) <= hidden
            attack.grew(last[0], name, list(values))
            assert not [k for k in values if k not in hidden and is_small(values[k] - last[1][k])]
        last = (name, values)
    withstands(attack, tables)


@settings(max_examples=40, deadline=None)
@given(cubes(2))
def test_nobody_works_out_a_hidden_number_where_entries_were_corrected(
    drawn: tuple[list[str], Categories, list[list[dict[str, str]]]],
) -> None:
    """Things go from one category to another, so nobody can hold that what was added is not below nought."""
    chain, categories, piles = drawn
    network, attack, tables = Network.of(chain, categories), Attack(), dict[str, Published]()
    before, after = (count(chain, categories, pile) for pile in piles)
    hidden = first_release(network, before)
    if hidden is None:
        return
    tables["first"] = shown(before, hidden)
    attack.sees("first", chain, categories, tables["first"])
    again = next_release(network, before, tables["first"], after)
    if again is not None:
        assert hidden <= again, "what was hidden stays hidden"
        tables["again"] = shown(after, again)
        attack.sees("again", chain, categories, tables["again"])
        if all(after[one] >= before[one] for one in after):
            attack.grew("first", "again", list(after))
    withstands(attack, tables)


KINDS, HOW_FAR = ("a", "b", "c"), ("open", "came", "ended")
# How many more of each kind, by how far; and how many of those that were there go a step on.
LATE = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(HOW_FAR), st.sampled_from([1, 3, 8, 11])), max_size=5)
MOVED = st.fixed_dictionaries({kind: st.integers(0, 12) for kind in KINDS})


def moved(things: list[dict[str, str]], late: list[tuple[str, str, int]], on: dict[str, int]) -> list[dict[str, str]]:
    """The same things, some of them a step on, and what was entered late."""
    left, found = dict(on), []
    for one in things:
        step = HOW_FAR.index(one["far"])
        goes = left[one["kind"]] > 0 and step < len(HOW_FAR) - 1
        left[one["kind"]] -= goes
        found.append({"kind": one["kind"], "far": HOW_FAR[step + goes]})
    return found + [{"kind": kind, "far": far} for kind, far, many in late for _ in range(many)]


@settings(max_examples=80, deadline=None)
@given(LATE.filter(len), st.lists(st.tuples(LATE, MOVED), min_size=1, max_size=2))
@example(  # told alone, the second table has `a` within 3 of what it is for whoever knows that no `a` becomes a `b`
    late=[("a", "open", 10), ("a", "came", 20), ("b", "open", 11), ("b", "came", 11)],
    releases=[([("a", "came", 3), ("b", "came", 8)], {"a": 5, "b": 11, "c": 0})],
)
def test_nobody_works_out_a_hidden_number_who_knows_what_never_changes(
    late: list[tuple[str, str, int]], releases: list[tuple[list[tuple[str, str, int]], dict[str, int]]]
) -> None:
    """Whom a referral was sent to stays as it was, how far it has come does not: the one only grows from release to release."""
    chain, categories = ["kind", "far"], {"kind": KINDS, "far": HOW_FAR}
    network, attack, tables = Network.of(chain, categories), Attack(), dict[str, Published]()
    things = moved([], late, dict.fromkeys(KINDS, 0))
    values = count(chain, categories, things)
    hidden, last = first_release(network, values), "first"
    if hidden is None:
        return
    tables["first"] = shown(values, hidden)
    attack.sees("first", chain, categories, tables["first"])
    for n, (more, on) in enumerate(releases):
        things = moved(things, more, on)
        now = count(chain, categories, things)
        again = next_release(network, values, tables[last], now)
        if again is None:
            continue
        name = f"again {n}"
        tables[name], values = shown(now, again), now
        attack.sees(name, chain, categories, tables[name])
        attack.grew(last, name, [one for one in now if "far" not in one])
        last = name
    withstands(attack, tables)


@settings(max_examples=40, deadline=None)
@given(cubes(3))
def test_nobody_works_out_a_hidden_number_from_a_quarter_beside_its_months(
    drawn: tuple[list[str], Categories, list[list[dict[str, str]]]],
) -> None:
    chain, categories, piles = drawn
    network, attack, tables = Network.of(chain, categories), Attack(), dict[str, Published]()
    months = []
    for n, things in enumerate(piles):
        values = count(chain, categories, things)
        hidden = first_release(network, values)
        published = shown(values, hidden) if hidden is not None else None
        attack.sees(f"month {n}", chain, categories, published)
        tables |= {f"month {n}": published} if published is not None else {}
        months.append(Table("t", tuple(chain), categories if published is not None else {}, published))
    quarter = added(Table("t", tuple(chain)), months)
    assert (quarter.values is None) == (len(tables) < 3)
    if quarter.values is not None:
        tables["quarter"] = dict(quarter.values)
        attack.sees("quarter", chain, categories, tables["quarter"])
        for one in quarter.values:
            parts = {attack.variable(f"month {n}", one): 1.0 for n in range(3)}
            attack.equal({attack.variable("quarter", one): -1.0, **parts}, 0)
    withstands(attack, tables)


def test_the_attack_finds_what_only_small_counts_being_hidden_gives_away() -> None:
    chain, categories = ["d0", "d1"], {"d0": ("c0", "c1"), "d1": ("c0", "c1")}
    pile = [*[{"d0": "c0", "d1": "c0"}] * 20, *[{"d0": "c0", "d1": "c1"}] * 4, *[{"d0": "c1", "d1": "c1"}] * 30]
    values = count(chain, categories, pile)
    hidden = {one for one in values if is_small(values[one])}
    attack = Attack()
    attack.sees("t", chain, categories, shown(values, hidden))
    assert hidden == {"d0=c0|d1=c1"}
    assert attack.width("t", "d0=c0|d1=c1") == pytest.approx(0)
    enough = first_release(Network.of(chain, categories), values)
    assert enough is not None
    assert enough > hidden


def test_the_same_counts_are_always_hidden_in_the_same_way() -> None:
    chain, categories = ["d0", "d1", "d2"], {f"d{n}": ("c0", "c1", "c2") for n in range(3)}
    pile = [{"d0": f"c{n % 3}", "d1": f"c{n * n % 3}", "d2": f"c{n % 2}"} for n in range(70)]
    values, network = count(chain, categories, pile), Network.of(chain, categories)
    assert len({first_release(network, values) for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("size", "shows"), [(0, True), (9, False), (10, True)], ids=["nobody came", "nine are too few", "ten in one cell are shown"]
)
def test_what_is_small_as_a_whole_is_withheld(size: int, shows: bool) -> None:
    chain, categories = ["d0", "d1"], {"d0": ("c0", "c1"), "d1": ("c0",)}
    values = count(chain, categories, [{"d0": "c1", "d1": "c0"}] * size)
    hidden = first_release(Network.of(chain, categories), values)
    assert hidden == (frozenset() if shows else None)


def test_no_cube_puts_stations_beside_how_many_they_refer() -> None:
    """Whoever is ranked by referrals pushes survivors to accept them (practice guide, monthly figures)."""
    assert [cube.id for cube in CUBES if PLACE in cube.chain] == ["reports"]
    assert not {"stage", "to_kind", "offered"} & set(CUBES[0].chain)


@pytest.mark.parametrize(
    ("name", "first", "until"),
    [("2026-10", "2026-10-01", "2026-11-01"), ("2026-12", "2026-12-01", "2027-01-01"), ("2026-Q4", "2026-10-01", "2027-01-01")],
)
def test_a_period_begins_and_ends(name: str, first: str, until: str) -> None:
    of = period(name)
    assert (of.first.isoformat(), of.until.isoformat()) == (first, until)
    assert of.quarter.name == "2026-Q4"
    assert [month.quarter for month in of.quarter.months] == [of.quarter] * 3


@pytest.mark.parametrize("name", ["2026-13", "2026-0", "2026-Q5", "2026", "26-10", "2026-10-01", ""])
def test_what_is_no_period_is_told(name: str) -> None:
    with pytest.raises(Conflict, match="no month and no quarter"):
        period(name)


def test_what_became_a_category_of_its_own_is_not_compared_with_what_it_was_a_part_of() -> None:
    """A kind of alarm that was one of another kind when a month was released: the month stands, and is added to no other."""
    chain, ages = ("alarm", "age"), ("0-9", "10-14")
    before, now = ("lapsed", UNKNOWN), ("lapsed", "visit_not_safe", "station_silent", UNKNOWN)
    numbers = {"lapsed": 10, "visit_not_safe": 1, "station_silent": 29}
    things = [{"alarm": kind, "age": ages[0]} for kind, n in numbers.items() for _ in range(n)]
    older = [{**one, "alarm": one["alarm"] if one["alarm"] in before else UNKNOWN} for one in things]

    def cube(kinds: tuple[str, ...], of: list[dict[str, str]]) -> Counted:
        categories = {"alarm": kinds, "age": ages}
        return Counted("alarms", chain, categories, count(chain, categories, of))

    released = _protected(cube(before, older), None, {})
    assert released is not None
    assert released.values is not None
    assert (released.values["alarm=lapsed"], released.values["alarm=unknown"]) == (10, 30)
    assert _protected(cube(now, things), released, cube(before, older).values) is None, "else 30 - 29 is what is hidden"
    again = _protected(cube(before, [*older, *older]), released, cube(before, older).values)
    assert again is not None, "the same categories are compared as ever"
    later = _protected(cube(now, things), None, {})
    assert later is not None
    assert added(Table("alarms", chain), [released, later]).values is None
    assert added(Table("alarms", chain), [released, released]).values is not None


def test_a_release_says_by_its_categories_how_it_was_counted() -> None:
    def of(cube: str, dimension: str, categories: Sequence[str]) -> dict[str, Any]:
        return {cube: {"categories": {dimension: list(categories)}, "values": {}}}

    second, third = of("alarms", "alarm", ["lapsed", UNKNOWN]), of("alarms", "alarm", ["lapsed", "agreement_ends", UNKNOWN])
    older, newer = of("breaches", "breach", ["fee_demanded", UNKNOWN]), of("breaches", "breach", BREACHES)
    fifth = of("alarms", "alarm", ALARMS)
    releases = (second | older, third | older, third | newer, third, older, fifth | newer, fifth, {"alarms": None})
    assert ([formulas_of(one) for one in releases], FORMULAS) == ([2, 3, 4, 4, 3, 5, 5, 5], 5)
