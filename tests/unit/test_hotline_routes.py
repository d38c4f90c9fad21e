"""Every call goes to exactly one desk, whatever the roster, the readiness and the districts; and the chain ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.police.hotline.domain import (
    Caller,
    Counted,
    Desk,
    Lack,
    Step,
    What,
    coverage,
    figures,
    needs_of,
    route,
    routing_rule,
    seen_within,
)
from shared.contracts.casework.codes import IncidentType, ServicePackage
from shared.programmes.places import FallBack, Mandate
from shared.programmes.profile import Programme, load_programme
from shared.programmes.situation import DeskNow
from shared.programmes.terms import WHOLE

RWANDA = load_programme("rw-gender-desk")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOM = "hotline_room_1"
DISTRICTS = list(RWANDA.districts)[:5]
ALL_ASSETS = frozenset({"interview_room", "vehicle", "motorcycle", "computer"})


def desk(id_: str, district: str | None = "huye", **more: object) -> Desk:
    fields = {"is_open": True, "is_staffed": True, "assets": ALL_ASSETS, "certificates": frozenset({"gender_desk_course"})}
    of_desk = {name: more.pop(name) for name in ("languages", "waiting", "km_from", "at") if name in more}
    now = DeskNow(id_, str(more.pop("kind", "gender_desk")), district, **{**fields, **more})  # type: ignore[arg-type]
    return Desk(now, **of_desk)  # type: ignore[arg-type]


def of(*desks: Desk, **asked: object) -> tuple[str | None, Step]:
    found = route(RWANDA, Caller(**{"district": "huye", **asked}), desks, ROOM, NOW)  # type: ignore[arg-type]
    return found.desk, found.step


def without_last_resort() -> Programme:
    found = routing_rule(RWANDA)
    assert found is not None
    id_, rule = found
    short = rule.model_copy(update={"fall_back": (FallBack.SAME_DISTRICT, FallBack.NEIGHBOUR)})
    return RWANDA.model_copy(update={"rules": {**RWANDA.rules, id_: short}})


MAYBE = st.sampled_from([True, False, None])
SOME = st.one_of(st.none(), st.frozensets(st.sampled_from(sorted(ALL_ASSETS))))


@st.composite
def some_desks(draw: st.DrawFn) -> list[Desk]:
    ids = draw(st.lists(st.integers(1, 99), unique=True, max_size=9))
    return [
        Desk(
            DeskNow(
                f"desk_{n}", draw(st.sampled_from(["gender_desk", "gender_desk", "police_station"])),
                draw(st.sampled_from([*DISTRICTS, None])), draw(MAYBE), draw(MAYBE), draw(SOME),
                draw(st.sampled_from([None, frozenset(), frozenset({"gender_desk_course"})])),
            ),
            draw(st.one_of(st.none(), st.frozensets(st.sampled_from(RWANDA.languages)))), draw(st.integers(0, 3)),
            draw(st.dictionaries(st.sampled_from([f"desk_{i}" for i in ids] or ["x"]), st.floats(0, 90), max_size=3)),
        )
        for n in ids
    ]  # fmt: skip


CALLERS = st.builds(
    Caller, st.sampled_from([*DISTRICTS, None]), st.sampled_from([None, *ServicePackage]),
    st.sampled_from([None, *RWANDA.languages]), st.booleans(),
)  # fmt: skip
PROGRAMMES = st.sampled_from([RWANDA, without_last_resort()])


@settings(max_examples=60, deadline=None)
@given(some_desks(), CALLERS, PROGRAMMES, st.randoms(use_true_random=False))
def test_any_call_goes_to_exactly_one_desk_the_chain_ends_and_order_does_not_matter(
    desks: list[Desk], caller: Caller, programme: Programme, chance: object
) -> None:
    takes = {one.id for one in desks if one.now.kind == "gender_desk"}
    tried: list[str] = []
    while True:
        found = route(programme, caller, desks, ROOM, NOW, tried)
        shuffled = list(desks)
        chance.shuffle(shuffled)  # type: ignore[attr-defined]
        assert route(programme, caller, shuffled, ROOM, NOW, list(reversed(tried))) == found
        if found.desk is None:
            assert programme is not RWANDA
            assert tried or not takes, "a first call is left without a desk though there is one"
            break
        assert found.desk in takes - set(tried) or (found.desk == ROOM and found.step is Step.LAST_RESORT)
        tried.append(found.desk)
        if found.desk == ROOM:
            break
        assert len(tried) <= len(takes), "the chain does not end"
    assert len(set(tried)) == len(tried)


@settings(max_examples=30, deadline=None)
@given(some_desks(), CALLERS)
def test_nobody_is_sent_past_a_desk_of_her_district_that_is_ready(desks: list[Desk], caller: Caller) -> None:
    ready = {
        one.id for one in desks
        if one.now.kind == "gender_desk" and one.now.district == caller.district and one.now.is_open and one.now.is_staffed
        and one.now.certificates
    }  # fmt: skip
    found = route(RWANDA, caller, desks, ROOM, NOW)
    if ready and caller.district is not None:
        assert found.step is Step.FITS
        assert found.desk in {one.id for one in desks if one.now.district == caller.district}


def test_the_district_first_then_its_others_then_the_nearest_then_whoever_is_open_then_the_room() -> None:
    near, other = desk("near"), desk("other", waiting=2)
    far, further = desk("far", "nyanza", km_from={"near": 30.0}), desk("further", "gasabo", km_from={"near": 90.0})
    unmanned: dict[str, Any] = {"is_staffed": False}
    assert of(far, other, near) == ("near", Step.FITS)
    assert of(far, other, desk("near", **unmanned)) == ("other", Step.FITS)
    assert of(further, far, desk("near", **unmanned)) == ("far", Step.FALL_BACK)
    assert of(desk("near", certificates=frozenset()), desk("far", "nyanza", **unmanned)) == ("near", Step.FALL_BACK)
    assert of(desk("near", **unmanned), desk("far", "nyanza", **unmanned)) == (ROOM, Step.LAST_RESORT)
    assert of() == (ROOM, Step.LAST_RESORT)


def test_where_no_way_is_entered_the_next_district_of_the_profile_is_the_neighbour() -> None:
    assert of(desk("a", "gasabo"), desk("z", "kamonyi")) == ("z", Step.FALL_BACK)  # gisagara, huye, kamonyi


def test_of_equals_whoever_waits_least() -> None:
    assert of(desk("a", waiting=1), desk("b")) == ("b", Step.FITS)


def test_a_desk_without_a_room_a_vehicle_or_the_language_is_said_and_another_offered() -> None:
    bare = desk("bare", assets=frozenset({"computer"}), languages=frozenset({"en"}))
    far = desk("far", "nyanza", languages=frozenset({"sw"}))
    asleep = desk("asleep", "nyanza", is_staffed=False)
    found = route(RWANDA, Caller("huye", language="sw", needs_vehicle=True), [bare, asleep, far], ROOM, NOW)
    assert (found.desk, found.step) == ("bare", Step.FITS)
    assert found.lacks == (
        Lack("interview_room", "far"), Lack("vehicle", "far"), Lack("language", "far"),
    )  # fmt: skip
    found = route(RWANDA, Caller("huye"), [bare], ROOM, NOW)
    assert found.lacks == (Lack("interview_room", None),)
    assert route(RWANDA, Caller("huye"), [replace(bare, now=replace(bare.now, assets=None))], ROOM, NOW).lacks == ()


def test_a_child_adds_child_protection_once() -> None:
    asked = needs_of(RWANDA, ServicePackage.ACUTE_CARE, NOW, is_child=True)
    assert asked == (ServicePackage.ACUTE_CARE, ServicePackage.CHILD_PROTECTION)
    assert needs_of(RWANDA, ServicePackage.CHILD_PROTECTION, NOW, is_child=True) == (ServicePackage.CHILD_PROTECTION,)
    assert needs_of(RWANDA, ServicePackage.ACUTE_CARE, NOW, is_child=False) == (ServicePackage.ACUTE_CARE,)


def test_one_unmanned_desk_of_69_is_98_6_percent() -> None:
    desks = [desk(f"desk_{n}") for n in range(69)]
    assert coverage(RWANDA, desks).percent == 100
    found = coverage(RWANDA, [*desks[1:], desk("desk_0", is_staffed=False), desk("station", kind="police_station")])
    assert (found.ready, found.of, found.percent, found.gaps) == (68, 69, 98.6, ("desk_0",))
    assert coverage(RWANDA, []).percent is None


def test_a_station_with_two_desks_is_one_and_one_without_a_desk_is_not_ready() -> None:
    second, third = desk("desk_2", at="post_1", is_staffed=False), desk("desk_3", at="post_2", is_staffed=False)
    desks = [desk("desk_1", at="post_1"), second, third]
    found = coverage(RWANDA, desks, ["post_1", "post_2", "post_3"])
    assert (found.ready, found.of, found.gaps) == (1, 3, ("desk_2", "desk_3"))
    assert (found.percent, found.stations_ready) == (33.3, frozenset({"post_1"}))


def test_calls_are_routed_or_wrong_or_unrouted_and_nothing_else() -> None:
    rows = [
        Counted(What.REPORT, True, 3, is_due=True), Counted(What.REPORT, True, 15, is_due=True),
        Counted(What.REPORT, True, 40, is_due=True), Counted(What.CUT, True, is_rooms_own=True), Counted(What.WRONG_NUMBER, False),
        Counted(What.REPORT, False, 2, is_due=True),  # which the room kept, and saw itself
    ]  # fmt: skip
    found = figures(rows, seen_within(RWANDA))
    assert found.rooms_own == 1  # no desk was sought for it
    assert (found.calls, found.routed, found.wrong_numbers, found.cut, found.unrouted) == (6, 4, 1, 1, 1)
    assert (found.seen, found.due, found.seen_in_time, found.minutes_median, found.minutes_p90) == (4, 4, 2, 3, 40)
    ten = figures([Counted(What.REPORT, True, minutes) for minutes in range(1, 11)], seen_within(RWANDA))
    assert (ten.minutes_median, ten.minutes_p90) == (5, 9)  # as every other figure takes them: what somebody really waited
    assert figures([], timedelta(minutes=15)).minutes_median is None


@pytest.mark.parametrize("figure", ["dispatch_min", "answer_s"])
def test_the_minutes_are_known_to_be_an_assumption(figure: str) -> None:
    assert seen_within(RWANDA) == timedelta(minutes=15)
    assert RWANDA.hotline is not None
    assert RWANDA.hotline.is_assumption(figure)


ATOLL = load_programme("tests/support/programmes/xx-anywhere.yaml")


def rooms(**mandates: dict[str, Any]) -> Programme:
    """Quiet rooms of several kinds, each with its own mandate."""
    kind = ATOLL.facilities["quiet_room"]
    kinds = {
        name: kind.model_copy(update={"mandate": Mandate(**holds, source={WHOLE: kind.because()})})
        for name, holds in mandates.items()
    }
    rule = ATOLL.rules["one_room"].model_copy(update={"to": tuple(kinds)})
    return ATOLL.model_copy(update={"facilities": {**ATOLL.facilities, **kinds}, "rules": {**ATOLL.rules, "one_room": rule}})


def test_a_mandate_that_does_not_hold_what_is_needed_sends_her_on() -> None:
    programme = rooms(
        counter={"packages": (ServicePackage.REPORT_TO_POLICE,)},
        whole={"packages": (ServicePackage.REPORT_TO_POLICE, ServicePackage.PROTECTION)},
    )
    counter, whole = desk("counter", "north", kind="counter"), desk("whole", "south", kind="whole")

    def to(need: ServicePackage | None, *desks: Desk) -> tuple[str | None, Step]:
        found = route(programme, Caller("north", need), desks, "post", NOW)
        return found.desk, found.step

    assert to(ServicePackage.REPORT_TO_POLICE, counter, whole) == ("counter", Step.FITS)
    assert to(ServicePackage.PROTECTION, counter, whole) == (
        "whole",
        Step.FALL_BACK,
    )  # past the desk of her district, to who has it
    assert to(ServicePackage.PROTECTION, counter) == ("counter", Step.FALL_BACK)  # and where nobody has it, never nobody


def test_a_call_goes_by_what_happened_where_desks_are_there_for_some_of_it_only_also_down_the_chain() -> None:
    programme = rooms(home={"incidents": (IncidentType.PHYSICAL_ASSAULT,)}, any_kind={"incidents": tuple(IncidentType)})
    home, far = desk("home", "north", kind="home"), desk("far", "south", kind="any_kind")

    def to(said: IncidentType | None, *desks: Desk) -> tuple[str | None, Step]:
        found = route(programme, Caller("north", incident=said), desks, "post", NOW)
        return found.desk, found.step

    assert to(IncidentType.PHYSICAL_ASSAULT, home, far) == ("home", Step.FITS)
    assert to(None, home, far) == ("home", Step.FITS)  # what was not said narrows nothing
    assert to(IncidentType.RAPE, home, far) == ("far", Step.FALL_BACK)  # the neighbour who has the mandate
    unready = desk("far", "south", kind="any_kind", is_staffed=False)
    assert to(IncidentType.RAPE, home, unready) == ("home", Step.FALL_BACK)  # any open desk, and never nobody
