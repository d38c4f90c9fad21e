"""Profiles load whole, say where every figure comes from, and lie over one another; indicators come from what is counted."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.casework.directory.of_programme import network_of
from shared.casework.pages.words import ENTRIES, SAFETY
from shared.casework.stock.domain import EntryKind
from shared.contracts.casework.codes import ADVERSE, MISUSE, AgencyKind, CareClock, FacilityMode
from shared.kit.errors import RefnetError
from shared.programmes.indicators import Duration, Formula, Indicator, Measure
from shared.programmes.profile import PROFILES, Programme, Status, check_file, load_programme
from shared.programmes.reading import over, read_text
from shared.programmes.records import FieldType
from shared.programmes.references import parts_of
from shared.programmes.terms import Part, Sourced

SKETCHES = Path(__file__).parents[1] / "support" / "programmes"
OURS = sorted(PROFILES.glob("*.yaml"))
FILES = [*OURS, *sorted(SKETCHES.glob("*.yaml"))]
ZAMBIA, RWANDA = load_programme("zm-vsu-ec"), load_programme("rw-gender-desk")


def name_of(file: Path) -> str:
    return file.stem


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_profile_is_without_mistakes(file: Path) -> None:
    assert [str(one) for one in check_file(file).mistakes] == []


# --- where figures come from ---------------------------------------------------------------------------------------------

FACTS: dict[str, dict[str, Any]] = {  # what the source says of these programmes (domain.md, 4), by the keys that lead to it
    "zm-vsu-ec": {
        "facilities.vsu_station.count": 5, "facilities.health_facility.count": 17, "certificates.ec_provider.course_days": 6,
        "certificates.ec_provider.topics": 20, "staff.clinician.count": 23, "expect.ec_doses.value": 357, "expect.adverse.value": 0,
        "expect.misuse.value": 0, "expect.reports_change_pct.value": 48, "expect.sites_ge_95.value": 3,
        "windows.emergency_contraception.hours": 120, "windows.pep.hours": 72, ".period": (2005, 2008),
    },
    "bd-vsc": {  # domain.md, 4.2
        "facilities.vsc.count": 1, "facilities.vsc_planned.count": 7, "expect.centres_total.value": 8,
        "expect.ngo_partners.value": 10, "expect.stay_limit_d.value": 5, "rules.stay.days": 5, ".period": (2009, 2011),
        "agreements.ngo_10.signed_with": ("police",),
    },
    "af-fru": {
        "facilities.fru.count": 22, "expect.fru_total.value": 22, "expect.provinces.value": 7,
    },
    "sl-fsu": {
        "facilities.fsu.count": 41, "facilities.rainbo.count": 3, "expect.fsu_total.value": 41, "expect.rainbo_total.value": 3,
        "expect.fee_charged.value": 0, "report_forms.medical_form.detention_limit_days": 10, "report_forms.medical_form.fee": 0,
        "pathways.to_rainbo.fee": 0, "pathways.to_legal.fee": 0,
    },
    "latam-wps": {  # domain.md, 4.6
        "facilities.station_ni.count": 59, "facilities.station_ec.count": 34, "facilities.station_br.count": 475,
        "expect.stations_ni.value": 59, "expect.stations_ec.value": 34, "expect.stations_br.value": 475,
    },
    "rw-gender-desk": {
        "facilities.police_station.count": 69, "facilities.gender_desk.count": 69, "facilities.hotline_room.count": 1,
        "hotline.number": "3512", "expect.station_coverage_pct.value": 100, "expect.desks.value": 69,
    },
}  # fmt: skip
NO_FACTS = {  # what domain.md marks as a design or an assumption
    "zm-vsu-ec": [
        "windows.emergency_contraception.inclusive", "windows.forensic_sample.hours", "windows.hepatitis_b_vaccine.hours",
        "limits.acknowledge_h.acute", "certificates.ec_provider.valid_days", "report_forms.zp_form_32.version",
        "replay.doses.numbers", "replay.reports.numbers", ".languages", ".consent_days", "facilities.one_stop_centre.count",
        "facilities.one_stop_police_desk.count", "facilities.one_stop_welfare_desk.count",
        "rules.ec_given_before.act",
    ],
    "bd-vsc": [
        "rules.stay.plan_by_days", "rules.stay.hospital_counts", "rules.property_back.within_h", "facilities.vsc.places",
        "facilities.hospital.count", "expect.overstay_without_plan.value", ".languages", "agreements.ngo_1.begins_on",
        "agreements.ngo_1.services", "replay.reports.numbers", "replay.stays.numbers",
    ],
    "af-fru": [
        "facilities.hospital.count", "hotline.number", "replay.reports.numbers", ".languages",
    ],
    "sl-fsu": [
        "facilities.district_office.count", "facilities.legal_office.count", "report_forms.medical_form.version",
        "pathways.to_worker.acknowledge_h", "replay.reports.numbers", ".languages",
    ],
    "latam-wps": [  # of Peru, Argentina and Colombia the report holds nothing
        "facilities.station_pe.count", "facilities.station_ar.count", "facilities.station_co.count", "facilities.mobile_ec.count",
        "facilities.mobile_unit.sync_within_h", "facilities.ordinary_ni.count", "pathways.hand_over.respond_h",
        "rules.order_may_follow.within_h", "expect.non_specialist_share.value",
        "replay.reports.numbers", "replay.reports_elsewhere.numbers", ".languages",
    ],
    "rw-gender-desk": [
        "hotline.answer_s", "hotline.dispatch_min", "facilities.isange_centre.count", "replay.calls.numbers",
        "expect.calls_unrouted.value",
    ],
}  # fmt: skip


def figure_of(programme: Programme, way: str) -> tuple[Sourced, str]:
    *keys, figure = way.split(".")
    keys = [key for key in keys if key]
    part = next(part for found, part in parts_of(programme) if list(found) == keys)
    assert isinstance(part, Sourced)
    return part, figure


@pytest.mark.parametrize("id_", FACTS)
def test_what_the_source_says_is_a_fact_and_all_else_is_marked(id_: str) -> None:
    programme = load_programme(id_)
    for way, value in FACTS[id_].items():
        part, figure = figure_of(programme, way)
        assert (getattr(part, figure), part.is_assumption(figure)) == (value, False), way
    for way in NO_FACTS[id_]:
        part, figure = figure_of(programme, way)
        assert part.is_assumption(figure), way


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_figure_says_where_it_comes_from(file: Path) -> None:
    programme = check_file(file).programme
    assert programme is not None
    for way, part in parts_of(programme):
        if isinstance(part, Sourced):
            for figure in part.figures:
                assert part.because(figure) or getattr(part, figure) in (None, ()), (way, figure)


def test_whatever_holds_a_number_must_say_its_source() -> None:
    """A part with a number of hours, days, places or money in it is a Sourced one, and lists the number among its figures."""
    plain = {
        "least",
        "most",
        "km",
        "minutes",
        "decimals",
        "within_h",
        "after_h",
        "year",
        "since",
        "at_least",
        "keep_days",
        "version",
    }
    kinds: set[type[Part]] = set()
    for file in FILES:
        programme = check_file(file).programme
        assert programme is not None
        kinds |= {type(part) for _way, part in parts_of(programme)}
    for kind in kinds:
        for name, field in kind.model_fields.items():
            is_number = any(word in str(field.annotation) for word in ("int", "float")) and "FieldType" not in str(field.annotation)
            if is_number and name not in plain and field.annotation is not bool and "Mapping" not in str(field.annotation):
                assert issubclass(kind, Sourced), (kind, name)
                assert name in kind.figures, (kind, name)


def leaves(value: object, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*way, str(key)))
    else:
        yield way, value


@pytest.mark.parametrize("file", [file for file in FILES if file.stem != "base"], ids=name_of)
def test_no_profile_repeats_a_value_of_the_base(file: Path) -> None:
    base = dict(leaves(read_text(PROFILES / "base.yaml").value))
    own = [
        (way, value) for way, value in leaves(read_text(file).value) if "source" not in way
    ]  # it is said anew beside a new figure
    repeated = [way for way, value in own if way in base and base[way] == value]
    assert repeated == []


# --- one over another ------------------------------------------------------------------------------------------------------

_tree = st.fixed_dictionaries(
    {},
    optional={
        "hours": st.integers(0, 3), "posts": st.lists(st.sampled_from("abc"), max_size=2), "gone": st.none(),
        "limits": st.fixed_dictionaries(
            {},
            optional={"acute": st.integers(0, 3), "deeper": st.dictionaries(st.sampled_from("xy"), st.integers(0, 3), max_size=2)},
        ),
    },
)  # fmt: skip


@settings(max_examples=100)
@given(_tree, _tree, _tree)
def test_layers_come_out_alike_in_any_grouping(one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]) -> None:
    assert over(over(one, two), three) == over(one, over(two, three))
    assert over(one, {}) == over({}, one) == over(one, one) == one


def test_three_layers_each_say_their_own(tmp_path: Path) -> None:
    (tmp_path / "middle.yaml").write_text(
        "id: middle\nname: Middle\nextends: base\ntime_zone: Asia/Kabul\nlimits: {lapse_h: {acute: 20, source: D}}\n"
    )
    (tmp_path / "top.yaml").write_text("id: top\nname: Top\nextends: middle\nlimits: {lapse_h: {urgent: 99, source: D}}\n")
    programme = load_programme("top", tmp_path)
    assert (programme.time_zone, programme.limits.lapse_h.acute, programme.limits.lapse_h.urgent) == ("Asia/Kabul", 20, 99)
    assert programme.limits.lapse_h.routine == load_programme("base").limits.lapse_h.routine


# --- what code asks ----------------------------------------------------------------------------------------------------------


def test_limits_are_durations_and_windows_end() -> None:
    assert ZAMBIA.limits.acknowledge_h.of("acute") == timedelta(hours=1)
    assert ZAMBIA.windows[CareClock.PEP].length == timedelta(hours=72)


def test_norway_and_half_past_eight_are_texts(tmp_path: Path) -> None:
    text = (SKETCHES / "xx-anywhere.yaml").read_text().replace("country: XX", "country: NO").replace('"06:00-22:00"', "06:00-22:00")
    (tmp_path / "xx-anywhere.yaml").write_text(text)
    programme = load_programme(str(tmp_path / "xx-anywhere.yaml"))
    assert (programme.country, programme.pathways["care_to_room"].hours) == ("NO", "06:00-22:00")


def test_names_are_read_in_the_first_language_that_there_is() -> None:
    name = load_programme(str(SKETCHES / "xx-anywhere.yaml")).districts["north"]
    assert (name.in_("dv", "en"), name.in_("fr"), str(name)) == ("އުތުރު", "North atoll", "North atoll")


def test_registers_of_an_agency_have_the_base_in_them() -> None:
    registers = ZAMBIA.records_of("police")
    assert {"complaint", "offender", "ec_register", "ec_box"} <= registers.keys()
    statement = registers["complaint"].fields["statement"]
    assert (statement.type, statement.is_sealed) == (FieldType.LOCAL_TEXT, True)
    assert registers["ec_register"].readers.certificates == ("ec_provider",)
    assert "rape" in registers["complaint"].fields["incident"].options


def test_a_register_that_the_software_keeps_is_told_with_the_words_that_its_pages_have() -> None:
    def choices(register: str) -> dict[str, str]:
        return {code: str(label) for code, label in ZAMBIA.records[register].fields["what"].choices.items()}

    assert choices("ec_adverse_event") == {code: SAFETY[code] for code in ADVERSE}
    assert choices("ec_misuse") == {code: SAFETY[code] for code in MISUSE}
    in_a_box = set(EntryKind) - {EntryKind.ISSUED}  # which a clinic's store does
    assert choices("ec_box") == {kind: ENTRIES[kind] for kind in in_a_box}


def test_a_historical_programme_runs_only_where_nobody_is_real() -> None:
    afghanistan = load_programme(str(PROFILES / "af-fru.yaml"))
    assert afghanistan.status is Status.HISTORICAL_SIMULATION_ONLY
    for purpose in ("simulation", "demo", "test"):
        afghanistan.check_purpose(purpose)
        network_of(afghanistan, purpose)
    for purpose in ("trial", "production"):
        with pytest.raises(ValueError, match="simulation only"):
            afghanistan.check_purpose(purpose)
        with pytest.raises(RefnetError, match="write a real one by hand"):
            network_of(afghanistan, purpose)
        ZAMBIA.check_purpose(purpose)


# --- networks ------------------------------------------------------------------------------------------------------------------


def test_a_network_has_every_facility_as_often_as_the_programme_counts_it() -> None:
    network = network_of(RWANDA)
    police = network.agencies["police"].facilities
    assert len([one for one in police if one.startswith("gender_desk")]) == 69
    assert {f"{one.split('_')[-1]}:{two.district}" for one, two in police.items() if one.startswith("gender_desk")} == {
        f"{one.split('_')[-1]}:{two.district}" for one, two in police.items() if one.startswith("police_station")
    }  # each desk under its station's roof
    assert {facility.district for facility in police.values()} == set(RWANDA.districts)
    assert network.pairs == (("health", "police"), ("health", "social_welfare"), ("police", "social_welfare"))
    assert network.purpose == "simulation"


def test_named_places_keep_their_names_and_paper_has_a_desk_that_writes_for_it() -> None:
    network = network_of(ZAMBIA, "test")
    health = network.agencies["health"].facilities
    assert len(health) == 17 + 1
    assert (health["masaiti_clinic"].mode, health["masaiti_clinic"].hub) == (FacilityMode.PAPER, "health_facility_3")
    assert health["ndola_clinic"].journeys["masaiti_vsu"].km == 31
    assert health["health_facility_3"].district == "masaiti"


@pytest.mark.parametrize("file", [file for file in FILES if file.stem != "base"], ids=name_of)
def test_every_programme_makes_a_network_in_which_what_is_planned_is_named_as_such_and_what_is_past_is_not(file: Path) -> None:
    programme = check_file(file).programme
    assert programme is not None
    network = network_of(programme)
    serving = [agency for agency in network.agencies.values() if agency.kind is not AgencyKind.OVERSIGHT]
    watched = {pair for pair in network.pairs if any(network.agencies[one].kind is AgencyKind.OVERSIGHT for one in pair)}
    assert len(watched) == len(serving) * (len(network.agencies) - len(serving)), "whoever watches is told by everybody"
    facilities = [one for agency in serving for one in agency.facilities.values()]
    for status, found in (
        ("open", [one for one in facilities if not one.is_planned]),
        ("planned", [one for one in facilities if one.is_planned]),
    ):
        kinds = {kind: one.count for kind, one in programme.facilities.items() if one.status == status and one.count}
        assert {one.kind for one in found} == kinds.keys()
        assert len(found) == sum(kinds.values())
    for agency in network.agencies.values():
        assert not next(iter(agency.facilities.values())).is_planned  # an agency's first place works


def test_a_network_of_some_kinds_names_nobody_else() -> None:
    network = network_of(load_programme(str(SKETCHES / "xx-anywhere.yaml")), "test", (AgencyKind.POLICE, AgencyKind.HEALTH))
    assert set(network.agencies) == {"guardians", "healers"}


def test_a_programme_without_pathways_makes_no_network() -> None:
    with pytest.raises(RefnetError, match="add `pathways`"):
        network_of(load_programme("base"))


# --- indicators ------------------------------------------------------------------------------------------------------------------


class Counted:
    """A tally of given numbers: (measure, year, place) → count."""

    def __init__(
        self, numbers: Mapping[tuple[Measure, int, str], int], hours: Mapping[Duration, Sequence[float]] | None = None
    ) -> None:
        self._numbers, self._hours = numbers, hours or {}

    def count(self, measure: Measure, *, year: int | None = None, place: str | None = None, kind: str | None = None) -> int:
        return sum(
            count for (what, when, where), count in self._numbers.items()
            if what is measure and year in (None, when) and place in (None, where) and (kind is None or where.startswith(kind))
        )  # fmt: skip

    def hours(self, duration: Duration, *, year: int | None = None) -> Sequence[float]:
        return self._hours.get(duration, ())

    def places(self, kind: str | None = None) -> Sequence[str]:
        return sorted({place for _what, _when, place in self._numbers if kind is None or place.startswith(kind)})


def replayed(programme: Programme) -> Counted:
    numbers = {
        (series.measure, year, f"{series.kind}_{number}"): count
        for series in programme.replay.values()
        for year, numbers in series.numbers.items() for number, count in enumerate(numbers, 1)
    }  # fmt: skip
    reports = {(year, where): n for (what, year, where), n in numbers.items() if what is Measure.REPORTS_SEXUAL_VIOLENCE}
    each_a_case = {(Measure.CASES_SEXUAL_VIOLENCE, year, where): n for (year, where), n in reports.items()}
    return Counted(numbers | each_a_case)


def test_the_zambian_replay_comes_to_what_the_report_says() -> None:
    tally = replayed(ZAMBIA)
    for id_ in ("ec_doses", "reports_change_pct", "sites_ge_95", "adverse", "misuse"):
        value = ZAMBIA.indicators[id_].value(tally)
        assert ZAMBIA.expect[id_].is_met(value), (id_, value)
    for year in (2006, 2007):
        for number in range(5):
            doses, referred, reports = (ZAMBIA.replay[one].numbers[year][number] for one in ("doses", "referred", "reports"))
            assert max(doses, referred) <= reports


@pytest.mark.parametrize("name", ["rw-gender-desk", "latam-wps"])
def test_where_desks_are_of_both_kinds_the_share_of_the_others_is_watched(name: str) -> None:
    programme = load_programme(name)
    assert {kind.is_specialist for kind in programme.facilities.values() if kind.agency == "police"} == {True, False}
    sent = {(Measure.REFERRALS_FROM_OTHERS, 2010, "all"): 1, (Measure.REFERRALS_ISSUED, 2010, "all"): 4}
    assert programme.indicators["non_specialist_share"].value(Counted(sent)) == 0.25


def test_one_unmanned_desk_of_69_is_986_and_an_alarm() -> None:
    coverage, expected = RWANDA.indicators["station_coverage_pct"], RWANDA.expect["station_coverage_pct"]
    whole = {(Measure.STATIONS, 2010, "all"): 69, (Measure.STATIONS_READY, 2010, "all"): 69}
    assert expected.is_met(coverage.value(Counted(whole)))
    value = coverage.value(Counted(whole | {(Measure.STATIONS_READY, 2010, "all"): 68}))
    assert value is not None
    assert (round(value, 1), expected.is_met(value)) == (98.6, False)
    assert RWANDA.expect_unmanned["station_coverage_pct"].is_met(value)
    assert not RWANDA.expect_unmanned["station_coverage_pct"].is_met(100 * 67 / 69)
    assert coverage.alarm is not None
    assert coverage.alarm.below is not None
    assert value < coverage.alarm.below


ONE = Measure.REPORTS
CASES: list[tuple[dict[str, Any], float | None]] = [
    ({"formula": "count", "of": "reports"}, 30),
    ({"formula": "count", "of": "reports", "year": 2006}, 10),
    ({"formula": "rate", "of": "doses", "over": "reports"}, 0.5),
    ({"formula": "rate", "of": "doses", "over": "stays"}, None),  # nothing to divide by is no nought
    ({"formula": "percent", "of": "doses", "over": "reports"}, 50),
    ({"formula": "change_pct", "of": "reports", "year": 2007, "since": 2006}, 100),
    ({"formula": "change_pct", "of": "reports", "year": 2007, "since": 1999}, None),
    ({"formula": "sites_ge", "of": "doses", "over": "reports", "at_least": 0.5}, 1),
    ({"formula": "balance", "plus": ["reports"], "minus": ["doses", "stays"]}, 15),
    ({"formula": "timely", "durations": "dose_delay", "within_h": 120}, 0.75),
    ({"formula": "timely", "durations": "dose_delay", "after_h": 2, "within_h": 120}, 0.25),
    ({"formula": "timely", "durations": "dose_delay", "after_h": 120}, 0.25),
    ({"formula": "timely", "durations": "stay_length", "within_h": 120}, None),
    ({"formula": "median_h", "durations": "dose_delay"}, 2),
    ({"formula": "p90_h", "durations": "dose_delay"}, 121),
    ({"formula": "longest_d", "durations": "dose_delay"}, 121 / 24),
    ({"formula": "longest_d", "durations": "stay_length"}, None),
]


@pytest.mark.parametrize(("formula", "value"), CASES, ids=lambda one: str(one)[:60])
def test_each_formula(formula: dict[str, Any], value: float | None) -> None:
    tally = Counted(
        {(ONE, 2006, "a"): 10, (ONE, 2007, "b"): 20, (Measure.DOSES, 2006, "a"): 9, (Measure.DOSES, 2007, "b"): 6},
        {Duration.DOSE_DELAY: [2, 120, 121, 1]},
    )
    assert Indicator.model_validate({"name": "it", **formula}).value(tally) == value


def test_each_formula_has_a_case() -> None:
    assert {case["formula"] for case, _value in CASES} == set(Formula)
