"""What a page does to its owner: two taps at once, a PIN that is guessed, a second sign-in, an answer that has grown old."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from agencies import World
from desk_pages import PAGE_2, fill_page, to_consent, to_place
from shift import at_work, officer
from signing_in import PASSWORD, PIN, hide_of, new_account, settled_account, sign_in
from sqlalchemy import func, select
from visitor import OWN_PAGE, Page, Visitor

from shared.casework.accounts import sessions
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.sessions import ABSOLUTE_END, IDLE_END, KEPT, PIN_FAILURES_MAX
from shared.casework.accounts.tables import Session
from shared.casework.cases.tables import Case
from shared.casework.consents.refusing import Refused, refuse, take_back_alone
from shared.casework.consents.tables import Consent
from shared.casework.here import Actor
from shared.contracts.casework.codes import ConsentHow, Role
from shared.kit.db import Transaction


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
    form = page.form(address).fields
    # What comes back to us was asked again with it; how she answered is the page's own.
    assert ("answer_health" in form, "answer_back" in form, form["how"]) == (False, False, ["spoken"])
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
    assert not {"answer_health", "answer_social_welfare", "answer_back"} & again.fields.keys()
    page = await one.send(again, answer_health="yes", answer_social_welfare="yes", answer_back="yes")  # knowing it
    assert page.path.endswith("/refer"), page.words
    assert ("health", True) in await yeses(world)


async def test_a_second_tap_on_what_she_answered_goes_where_the_first_one_went(world: World) -> None:
    desk = await officer(world)
    page = await to_consent(desk)
    form = page.form(page.path)
    for _tap in range(2):
        page = await desk.send(form, **PAGE_2)
        assert page.path.endswith("/refer"), page.words
    assert await yeses(world) == [("health", True), ("social_welfare", True)]


async def test_an_old_page_never_brings_back_what_she_has_said_since_of_hearing_from_them_and_of_messages(world: World) -> None:
    one, two = await officer(world), await officer(world, "officer-2")
    page = await to_consent(one)
    address, before = page.path, page.form(page.path)
    items = ["relay", *before.fields["items_health"]]
    now = (await two.open(address)).form(address)
    await two.send(now, **{**PAGE_2, "answer_back": "no", "safe_hours": "morning", "items_health": items})
    page = await one.send(before, **{**PAGE_2, "safe_hours": "evening", "items_health": items})
    again = page.form(address)
    assert (page.status, "answer_back" in again.fields, again.fields["safe_hours"]) == (422, False, [""])
    page = await one.send(again, answer_health="yes", answer_social_welfare="yes")
    assert (page.status, "Back to us: ask" in page.words, "Messages need both" in page.words) == (422, True, True)
    async with world["police"].database.read() as tx:
        kept = list((await tx.session.execute(select(Consent))).scalars())
        case = await tx.session.get_one(Case, kept[0].case_id)
    assert (["fb" in consent.items for consent in kept], case.relay) == ([False, False], {"safe_hours": "morning"})


async def at_once(world: World, answer: Callable[[Transaction], Awaitable[object]], page: Awaitable[Page]) -> Page:
    """What a page's form leads to that is sent while another answer is kept and not yet committed."""
    async with world["police"].database.write() as tx:
        await answer(tx)
        sent = asyncio.ensure_future(page)
        await asyncio.wait([sent], timeout=1)  # by then it waits, or has gone past what it does not see
    return await sent


@pytest.mark.parametrize("way", ["page", "button"])
async def test_answers_that_are_kept_at_the_same_time_see_each_other(world: World, way: str) -> None:
    one, _two = await officer(world), await officer(world, "officer-2")
    page = await to_consent(one)
    address, case_id = page.path, UUID(page.path.split("/")[2])
    async with world["police"].database.read() as tx:
        by = (await find_account(tx, "officer-2")).id
    here, actor = world["police"].here, Actor(by, "officer-2", Role.OFFICER, "ndola_central_vsu")
    if way == "page":
        no = Refused("health", ConsentHow.SPOKEN, "bem", interpreter=False, said_at=None, is_by_law=False)
        page = await at_once(world, lambda tx: refuse(case_id, [no], tx, here, actor), one.send(page.form(address), **PAGE_2))
    else:
        await to_place(one, page)
        page = await one.open(address)
        async with world["police"].database.read() as tx:
            first = (await tx.session.execute(select(Consent).where(Consent.recipient == "health"))).scalars().one()  # type: ignore[arg-type]
        back = partial(take_back_alone, case_id, first.id, here=here, by=actor, seen_version=first.version)
        page = await at_once(world, lambda tx: back(tx=tx), one.send(page.form(address), **PAGE_2))
    assert (page.status, "has been answered since this page was opened" in page.words) == (422, True), page.path
    assert ("health", True) not in await yeses(world)


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


