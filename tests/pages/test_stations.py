"""Pages of a station and of its mother station, without JavaScript: what nobody has confirmed, and which numbers lack."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from agencies import World, open_case
from shift import at_work
from stations import STATION, Sticks, world_with_stations

from shared.contracts.casework.codes import Role


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[World]:
    """The demo's three agencies and a station in the north."""
    made = await world_with_stations(tmp_path / "world", STATION)
    yield made
    await made.close()


async def test_a_station_sees_what_nobody_has_confirmed_until_somebody_has(far: World, tmp_path: Path) -> None:
    corporal = await at_work(far, STATION, "corporal", Role.OFFICER)
    desk = await far[STATION].sign_in("a-program")
    case, _ = await open_case(desk)
    await desk.post(f"/cases/{case}/complaints")
    page = await corporal.open("/work")
    assert "Registered here and not yet confirmed by anybody: 1." in page.words
    assert "/register" in page.links
    page = await corporal.open("/register")
    assert "00001-C" in page.words
    assert "Nobody has confirmed this yet" in page.words
    assert f"/cases/{case}" in page.links
    assert "00001-C" in (await corporal.open(f"/cases/{case}/complaint")).words
    await Sticks(far, tmp_path).round(STATION, "police")
    page = await corporal.open("/register")
    assert "Nobody has confirmed this yet" not in page.words
    assert "Number known there: " in page.words  # and no more than that
    assert "The file is on this computer only." in page.words
    assert "Registered here and not yet confirmed" not in (await corporal.open("/work")).words


async def test_who_was_informed_is_counted_on_the_page_and_a_mistake_loses_nothing(far: World) -> None:
    corporal = await at_work(far, STATION, "corporal", Role.OFFICER)
    form = (await corporal.open("/register")).form("/register/informed")
    page = await corporal.send(form, what="shelter", count="many", on="2026-01-05")
    assert page.status == 422
    assert "Type how many, as a number." in page.words
    assert page.form("/register/informed").fields["what"] == ["shelter"]
    page = await corporal.send(page.form("/register/informed"), what="shelter", count="7", on="2031-01-05")
    assert (page.status, "none that is still to come" in page.words) == (422, True)
    page = await corporal.send(page.form("/register/informed"), what="shelter", count="7", on="2026-01-05")
    assert page.path == "/register"
    assert "Shelter, 7" in page.words


async def test_a_mother_station_sees_which_numbers_lack_and_enters_what_was_said_by_phone(far: World, tmp_path: Path) -> None:
    inspector = await at_work(far, "police", "inspector", Role.SUPERVISOR, None)
    assert "/stations" in (await inspector.open("/alarms")).links
    page = await inspector.open("/stations")
    assert "Nothing has been heard yet" in page.words
    desk = await far[STATION].sign_in("a-program")
    case, _ = await open_case(desk)
    await desk.post(f"/cases/{case}/complaints")
    await Sticks(far, tmp_path).go(STATION, "police")
    page = await inspector.open("/stations")
    assert "Every number up to the newest that is known is here. The files are not." in page.words
    assert "Complaints: each file is at the station and nowhere else" in page.words
    assert "Requests: " not in page.words
    assert "may be lost if the station is" in page.words
    action = f"/stations/{STATION}/stated"
    assert action in page.links
    page = await inspector.open(action)
    page = await inspector.send(page.form(action), number="x", how="phone")
    assert (page.status, "Type the number without its letter." in page.words) == (422, True)
    page = await inspector.send(page.form(action), number="3", how="phone")
    assert page.path == "/stations"
    assert "Numbers that are not here" in page.words
    assert "00002-E – 00003-G" in page.words


async def test_who_is_no_station_and_no_mother_has_none_of_it(far: World) -> None:
    constable = await at_work(far, "police", "constable", Role.OFFICER)
    page = await constable.open("/work")
    assert not {"/register", "/stations"} & set(page.links)
    assert (await constable.open("/register")).status == 404
    assert (await constable.open("/stations")).status == 403
    sergeant = await at_work(far, STATION, "sergeant", Role.SUPERVISOR, None)
    assert (await sergeant.open("/stations")).status == 404
    keeper = await at_work(far, STATION, "keeper", Role.ADMINISTRATOR, None)
    assert (await keeper.open("/register")).status == 403
