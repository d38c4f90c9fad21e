"""Pages of the hotline: a call is taken, stands first on its desk's list, becomes a case in one tap; in both directions."""

from datetime import timedelta
from typing import Any

from agencies import World
from hotline import HUYE, NYANZA, ROOM, holds, on_duty, with_hotline
from shift import at_work
from sqlalchemy import select
from visitor import Page, Visitor

from shared.casework.cases.tables import Incident
from shared.contracts.casework.codes import Role

REPORT: dict[str, Any] = {"what": "report", "channel": "voice", "district": "huye", "need": "protection", "language": "rw"}


async def taken(visitor: Visitor, **more: Any) -> Page:
    page = await visitor.open("/hotline/new")
    return await visitor.send(page.form("/hotline/new"), **{**REPORT, **more})


async def test_a_call_stands_first_at_its_desk_and_becomes_a_case_in_one_tap(world: World) -> None:
    police = with_hotline(world)
    taker = await at_work(world, "police", "taker", Role.OFFICER, ROOM)
    officer = await at_work(world, "police", "officer", Role.OFFICER, HUYE)
    await holds(police, "officer", HUYE)
    board = await taker.open("/hotline")
    assert "Not every desk can take a call" in board.words
    assert "/hotline/new" in board.links
    call = await taken(taker, also=["child", "call_back"], incident_type="rape")
    assert "Huye, gender desk" in call.words
    assert "safe to call back. The number is not kept here" in call.words
    assert "15 minutes are an assumption" in call.words
    work = await officer.open("/work")
    assert work.words.index("Not seen yet") < work.words.index("Waiting" if "Waiting" in work.words else "Nothing is waiting")
    assert "A child" in work.words
    assert "/hotline/desk" in work.links
    assert "/hotline" not in work.links
    case = await officer.send(work.form(f"{call.path}/case"))
    assert case.path.startswith("/cases/"), case.words
    assert "Record what happened" in case.words
    first = await officer.open(f"{case.path}/again")
    assert "It happened again" not in first.words
    form = first.form(f"{case.path}/again")
    assert form.fields["incident_type"] == ["rape"], "as she told it on the telephone"
    await officer.send(form, hurt_now="no", hours_unknown="yes")
    async with police.database.read() as tx:
        (incident,) = (await tx.session.execute(select(Incident))).scalars()
    assert (incident.incident_type, incident.contexts) == ("rape", ["child_sexual_abuse"])  # a child's, though nobody asked the age
    assert "assent" in (await officer.open(f"{case.path}/consent")).form(f"{case.path}/consent").choices  # who is asked too
    assert "It happened again: a new incident" in (await officer.open(case.path)).words
    again = (await officer.open(f"{case.path}/again")).form(f"{case.path}/again")
    assert again.fields.get("incident_type", ["gbv"]) == ["gbv"], "what happened again is asked anew"
    await officer.send(again, hurt_now="no", hours_unknown="yes", age_band="10-14", sex="female")  # nobody has asked before
    assert "10 to 14" in (await officer.open(case.path)).words
    assert "age_band" not in (await officer.open(f"{case.path}/again")).form(f"{case.path}/again").choices
    assert "Not seen yet" not in (await officer.open("/work")).words
    assert "Open the case" in (await officer.open(call.path)).words
    assert "Open the case" not in (await taker.open(call.path)).words
    wrong = await taken(taker, what="wrong_number", district="", need=[], language="")
    assert wrong.path == "/hotline"
    assert "Wrong number" in wrong.words


async def test_seen_is_one_tap_and_whoever_is_late_loses_the_call_to_the_next_desk(world: World) -> None:
    police = with_hotline(world)
    taker = await at_work(world, "police", "taker", Role.OFFICER, ROOM)
    officer = await at_work(world, "police", "officer", Role.OFFICER, HUYE)
    lead = await at_work(world, "police", "lead", Role.SUPERVISOR, ROOM)
    await holds(police, "officer", HUYE)
    await on_duty(police, NYANZA)
    first, second = await taken(taker), await taken(taker, channel="sms")
    seen = await officer.send((await officer.open(first.path)).form(f"{first.path}/seen"))
    assert "Seen" in seen.words
    assert "May be of the same person" in seen.words
    for _ in range(2):  # somebody who does nothing for ten minutes is locked out
        world.clock.advance(timedelta(minutes=8))
        for somebody in (officer, taker, lead):
            await somebody.open("/me")
    await police.watcher.tick()
    assert (await officer.open(second.path)).status == 404
    alarms = await lead.open("/alarms")
    assert "was not seen in time by its desk" in alarms.words
    assert second.path in alarms.links
    other = await taker.open(second.path)
    assert "Nyanza, gender desk" in other.words
    merged = await taker.send(other.form(f"{second.path}/merge"), into=first.path.rsplit("/", 1)[1])
    assert merged.path == first.path
    assert "of the same person as another call" in (await taker.open(second.path)).words


async def test_a_desk_says_how_it_stands_and_a_wrong_form_says_what_is_missing(world: World) -> None:
    police = with_hotline(world)
    officer = await at_work(world, "police", "officer", Role.OFFICER, HUYE)
    taker = await at_work(world, "police", "taker", Role.OFFICER, ROOM)
    page = await officer.open("/hotline/desk")
    assert "nobody is on the roster now" in page.words
    await holds(police, "officer", HUYE)
    said = await officer.send(page.form("/hotline/desk"), has=["vehicle"], trained="yes", speaks=["rw", "fr"])
    assert said.path == "/hotline/desk"
    assert "somebody is on the roster now" in said.words
    assert said.form("/hotline/desk").fields["has"] == ["vehicle"]
    call = await taken(taker, language="sw")
    assert "Room for interviews" in call.words
    assert "Somebody who speaks the language" in call.words
    form = (await taker.open("/hotline/new")).form("/hotline/new")
    empty = await taker.send(form)
    assert (empty.status, "Say what the call was." in empty.words) == (422, True)
    unsaid = await taker.send(form, what="report", channel="voice", district="huye")
    assert "Say what is needed" in unsaid.words
    assert (await officer.open("/hotline/new")).status == 200  # it may look; only the room takes calls
    assert (await taken(officer)).status == 404


async def test_every_page_of_it_runs_from_right_to_left_too_and_the_list_is_printed(world: World) -> None:
    police = with_hotline(world)
    lead = await at_work(world, "police", "lead", Role.SUPERVISOR, None)
    await on_duty(police, HUYE)
    call = await taken(lead)
    await taken(lead)
    for language, direction in (("en", "ltr"), ("fa_AF", "rtl")):
        if direction == "rtl":
            await lead.send((await lead.open("/me")).form("/me/language"), button=("language", language))
        for path in ("/hotline", "/hotline/new", call.path, "/hotline/desk", "/work"):
            page = await lead.open(path)
            assert (page.status, f'dir="{direction}"' in page.text) == (200, True), path
            assert "{{" not in page.text
    listed = await lead.client.get("/hotline/list.pdf")  # in Dari: fonts and shaping take a second
    assert (listed.status_code, listed.headers["content-type"], listed.content[:4]) == (200, "application/pdf", b"%PDF")


async def test_without_a_hotline_no_page_and_no_way_leads_to_one(world: World) -> None:
    officer = await at_work(world, "police", "officer", Role.OFFICER)
    assert not [link for link in (await officer.open("/work")).links if "hotline" in link]
    for path in ("/hotline", "/hotline/new", "/hotline/desk", "/hotline/list.pdf"):
        assert (await officer.open(path)).status == 404
