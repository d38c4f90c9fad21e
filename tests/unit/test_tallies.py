"""Agencies' answers put together: what each counted is added up once, and what nobody keeps is no nought."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.programmes.indicators import Duration, Measure, NotHeld
from shared.programmes.profile import load_programme
from shared.programmes.tallies import STANDING, Counted, CountsAnswer

PLACES = {"police": {"vsu_1": "vsu_station", "vsu_2": "vsu_station"}, "health": {"clinic": "health_facility"}}
FLOWING = [Measure.DOSES, Measure.REPORTS, Measure.REFERRALS_ISSUED]
YEARS = (2006, 2007)


def answer(agency: str, year: int, counts: dict[tuple[Measure, str | None], int], hours: list[float] | None = None) -> Any:
    rows = [
        {"measure": measure, "place": place, "kind": PLACES[agency].get(place or ""), "count": number}
        for (measure, place), number in counts.items()
    ]  # fmt: skip
    kept = [] if hours is None else [{"duration": "dose_delay", "hours": hours}]
    return {"programme": "zm-vsu-ec", "agency": agency, "year": year, "time_zone": "Africa/Lusaka", "counts": rows, "hours": kept}


@st.composite
def answers(draw: st.DrawFn) -> list[Any]:
    found = []
    for agency, year in draw(st.lists(st.sampled_from([(a, y) for a in PLACES for y in YEARS]), unique=True, min_size=1)):
        kept = draw(st.lists(st.sampled_from([*FLOWING, Measure.DESKS_READY]), unique=True))
        counts: dict[tuple[Measure, str | None], int] = {
            (m, place): draw(st.integers(0, 9)) for m in kept for place in draw(st.sets(st.sampled_from([*PLACES[agency]])))
        }
        counts |= {(m, None): 0 for m in kept if not any(one == m for one, _place in counts)}
        found.append(answer(agency, year, counts, draw(st.none() | st.lists(st.integers(0, 200).map(float)))))
    return found


@settings(max_examples=60, deadline=None)
@given(answers())
def test_answers_are_added_up_by_year_place_and_kind_and_what_stands_is_taken_as_it_stands_last(given_: list[Any]) -> None:
    counted = Counted(given_)
    for measure in (*FLOWING, Measure.DESKS_READY):
        for year in (None, *YEARS):
            asked = [one for one in given_ if year in (None, one["year"])]
            if measure in STANDING:
                asked = [one for one in asked if one["year"] == max(o["year"] for o in asked if o["agency"] == one["agency"])]
            rows = [row for one in asked for row in one["counts"] if row["measure"] == measure]
            if not rows:
                with pytest.raises(NotHeld):
                    counted.count(measure, year=year)
                continue
            assert counted.count(measure, year=year) == sum(row["count"] for row in rows)
            for place, kind in (("vsu_1", None), (None, "vsu_station"), ("clinic", "vsu_station")):
                fitting = [r["count"] for r in rows if place in (None, r["place"]) and kind in (None, r["kind"])]
                assert counted.count(measure, year=year, place=place, kind=kind) == sum(fitting)
    kept = [hours["hours"] for one in given_ for hours in one["hours"]]
    if kept:
        assert list(counted.hours(Duration.DOSE_DELAY)) == sorted(hour for several in kept for hour in several)
    else:
        with pytest.raises(NotHeld):
            counted.hours(Duration.DOSE_DELAY)


def test_the_same_year_of_an_agency_is_not_counted_twice() -> None:
    one = answer("police", 2006, {(Measure.DOSES, "vsu_1"): 3})
    with pytest.raises(ValueError, match="there twice"):
        Counted([one, CountsAnswer.model_validate(one)])


def test_what_nobody_keeps_has_no_value_and_what_is_kept_and_nought_has() -> None:
    counted = Counted([answer("police", 2006, {(Measure.MISUSE, None): 0})])
    indicators = load_programme("zm-vsu-ec").indicators
    assert (indicators["misuse"].value(counted), indicators["adverse"].value(counted)) == (0, None)
    assert (counted.holds(indicators["misuse"]), counted.holds(indicators["adverse"])) == (True, False)
    change = indicators["reports_change_pct"].model_copy(update={"of": Measure.MISUSE})
    assert (change.value(counted), counted.holds(change)) == (None, False), "one of the years was not asked"


def test_districts_are_not_added_up_over_kinds() -> None:
    rows = [
        {"measure": "districts", "place": None, "kind": kind, "count": n} for kind, n in ((None, 3), ("vsu_station", 2), ("x", 3))
    ]
    one, other = ({**answer(agency, 2006, {}), "counts": rows} for agency in PLACES)
    assert Counted([one, other]).count(Measure.DISTRICTS) == 3
    assert Counted([one]).count(Measure.DISTRICTS, kind="vsu_station") == 2


def test_places_stand_as_the_network_lists_them() -> None:
    last, first = answer("police", 2007, {(Measure.FACILITIES, p): 1 for p in ("vsu_2", "vsu_1")}), answer("health", 2006, {})
    assert Counted([last, first]).places("vsu_station") == ["vsu_2", "vsu_1"]
    assert Counted([last, first]).places("clinic") == []
