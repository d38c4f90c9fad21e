"""What a page does to its owner: two taps at once, a PIN that is guessed, a second sign-in, an answer that has grown old."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from agencies import World
from desk_pages import PAGE_2, fill_page, to_consent, to_place
from shift import officer
from signing_in import PASSWORD, PIN, hide_of, new_account, settled_account, sign_in
from sqlalchemy import select
from visitor import OWN_PAGE, Visitor

from shared.casework.accounts.sessions import PIN_FAILURES_MAX
from shared.casework.consents.tables import Consent
from shared.contracts.casework.codes import Role


async def test_whoever_takes_her_time_over_her_first_password_is_not_shut_out(world: World) -> None:
    visitor = Visitor(world["police"].app)
    card = await new_account(world["police"], "officer-1", Role.OFFICER)
    page = await sign_in(visitor, card, "officer-1", card.password)
    assert page.path == "/me/secrets"
    world.clock.advance(timedelta(minutes=2))
    form = page.form("/me/secrets")
    await visitor.client.post("/touch", data={"csrf": form.fields["csrf"][0]}, headers=OWN_PAGE)  # as the page's script says it
    page = await visitor.send(form, password=PASSWORD, again=PASSWORD, pin=PIN)
    assert page.path == "/work", page.words


@pytest.mark.parametrize("button", ["hide", "switch"])
async def test_two_taps_at_once_hide_the_page_and_keep_its_form(world: World, button: str) -> None:
    desk = await officer(world)
    form = (await desk.open("/cases/new")).form("/cases/new")
    answers: dict[str, Any] = {**{name: found[0] for name, found in form.fields.items()}, "hurt_now": "yes"}
    desk.client.follow_redirects = False
    taps = [desk.client.post(f"/{button}", data=answers, headers=OWN_PAGE) for _ in range(4)]
    assert {one.status_code for one in await asyncio.gather(*taps)} == {303}
    desk.client.follow_redirects = True
    page = await desk.send((await desk.open("/locked")).form("/locked"), pin=PIN)
    assert (page.path, page.form("/cases/new").fields["hurt_now"]) == ("/cases/new?kept=1", ["yes"])


async def test_nobody_at_an_open_page_guesses_its_owners_pin(world: World) -> None:
    desk = await officer(world)
    for _ in range(PIN_FAILURES_MAX):
        page = await desk.open("/me/secrets")
        page = await desk.send(page.form("/me/secrets"), password="another kettle mango orbit", again="another kettle mango orbit",
                               old="000000", pin="314159")  # fmt: skip
    assert page.path.startswith("/sign-in")
    assert (await desk.open("/work")).path.startswith("/sign-in")


async def test_whoever_signs_out_leaves_no_session_of_hers_at_the_browser(world: World) -> None:
    desk = Visitor(world["police"].app)
    card = await settled_account(world["police"], "officer-1", Role.OFFICER)
    for _ in range(2):
        await sign_in(desk, card, "officer-1")
    await desk.send((await desk.open("/me")).form("/sign-out"))
    assert (await desk.open("/locked")).path == "/sign-in"


async def test_a_new_password_of_ones_own_keeps_what_was_not_sent(world: World) -> None:
    desk = Visitor(world["police"].app)
    card = await settled_account(world["police"], "officer-1", Role.OFFICER)
    await sign_in(desk, card, "officer-1")
    form = (await desk.open("/cases/new")).form("/cases/new")
    await desk.send(hide_of(form), hurt_now="yes")
    await sign_in(desk, card, "officer-1")  # with her password, not with her PIN
    page = await desk.open("/me/secrets")
    new = "another kettle mango orbit"
    page = await desk.send(page.form("/me/secrets"), password=new, again=new, old=PIN, pin="314159")
    assert page.path == "/work", page.words
    assert (await desk.open("/cases/new?kept=1")).form("/cases/new").fields["hurt_now"] == ["yes"]


async def yeses(world: World) -> list[tuple[str, bool]]:
    async with world["police"].database.read() as tx:
        rows = (await tx.session.execute(select(Consent).order_by(Consent.id))).scalars()  # type: ignore[arg-type]
        return [(one.recipient, one.taken_back_at is None) for one in rows]


async def test_a_yes_that_was_kept_unsent_never_overrules_what_she_said_since(world: World) -> None:
    one, two = await officer(world), await officer(world, "officer-2")
    page = await to_consent(one)
    address, asked = page.path, page.form(page.path)
    await one.send(hide_of(asked), **PAGE_2)  # a yes was marked, and the page hidden before it was sent
    await to_place(two, await two.open(address), answer_health="no")  # she has thought again, at the other desk
    page = await one.send((await one.open("/locked")).form("/locked"), pin=PIN)
    form = page.form(address)
    assert ("answer_health" in form.fields, form.fields["answer_back"]) == (False, ["yes"])
    assert "The last answer was no" in page.words


async def test_an_answer_on_a_page_that_has_grown_old_is_asked_again(world: World) -> None:
    one, two = await officer(world), await officer(world, "officer-2")
    page = await to_consent(one)
    address, before = page.path, page.form(page.path)
    await to_place(two, await two.open(address), answer_health="no")
    page = await one.send(before, **PAGE_2)
    assert (page.status, "has been answered since this page was opened" in page.words) == (422, True)
    assert await yeses(world) == [("social_welfare", True)]
    again = page.form(address)
    assert "answer_health" not in again.fields
    page = await one.send(again, answer_health="yes", answer_social_welfare="yes")  # knowing it
    assert page.path.endswith("/refer"), page.words
    assert ("health", True) in await yeses(world)


async def test_nothing_newer_is_thrown_away_by_a_page_that_was_opened_before(world: World) -> None:
    one, two = await officer(world), await officer(world, "officer-2")
    page = await to_place(one, await to_consent(one))
    address, case = page.path, page.path.removesuffix("/refer")
    await one.send(page.form(address), ("think", "yes"), carries="code")
    forget = f"{case}/drafted/forget"
    before = next(f for f in (await two.open(address)).forms if f.action == forget)
    world.clock.advance(timedelta(minutes=1))
    await one.send((await one.open(address)).form(address), ("think", "yes"), carries="card")
    page = await two.send(before)
    assert (page.status, "written anew" in page.words) == (409, True)
    assert (await two.open(address)).form(address).fields["carries"] == ["card"]


async def test_what_happened_again_meanwhile_is_not_asked_for_by_a_page_about_the_first_time(world: World) -> None:
    one, two = await officer(world), await officer(world, "officer-2")
    page = await to_place(one, await to_consent(one))
    address, before = page.path, page.form(page.path)
    world.clock.advance(timedelta(minutes=1))
    again = await two.open(address.replace("/refer", "/again"))
    await fill_page(two, again, hurt_now="yes", at_least=0, at_most=1)
    page = await one.send(before, care="acute_care", place="health/ndola_clinic", mode="car", escort="officer", expected="10:30",
                          carries="nothing")  # fmt: skip
    assert (page.status, "something else has happened" in page.words) == (422, True)
    page = await one.send(page.form(address))  # knowing it
    assert page.path.startswith("/referrals/"), page.words
