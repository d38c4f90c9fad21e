"""What a replay adds to the desks of a programme: tours of a mobile unit, hand-overs after a time that is drawn, and what an
oversight body may hold. Each of them can fail, and says so."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.simulate.caseload import STEP_MIN, WITHOUT_A_LINE, draw, ground_of
from services.simulate.overseen import HEARD, Overseen, beside_counts, of_cases
from services.simulate.prosecutors import handed_after
from services.simulate.run import HandedOver, Outcome, as_data, in_words
from services.simulate.town import people_of
from services.simulate.units import Returned
from shared.casework.directory.of_programme import network_of
from shared.contracts.casework.codes import Role
from shared.programmes.profile import load_programme

LATIN_AMERICA = load_programme("latam-wps")
NETWORK = network_of(LATIN_AMERICA, "simulation")
GROUND = ground_of(LATIN_AMERICA, NETWORK)
SEEDS = st.integers(min_value=0, max_value=2**32)
DAY = timedelta(hours=24)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_for_any_seed_a_mobile_unit_is_away_twice_a_year_and_somebody_comes_to_it(seed: int) -> None:
    load = draw(GROUND, seed)
    first, second = load.tours
    assert first.begins_at + WITHOUT_A_LINE < second.begins_at
    for tour in load.tours:
        assert tour.agency == "mobile"
        assert tour.reports[0].is_sexual  # so that an examiner is asked too
        assert tour.reports[0].clinic is not None
        for one in tour.reports:
            assert tour.begins_at < one.came_at < tour.begins_at + WITHOUT_A_LINE
            assert (one.place, one.is_beyond, one.complains, one.to_welfare) == ("mobile_unit_1", True, True, False)
    numbers = [one.number for one in (*load.reports, *(one for tour in load.tours for one in tour.reports))]
    assert len(set(numbers)) == len(numbers)
    assert draw(GROUND, seed).tours == load.tours


def test_a_programme_without_such_a_unit_has_no_tour_and_who_has_one_staffs_it() -> None:
    zambia = load_programme("zm-vsu-ec")
    assert draw(ground_of(zambia, network_of(zambia, "simulation")), 1).tours == ()
    people = people_of(GROUND, LATIN_AMERICA, NETWORK)
    assert [(one.role, one.facility) for one in people["mobile"][1:]] == [(Role.OFFICER, "mobile_unit_1")] * 2
    assert [one.role for one in people["oversight"]] == [Role.SUPERVISOR]  # nobody there has a desk


@given(share=st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_complaint_is_handed_over_at_some_step_before_its_limit(share: float) -> None:
    step = timedelta(minutes=STEP_MIN)
    after = handed_after(DAY, share)
    assert step <= after <= DAY - step
    assert after % step == timedelta(0)


def test_hand_overs_of_a_replay_are_early_and_late_in_their_time() -> None:
    load = draw(GROUND, 1)
    spans = {handed_after(DAY, one.hand_over_share) for one in load.reports if one.complains}
    assert min(spans) < timedelta(hours=2)
    assert max(spans) > timedelta(hours=22)
    assert len(spans) > 20


# --- what an oversight body may hold -----------------------------------------------------------------------------------------

CASE, LIFE = UUID("01a20000-0000-7000-8000-0000000000ca"), uuid4()  # the first names tests, alike in each process that runs some
OF_POLICE: dict[str, list[dict[str, Any]]] = {
    "casework_cases": [{"id": CASE, "number": "P-2010-123456"}], "casework_alarms": [{"id": uuid4(), "about": uuid4()}],
    "exchange_incarnations": [{"id": LIFE}], "exchange_outbox": [{"event_id": uuid4()}],
}  # fmt: skip
CLEAN: dict[str, list[dict[str, Any]]] = {
    "casework_accounts": [{"id": uuid4(), "name": "supervisor"}], "casework_cases": [], "exchange_peers": [{"life": LIFE}],
    "exchange_inbox": [{"type": one} for one in HEARD],
    "oversight_figures": [{"agency": "police", "shown": {"reports": {"values": {"": 76, "x": None}}, "breaches": None}}],
}  # fmt: skip


def test_counts_alone_are_nothing_else() -> None:
    assert of_cases(OF_POLICE) == {CASE.hex, "P-2010-123456"}
    assert beside_counts(CLEAN, of_cases(OF_POLICE)) == []


@pytest.mark.parametrize(
    ("table", "row", "words"),
    [
        ("casework_referrals", {"id": uuid4()}, "rows in casework_referrals"),
        ("exchange_inbox", {"type": "referral.issued"}, "the word referral.issued"),
        ("casework_alarms", {"id": uuid4(), "detail": {"case": str(CASE)}}, f"{CASE.hex} of another's records"),
        ("oversight_figures", {"shown": {"reports": {"values": {"": 12, CASE.hex: None}}}}, f"{CASE.hex} of another's records"),
        ("exchange_activity", {"detail": "P-2010-123456"}, "P-2010-123456 of another's records"),
        ("oversight_figures", {"shown": {"reports": {"values": {"": 12, "place=north": 3}}}}, "a count of 3"),
    ],
)
def test_whatever_is_no_count_is_found(table: str, row: dict[str, Any], words: str) -> None:
    held = {**CLEAN, table: [*CLEAN.get(table, ()), row]}
    assert beside_counts(held, of_cases(OF_POLICE)) == [words]


# --- what is said of it --------------------------------------------------------------------------------------------------------

BACK = Returned("mobile", WITHOUT_A_LINE, 9, (), (), (14, 14))
TOLD = Overseen("oversight", 12, 340, (), 900, ())
HANDED = HandedOver((2.0, 23.5), {"in_time": 4})
MET = Outcome(LATIN_AMERICA, (), 140, 0, (), 1_700, 390.0, (2010,), 76, 0, None, HANDED, (BACK,), (TOLD,))


def test_where_no_unit_is_none_is_missed() -> None:
    outcome = replace(MET, handed_over=HandedOver((2.0,), None))
    assert outcome.is_met
    assert "MOBILE UNIT" not in in_words(outcome)


def test_what_was_handed_over_is_printed_as_data_too() -> None:
    (told,) = as_data([MET])["programmes"]
    assert told["handed_over"] == {"complaints": 2, "latest_h": 23.5, "begun_at_units": {"in_time": 4}, "met": True}


def test_a_replay_says_what_waited_what_was_handed_over_and_what_oversight_holds() -> None:
    told = in_words(MET)
    assert MET.is_met
    assert "(mobile) was 40 h without a line: 9 referrals waited, all are at their recipients" in told
    assert "2 complaints were handed over, the last of them 23.5 h after it was registered; 4 began at a mobile unit, all" in told
    assert "oversight was told 12 releases with 340 counts, holds counts only" in told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tours": (replace(BACK, lacking=("a",)),)}, "1 of them ARE NOT AT THEIR RECIPIENTS AS WRITTEN"),
        ({"tours": (replace(BACK, early=("a",)),)}, "1 of them HAD LEFT BEFORE"),
        ({"tours": (replace(BACK, numbers=(14, 13)),)}, "its mother station holds 13 OF 14 numbers"),
        ({"tours": (replace(BACK, without_a_line=timedelta(hours=39)),)}, "was 39 h without a line"),
        ({"tours": (replace(BACK, waited=0),)}, "0 referrals waited"),
        ({"overseen": (replace(TOLD, found=("rows in casework_cases",)),)}, "holds MORE THAN COUNTS: rows in casework_cases"),
        ({"overseen": (replace(TOLD, untold=("police",)),)}, "nothing of the last quarter by police"),
        ({"overseen": (replace(TOLD, numbers=0),)}, "0 counts"),  # of an empty database nothing is shown
        ({"handed_over": HandedOver((26.0,), {"in_time": 3, "handed_late": 1})}, "NOT ALL OF THEM IN TIME: {'handed_late': 1}"),
        ({"handed_over": HandedOver((2.0,), {})}, "NONE BEGAN AT A MOBILE UNIT"),
        ({"handed_over": HandedOver((), {})}, "0 complaints were handed over; NONE BEGAN AT A MOBILE UNIT"),
    ],
)
def test_whatever_is_not_so_fails_the_replay_and_is_said(change: dict[str, Any], words: str) -> None:
    outcome = replace(MET, **change)
    assert not outcome.is_met
    assert words in in_words(outcome)
