"""What each rule of the vocabulary answers, on the programmes of the source and on one that nobody has seen."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.police.dispensing.rules import is_for
from shared.casework.cases.tables import Case
from shared.contracts.casework.codes import AgeBand, CareProduct, IncidentContext, IncidentType, ServicePackage, Sex
from shared.programmes.care import When
from shared.programmes.places import Mandate
from shared.programmes.profile import Programme, load_programme
from shared.programmes.rules import answers, ask, is_refused, mandate_of, readiness_of
from shared.programmes.situation import Answer, DeskNow, Held, Message, Situation, Stay, Verdict
from shared.programmes.staff import Standing, may_train
from shared.programmes.terms import Act, Fact
from shared.programmes.vocabulary import RULES, SuggestWhen

SKETCHES = Path(__file__).parents[1] / "support" / "programmes"
ZAMBIA, RWANDA, BANGLADESH, SIERRA_LEONE, AFGHANISTAN, LATIN_AMERICA = (
    load_programme(name) for name in ("zm-vsu-ec", "rw-gender-desk", "bd-vsc", "sl-fsu", "af-fru", "latam-wps")
)
ANYWHERE = load_programme(str(SKETCHES / "xx-anywhere.yaml"))
ALL = (ZAMBIA, RWANDA, ANYWHERE, BANGLADESH, SIERRA_LEONE, AFGHANISTAN, LATIN_AMERICA)
NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
EC, BOX = Act.DISPENSE_EMERGENCY_CONTRACEPTION, CareProduct.EMERGENCY_CONTRACEPTION
CERTIFIED = {"ec_provider": Held(date(2025, 6, 1), date(2025, 6, 6))}


def said(programme: Programme, rule: str, **known: Any) -> Answer | None:
    """What one rule of a programme says of a situation; `act` is refer unless it is named."""
    return ask(programme, rule, programme.rules[rule], Situation(**{"act": Act.REFER, "now": NOW, **known}))


def message(programme: Programme, rule: str, **known: Any) -> Message | None:
    answer = said(programme, rule, **known)
    return answer.message if answer is not None else None


def at_the_desk(hours: float = 70, **known: Any) -> Situation:
    """A rape so many hours ago, at a Zambian desk with a certified officer and one dose in the box."""
    given: dict[str, Any] = {
        "act": EC, "now": NOW, "earliest_at": NOW - timedelta(hours=hours), "latest_at": NOW - timedelta(hours=hours),
        "incident_type": IncidentType.RAPE, "age_band": AgeBand.A25_49, "sex": Sex.FEMALE, "held": CERTIFIED, "stock": {BOX: 1},
    }  # fmt: skip
    return Situation(**{**given, **known})


def test_a_certified_officer_with_a_dose_may_give_it_and_care_is_still_offered() -> None:
    told = answers(ZAMBIA, at_the_desk())
    assert not is_refused(told)
    still = next(one for one in told if one.message is Message.REFERRAL_STILL_NEEDED)
    assert (still.verdict, still.packages) == (Verdict.PROPOSES, (ServicePackage.ACUTE_CARE,))


@pytest.mark.parametrize(
    ("hours", "refused"),
    [(119 + 59 / 60, False), (120, False), (120 + 1 / 60, True), (0, False)],
    ids=["119:59", "120:00", "120:01", "0"],
)
def test_the_last_instant_of_the_window_belongs_to_it(hours: float, refused: bool) -> None:
    told = answers(ZAMBIA, at_the_desk(hours))
    assert is_refused(told) is refused
    late = next(one for one in told if one.rule == "ec_in_time")
    assert late.is_assumption  # that its bound is inclusive is ours, and the page says so


def test_a_dose_is_refused_only_if_no_instant_of_the_range_fits() -> None:
    range_: dict[str, Any] = {"earliest_at": NOW - timedelta(hours=200), "latest_at": NOW - timedelta(hours=119)}
    assert not is_refused(answers(ZAMBIA, at_the_desk(**range_)))
    assert is_refused(answers(ZAMBIA, at_the_desk(**(range_ | {"latest_at": NOW - timedelta(hours=121)}))))


def test_an_exclusive_window_counted_from_the_latest_instant() -> None:
    window = ANYWHERE.windows["emergency_contraception"]  # type: ignore[index]
    early, late = NOW - timedelta(hours=110), NOW - timedelta(hours=96)
    assert (window.fits(early, late, NOW), window.fits(early, late + timedelta(seconds=1), NOW)) == (False, True)
    assert window.ends_at(early, late) == late + timedelta(hours=96)


def test_a_time_that_nobody_knows_refuses_nothing() -> None:
    told = answers(ZAMBIA, at_the_desk(earliest_at=None, latest_at=None))
    assert not is_refused(told)
    assert any(one.message is Message.WINDOW_NOT_KNOWN for one in told)


@pytest.mark.parametrize("hours", [1, 121, 10_000])
def test_no_time_ever_refuses_a_referral(hours: float) -> None:
    for programme in ALL:
        assert not is_refused(answers(programme, at_the_desk(hours, act=Act.REFER)))


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (None, Message.CERTIFICATE_MISSING),
        (Held(), Message.CERTIFICATE_MISSING),
        (Held(trained_on=date(2026, 1, 1)), Message.TRAINED_NOT_CERTIFIED),
        (Held(date(2026, 1, 1), date(2026, 1, 6)), Message.TRAINED_NOT_CERTIFIED),  # from tomorrow
        (Held(date(2024, 1, 1), date(2024, 1, 5)), Message.CERTIFICATE_EXPIRED),
        (Held(date(2025, 1, 1), date(2025, 1, 5), date(2026, 1, 5)), Message.CERTIFICATE_REVOKED),
        (Held(date(2024, 1, 1), date(2024, 1, 6)), Message.CERTIFICATE_HELD),  # its last day, 730 later
    ],
    ids=["nothing", "empty", "trained only", "from tomorrow", "expired", "revoked", "last day"],
)
def test_trained_is_not_certified(held: Held | None, why: Message) -> None:
    answer = next(
        one for one in answers(ZAMBIA, at_the_desk(held={"ec_provider": held} if held else {})) if one.rule == "ec_only_certified"
    )
    assert answer.message is why
    assert (answer.verdict is Verdict.REFUSED) == (why is not Message.CERTIFICATE_HELD)
    assert answer.is_assumption  # how long it is good


def test_whoever_trains_holds_the_trainers_certificate() -> None:
    provider, trainer = ZAMBIA.certificates["ec_provider"], ZAMBIA.certificates["ec_trainer"]
    assert may_train(provider, trainer, Held(date(2006, 1, 1), date(2006, 1, 7)), NOW.date())
    assert not may_train(provider, trainer, Held(date(2006, 1, 1)), NOW.date())
    assert may_train(RWANDA.certificates["gender_desk_course"], None, None, NOW.date())
    assert ZAMBIA.needed_for("ec_trainer") == (Act.TRAIN_OTHERS,)
    assert trainer.standing(Held(None, date(2006, 1, 7)), NOW.date()) is Standing.VALID  # without an end


def test_an_empty_box_proposes_the_clinic_and_refuses_only_the_dose() -> None:
    none = next(one for one in answers(ZAMBIA, at_the_desk(stock={BOX: 0})) if one.rule == "ec_in_the_box")
    assert (none.verdict, none.message, none.packages) == (Verdict.REFUSED, Message.STOCK_NONE, (ServicePackage.ACUTE_CARE,))
    uncounted = next(one for one in answers(ZAMBIA, at_the_desk(stock={})) if one.rule == "ec_in_the_box")
    assert (uncounted.verdict, uncounted.message) == (Verdict.WARNS, Message.STOCK_NOT_COUNTED)


def test_a_second_dose_for_one_incident_is_warned_of_and_a_new_incident_begins_anew() -> None:
    assert message(ZAMBIA, "ec_given_before", act=EC, given=frozenset({BOX})) is Message.GIVEN_BEFORE
    assert message(ZAMBIA, "ec_given_before", act=EC) is None


def test_a_boy_needs_no_contraception_and_no_alarm_is_raised() -> None:
    answer = said(ZAMBIA, "ec_not_for_boys", act=EC, sex=Sex.MALE)
    assert answer is not None
    assert (answer.verdict, answer.raises_alarm) == (Verdict.REFUSED, False)
    assert message(ZAMBIA, "ec_not_for_boys", act=EC, sex=Sex.FEMALE) is None


def test_nobody_who_may_be_covered_stands_in_a_queue() -> None:
    here = {"act": Act.RECEIVE, "facility_kind": "vsu_station"}
    assert message(ZAMBIA, "no_queue", **here, incident_type=IncidentType.RAPE) is Message.NO_QUEUE
    assert message(ZAMBIA, "no_queue", **here) is Message.NO_QUEUE  # nobody has asked her yet
    assert message(ZAMBIA, "no_queue", **here, incident_type=IncidentType.FORCED_MARRIAGE) is None


def test_a_child_under_ten_goes_straight_to_the_one_stop_centre() -> None:
    answer = said(ZAMBIA, "under_ten", age_band=AgeBand.A0_9, to_kind="health_facility")
    assert answer is not None
    assert answer.to_kinds == ("one_stop_centre",)
    assert message(ZAMBIA, "under_ten", age_band=AgeBand.A10_14) is None


def test_for_a_child_child_protection_is_proposed_once() -> None:
    answer = said(RWANDA, "child_protection", age_band=AgeBand.A10_14)
    assert answer is not None
    assert answer.packages == (ServicePackage.CHILD_PROTECTION,)
    assert (
        said(RWANDA, "child_protection", age_band=AgeBand.A10_14, open_packages=frozenset({ServicePackage.CHILD_PROTECTION}))
        is None
    )
    assert said(RWANDA, "child_protection", age_band=AgeBand.UNKNOWN) is None


# --- Rwanda: every call to exactly one desk ------------------------------------------------------------------------------


def desk(id_: str, district: str = "huye", **more: Any) -> DeskNow:
    ready: dict[str, Any] = {
        "kind": "gender_desk", "is_open": True, "is_staffed": True, "certificates": frozenset({"gender_desk_course"}),
        "assets": frozenset({"interview_room", "vehicle"}),
    }  # fmt: skip
    return DeskNow(id_, district=district, **{**ready, **more})


def routed(*desks: DeskNow, district: str = "huye") -> Answer:
    answer = said(RWANDA, "one_desk", act=Act.ROUTE_CALL, district=district, desks=desks)
    assert answer is not None
    return answer


def test_a_call_goes_to_the_desk_of_its_district() -> None:
    answer = routed(desk("far", "nyanza"), desk("near"), desk("next"))
    assert (answer.message, answer.to_desks) == (Message.ROUTED, ("near",))


@pytest.mark.parametrize("why", [{"is_staffed": False}, {"is_open": False}, {"certificates": frozenset()}])
def test_a_desk_that_is_not_ready_is_passed_over_and_a_post_is_told(why: dict[str, Any]) -> None:
    answer = routed(desk("near", **why), desk("neighbour", "nyanza"))
    assert (answer.message, answer.to_desks, answer.raises_alarm) == (Message.ROUTED_FALL_BACK, ("neighbour",), True)


def test_a_district_without_any_desk_falls_back_to_its_neighbour() -> None:
    assert routed(desk("neighbour", "nyanza")).to_desks == ("neighbour",)


def test_a_desk_without_a_room_is_flagged_and_still_reached() -> None:
    bare = desk("near", assets=frozenset())
    assert readiness_of(RWANDA, bare) == (True, ())
    assert routed(bare, desk("other")).to_desks == ("near",)


def test_with_no_desk_at_all_the_lines_own_post_is_told() -> None:
    answer = routed(desk("near", is_staffed=False))
    assert (answer.verdict, answer.message, answer.raises_alarm) == (Verdict.WARNS, Message.NO_DESK_READY, True)


def test_what_a_desk_has_not_reported_is_not_assumed() -> None:
    silent = desk("near", is_staffed=None, certificates=None, assets=None)
    assert readiness_of(RWANDA, silent) == (None, ())
    assert routed(silent).to_desks == ("near",)


def test_a_desk_is_ready_with_what_a_rule_requires_and_not_with_what_is_only_described() -> None:
    untrained = desk("near", certificates=frozenset())
    assert readiness_of(RWANDA, untrained) == (False, ("gender_desk_course",))
    silent = {id_: rule for id_, rule in RWANDA.rules.items() if id_ != "desk_is_ready"}
    assert readiness_of(RWANDA.model_copy(update={"rules": silent}), untrained) == (True, ())


def test_nobody_is_called_back_who_did_not_say_that_it_is_safe() -> None:
    assert message(RWANDA, "call_back_only_if_safe", act=Act.CALL_BACK) is Message.NEEDED_FIRST
    assert message(RWANDA, "call_back_only_if_safe", act=Act.CALL_BACK, facts=frozenset({Fact.MARKED_SAFE})) is None


# --- what the other four need --------------------------------------------------------------------------------------------


def stay(days: float, *, hospital: int = 0, extended: int | None = None, planned: bool = False) -> Answer:
    facts = frozenset({Fact.ONWARD_PLANNED}) if planned else frozenset()
    since = NOW - timedelta(days=days)
    was = Stay(since, hospital, since + timedelta(days=extended) if extended is not None else None)
    answer = said(BANGLADESH, "stay", act=Act.CONTINUE_STAY, stay=was, facts=facts)
    assert answer is not None
    return answer


def test_a_stay_is_alarmed_and_never_ended() -> None:
    assert stay(2).message is Message.STAY_WITHIN_LIMIT
    assert stay(3).message is Message.STAY_NEEDS_A_PLAN
    assert stay(4, planned=True).message is Message.STAY_WITHIN_LIMIT
    assert stay(5, planned=True).message is Message.STAY_WITHIN_LIMIT
    assert stay(5.1, planned=True).message is Message.STAY_OVER_LIMIT
    assert stay(5.1).message is Message.STAY_OVER_LIMIT_WITHOUT_PLAN
    assert stay(6, extended=8, planned=True).days == 8
    assert stay(6, hospital=4).message is Message.STAY_WITHIN_LIMIT  # nights in hospital do not count: an assumption
    assert stay(6, hospital=4).is_assumption
    assert all(stay(days).verdict is not Verdict.REFUSED for days in (1, 5, 50, 5_000))


def test_a_planned_centre_is_never_proposed() -> None:
    rule = ANYWHERE.rules["empty_seat"].model_copy(update={"to": ("lantern_home_to_come", "lantern_home")})
    answer = ask(
        ANYWHERE,
        "empty_seat",
        rule,
        Situation(Act.REFER, NOW, absent=frozenset({"house_worker"}), packages=frozenset({ServicePackage.SHELTER})),
    )
    assert answer is not None
    assert answer.to_kinds == ("lantern_home",)


@pytest.mark.parametrize(
    ("programme", "rule", "known", "verdict", "why"),
    [
        (
            BANGLADESH,
            "home_only_checked",
            {"act": Act.RETURN_TO_FAMILY, "facts": frozenset({Fact.SHE_AGREES})},
            Verdict.REFUSED,
            Message.NEEDED_FIRST,
        ),
        (BANGLADESH, "status_by_her_word", {"act": Act.TELL_STATUS}, Verdict.REFUSED, Message.NEEDED_FIRST),
        (
            BANGLADESH,
            "property_back",
            {"act": Act.RETURN_PROPERTY, "facts": frozenset({Fact.RETURN_ASKED_FOR}), "not_so": frozenset({Fact.HANDED_BACK})},
            Verdict.WARNS,
            Message.BREACH,
        ),
        (
            SIERRA_LEONE,
            "free",
            {"act": Act.CHARGE_FEE, "fee": 20.0, "packages": frozenset({ServicePackage.ACUTE_CARE})},
            Verdict.REFUSED,
            Message.FEE_IS_A_BREACH,
        ),
        (
            SIERRA_LEONE,
            "free",
            {"act": Act.CLOSE, "fee": 20.0, "packages": frozenset({ServicePackage.ACUTE_CARE})},
            Verdict.WARNS,
            Message.FEE_IS_A_BREACH,
        ),
        (
            SIERRA_LEONE,
            "one_form",
            {"act": Act.TAKE_MEDICAL_REPORT, "form": "medical_form", "form_version": 1},
            Verdict.REFUSED,
            Message.FORM_VERSION_OLD,
        ),
        (
            SIERRA_LEONE,
            "one_form",
            {"act": Act.TAKE_MEDICAL_REPORT, "form": "another", "form_version": 2},
            Verdict.REFUSED,
            Message.FORM_NOT_OURS,
        ),
        (SIERRA_LEONE, "seat_absent", {"absent": frozenset({"ministry_worker"})}, Verdict.PROPOSES, Message.SEAT_ABSENT),
        (
            SIERRA_LEONE,
            "other_adult",
            {"age_band": AgeBand.A10_14, "facts": frozenset({Fact.CAREGIVER_SUSPECTED})},
            Verdict.WARNS,
            Message.MAY_FOLLOW,
        ),
        (SIERRA_LEONE, "accused_apart", {"act": Act.LINK_FILES}, Verdict.REFUSED, Message.FILES_STAY_APART),
        (
            SIERRA_LEONE,
            "accused_apart",
            {"act": Act.RECORD_SUSPECT, "facts": frozenset({Fact.IS_ACCUSED})},
            Verdict.REFUSED,
            Message.FILES_STAY_APART,
        ),
        (SIERRA_LEONE, "no_mediation", {"act": Act.MEDIATE}, Verdict.REFUSED, Message.ACT_IS_BLOCKED),
        (AFGHANISTAN, "no_suspects", {"act": Act.RECORD_SUSPECT}, Verdict.REFUSED, Message.ACT_IS_BLOCKED),
        (
            AFGHANISTAN,
            "dispute_with_violence",
            {"contexts": frozenset({IncidentContext.FAMILY_DISPUTE}), "incident_type": IncidentType.PHYSICAL_ASSAULT},
            Verdict.PROPOSES,
            Message.SUGGESTED,
        ),
        (
            LATIN_AMERICA,
            "ordinary_must_accept",
            {"act": Act.RECEIVE, "facility_kind": "ordinary_ni"},
            Verdict.ALLOWED,
            Message.MUST_ACCEPT,
        ),
        (
            LATIN_AMERICA,
            "ordinary_must_accept",
            {"act": Act.RECEIVE, "facility_kind": "ordinary_ni", "not_so": frozenset({Fact.REQUEST_RECORDED})},
            Verdict.WARNS,
            Message.TURNED_AWAY_WITHOUT_RECORD,
        ),
        (
            LATIN_AMERICA,
            "another_mandate",
            {"act": Act.RECEIVE, "facility_kind": "station_ec", "incident_type": IncidentType.RAPE},
            Verdict.PROPOSES,
            Message.ANOTHER_MANDATE,
        ),
        (LATIN_AMERICA, "order_may_follow", {"act": Act.EXAMINE}, Verdict.WARNS, Message.MAY_FOLLOW),
        (
            ZAMBIA,
            "care_first",
            {"act": Act.RECEIVE, "facts": frozenset({Fact.POLICE_REPORT_DEMANDED})},
            Verdict.WARNS,
            Message.BREACH,
        ),
    ],
)
def test_what_the_source_asks_for_is_answered(
    programme: Programme, rule: str, known: dict[str, Any], verdict: Verdict, why: Message
) -> None:
    answer = said(programme, rule, **known)
    assert answer is not None
    assert (answer.verdict, answer.message) == (verdict, why)
    assert answer.rule == rule
    assert answer.because


@pytest.mark.parametrize(
    ("programme", "rule", "known"),
    [
        (BANGLADESH, "property_back", {"act": Act.RETURN_PROPERTY, "facts": frozenset({Fact.RETURN_ASKED_FOR, Fact.HANDED_BACK})}),
        (SIERRA_LEONE, "free", {"act": Act.CLOSE, "fee": 0.0, "packages": frozenset({ServicePackage.ACUTE_CARE})}),
        (SIERRA_LEONE, "one_form", {"act": Act.TAKE_MEDICAL_REPORT, "form": "medical_form", "form_version": 2}),
        (
            LATIN_AMERICA,
            "another_mandate",
            {"act": Act.RECEIVE, "facility_kind": "station_ec", "incident_type": IncidentType.PHYSICAL_ASSAULT},
        ),
        (LATIN_AMERICA, "another_mandate", {"act": Act.RECEIVE, "facility_kind": "station_br", "incident_type": IncidentType.RAPE}),
        (
            AFGHANISTAN,
            "dispute_with_violence",
            {"contexts": frozenset({IncidentContext.FAMILY_DISPUTE}), "incident_type": IncidentType.DENIAL_OF_RESOURCES},
        ),
        (AFGHANISTAN, "dispute_with_violence", {"contexts": frozenset(), "incident_type": IncidentType.PHYSICAL_ASSAULT}),
    ],
)
def test_what_a_rule_does_not_speak_to_it_is_silent_about(programme: Programme, rule: str, known: dict[str, Any]) -> None:
    assert said(programme, rule, **known) is None


def test_a_site_without_its_entrance_gets_no_calls() -> None:
    site = DeskNow("herat", "fru", assets=frozenset({"interview_room", "emergency_mobile"}), has_female_staff=True, is_staffed=True)
    whole = replace(site, id="balkh", assets=frozenset({"separate_entrance", "interview_room", "emergency_mobile"}))
    assert readiness_of(AFGHANISTAN, site) == (False, ("separate_entrance",))
    answer = said(AFGHANISTAN, "to_a_unit", act=Act.ROUTE_CALL, desks=(site, whole))
    assert answer is not None
    assert answer.to_desks == ("balkh",)


@pytest.mark.parametrize(
    ("kind", "incident", "to"),
    [
        ("station_ec", IncidentType.RAPE, ("prosecutor_ec",)),  # not the prosecutor of another country
        ("station_ni", IncidentType.FORCED_MARRIAGE, ("prosecutor_ni",)),
    ],
)
def test_what_lies_outside_a_mandate_goes_to_whoever_has_it_in_that_country(
    kind: str, incident: IncidentType, to: tuple[str, ...]
) -> None:
    answer = said(LATIN_AMERICA, "another_mandate", act=Act.REGISTER_COMPLAINT, facility_kind=kind, incident_type=incident)
    assert answer is not None
    assert (answer.to_kinds, answer.is_assumption) == (to, True)


@pytest.mark.parametrize("kind", ["station_br", "station_pe", "ordinary_ni", "mobile_unit"])
def test_a_mandate_that_is_not_known_narrows_nothing(kind: str) -> None:
    for incident in IncidentType:
        assert said(LATIN_AMERICA, "another_mandate", act=Act.RECEIVE, facility_kind=kind, incident_type=incident) is None


def test_what_a_page_adds_by_her_age_lies_outside_no_mandate() -> None:
    domestic = Mandate.model_validate({"contexts": [IncidentContext.DOMESTIC_VIOLENCE], "source": "D"})
    of_a_child = frozenset({IncidentContext.CHILD_SEXUAL_ABUSE})
    assert domestic.takes(IncidentType.RAPE, contexts=of_a_child) is None  # where it happened nobody said
    assert domestic.takes(IncidentType.RAPE, contexts=of_a_child | {IncidentContext.TRAFFICKING}) is False


def test_a_share_is_expected_to_its_decimals() -> None:
    share, in_time = LATIN_AMERICA.expect["non_specialist_share"], LATIN_AMERICA.expect["handed_over_in_time"]
    assert (share.is_met(0.0), share.is_met(0.13), in_time.is_met(0.99), in_time.is_met(1.0)) == (False, True, False, True)


def test_a_kind_of_facility_may_have_a_mandate_of_its_own() -> None:
    own, agencys = mandate_of(ANYWHERE, "quiet_room"), mandate_of(ANYWHERE, "jetty_post")
    assert own is not None
    assert agencys is not None
    assert (own.takes(IncidentType.RAPE), agencys.takes(IncidentType.RAPE), agencys.takes(None)) == (True, False, None)


def test_what_is_proposed_has_a_way_there_from_where_it_is_proposed() -> None:
    rule = AFGHANISTAN.rules["dispute_with_violence"]
    led_to = {package for way in AFGHANISTAN.pathways_from("fru").values() for package in way.packages}
    assert isinstance(rule, SuggestWhen)
    assert set(rule.packages) <= led_to


# --- each line of a condition, at its edges --------------------------------------------------------------------------------

HOUR, INSTANT = timedelta(hours=1), timedelta(microseconds=1)
SHELTER, LEGAL_AID = ServicePackage.SHELTER, ServicePackage.LEGAL_AID


def holds(line: dict[str, Any], **known: Any) -> bool | None:
    """Whether a condition of one line holds of what is known; None where it is not known."""
    return When.model_validate(line).holds(Situation(**{"act": Act.REFER, "now": NOW, **known}))


def ago(of: timedelta, earlier: timedelta = timedelta(0)) -> dict[str, datetime]:
    """An incident whose latest instant lies so long back, and its earliest so much longer."""
    return {"earliest_at": NOW - of - earlier, "latest_at": NOW - of}


@pytest.mark.parametrize(
    ("line", "known", "so"),
    [
        ({"child": True}, {"age_band": AgeBand.A15_17}, True),
        ({"child": True}, {"age_band": AgeBand.A18_24}, False),
        ({"child": False}, {"age_band": AgeBand.A18_24}, True),
        ({"child": False}, {"age_band": AgeBand.UNKNOWN}, None),
        ({"ages": ["10-14", "50+"]}, {"age_band": AgeBand.A10_14}, True),
        ({"ages": ["10-14", "50+"]}, {"age_band": AgeBand.A50}, True),
        ({"ages": ["10-14", "50+"]}, {"age_band": AgeBand.A15_17}, False),
        ({"ages": ["10-14", "50+"]}, {"age_band": AgeBand.UNKNOWN}, None),
        ({"ages": ["10-14", "50+"]}, {}, None),
        ({"packages": ["shelter", "legal_aid"]}, {"packages": frozenset({LEGAL_AID, ServicePackage.PSYCHOSOCIAL})}, True),
        ({"packages": ["shelter", "legal_aid"]}, {"packages": frozenset({ServicePackage.PSYCHOSOCIAL})}, False),
        ({"packages": ["shelter"]}, {"open_packages": frozenset({SHELTER})}, False),  # asked for before, and not now
        ({"at": ["vsu_station", "gender_desk"]}, {"facility_kind": "gender_desk"}, True),
        ({"at": ["vsu_station", "gender_desk"]}, {"facility_kind": "vsu"}, False),
        ({"at": ["vsu_station"]}, {"to_kind": "vsu_station"}, None),  # who acts, and not who is asked
        ({"within_h": 72}, ago(72 * HOUR), True),  # the last instant belongs to it
        ({"within_h": 72}, ago(72 * HOUR + INSTANT), False),
        ({"within_h": 72}, ago(72 * HOUR, earlier=500 * HOUR), True),  # by the latest instant of the incident
        ({"within_h": 72}, {"earliest_at": NOW - 72 * HOUR}, True),  # or by the only one that is known
        ({"within_h": 72}, {}, None),
        ({"after_h": 72}, ago(72 * HOUR), False),  # later than that, and not with it
        ({"after_h": 72}, ago(72 * HOUR + INSTANT), True),
        ({"after_h": 72}, ago(72 * HOUR, earlier=500 * HOUR), False),
        ({"after_h": 72}, {}, None),
        ({"after_h": 72, "within_h": 120}, ago(72 * HOUR), False),
        ({"after_h": 72, "within_h": 120}, ago(120 * HOUR), True),
        ({"after_h": 72, "within_h": 120}, ago(120 * HOUR + INSTANT), False),
    ],
)
def test_each_line_of_a_condition_holds_exactly_as_far_as_it_says(
    line: dict[str, Any], known: dict[str, Any], so: bool | None
) -> None:
    assert holds(line, **known) is so


def test_of_several_lines_one_that_does_not_hold_decides_and_one_that_is_not_known_leaves_it_open() -> None:
    both = {"ages": ["10-14"], "at": ["gender_desk"]}
    assert holds(both, age_band=AgeBand.A10_14, facility_kind="gender_desk") is True
    assert holds(both, age_band=AgeBand.A10_14) is None
    assert holds(both, age_band=AgeBand.A25_49) is False


# --- of the vocabulary as a whole ------------------------------------------------------------------------------------------


def test_one_profile_uses_every_rule_so_that_each_is_asked_below() -> None:
    used = {rule.rule for programme in ALL for rule in programme.rules.values()}
    assert used == set(RULES)


_facts = st.frozensets(st.sampled_from(Fact), max_size=6)
_times = st.integers(-300_000, 300_000).map(lambda hours: NOW + timedelta(hours=hours))
_moments = st.none() | _times
_desks = st.tuples(
    st.builds(
        DeskNow, st.just("one"), st.sampled_from(sorted({kind for p in ALL for kind in p.facilities})), st.none() | st.just("huye"),
        st.none() | st.booleans(), st.none() | st.booleans(), st.none() | st.just(frozenset({"interview_room"})), st.none(),
        st.none() | st.booleans(),
    )
)  # fmt: skip
_situations = st.builds(
    Situation, st.sampled_from(Act), st.just(NOW), _moments, _moments, st.none() | st.sampled_from(IncidentType),
    age_band=st.none() | st.sampled_from(AgeBand), sex=st.none() | st.sampled_from(Sex), facts=_facts, not_so=_facts,
    facility_kind=st.none() | st.sampled_from(["vsu_station", "gender_desk", "jetty_post", "station_ec", "no_such"]),
    packages=st.frozensets(st.sampled_from(ServicePackage), max_size=3), fee=st.none() | st.floats(0, 50),
    desks=st.just(()) | _desks,
    stay=st.none() | st.builds(Stay, _times),
    form=st.none() | st.just("medical"), form_version=st.none() | st.integers(-1, 3),
    absent=st.just(frozenset({"ministry_worker"})),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(situation=_situations)
def test_no_situation_raises_and_nothing_but_an_act_is_ever_refused(situation: Situation) -> None:
    for programme in ALL:
        told = answers(programme, situation)
        assert all(one.because and one.rule in programme.rules for one in told)
        assert not any(
            one.verdict is Verdict.REFUSED
            for one in told
            if situation.act in {Act.REFER, Act.RECEIVE, Act.CLOSE, Act.CONTINUE_STAY}
        )


@settings(max_examples=60, deadline=None)
@given(situation=_situations, later_h=st.integers(0, 100_000))
def test_lateness_alone_refuses_nothing_but_a_dose(situation: Situation, later_h: int) -> None:
    late = replace(situation, now=situation.now + timedelta(hours=later_h))
    for programme in ALL:
        before = {one.rule for one in answers(programme, situation) if one.verdict is Verdict.REFUSED}
        after = {one.rule for one in answers(programme, late) if one.verdict is Verdict.REFUSED}
        assert after <= before or situation.act in {EC, Act.DISPENSE_PEP_STARTER}


def test_a_certificate_ends_with_a_day_of_the_country_and_not_of_greenwich() -> None:
    atoll = ANYWHERE  # five hours ahead
    held = {"listener": Held(date(2021, 1, 1), date(2021, 1, 1))}  # good for 400 days: the last is 5 February 2022
    act = Act.DISPENSE_EMERGENCY_CONTRACEPTION
    last = datetime(2022, 2, 5, 18, 59, tzinfo=UTC)  # 23:59 there
    assert message(atoll, "certified", act=act, now=last, held=held) is Message.CERTIFICATE_HELD
    assert message(atoll, "certified", act=act, now=last + timedelta(minutes=1), held=held) is Message.CERTIFICATE_EXPIRED


def test_a_mandate_may_be_for_some_contexts_only() -> None:
    station = mandate_of(LATIN_AMERICA, "station_ec")
    assert station is not None
    hit = IncidentType.PHYSICAL_ASSAULT
    assert station.takes(hit, contexts=frozenset({IncidentContext.DOMESTIC_VIOLENCE})) is True
    assert station.takes(hit, contexts=frozenset({IncidentContext.TRAFFICKING})) is False
    assert station.takes(hit) is True  # nobody said in which context: nothing is narrowed


def test_whom_a_product_is_for_is_the_profiles() -> None:
    act = ZAMBIA.rules["ec_not_for_boys"]
    everybody = ZAMBIA.model_copy(update={"rules": {id_: one for id_, one in ZAMBIA.rules.items() if one is not act}})
    boy = Case(
        id=UUID(int=1), number="1", circle=UUID(int=2), facility="x", opened_at=NOW, needs={"sex": "male", "age_band": "10-14"}
    )
    assert not is_for(ZAMBIA, CareProduct.EMERGENCY_CONTRACEPTION, boy, NOW)
    assert is_for(everybody, CareProduct.EMERGENCY_CONTRACEPTION, boy, NOW)
    boy.needs = {}
    assert is_for(ZAMBIA, CareProduct.EMERGENCY_CONTRACEPTION, boy, NOW)  # what is not known counts for her