async def test_a_page_about_the_first_time_that_was_kept_unsent_says_what_has_happened_since(world: World) -> None:
    one, two = await officer(world), await officer(world, "officer-2")
    page = await to_place(one, await to_consent(one))
    address = page.path
    await one.send(hide_of(page.form(address)), care="acute_care", place="health/ndola_clinic", mode="car", escort="officer",
                   expected="10:30", carries="nothing")  # fmt: skip
    world.clock.advance(timedelta(minutes=1))
    await fill_page(two, await two.open(address.replace("/refer", "/again")), hurt_now="yes", at_least=0, at_most=1)
    page = await one.send((await one.open("/locked")).form("/locked"), pin=PIN)
    assert (page.path, "something else has happened" in page.words) == (f"{address}?kept=1", True)
    page = await one.send(page.form(address))  # knowing it
    assert page.path.startswith("/referrals/"), page.words


# --- signing out, and coming back --------------------------------------------------------------------------------------------


async def rows_of_sessions(world: World) -> int:
    async with world["police"].database.read() as tx:
        return int(await tx.session.scalar(select(func.count()).select_from(Session)) or 0)


async def test_signing_out_day_by_day_keeps_no_sessions_beyond_their_week(world: World) -> None:
    desk = Visitor(world["police"].app)
    card = await settled_account(world["police"], "officer-1", Role.OFFICER)
    for _day in range(2 * KEPT.days):
        await sign_in(desk, card, "officer-1")
        await desk.send((await desk.open("/me")).form("/sign-out"))
        world.clock.advance(timedelta(days=1))
    assert await rows_of_sessions(world) <= KEPT.days + 1


async def test_what_an_old_session_kept_is_gone_with_it_however_often_its_owner_changes_her_password(world: World) -> None:
    desk = Visitor(world["police"].app)
    card = await settled_account(world["police"], "officer-1", Role.OFFICER)
    await sign_in(desk, card, "officer-1")
    await desk.send(hide_of((await desk.open("/cases/new")).form("/cases/new")), hurt_now="yes")
    password, pin = PASSWORD, PIN
    for new, new_pin in (("another kettle mango orbit", "314159"), (PASSWORD, PIN)):
        world.clock.advance(timedelta(days=4))
        await sign_in(desk, card, "officer-1", password)
        page = await desk.open("/me/secrets")
        await desk.send(page.form("/me/secrets"), password=new, again=new, old=pin, pin=new_pin)
        password, pin = new, new_pin
    await sign_in(desk, card, "officer-1", password)
    assert "Something was written here" not in (await desk.open("/cases/new")).words


def cookie(world: World) -> str:
    return str(world["police"].app.state.edge.pages.cookie)


