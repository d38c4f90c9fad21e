"""The oversight body's pure rules: what is adopted, what thins out, who refers; and what the contract does not let through."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.oversight.figures.domain import attrition, isolation
from services.oversight.figures.views import OfAgency, countries, isolated
from services.oversight.protocols.domain import Confirmed, Standing, adoption
from shared.casework.directory.of_programme import network_of
from shared.casework.figures.cells import packed, unpacked
from shared.casework.figures.commands import Table, _protected, added, tables_of
from shared.casework.figures.domain import CUBES, DIMENSIONS, STEPS, TOTAL, count, key
from shared.casework.figures.on_time import RELEASED_AFTER, due
from shared.casework.figures.suppression import Network, first_release, shown
from shared.casework.figures.telling import CHAINS
from shared.casework.figures.views import Counted
from shared.casework.here import Here
from shared.casework.protocols.domain import ADOPT_WITHIN, adopt_by, digest_of, newest, plain
from shared.contracts.casework.events import ReleasedCube
from shared.programmes.profile import load_programme

HERE, THERE = ("police", "central"), ("health", "clinic")
DIGEST = "a" * 64


def test_a_text_has_one_digest_however_its_lines_end() -> None:
    assert digest_of("One.\r\nTwo. \r\n") == digest_of("One.\nTwo.") == digest_of("\nOne.\rTwo.\n\n")
    assert digest_of("One.\nTwo.") != digest_of("One. Two.")
    assert plain(plain("a\r\nb")) == plain("a\r\nb") == "a\nb\n"


def test_a_place_is_overdue_the_day_after_its_last_one_and_another_text_confirms_nothing() -> None:
    last = adopt_by(date(2026, 1, 5), date(2026, 2, 1))
    assert last == date(2026, 2, 1) + ADOPT_WITHIN
    assert adopt_by(date(2026, 3, 1), date(2026, 2, 1)) == date(2026, 3, 1) + ADOPT_WITHIN
    said = {HERE: Confirmed("inspector", date(2026, 2, 2), DIGEST)}
    on_time, late = (adoption([HERE, THERE], said, DIGEST, last, last + timedelta(days=n)) for n in (0, 1))
    assert [line.standing for line in on_time] == [Standing.CONFIRMED, Standing.WAITED_FOR]
    assert [line.standing for line in late] == [Standing.CONFIRMED, Standing.OVERDUE]
    (other, _) = adoption([HERE, THERE], said, "b" * 64, last, last)
    assert (other.standing, other.is_other_text) == (Standing.WAITED_FOR, True)


def test_only_the_newest_version_of_each_protocol_is_to_be_confirmed() -> None:
    class Version:
        def __init__(self, topic: str, version: int) -> None:
            self.topic, self.version = topic, version

    found = newest([Version("consent", 10), Version("consent", 9), Version("children", 1)])
    assert [(one.topic, one.version) for one in found] == [("children", 1), ("consent", 10)]


def test_how_reports_thin_out_is_summed_from_the_end_and_what_is_hidden_is_not_guessed() -> None:
    steps = dict(zip(STEPS, (40, 30, 20, 0, 10), strict=True))
    values: dict[str, int | None] = {TOTAL: 100, **{key(("step", step)): number for step, number in steps.items()}}
    found = attrition(values)
    assert [(one.step, one.reached) for one in found] == list(zip(STEPS, (100, 60, 30, 10, 10), strict=True))
    assert [one.share for one in found] == [None, 60, 50, pytest.approx(100 / 3), 100]
    values |= {key(("step", "charged")): None, key(("step", "verdict")): None}
    assert [one.reached for one in attrition(values)] == [100, 60, 30, None, None]  # the total says the first three
    values[key(("step", "reported"))] = None
    assert [one.reached for one in attrition(values)] == [100, None, None, None, None]
    assert attrition({TOTAL: 3}) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 3, 9, 10, 12, 40]), min_size=5, max_size=5))
def test_nothing_small_comes_out_of_what_is_summed(numbers: list[int]) -> None:
    """What a page computes of released numbers says no more than these: never that 1 to 9 came so far."""
    things = [{"step": step, "hours": "72"} for step, n in zip(STEPS, numbers, strict=True) for _ in range(n)]
    chain, categories = ("step", "hours"), {"step": STEPS, "hours": DIMENSIONS["hours"]}
    values = count(chain, categories, things)
    hidden = first_release(Network.of(chain, categories), values)
    if hidden is not None:
        assert not [one for one in attrition(shown(values, hidden)) if one.reached is not None and 0 < one.reached < 10]


def test_all_from_specialised_desks_is_alarming_and_what_is_hidden_is_not() -> None:
    specialist, other = key(("from_desk", "specialist")), key(("from_desk", "other"))
    found = isolation({TOTAL: 40, specialist: 40, other: 0})
    assert found is not None
    assert (found.share, found.is_alarming) == (0, True)
    for values in (
        {TOTAL: 40, specialist: 30, other: 10},
        {TOTAL: 40, specialist: None, other: None},
        {TOTAL: 0, specialist: 0, other: 0},
    ):
        found = isolation(values)
        assert found is not None
        assert not found.is_alarming
    assert isolation({}) is None


def released(agency: str, others: int | None, specialists: int | None) -> OfAgency:
    known = [one for one in (others, specialists) if one is not None]
    values: dict[str, int | None] = {
        TOTAL: sum(known) if len(known) == 2 else 40, key(("from_desk", "other")): others,
        key(("from_desk", "specialist")): specialists,
    }  # fmt: skip
    return OfAgency(agency, {"referrals": Table("referrals", CHAINS["referrals"], {}, values)})


def overseen(programme_id: str, overseer: str) -> Here:
    programme = load_programme(programme_id)
    return Here(overseer, network_of(programme), programme, b"")


def test_the_police_of_one_country_are_judged_together() -> None:
    """In Bangladesh the ordinary stations are another agency than the centres."""
    here = overseen("bd-vsc", "home_ministry")
    centres, nothing = released("police", 0, 40), OfAgency("thanas", {})
    assert isolated(here, [centres, released("thanas", 0, 0)]) == {"police", "thanas"}
    assert isolated(here, [centres, released("thanas", 12, 0)]) == set()
    assert isolated(here, [centres, released("thanas", None, None)]) == set()  # hidden stays unknown
    assert isolated(here, [centres, nothing]) == set()  # they may refer, and have not told yet
    assert isolated(here, [OfAgency("police", {}), released("thanas", 0, 0)]) == set()  # nobody referred anybody
    assert [one.agencies for one in countries(here, [centres, nothing])] == [("police", "thanas")]


def test_a_mobile_unit_does_not_stand_for_its_country() -> None:
    here = overseen("latam-wps", "oversight")
    assert [one.agencies for one in countries(here, [OfAgency("mobile", {}), released("police", 0, 40)])] == [("police", "mobile")]


def test_a_country_whose_desks_are_all_specialised_is_not_judged() -> None:
    here = overseen("latam-wps", "oversight")
    ecuador = released("police_ec", 0, 40)
    assert isolated(here, [released("police", 0, 40), OfAgency("mobile", {}), ecuador]) == {"police"}  # the other has told nothing
    assert isolated(here, [released("police", 10, 40), released("mobile", 0, 10), ecuador]) == set()
    assert [here.has_other_desks(one) for one in ("police", "mobile", "police_ec")] == [True, False, False]


def test_the_contract_itself_lets_no_count_of_1_to_9_through_and_no_table_that_is_not_full() -> None:
    chain = [{"dimension": "way", "categories": ["police", "health"]}]
    for number in range(1, 10):
        with pytest.raises(ValidationError, match="does not leave an agency"):
            ReleasedCube.model_validate({"cube": "arrivals", "chain": chain, "numbers": [20 + number, 20, number]})
    for numbers in ([40, 20], [40, 20, 20, 0], []):
        with pytest.raises(ValidationError, match="do not fill"):
            ReleasedCube.model_validate({"cube": "arrivals", "chain": chain, "numbers": numbers})
    ReleasedCube.model_validate({"cube": "arrivals", "chain": chain, "numbers": [40, None, None]})


def test_a_release_comes_out_as_it_went_in() -> None:
    chains = {cube.id: cube.chain for cube in CUBES}
    categories = {d: DIMENSIONS[d] or ("ndola_central_vsu", "masaiti_vsu") for d in chains["reports"]}
    things = [{d: c[n % len(c)] for d, c in categories.items()} for n in range(2000)]
    values = count(chains["reports"], categories, things)
    hidden = first_release(Network.of(chains["reports"], categories), values)
    assert hidden is not None
    kept = {"categories": {d: list(c) for d, c in categories.items()}, "values": shown(values, hidden)}
    assert unpacked(packed({"reports": kept, "offers": None}, chains)) == {**dict.fromkeys(chains), "reports": kept}


def test_a_quarters_time_comes_when_its_last_sheets_are_in() -> None:
    first = date(2026, 4, 1) + RELEASED_AFTER
    assert due(first).name == "2026-Q1"
    assert due(first - timedelta(days=1)).name == "2025-Q4"
    assert due(date(2026, 7, 1)).name == "2026-Q1"


def test_what_was_released_before_a_chain_grew_stands_and_is_compared_with_nothing() -> None:
    before = tuple(d for d in CHAINS["referrals"] if d != "from_desk")
    old = {d: DIMENSIONS[d] for d in before}
    things = [{d: c[n % len(c)] for d, c in old.items()} for n in range(600)]
    values = count(before, old, things)
    kept = {"categories": {d: list(c) for d, c in old.items()}, "values": dict(values)}
    table = tables_of({"referrals": kept})["referrals"]
    assert (table.chain, table.values) == (before, values)
    assert isolation(table.values or {}) is None
    now = {d: DIMENSIONS[d] for d in CHAINS["referrals"]}
    grown = count(CHAINS["referrals"], now, [{**thing, "from_desk": "other"} for thing in things * 2])
    assert _protected(Counted("referrals", CHAINS["referrals"], now, grown), table, values) is None
    assert added(Table("referrals", CHAINS["referrals"]), [table, table, table]).values is None
    assert unpacked(packed({"referrals": kept}, CHAINS))["referrals"] == kept
