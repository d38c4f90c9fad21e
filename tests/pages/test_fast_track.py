"""Whoever the programme's rule identifies stands first on the desk's list, which says so; how long it took is counted, one tap or
none, and no case is opened for it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import Refused, World, consent
from box import STATION, came, inspector
from hotline import with_hotline
from shift import at_work
from sqlalchemy import func, select

from services.police.fast_track.domain import is_identified, minutes_of
from shared.casework.accounts.tables import CaseRead
from shared.casework.cases.tables import Case
from shared.contracts.casework.codes import Role
from shared.kit.clock import ManualClock
from shared.programmes.profile import load_programme

FIRST = "Stands in no queue: see first"
JANUARY = "first=2026-01-01&until=2026-02-01"


async def refused(work: Any) -> int:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status


async def minutes(world: World, name: str) -> Any:
    found = (await (await inspector(world, name)).get(f"/fast-track/figures?{JANUARY}"))["items"]
    return next(one for one in found if one["facility"] == STATION)


def test_what_nobody_said_counts_for_her_and_another_kind_of_incident_does_not() -> None:
    zambia, now = load_programme("zm-vsu-ec"), ManualClock().now()
    for said, kind, is_first in (
        ("rape", "vsu_station", True), ("sexual_assault", "one_stop_police_desk", True), ("gbv", "vsu_station", True),
        (None, "vsu_station", True), ("rape", None, True), ("denial_of_resources", "vsu_station", False),
        ("rape", "district_office", False),
    ):  # fmt: skip
        assert is_identified(zambia, kind, now, {"incident_type": said}, None) is is_first, (said, kind)
    assert not is_identified(load_programme("rw-gender-desk"), "gender_desk", now, {"incident_type": "rape"}, None)


def test_minutes_are_some_that_somebody_waited() -> None:
    waits = [timedelta(minutes=one) for one in (1, 2, 3, 4, 5, 6, 7, 8, 9, 60)]
    assert (minutes_of("x", waits, 2, 3).median, minutes_of("x", waits, 2, 3).p90) == (5, 9)
    assert (minutes_of("x", [], 0, 0).median, minutes_of("x", [], 0, 0).p90) == (None, None)


async def test_who_is_identified_stands_first_with_the_longest_wait_first_and_one_tap_ends_it(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    officer = await at_work(world, "police", "officer", Role.OFFICER)
    elsewhere = await at_work(world, "police", "elsewhere", Role.OFFICER, "masaiti_vsu")
    other = (await desk.post("/cases", {"needs": {"age_band": "25-49", "sex": "female", "language": "bem"}}))["id"]
    await desk.post(f"/cases/{other}/incidents", {"incident_type": "denial_of_resources"})
    first, _ = await came(world, desk, 20, age_band="10-14")
    world.clock.advance(timedelta(minutes=3))
    second, _ = await came(world, desk, 20, sex="male")
    world.clock.advance(timedelta(minutes=4))
    page = await officer.open("/")  # where a day begins is the list itself
    assert page.path == "/work"
    assert page.words.count(FIRST) == 2
    assert page.words.index(FIRST) < page.words.index("Opened, nothing sent yet")
    assert page.words.index("here for: 7 minutes") < page.words.index("here for: 4 minutes")
    assert [f.action for f in page.forms if f.action.endswith("/seen")] == [f"/cases/{one}/seen" for one in (first, second)]
    assert FIRST not in (await elsewhere.open("/work")).words
    assert [one["case_id"] for one in (await desk.get("/fast-track"))["items"]] == [first, second]
    asked = await officer.send(page.form(f"/cases/{first}/seen"))
    assert asked.path == f"/cases/{first}/consent"  # and she is asked, as the next thing anyway
    assert [one["case_id"] for one in (await desk.get("/fast-track"))["items"]] == [second]
    await consent(desk, second, "health", "needs")  # without any tap: what is entered with him says so
    assert FIRST not in (await officer.open("/work")).words
    found = await minutes(world, "chief")
    assert (found["seen"], found["minutes_median"], found["minutes_p90"], found["not_seen"]) == (2, 4.0, 7.0, 0)
    assert await refused(elsewhere_desk_sees(world, first)) == 404


async def elsewhere_desk_sees(world: World, case_id: str) -> Any:
    desk = await world["police"].sign_in("elsewhere-too", Role.OFFICER, "masaiti_vsu")
    return await desk.post(f"/cases/{case_id}/seen")


async def test_what_happened_again_waits_anew_and_after_a_shift_nobody_is_at_the_door(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    case_id, _incident = await came(world, desk, 20)
    await consent(desk, case_id, "health", "needs")
    assert (await desk.get("/fast-track"))["items"] == []
    world.clock.advance(timedelta(days=2))
    again = await desk.post(f"/cases/{case_id}/incidents", {"incident_type": "rape"})
    (waits,) = (await desk.get("/fast-track"))["items"]
    assert waits["incident_id"] == again["id"]
    world.clock.advance(timedelta(hours=12))
    assert (await desk.get("/fast-track"))["items"] == []
    found = await minutes(world, "chief")
    assert (found["seen"], found["minutes_median"], found["not_seen"]) == (1, 0.0, 1)


async def test_counting_opens_no_case_and_leaves_out_whoever_said_no(world: World) -> None:
    desk, chief = await world["police"].sign_in("desk", Role.OFFICER, STATION), await inspector(world, "chief")
    for _ in range(2):
        case_id, _incident = await came(world, desk, 20)
        world.clock.advance(timedelta(minutes=2))
        await desk.post(f"/cases/{case_id}/seen")
    async with world["police"].database.write() as tx:
        (await tx.session.get_one(Case, UUID(case_id))).not_counted = True  # as she has said
        before = (await tx.session.execute(select(func.count()).select_from(CaseRead))).scalar_one()
    (found,) = [one for one in (await chief.get(f"/fast-track/figures?{JANUARY}"))["items"] if one["facility"] == STATION]
    assert (found["seen"], found["minutes_median"]) == (1, 2.0)
    async with world["police"].database.read() as tx:
        assert (await tx.session.execute(select(func.count()).select_from(CaseRead))).scalar_one() == before
    assert await refused(desk.get(f"/fast-track/figures?{JANUARY}")) == 403


async def test_a_supervisor_has_a_page_and_a_programme_without_the_rule_has_none(world: World) -> None:
    chief = await at_work(world, "police", "chief", Role.SUPERVISOR)
    assert "/fast-track" in (await chief.open("/work")).links
    page = await chief.open("/fast-track")
    assert (page.status, "Stations stand in the programme’s order" in page.words, "{{" in page.text) == (200, True, False)
    officer = await at_work(world, "police", "officer", Role.OFFICER)
    assert "/fast-track" not in (await officer.open("/work")).links
    assert (await officer.open("/fast-track")).status == 403
    rwanda = with_hotline(world)
    desk = await rwanda.sign_in("desk", Role.SUPERVISOR, None)
    assert await refused(desk.get("/fast-track")) == await refused(desk.get(f"/fast-track/figures?{JANUARY}")) == 404