async def test_what_an_earlier_version_kept_is_there_still(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Visitor(world["police"].app)
    await sign_in(desk, await settled_account(world["police"], "officer-1", Role.OFFICER), "officer-1")

    def sealed(writer: Any, path: str, fields: Any, shown_at: Any = None) -> bytes:
        nonce = bytes(sessions.NONCE_BYTES)
        return nonce + sessions._key(writer).encrypt(nonce, json.dumps(fields).encode(), path.encode())

    with monkeypatch.context() as before:
        before.setattr(sessions, "_seal", sealed)
        await desk.send(hide_of((await desk.open("/cases/new")).form("/cases/new")), hurt_now="yes")
    page = await desk.send((await desk.open("/locked")).form("/locked"), pin=PIN)
    assert (page.path, page.form("/cases/new").fields["hurt_now"]) == ("/cases/new?kept=1", ["yes"])


async def test_a_browser_that_has_lost_its_own_cookie_hides_and_signs_out_all_the_same(world: World) -> None:
    desk = await officer(world)
    page = await desk.open("/cases/new")
    desk.client.cookies.delete(f"{cookie(world)}-device")
    assert (await desk.send(hide_of(page.form("/cases/new")), hurt_now="yes")).path == "/blank"
    assert (await desk.open("/work")).path.startswith(("/locked", "/sign-in"))
    again = await officer(world, "officer-2")
    form = (await again.open("/me")).form("/sign-out")
    token = again.client.cookies.get(cookie(world))
    again.client.cookies.delete(f"{cookie(world)}-device")
    await again.send(form)
    again.client.cookies.set(cookie(world), token or "")  # somebody had copied it
    assert (await again.open("/work")).path.startswith("/sign-in")


async def test_nobody_throws_away_what_is_hers_who_has_not_shown_that_it_is_her(world: World) -> None:
    desk = Visitor(world["police"].app)
    card = await settled_account(world["police"], "officer-1", Role.OFFICER)
    await sign_in(desk, card, "officer-1")
    out = (await desk.open("/me")).form("/sign-out")  # stands open on the screen
    await desk.send(hide_of((await desk.open("/cases/new")).form("/cases/new")), hurt_now="yes")
    await desk.send(out)  # somebody passes by
    assert (await desk.open("/work")).path.startswith("/sign-in")
    page = await desk.send((await desk.open("/sign-in")).form("/sign-in"), name="officer-1", password=PASSWORD)
    half = {"csrf": page.form("/sign-in/code").fields["csrf"][0]}  # somebody has her password, and not her card
    await desk.client.post("/sign-out", data=half, headers=OWN_PAGE)
    page = await sign_in(desk, card, "officer-1")
    assert (page.path, page.form("/cases/new").fields["hurt_now"]) == ("/cases/new?kept=1", ["yes"])


async def test_a_locked_page_counts_neither_a_card_nor_what_is_gone_as_written(world: World) -> None:
    chief = await at_work(world, "police", "chief", Role.SUPERVISOR)
    page = await chief.open("/accounts/new")
    page = await chief.send(page.form("/accounts/new"), name="officer-9", role="officer")
    assert page.path.endswith("/card"), page.words
    page = await chief.send((await chief.open("/accounts")).form("/switch"))
    assert "is kept" not in page.words
    desk = Visitor(world["police"].app)
    card = await settled_account(world["police"], "officer-1", Role.OFFICER)
    await sign_in(desk, card, "officer-1")
    await desk.send(hide_of((await desk.open("/cases/new")).form("/cases/new")), hurt_now="yes")
    await desk.send((await desk.open("/locked")).form("/locked"), pin=PIN)  # it was shown again
    world.clock.advance(ABSOLUTE_END)
    await sign_in(desk, card, "officer-1")
    page = await desk.send((await desk.open("/work")).form("/switch"))
    assert "is kept" not in page.words


# --- the address that was asked for -------------------------------------------------------------------------------------------


async def test_the_address_that_somebody_left_is_told_to_nobody_else(world: World) -> None:
    desk = Visitor(world["police"].app)
    one, two = [await settled_account(world["police"], name, Role.OFFICER) for name in ("officer-1", "officer-2")]
    await sign_in(desk, one, "officer-1")
    case = (await to_consent(desk)).path.removesuffix("/consent")
    world.clock.advance(IDLE_END)
    page = await desk.open(case)
    assert page.path == f"/sign-in?next={case}"
    assert (await sign_in(desk, two, "officer-2", onward=case)).path == "/work"
    await desk.send((await desk.open("/me")).form("/sign-out"))
    assert (await sign_in(desk, one, "officer-1", onward=case)).path == "/work"  # somebody else was here since
    await desk.send((await desk.open("/me")).form("/sign-out"))
    assert (await sign_in(desk, one, "officer-1", onward=case)).path == case  # hers
    assert (await sign_in(Visitor(world["police"].app), two, "officer-2", onward=case)).path == case  # nobody has left it here
