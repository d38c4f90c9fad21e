"""Whoever hands over leaves the screen to the next person: locked, said to be over, and one tap from being signed out."""

import re
from datetime import timedelta

from agencies import World
from shift import nurse, officer
from signing_in import PIN, hide_of, settled_account, sign_in
from sqlalchemy import func, select
from visitor import OWN_PAGE, Form, Page, Visitor

from shared.casework.accounts.tables import HandOver
from shared.contracts.casework.codes import Role

OVER = "The shift is handed over"


async def handed_over(visitor: Visitor) -> Page:
    return await visitor.send((await visitor.open("/hand-over")).form("/hand-over"))


def place_of(page: Page, name: str) -> int:
    return page.words.index(f"PIN of {name}")


async def test_the_next_person_signs_in_and_whoever_handed_over_signs_out(world: World) -> None:
    desk = await officer(world)
    new = (await desk.open("/cases/new")).form("/cases/new")
    await desk.send(hide_of(new), hurt_now="no")
    await desk.send((await desk.open("/locked")).form("/locked"), pin=PIN)
    page = await handed_over(desk)
    assert (page.path, OVER in page.words) == ("/locked", True)
    assert page.words.index("Next shift: sign in") < place_of(page, "officer-1")
    assert (await desk.open("/work")).path.startswith("/locked")
    page = await desk.send(page.form("/locked"), ("leave", "yes"))
    assert page.path == "/sign-in"
    assert (await desk.open("/work")).path.startswith("/sign-in")
    card = await settled_account(world["police"], "officer-2", Role.OFFICER)
    assert (await sign_in(desk, card, "officer-2")).path == "/work"
    assert "officer-1" not in (await desk.open("/locked")).words


async def test_what_whoever_left_had_not_sent_waits_for_her(world: World) -> None:
    desk = Visitor(world["police"].app)
    card = await settled_account(world["police"], "officer-1", Role.OFFICER)
    await sign_in(desk, card, "officer-1")
    new = (await desk.open("/cases/new")).form("/cases/new")
    await desk.send(hide_of(new), hurt_now="yes")
    await desk.send((await desk.open("/locked")).form("/locked"), pin=PIN)
    page = await handed_over(desk)
    await desk.send(page.form("/locked"), ("leave", "yes"))
    await sign_in(desk, card, "officer-1")
    assert (await desk.open("/cases/new?kept=1")).form("/cases/new").fields["hurt_now"] == ["yes"]


async def test_a_colleague_who_waits_comes_before_whoever_handed_over(world: World) -> None:
    desk = await officer(world, "a-officer")
    card = await settled_account(world["police"], "z-officer", Role.OFFICER)
    page = await desk.open("/work")
    await desk.send(page.form("/switch"))
    await sign_in(desk, card, "z-officer")
    page = await desk.send((await desk.open("/work")).form("/switch"))
    assert place_of(page, "z-officer") < place_of(page, "a-officer")  # one's own comes first, and nobody has left
    assert OVER not in page.words
    await desk.send(page.form("/locked"), pin=PIN)
    page = await handed_over(desk)
    assert (OVER in page.words, place_of(page, "a-officer") < place_of(page, "z-officer")) == (True, True)
    await desk.send(page.form("/locked"), pin=PIN)  # the colleague goes on, and only locks her page
    new = (await desk.open("/cases/new")).form("/cases/new")
    page = await desk.send(Form("/switch", "post", new.fields, new.choices), hurt_now="no")
    assert (OVER in page.words, "What you had written is kept." in page.words) == (False, True)
    assert place_of(page, "a-officer") < place_of(page, "z-officer") < page.words.index("Somebody else: sign in")


async def test_a_wrong_pin_is_said_at_whose_pin_it_was(world: World) -> None:
    desk = await officer(world, "a-officer")
    card = await settled_account(world["police"], "z-officer", Role.OFFICER)
    await desk.send((await desk.open("/work")).form("/switch"))
    await sign_in(desk, card, "z-officer")
    page = await desk.send((await desk.open("/work")).form("/switch"))
    _own, other = [form for form in page.forms if form.action == "/locked"]
    page = await desk.send(other, pin="000000")
    assert (page.status, "#pin-2" in page.links, "#pin-1" in page.links) == (403, True, False)
    assert page.words.count("This is not the PIN of a-officer; type it again.") == 2  # above, and at the field
    (wrong,) = re.findall(r'<input[^>]*aria-describedby="pin-2-error"[^>]*>', page.text)
    assert ("autofocus" in wrong, page.text.count("autofocus")) == (True, 1)


async def test_a_second_tap_hands_over_once_and_leads_nobody_back_to_it(world: World) -> None:
    desk = await officer(world)
    form = (await desk.open("/hand-over")).form("/hand-over")
    for _tap in range(2):
        page = await desk.send(form)
        assert (page.path.split("?")[0], OVER in page.words) == ("/locked", True)
    page = await desk.send(page.form("/locked"), pin=PIN)
    assert page.path == "/work"
    async with world["police"].database.read() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(HandOver)) == 1


async def test_who_went_on_after_handing_over_has_not_left(world: World) -> None:
    desk = await officer(world)
    page = await handed_over(desk)
    world.clock.advance(timedelta(minutes=2))
    page = await desk.send(page.form("/locked"), pin=PIN)
    page = await desk.send(page.form("/switch"))
    assert (page.path, OVER in page.words) == ("/locked", False)


async def test_nobody_who_passes_by_signs_out_whoever_has_not_handed_over(world: World) -> None:
    clinic = await nurse(world)
    page = await clinic.send((await clinic.open("/work")).form("/switch"))
    form = page.form("/locked")
    assert ("leave", "yes", "") not in form.buttons
    await clinic.client.post("/locked", data={"session": form.fields["session"][0], "leave": "yes"}, headers=OWN_PAGE)
    page = await clinic.send(Form("/locked", "post", form.fields), pin=PIN)
    assert page.path == "/work"
