"""What of a programme's measures may leave: of people nothing but sums of published numbers, whatever was counted (decision 34)."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.casework.figures.commands import Calls, Table
from shared.casework.figures.domain import CUBES, DIMENSIONS, TOTAL, keys_of, span, year_of
from shared.casework.figures.leaving import IN_CUBES, OF_CALLS, OF_PLACES, Leaving, as_released, of_calls
from shared.programmes.indicators import Duration, Measure, NotHeld
from shared.programmes.profile import load_programme
from shared.programmes.tallies import Counted

YEAR = 2026
OF_PEOPLE = frozenset(Measure) - OF_PLACES - OF_CALLS


def counted(numbers: dict[Measure, int]) -> Counted:
    rows = [{"measure": measure, "count": number} for measure, number in numbers.items()]
    hours = [{"duration": duration, "hours": [1.0]} for duration in Duration]
    answer: dict[str, Any] = {
        "programme": "zm-vsu-ec", "agency": "police", "year": YEAR, "time_zone": "Africa/Lusaka", "counts": rows, "hours": hours,
    }  # fmt: skip
    return Counted([answer])


@st.composite
def published(draw: st.DrawFn) -> dict[str, Table]:
    """Tables as they might have been released: with anything hidden, withheld, or not released at all."""
    found = {}
    for cube in CUBES:
        categories = {d: DIMENSIONS[d] or ("here", "there") for d in cube.chain}
        asked = {key for id_, keys in IN_CUBES.values() if id_ == cube.id for key in keys}
        values = {key: draw(st.none() | st.integers(10, 99)) if key in asked else 0 for key in keys_of(cube.chain, categories)}
        found[cube.id] = Table(cube.id, cube.chain, categories, draw(st.sampled_from([values, None])))
    return draw(st.sampled_from([found, {}]))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(Measure), st.integers(0, 99)), published())
def test_of_people_nothing_leaves_but_sums_of_what_is_published(numbers: dict[Measure, int], known: dict[str, Table]) -> None:
    leaving = Leaving(counted(numbers), {None: known})
    in_the_file = as_released(leaving, numbers)
    assert in_the_file.keys() == numbers.keys() & IN_CUBES.keys()
    for measure in Measure:
        cube, keys = IN_CUBES.get(measure, ("", ()))
        values = (known[cube].values if cube in known else None) or {}
        shown = [values.get(key) for key in keys]
        if measure in OF_PLACES and measure in numbers:
            assert leaving.count(measure) == numbers[measure]
        elif measure in numbers and keys and None not in shown:
            assert leaving.count(measure) == in_the_file[measure] == sum(one for one in shown if one is not None)
            with pytest.raises(NotHeld):
                leaving.count(measure, place="here")
            with pytest.raises(NotHeld):
                leaving.count(measure, kind="vsu_station")
        else:
            assert in_the_file.get(measure) is None
            with pytest.raises(NotHeld):
                leaving.count(measure)
    for duration in Duration:
        with pytest.raises(NotHeld):
            leaving.hours(duration)


def test_what_is_of_people_is_told_apart_once_and_a_new_measure_stays_until_somebody_decides() -> None:
    assert OF_PEOPLE.isdisjoint(OF_PLACES)
    assert not OF_PLACES & OF_CALLS
    assert set(IN_CUBES) <= OF_PEOPLE
    assert {Measure.DOSES, Measure.ADVERSE_EVENTS, Measure.MISUSE, Measure.CASES_REFERRED_TO_HEALTH} <= OF_PEOPLE - set(IN_CUBES)
    assert all(key == TOTAL or key.startswith(("incident=", "step=")) for _cube, keys in IN_CUBES.values() for key in keys)


def test_a_change_leaves_where_both_years_were_released_and_the_rate_of_a_station_never_does() -> None:
    years: dict[int | None, dict[str, Table]] = {
        year: {"reports": Table("reports", (), {}, {TOTAL: n, "incident=rape": n, "incident=sexual_assault": 0})}
        for year, n in ((2006, 100), (2007, 148))
    }  # fmt: skip
    there = {"measure": Measure.FACILITIES, "place": "vsu", "kind": "vsu_station", "count": 1}
    of_people = (Measure.REPORTS_SEXUAL_VIOLENCE, Measure.CASES_SEXUAL_VIOLENCE, Measure.DOSES, Measure.CASES_REFERRED_TO_HEALTH)
    rows = [there, *({"measure": one, "count": 9} for one in of_people)]
    answers = [
        {"programme": "x", "agency": "police", "year": year, "time_zone": "UTC", "counts": rows, "hours": []} for year in years
    ]
    indicators = load_programme("zm-vsu-ec").indicators
    whole, half = Leaving(Counted(answers), years), Leaving(Counted(answers), {2007: years[2007]})
    assert (indicators["reports_change_pct"].value(whole), indicators["reports_change_pct"].value(half)) == (48.0, None)
    assert indicators["sites_ge_95"].value(whole) is indicators["ec_doses"].value(whole) is None


A_YEAR = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))


def calls(routed: int, wrong: int, unrouted: int) -> Counted:
    return counted({
        Measure.CALLS: routed + wrong + unrouted, Measure.CALLS_ROUTED: routed, Measure.CALLS_WRONG_NUMBER: wrong,
    })  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(A_YEAR)
def test_calls_leave_by_the_year_and_only_where_nothing_of_them_is_small(told: tuple[int, int, int]) -> None:
    tally, year, (routed, wrong, unrouted) = calls(*told), year_of(YEAR), told
    found = of_calls(tally, year, [], is_over=True)
    assert (found is None) == any(0 < one < 10 for one in (sum(told), unrouted, routed + wrong)), "nor what the two come to"
    assert found in {None, Calls(sum(told), unrouted)}
    assert of_calls(tally, year, [], is_over=False) is None
    assert of_calls(tally, span(f"{YEAR}-01"), [], is_over=True) is None, "a month beside its year would give the others away"
    assert of_calls(counted({}), year, [], is_over=True) is None


@settings(max_examples=150, deadline=None)
@given(st.lists(A_YEAR, min_size=2, max_size=6))
def test_of_two_files_of_calls_nobody_sees_how_few_came_late(told: list[tuple[int, int, int]]) -> None:
    left: list[Calls] = []
    for one in told:
        found = of_calls(calls(*one), year_of(YEAR), left, is_over=True)
        assert found is not None or not left, "what left stands"
        if found is not None and found not in left[-1:]:
            left.append(found)
    for before, after in combinations(left, 2):
        assert not [a - b for a, b in zip(after.parts, before.parts, strict=True) if 0 < abs(a - b) < 10]


@pytest.mark.parametrize("name", ["2026", "2026-10", "2026-Q4"])
def test_a_span_is_a_year_a_month_or_a_quarter(name: str) -> None:
    of = span(name)
    assert (of.name, len(of.months), of.is_year) == (name, {"2026": 12, "2026-10": 1, "2026-Q4": 3}[name], name == "2026")
    assert (of.months[0].first, of.months[-1].until) == (of.first, of.until)


def test_the_quarters_of_a_year_are_its_months() -> None:
    assert [month for quarter in year_of(YEAR).quarters for month in quarter.months] == list(year_of(YEAR).months)
