"""Acts: a second tap lands where the first one did, a colleague's tap is no fault, and a wrong time loses nothing."""

import asyncio
from typing import Any
from uuid import UUID

from agencies import TestAgency, World
from shift import SENDING, asked, nurse, officer, sent
from sqlalchemy import func, select
from visitor import Form, Visitor

from shared.casework.referrals.tables import Referral, ReferralFact
from shared.kit.db import Database

FUTURE: dict[str, Any] = {"on_date": "2026-03-01", "at_time": "10:00"}


async def test_two_taps_on_send_send_once_and_both_see_the_result(world: World) -> None:
    desk = await officer(world)
    page = await asked(desk)
    form = page.form(page.path)
    first, second = await asyncio.gather(desk.send(form, **SENDING), desk.send(form, **SENDING))
    assert first.path.startswith("/referrals/"), first.words
    assert (first.path, first.status) == (second.path, second.status)
    async with world["police"].database.read() as tx:
        query = select(func.count()).select_from(Referral).where(Referral.recipient == "health")  # type: ignore[arg-type]
        assert (await tx.session.execute(query)).scalar_one() == 1


async def test_two_taps_that_reach_two_processes_are_one_as_well(world: World) -> None:
    desk, police = await officer(world), world["police"]
    other = TestAgency(police.here, police.parts, Database(police.database.url, world.clock, police.database.keys))
    same_browser = Visitor(other.app)
    same_browser.client.cookies.update(desk.client.cookies)
    page = await asked(desk)
    form = page.form(page.path)
    first, second = await asyncio.gather(desk.send(form, **SENDING), same_browser.send(form, **SENDING))
    await other.close()
    assert first.path.startswith("/referrals/"), first.words
    assert (first.path, first.status) == (second.path, second.status)


async def test_whoever_sends_a_request_on_to_another_desk_goes_on_with_her_list(world: World) -> None:
    _case, referral = await sent(world, await officer(world))
    clinic = await nurse(world)
    form = (await clinic.open(f"{referral}/send-on")).form(f"{referral}/send-on")
    page = await clinic.send(form, next_place="health/ndola_hospital")
    assert (page.status, page.path) == (200, "/work")
    assert (await (await nurse(world, "nurse-9", "ndola_hospital")).open(referral)).status == 200


async def facts(world: World) -> list[str]:
    async with world["health"].database.read() as tx:
        rows = (await tx.session.execute(select(ReferralFact).order_by(ReferralFact.position))).scalars()  # type: ignore[arg-type]
        return [row.type.removeprefix("referral.") for row in rows]


async def test_seen_come_after_a_colleague_is_no_fault(world: World) -> None:
    desk, first, second = await officer(world), await nurse(world), await nurse(world, "nurse-2")
    _case, referral = await sent(world, desk)
    stale = await second.open("/work")
    await first.send((await first.open("/work")).form(f"{referral}/acknowledge"))
    page = await second.send(stale.form(f"{referral}/seen-come"))
    assert (page.status, page.path) == (200, "/work")
    page = await first.send(stale_form(stale, f"{referral}/acknowledge", first_csrf := await csrf_of(first)))
    assert (page.status, first_csrf != "") == (200, True)
    assert await facts(world) == ["issued", "set_out", "acknowledged", "accepted"]


async def test_two_colleagues_who_say_that_she_is_here_say_it_once(world: World) -> None:
    desk, first, second = await officer(world), await nurse(world), await nurse(world, "nurse-2")
    _case, referral = await sent(world, desk)
    stale = await second.open(referral)
    await first.send((await first.open(referral)).form(f"{referral}/arrive"))
    page = await second.send(stale.form(f"{referral}/arrive"))
    assert page.status == 200
    assert (await facts(world)).count("arrived") == 1


async def csrf_of(visitor: Visitor) -> str:
    return (await visitor.open("/me")).form("/sign-out").fields["csrf"][0]


def stale_form(page: Any, action: str, csrf: str) -> Any:
    form = page.form(action)
    form.fields["csrf"] = [csrf]
    return form


