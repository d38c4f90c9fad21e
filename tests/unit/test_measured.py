"""A replay's figures: computed from what agencies counted, whatever is expected; and said with what each is worth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from services.simulate import measured
from shared.casework.directory.figures import counts
from shared.casework.directory.network import Facility, Network, parse_network
from shared.casework.directory.of_programme import network_of
from shared.casework.figures.counting import answer
from shared.casework.figures.domain import year_of
from shared.casework.here import Here
from shared.kit.db import Transaction
from shared.programmes.profile import Programme, load_programme
from shared.programmes.tallies import Counted

SMALL = str(Path(__file__).parents[1] / "support" / "programmes" / "xx-replay.yaml")
COUNTS: dict[str, tuple[tuple[str | None, int], ...]] = {
    "facilities": (("north_unit", 1), ("south_unit", 1)), "desks_ready": (("north_unit", 1), ("south_unit", 1)),
    "doses": (("north_unit", 2), ("south_unit", 1)), "reports_sexual_violence": (("north_unit", 4), ("south_unit", 3)),
    "cases_sexual_violence": (("north_unit", 4), ("south_unit", 3)),
    "cases_referred_to_health": (("north_unit", 4), ("south_unit", 1)),
    "stock_opening": (("north_unit", 0),), "stock_received": (("north_unit", 20),), "stock_dispensed": (("north_unit", 2),),
    "stock_discarded": (("north_unit", 1),), "stock_counted": (("north_unit", 17),),
    "calls": (("north_unit", 5),), "calls_routed": (("north_unit", 4),), "calls_wrong_number": (("north_unit", 1),),
    "mediations": ((None, 0),), "consent_breaches": ((None, 0),),
}  # fmt: skip


def counted(**change: int) -> Counted:
    rows = [
        {"measure": measure, "place": place, "kind": "unit" if place else None, "count": change.get(measure, count)}
        for measure, several in COUNTS.items() for place, count in several
    ]  # fmt: skip
    answer = {"programme": "xx-replay", "agency": "police", "year": 2021, "time_zone": "Africa/Lusaka", "counts": rows, "hours": []}
    return Counted([answer])


@pytest.fixture
def small() -> Programme:
    return load_programme(SMALL)


def values(lines: list[measured.Line]) -> dict[str, float | None]:
    return {line.id: line.value for line in lines}


def test_what_records_hold_is_what_is_said_and_not_what_is_expected(small: Programme) -> None:
    lines = measured.lines_of(small, counted())
    assert measured.is_all_met(lines)
    doses = small.expect["doses"].model_copy(update={"value": 99.0})
    other = small.model_copy(update={"expect": {**small.expect, "doses": doses}})
    changed = measured.lines_of(other, counted())
    assert values(changed) == values(lines)
    assert {line.id for line in changed if line.met is False} == {"doses"}


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        ({"doses": 1}, "doses"),
        ({"stock_counted": 16}, "variance"),
        ({"calls_routed": 3}, "unrouted"),
        ({"desks_ready": 0}, "coverage"),
    ],
)
def test_a_record_that_lacks_changes_its_figure(change: dict[str, int], fails: str, small: Programme) -> None:
    whole, lacking = measured.lines_of(small, counted()), measured.lines_of(small, counted(**change))
    assert {id_ for id_, value in values(lacking).items() if value != values(whole)[id_]} == {fails}
    assert {line.id for line in lacking if line.met is False} == {fails}


def test_each_figure_says_what_it_is_and_whether_what_went_in_was_made_up() -> None:
    zambia = load_programme("zm-vsu-ec")
    lines = {line.id: line for line in measured.lines_of(zambia, Counted([]))}
    assert (lines["stations"].why, lines["stations"].source, lines["stations"].went_in) == ("fact of the report", "S", "facts")
    assert (lines["ec_doses"].expected, lines["ec_doses"].went_in) == (357, "synthetic")  # the sum is a fact; what was drawn is not
    assert (lines["box_variance"].why, lines["box_variance"].went_in) == ("zero target", "synthetic")
    assert lines["ec_doses"].met is False  # nobody has records: that is no nought, and meets nothing
    assert lines["ec_doses"].value is None
    assert (lines["told_back"].expected, lines["told_back"].met) == (None, None)
    table = measured.in_words(list(lines.values()))
    assert "NOT MET" in table
    assert "fact of the report, S" in table


def test_json_has_exactly_the_names_that_are_fixed(small: Programme) -> None:
    data: Any = json.loads(json.dumps(measured.as_data(small, measured.lines_of(small, counted()))))
    assert data["id"] == "xx-replay"
    assert {name for one in data["indicators"] for name in one} == {"name", "value", "expected", "met", "source"}
    assert data["indicators"][2] == {"name": "units", "value": 2.0, "expected": 2.0, "met": True, "source": "D"}


@pytest.mark.parametrize(
    ("left_out", "fails"),
    [
        (lambda unit, _place: unit == "fru_22", {"fru_total"}),  # one of several in Kabul
        (lambda _unit, place: place.district == "bamiyan", {"fru_total", "provinces"}),
    ],
    ids=["a unit", "a province"],
)
async def test_what_a_network_has_is_counted_and_one_unit_fewer_is_not_as_the_report_says(
    left_out: Callable[[str, Facility], bool], fails: set[str]
) -> None:
    """Nobody draws the places of a replay: a network that lacks one of them fails it all the same."""
    programme = load_programme("af-fru")
    whole = network_of(programme, "simulation")
    content = whole.model_dump(mode="json")
    for unit, place in whole.agencies["police"].facilities.items():
        if left_out(unit, place):
            del content["agencies"]["police"]["facilities"][unit]
    assert await not_met(programme, whole) == set()
    assert await not_met(programme, parse_network(content, "this test's")) == fails


async def not_met(programme: Programme, network: Network) -> set[str]:
    """What of a programme's places is not as expected, by what its police say of a year."""
    here = Here("police", network, programme, b"")
    found = await counts(cast("Transaction", None), here, year_of(2009))
    expected = {id_: programme.expect[id_] for id_ in ("fru_total", "provinces")}
    lines = measured.lines_of(programme, Counted([answer(here, 2009, found)]), expected)
    return {line.id for line in lines if line.met is False}
