"""The work list: what is new is never pushed out by what is old, what was refused stays until somebody has dealt with it."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import World, consent, open_case, refer
from desk_pages import NO_TO_ALL, PAGE_1, at_the_desk, fill_page, to_consent, to_place, to_sent
from shift import SENDING, at_work, declined, let_time_pass, nurse, officer, sent
from sqlalchemy import func, select
from sqlmodel import col
from visitor import Form, Visitor

from shared.casework.alarms.watcher import Watcher
from shared.casework.circles.tables import Progress
from shared.casework.pages.frame import short
from shared.casework.paper.tables import Sheet
from shared.casework.work import views
from shared.contracts.casework.codes import Role

CANNOT = "Cannot be taken: another place is needed"


async def requests(world: World, count: int, **more: str) -> list[str]:
    """Referrals to the clinic, a minute apart; their addresses, oldest first."""
    desk = await world["police"].sign_in(f"desk-{count}-{len(more)}")
    found = []
    for _ in range(count):
        case_id, incident_id = await open_case(desk)
        await consent(desk, case_id, "health", "fb", "needs")
        found.append(f"/referrals/{(await refer(desk, case_id, incident_id, 'health', **more))['id']}")
        world.clock.advance(timedelta(minutes=1))
    await world.settle()
    return found


async def take(visitor: Visitor, addresses: list[str]) -> None:
    for address in addresses:
        await visitor.send((await visitor.open(address)).form(f"{address}/seen-come"))


async def test_a_new_request_stands_in_the_inbox_however_many_are_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "LIST_MAX", 2)  # a limit of the page, so that a few requests are many
    clinic = await nurse(world)
    old = await requests(world, 5)
    await take(clinic, old)
    routine = await requests(world, 3, urgency="routine")
    new = await requests(world, 1)
    page = await clinic.open("/work")
    assert new[0] in page.links
    assert page.links.index(new[0]) < page.links.index(routine[-1])  # acute first, then the newest
    assert routine[0] not in page.links
    assert "2 more are not shown here" in page.words  # of the four new ones
    assert "3 more are not shown here" in page.words  # of the five that are expected
    assert "(4)" in page.text.split("</title>")[0]


async def test_the_red_box_shows_the_newest_and_counts_the_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "LIST_MAX", 2)
    addresses = await requests(world, 4)
    world.clock.advance(timedelta(minutes=11))
    page = await (await officer(world)).open("/work")
    assert [one in page.links for one in addresses] == [False, False, True, True]
    assert "2 more are not shown here" in page.words


async def test_what_cannot_be_taken_is_shown_although_somebody_was_told_along_with_it(world: World) -> None:
    let_time_pass(world)  # whoever is told along with it is told a moment later
    desk, clinic = await officer(world), await nurse(world)
    case, referral = await sent(world, desk)
    assert CANNOT not in (await desk.open("/work")).words
    await declined(world, clinic, referral)
    page = await desk.open("/work")
    assert CANNOT in page.words
    page = await desk.open(referral)
    again = next(one for one in page.links if one.startswith(f"{case}/refer"))
    page = await desk.send((await desk.open(again)).form(f"{case}/refer"), **{**SENDING, "place": "health/ndola_hospital"})
    assert page.path.startswith("/referrals/"), page.words
    assert CANNOT not in (await desk.open("/work")).words  # somebody has dealt with it


async def test_two_that_cannot_be_taken_are_dealt_with_one_by_one(world: World) -> None:
    let_time_pass(world)
    desk, clinic = await officer(world), await nurse(world)
    for _ in range(2):
        _case, referral = await sent(world, desk)
        await declined(world, clinic, referral)
    page = await desk.open("/work")
    assert page.words.count("Choose another place") == 2
    _case, _referral = await sent(world, desk)  # somebody else
    assert (await desk.open("/work")).words.count("Choose another place") == 2


async def test_an_acute_request_that_cannot_be_taken_is_urgent_and_its_act_stands_before_what_happened(world: World) -> None:
    desk, clinic = await officer(world), await nurse(world)
    _case, referral = await sent(world, desk)
    await declined(world, clinic, referral)
    page = await desk.open("/work")
    assert re.search(rf'app-urgent__why">(?:(?!</p>).)*{CANNOT}', page.text, re.DOTALL), page.words
    page = await desk.open(referral)
    assert page.text.index("/refer?instead=") < page.text.index("app-tick"), page.words


async def test_what_is_only_seen_is_accepted_from_the_list(world: World) -> None:
    _case, referral = await sent(world, await officer(world))
    clinic = await nurse(world)
    page = await clinic.send((await clinic.open("/work")).form(f"{referral}/acknowledge"))
    assert page.path == "/work"
    page = await clinic.send(page.form(f"{referral}/accept"))
    assert page.path == "/work"
    assert f"{referral}/accept" not in {form.action for form in page.forms}
    assert "Do not phone the person who was sent." in (await clinic.open(referral)).words


async def hand_over(visitor: Visitor, **answers: Any) -> None:
    page = await visitor.send((await visitor.open("/hand-over")).form("/hand-over"), **answers)
    assert page.path == "/locked", page.words


async def test_what_the_next_shift_signs_names_everything_that_is_open(world: World) -> None:
    desk = await officer(world)
    await sent(world, desk)  # waits to be seen there
    await desk.send((await desk.open("/arrivals/new")).form("/arrivals/new"))
    clinic = await nurse(world)
    _case, second = await sent(world, desk)
    await take(clinic, [second])
    await world.settle()
    form = (await desk.open(f"{second}/cancel")).form(f"{second}/cancel")
    await desk.send(form, reason_code=form.choices["reason_code"][0])
    await world.settle()
    await hand_over(clinic)
    next_nurse = await nurse(world, "nurse-2")
    page = await next_nurse.open("/hand-over")
    signed = page.words.split("I have read it")[0]
    assert "A desk asks to cancel" in signed
    await hand_over(desk)
    next_officer = await officer(world, "officer-2")
    signed = (await next_officer.open("/hand-over")).words.split("I have read it")[0]
    assert "Sent, not seen yet" in signed
    assert "Came without a request" in signed


async def test_every_shift_that_nobody_took_over_is_shown(world: World) -> None:
    for name in ("nurse-1", "nurse-2"):
        await hand_over(await nurse(world, name))
        world.clock.advance(timedelta(hours=1))
    third = await nurse(world, "nurse-3")
    assert (await third.open("/work")).words.count("handed the shift over") == 2
    page = await third.open("/hand-over")
    forms = takings(page.forms)
    assert len(forms) == 2
    page = await third.send(forms[0])
    assert page.path == "/hand-over"
    page = await third.send(takings(page.forms)[0])
    assert page.path == "/work"
    assert "handed the shift over" not in page.words


def takings(forms: list[Form]) -> list[Form]:
    return [form for form in forms if form.action.endswith("/take")]


async def test_whoever_sees_the_whole_agency_says_whose_shift_ends(world: World) -> None:
    await requests(world, 1)
    whole = await nurse(world, "doctor-1", None)
    form = (await whole.open("/hand-over")).form("/hand-over")
    page = await whole.send(form)
    assert (page.status, "Choose the place" in page.words) == (422, True)
    await hand_over(whole, facility="ndola_hospital")
    at_clinic = await nurse(world)
    assert not takings((await at_clinic.open("/hand-over")).forms)
    page = await (await nurse(world, "nurse-9", "ndola_hospital")).open("/hand-over")
    assert len(takings(page.forms)) == 1
    assert "New, not yet seen" not in page.words.split("I have read it")[0]  # that is the clinic's


OPENED = "Opened, nothing sent yet"


async def test_a_case_of_which_nothing_was_sent_stands_on_the_list_of_its_desk_for_a_while(world: World) -> None:
    desk = await at_the_desk(world)
    case = (await to_consent(desk)).path.removesuffix("/consent")
    world.clock.advance(timedelta(minutes=1))
    refused = (await to_place(desk, await to_consent(desk), **NO_TO_ALL)).path.removesuffix("/refer")
    page = await (await officer(world)).open("/work")
    assert OPENED in page.words
    assert [one for one in page.links if one in {case, refused}] == [refused, case]  # newest first; her no is no end
    assert OPENED not in (await (await officer(world, "officer-9", "masaiti_vsu")).open("/work")).words
    page = await desk.open("/hand-over")
    assert (OPENED in page.words, {case, refused} <= set(page.links)) == (True, True)
    page = await to_place(desk, await desk.open(f"{case}/consent"))
    await desk.send(page.form(page.path), button=("think", "yes"))
    assert case not in (await desk.open("/work")).links  # it waits as what she thinks about
    await to_sent(desk, await desk.open(f"{case}/refer"))
    page = await desk.open("/work")
    assert (case in page.links, refused in page.links) == (False, True)
    world.clock.advance(views.OPENED_SHOWN)
    assert OPENED not in (await (await officer(world, "officer-2")).open("/work")).words


async def test_what_happened_again_and_a_sheet_of_last_month_wait_to_be_sent_like_what_is_told_now(world: World) -> None:
    desk = await officer(world)
    case, _referral = await sent(world, desk)
    world.clock.advance(timedelta(minutes=5))
    page = await desk.send((await desk.open(f"{case}/again")).form(f"{case}/again"), hurt_now="yes", at_least=1, at_most=2)
    assert page.status == 200, page.words
    page = await desk.open("/work")
    assert ("Opened, nothing sent yet 1" in page.words, "Since 10:05" in page.words, case in page.links) == (True, True, True)
    await to_sent(desk, await to_place(desk, await desk.open(f"{case}/consent")))
    assert OPENED not in (await desk.open("/work")).words
    page = await desk.open("/paper/print")
    page = await desk.send(page.form("/paper/print"), facility="ndola_central_vsu", kind="request", count=1)
    [number] = {word for word in page.words.split() if word.startswith("R-0")}
    async with world["police"].database.write() as tx:
        (await tx.session.get_one(Sheet, number)).printed_at -= timedelta(days=60)
    form = (await desk.open("/paper")).form("/paper/enter")
    page = await desk.send(form, number=number, on_date="2025-12-01", at_time="00:10")
    page = await fill_page(desk, page, **PAGE_1)
    page = await desk.open("/work")
    assert ("Opened, nothing sent yet 1" in page.words, "Since 10:05" in page.words) == (True, True)


async def test_who_came_without_a_request_and_what_was_received_is_no_case_that_waits_to_be_sent(world: World) -> None:
    clinic = await nurse(world)
    await requests(world, 1)
    await clinic.send((await clinic.open("/arrivals/new")).form("/arrivals/new"))
    assert OPENED not in (await clinic.open("/work")).words


async def test_the_newest_cases_of_which_nothing_was_sent_are_shown_and_the_rest_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "LIST_MAX", 2)
    program = await world["police"].sign_in("program")
    for _ in range(3):
        last, _incident = await open_case(program)
        world.clock.advance(timedelta(minutes=1))
    page = await (await officer(world)).open("/work")
    assert ("1 more is not shown here" in page.words, f"/cases/{last}" in page.links) == (True, True)


GONE = "Will not come on this request: consent was taken back"


async def no_to_the_clinic(desk: Visitor, case: str) -> None:
    page = await to_place(desk, await desk.open(f"{case}/consent"), answer_health="no")
    assert page.status == 200


async def test_whoever_was_expected_and_took_consent_back_is_told_of_once(world: World) -> None:
    desk, clinic = await officer(world), await nurse(world)
    case, referral = await sent(world, desk)
    other, _unseen = await sent(world, desk)
    await take(clinic, [referral])
    await world.settle()
    assert GONE not in (await clinic.open("/work")).words
    world.clock.advance(timedelta(minutes=5))
    await no_to_the_clinic(desk, case)
    await no_to_the_clinic(desk, other)
    await world.settle()
    page = await clinic.open("/work")
    assert page.words.count(GONE) == 1  # of the other nobody had heard there
    assert f"Expected at Ndola one-stop clinic. {GONE}, 10:05." in page.words  # when she was expected is blanked with the rest
    assert ("no time was said" in page.words, "Bemba" in page.words) == (False, False)
    assert GONE in (await clinic.open("/hand-over")).words
    elsewhere = await nurse(world, "nurse-9", "ndola_hospital")
    assert GONE not in (await elsewhere.open("/work")).words
    page = await clinic.send(next(form for form in page.forms if form.action.startswith("/work/taken-back/")))
    assert (page.path, GONE in page.words) == ("/work", False)
    assert GONE not in (await (await nurse(world, "nurse-2")).open("/work")).words


async def test_what_one_desk_has_read_stays_on_the_list_of_another_until_it_has_read_it_too(world: World) -> None:
    program = await world["police"].sign_in("program")
    case_id, incident_id = await open_case(program)
    agreed = await consent(program, case_id, "health", "fb")
    clinic, hospital = await nurse(world), await nurse(world, "nurse-9", "ndola_hospital")
    for visitor, more in ((clinic, {}), (hospital, {"to_facility": "ndola_hospital", "services": ["follow_up_care"]})):
        referral = await refer(program, case_id, incident_id, "health", **more)
        await world.settle()
        await take(visitor, [f"/referrals/{referral['id']}"])
    await world.settle()
    await program.take_back(case_id, agreed)
    await world.settle()
    for visitor in (clinic, hospital):
        page = await visitor.open("/work")
        assert GONE in page.words
        page = await visitor.send(next(form for form in page.forms if form.action.startswith("/work/taken-back/")))
        assert GONE not in page.words


async def test_what_was_not_read_for_a_week_leaves_the_inbox(world: World) -> None:
    desk, clinic = await officer(world), await nurse(world)
    case, referral = await sent(world, desk)
    await take(clinic, [referral])
    await world.settle()
    await no_to_the_clinic(desk, case)
    await world.settle()
    world.clock.advance(views.TAKEN_BACK_SHOWN)
    assert GONE not in (await (await nurse(world, "nurse-2")).open("/work")).words


async def test_what_the_clinic_had_ended_itself_is_no_news_there(world: World) -> None:
    desk, clinic = await officer(world), await nurse(world)
    case, referral = await sent(world, desk)
    await take(clinic, [referral])
    await declined(world, clinic, referral)
    await no_to_the_clinic(desk, case)
    await world.settle()
    assert GONE not in (await clinic.open("/work")).words


async def test_the_desks_red_card_says_when_the_alarm_goes_out_and_the_supervisor_what_in_time_is(world: World) -> None:
    await requests(world, 1)
    world.clock.advance(timedelta(minutes=11))
    desk = await officer(world)
    words = (await desk.open("/work")).words
    assert "Sent, and nobody has seen it" in words
    assert "Nobody is alarmed yet: an alarm goes out at 11:00, to: Duty officer." in words
    in_charge = await at_work(world, "police", "inspector", Role.SUPERVISOR, None)
    words = (await in_charge.open("/alarms")).words
    assert "No alarm is open." in words
    assert "“Acute”: 1 hour" in words
    assert "A desk sees what is marked “Acute” in red after 10 minutes." in words
    world.clock.advance(timedelta(minutes=50))
    await Watcher(world["police"].database, world["police"].here).tick()
    page = await (await officer(world, "officer-2")).open("/work")
    assert "Past its limit: an alarm goes to: Duty officer." in page.words


async def test_what_was_told_by_phone_is_red_no_more(world: World) -> None:
    address = (await requests(world, 1))[0]
    world.clock.advance(timedelta(minutes=11))
    desk = await officer(world)
    assert "Sent, and nobody has seen it" in (await desk.open("/work")).words
    form = (await desk.open(f"{address}/told-by-phone")).form(f"{address}/told-by-phone")
    await desk.send(form, post=form.choices["post"][0])
    page = await desk.open("/work")
    assert "Sent, and nobody has seen it" not in page.words
    assert "Told by phone, not yet seen on their screen 1" in page.words
    assert "Told by phone 10:12." in page.words
    assert address in page.links
    await hand_over(desk)
    signed = (await (await officer(world, "officer-2")).open("/hand-over")).words.split("I have read it")[0]
    assert "Told by phone, not yet seen on their screen" in signed


async def test_the_next_shift_sees_first_what_it_takes_over_by_number(world: World) -> None:
    desk = await officer(world)
    _case, referral = await sent(world, desk)
    code = f"R-{short(UUID(referral.rpartition('/')[2]))}"
    await hand_over(desk)
    next_officer = await officer(world, "officer-2")
    words = (await next_officer.open("/work")).words.split("Read and take over")[0]
    assert ("Sent, not seen yet" in words, code in words) == (True, True)
    page = await next_officer.open("/hand-over")
    signed = page.text.split("I have read it")[0]
    assert (code in signed, f'href="{referral}"' in signed) == (True, True)


async def test_the_dates_of_a_week_stand_there_the_nearest_first_and_those_that_have_been_are_looked_for_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "LIST_MAX", 2)
    police = world["police"]
    desk, visitor, today, numbers = await police.sign_in("desk"), await officer(world), world.clock.now().date(), {}
    for days in (8, 7, 3, 0):
        case_id, _incident = await open_case(desk)
        await desk.post(f"/cases/{case_id}/progress", {"code": "hearing_date", "on_date": str(today + timedelta(days=days))})
        numbers[(await desk.get(f"/cases/{case_id}"))["number"]] = days

    async def shown(visitor: Visitor) -> list[int]:
        section = (await visitor.open("/work")).words.partition("Court this week")[2]
        return [numbers[number] for number in re.findall(r"Open case ?:? (\S+)", section)]

    async def ahead() -> int:
        async with police.database.read() as tx:
            return int((await tx.session.execute(select(func.count()).where(col(Progress.is_ahead)))).scalar_one())

    assert await shown(visitor) == [0, 3]
    assert "1 more" in (await visitor.open("/work")).words.partition("Court this week")[2]
    await police.watcher.tick()
    assert await ahead() == 4
    world.clock.advance(timedelta(days=1))
    visitor = await at_work(world, "police", "officer-2", Role.OFFICER)
    assert await shown(visitor) == [3, 7]
    await police.watcher.tick()
    assert (await ahead(), await shown(visitor)) == (3, [3, 7])
