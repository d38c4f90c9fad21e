"""The caseload of a replay: the numbers of the programme's replay for any seed, everything else by chance, and never steered by
what is expected."""

from collections import Counter
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.kinds import MODULES
from services.simulate.caseload import IN_TIME_H, Caseload, Ground, Report, draw, ground_of, number_of
from shared.casework.directory.of_programme import network_of
from shared.contracts.casework.codes import AgeBand, ServicePackage, Sex
from shared.kit.errors import RefnetError
from shared.programmes.indicators import Measure
from shared.programmes.profile import Programme, load_programme

SMALL = str(Path(__file__).parents[1] / "support" / "programmes" / "xx-replay.yaml")
REPLAYED = ("zm-vsu-ec", "rw-gender-desk", "bd-vsc", "sl-fsu", SMALL)
SEEDS = st.integers(min_value=0, max_value=2**32)


def ground(programme: Programme) -> Ground:
    return ground_of(programme, network_of(programme, "simulation", tuple(MODULES)))


GROUNDS = {name: ground(load_programme(name)) for name in REPLAYED}


def year_of(on: Ground, moment: Any) -> int:
    return int(moment.astimezone(ZoneInfo(on.time_zone)).year)


def counted(on: Ground, load: Caseload) -> Counter[tuple[Measure, int, str]]:
    """What a caseload holds, as records will be counted: a report is of an incident, a case is referred once."""
    found: Counter[tuple[Measure, int, str]] = Counter()
    for one in (one for one in load.reports if not one.is_beyond):
        at = (year_of(on, one.came_at), one.place)
        for measure in (Measure.REPORTS, Measure.REPORTS_SEXUAL_VIOLENCE):
            found[measure, *at] += 1 + (one.again_after is not None)
        found[Measure.CASES_REFERRED_TO_HEALTH, *at] += one.clinic is not None
        found[Measure.DOSES, *at] += one.dose
        found[Measure.STAYS, *at] += one.stay is not None
    return found


@pytest.mark.parametrize("name", REPLAYED)
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_for_any_seed_the_numbers_are_those_of_the_replay(name: str, seed: int) -> None:
    on = GROUNDS[name]
    load = draw(on, seed)
    found = counted(on, load)
    for series in on.series.values():
        for year, numbers in series.numbers.items():
            if series.measure is Measure.CALLS:
                assert sum(year_of(on, call.came_at) == year for call in load.calls) == sum(numbers)
            else:
                assert tuple(found[series.measure, year, place] for place in on.places[series.kind]) == numbers
    assert len({one.number for one in load.reports}) == len(load.reports)
    assert [one.came_at for one in load.reports] == sorted(one.came_at for one in load.reports)


@pytest.mark.parametrize("name", REPLAYED)
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_whoever_takes_a_dose_may_have_it_and_a_small_child_goes_where_the_programme_says(name: str, seed: int) -> None:
    on = GROUNDS[name]
    for one in draw(on, seed).reports:
        if one.dose:
            assert (one.sex, one.is_sexual) == (Sex.FEMALE, True)
            assert one.age is not AgeBand.A0_9
            assert one.hours_since <= IN_TIME_H[1]
        if one.clinic is not None:
            assert one.clinic in on.for_ages.get(one.age, on.clinics)
        if one.is_beyond:
            assert not one.is_sexual  # no figure of the programme hangs on it
            assert one.place in on.others_come_to
        assert one.again_after is None or one.clinic is not None


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
@example(seed=4_485_948)  # at which one of ten was never asked
def test_a_stay_is_planned_and_ends_as_the_programme_says_and_partners_are_asked_within_their_agreements(seed: int) -> None:
    on = GROUNDS["bd-vsc"]
    assert on.stay_days is not None
    plan_by, days = (timedelta(days=one) for one in on.stay_days)
    stays = [(one, one.stay) for one in draw(on, seed).reports if one.stay is not None]
    for one, stay in stays:
        assert one.is_child or one.sex is Sex.FEMALE
        assert stay.planned_after + timedelta(hours=len(stay.asked) * 2) < plan_by
        assert stay.planned_after < stay.leaves_after < days
        assert set(stay.asked) <= set(on.partners[stay.service])
        assert stay.where != "agency" or (stay.service is ServicePackage.SHELTER and stay.asked)
        assert not (one.is_child and stay.where == "own_choice")
        assert one.has_safe_adult or stay.where != "family"
        assert not stay.nights or one.clinic
    assert any(stay.nights for _one, stay in stays)
    assert any(stay.falls for _one, stay in stays)
    assert len({place for _one, stay in stays for place in stay.asked}) == 10  # every partner, whatever the seed
    assert "ngo_10_office_1" not in on.partners[ServicePackage.REINTEGRATION]  # offers it, and has not signed for it


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_legal_aid_is_asked_where_a_way_leads_to_a_partner_that_has_signed_for_it(seed: int) -> None:
    sierra_leone = draw(GROUNDS["sl-fsu"], seed).reports
    assert {one.legal_aid for one in sierra_leone} == {None, "legal_office_1"}
    bangladesh = GROUNDS["bd-vsc"]
    asked = {one.legal_aid for one in draw(bangladesh, seed).reports if one.legal_aid is not None}
    assert asked <= set(bangladesh.partners[ServicePackage.LEGAL_AID])
    assert not any(one.legal_aid and one.stay for one in draw(bangladesh, seed).reports)
    assert not any(one.legal_aid for one in draw(GROUNDS["zm-vsu-ec"], seed).reports)