async def test_a_time_that_has_not_come_is_told_on_the_page_and_what_was_chosen_stays(world: World) -> None:
    at_a_place_by_phone = await officer(world, facility="masaiti_vsu")
    _case, referral = await sent(world, at_a_place_by_phone)
    address = f"{referral}/told-by-phone"
    form = (await at_a_place_by_phone.open(address)).form(address)
    post = form.choices["post"][0]
    page = await at_a_place_by_phone.send(form, post=post, **FUTURE)
    assert (page.status, "lies in the future" in page.words) == (422, True)
    assert page.form(address).fields["post"] == [post]
    assert page.form(address).fields["at_time"] == ["10:00"]


async def test_what_is_entered_for_a_place_with_a_wrong_time_is_asked_again_on_the_same_page(world: World) -> None:
    desk, hub = await officer(world), await nurse(world)
    page = await asked(desk)
    at_paper = {**SENDING, "care": "injury_care", "place": "health/masaiti_clinic"}
    page = await desk.send(page.form(page.path), **at_paper)
    referral = page.path
    await world.settle()
    address = f"{referral}/entered"
    page = await hub.send((await hub.open(referral)).form(address), what="acknowledge", **FUTURE)
    assert (page.status, "lies in the future" in page.words) == (422, True)
    assert page.form(address).fields["what"] == ["acknowledge"]
    page = await hub.send(page.form(address))
    assert page.status == 422
    assert 'http-equiv="refresh"' not in (await hub.open(referral)).text  # nothing wipes what is being typed
    assert 'http-equiv="refresh"' in (await hub.open("/work")).text


async def test_an_answer_to_another_state_is_asked_again(world: World) -> None:
    desk = await officer(world)
    _case, referral = await sent(world, desk)
    one, two = await nurse(world), await nurse(world, "nurse-2")
    before = (await two.open(f"{referral}/decline")).form(f"{referral}/decline")
    await one.send((await one.open(referral)).form(f"{referral}/seen-come"))
    page = await two.send(before, reason_code="no_place")
    assert (page.status, "has changed since this page was opened" in page.words) == (422, True)
    assert await states(world, referral) == "accepted"
    await two.send(page.form(f"{referral}/decline"))  # knowing it
    assert await states(world, referral) == "declined"


async def states(world: World, referral: str) -> str:
    async with world["health"].database.read() as tx:
        row = await tx.session.get(Referral, UUID(referral.rpartition("/")[2]))
        assert row is not None
        return row.state


LONG_AGO: dict[str, Any] = {"on_date": "0026-01-05", "at_time": "08:15"}
TOO_LONG_AGO = "This lies more than a year back"


async def test_nothing_is_entered_afterwards_under_a_mistyped_year(world: World) -> None:
    desk, hub = await officer(world), await nurse(world)
    page = await asked(desk)
    at_paper = {**SENDING, "care": "injury_care", "place": "health/masaiti_clinic"}
    referral = (await desk.send(page.form(page.path), **at_paper)).path
    await world.settle()
    care = f"/care/{referral.rpartition('/')[2]}"
    forms: dict[str, tuple[Form, dict[str, Any]]] = {
        f"{referral}/entered": ((await hub.open(referral)).form(f"{referral}/entered"), {"what": "arrive"}),
        "/arrivals/new": ((await hub.open("/arrivals/new")).form("/arrivals/new"), {"facility": "masaiti_clinic"}),
        care: ((await hub.open(care)).form(care), {"care_injury_care": "given"}),
    }
    for address, (form, answers) in forms.items():
        page = await hub.send(form, **answers, **LONG_AGO)
        assert (page.status, TOO_LONG_AGO in page.words, 'href="#on_date"' in page.text) == (422, True, True), address
        assert page.form(address).fields["at_time"] == ["08:15"]
    program = await world["health"].sign_in("program")
    for path, where in ((f"{referral}/acknowledge", {}), ("/arrivals", {"facility": "ndola_clinic"})):
        answer = await program.ask("POST", path, {**where, "occurred_at": "2024-12-31T00:00:00Z"})
        assert (answer.status_code, TOO_LONG_AGO in answer.text) == (422, True), path