def test_a_seed_is_one_caseload_and_another_seed_another() -> None:
    on = GROUNDS["zm-vsu-ec"]
    assert draw(on, 7) == draw(on, 7)
    assert draw(on, 7) != draw(on, 8)


def test_every_path_is_walked() -> None:
    """With one seed of each country: nothing that a replay is to show is left to luck alone."""
    zambia, rwanda, sierra_leone = (draw(GROUNDS[name], 1) for name in ("zm-vsu-ec", "rw-gender-desk", "sl-fsu"))
    assert any(one.is_child and one.clinic and one.to_welfare and one.legal_aid for one in sierra_leone.reports)  # three go out
    paths: dict[str, Any] = {
        "a boy": lambda one: one.sex is Sex.MALE and one.is_child, "a small child": lambda one: one.age is AgeBand.A0_9,
        "no to care": lambda one: one.clinic is None, "never came": lambda one: one.clinic and one.comes_after is None,
        "on paper": lambda one: one.is_on_paper, "no feedback": lambda one: one.clinic and not one.is_told_back,
        "withdrawn": lambda one: one.withdraws_after, "taken back": lambda one: one.takes_back_after,
        "again": lambda one: one.again_after, "late": lambda one: one.hours_since > IN_TIME_H[1],
        "dose declined": lambda one: one.dose_declined, "sent on": lambda one: one.is_redirected,
    }  # fmt: skip
    for path, is_walked in paths.items():
        assert any(is_walked(one) for one in zambia.reports), path
    assert {call.what for call in rwanda.calls} == {"report", "information", "cut", "wrong_number"}
    assert {call.channel for call in rwanda.calls} == {"voice", "sms"}
    assert {call.district for call in rwanda.calls} - {None} == set(GROUNDS["rw-gender-desk"].district_of.values())
    assert any(call.again_of is not None for call in rwanda.calls)
    assert all(call.district is None for call in rwanda.calls if call.what == "wrong_number")


@pytest.mark.parametrize("name", REPLAYED)
def test_what_is_expected_steers_nothing(name: str) -> None:
    """The drawing is not given it; and another expectation, or none, is the same caseload."""
    programme = load_programme(name)
    other = programme.model_copy(update={"expect": {}, "indicators": {}})
    assert draw(ground(other), 3) == draw(ground(programme), 3)
    assert not {field.name for field in fields(Ground)} & {"expect", "indicators"}


def test_only_the_first_years_where_that_is_said() -> None:
    load = draw(GROUNDS["zm-vsu-ec"], 1, most_years=1)
    assert load.years == (2006,)
    assert {year_of(GROUNDS["zm-vsu-ec"], one.came_at) for one in load.reports} == {2006}


def _with(on: Ground, name: str, **change: Any) -> Ground:
    return replace(on, series={**on.series, name: on.series[name].model_copy(update=change)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda on: replace(on, series={}), "has no `replay`, so there is nothing to simulate"),
        (lambda on: _with(on, "doses", numbers={2006: (71, 0, 0, 0, 0)}), "more doses than reports at ndola_central_vsu in 2006"),
        (
            lambda on: _with(on, "referred", numbers={2006: (1, 2)}),
            "has 2 numbers for 2006, and there are 5 places of kind",
        ),
        (lambda on: _with(on, "doses", measure=Measure.MISUSE), "counts misuse; what can be replayed is calls"),
        (lambda on: _with(on, "doses", measure=Measure.STAYS), "counts stays; that needs a rule `stay_limit`"),
        (lambda on: _with(on, "doses", measure=Measure.CALLS), "counts calls, and the programme has no hotline"),
    ],
)
def test_numbers_that_do_not_fit_are_told_in_a_sentence(change: Any, words: str) -> None:
    with pytest.raises(RefnetError, match=words):
        draw(change(GROUNDS["zm-vsu-ec"]), 1)


def test_a_number_that_the_replay_does_not_say_is_not_nought() -> None:
    on = GROUNDS["rw-gender-desk"]
    assert number_of(on, Measure.DOSES, 2010, "gender_desk_1") is None
    assert number_of(on, Measure.REPORTS, 2010, "gender_desk_1") == 6


def test_a_child_is_a_child() -> None:
    some = draw(GROUNDS["zm-vsu-ec"], 1).reports
    assert {one.is_child for one in some if one.age in (AgeBand.A0_9, AgeBand.A15_17)} == {True}
    assert isinstance(some[0], Report)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_who_comes_again_moves_no_station_of_zambia_past_the_reports_share(seed: int) -> None:
    """A second incident is a report and no other case, so that a station's share of cases that are sent to care rises a little with
    each: never so far that more stations reach 95 % than the report says."""
    on = GROUNDS["zm-vsu-ec"]
    cases: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for one in (one for one in draw(on, seed).reports if not one.is_beyond):
        cases[one.place] += 1
        sent[one.place] += one.clinic is not None
    assert sum(sent[place] / cases[place] >= 0.95 for place in cases) == 3
