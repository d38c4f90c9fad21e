"""Signing in, the lock, the next user at the same computer, and what a session may and may not do, on both databases."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from agencies import World
from signing_in import PASSWORD, PIN, code_on, hide_of, new_account, settled_account, sign_in
from sqlalchemy import select
from visitor import Visitor

from shared.casework.accounts import credentials
from shared.casework.accounts.commands import add_account, disable_account, reset_account
from shared.casework.accounts.credentials import Answer, Client, TooBusy
from shared.casework.accounts.sessions import ABSOLUTE_END, IDLE_END, IDLE_LOCK
from shared.casework.accounts.tables import Draft
from shared.contracts.casework.codes import Role
from shared.kit.ids import new_id


async def test_the_first_sign_in_asks_for_card_and_own_secrets_and_then_the_work_list(world: World) -> None:
    health = world["health"]
    issued = await new_account(health)
    visitor = Visitor(health.app)
    page = await sign_in(visitor, issued, password=issued.password)
    assert page.path == "/me/secrets"
    assert (await visitor.open("/work")).path == "/me/secrets"  # nothing else before that
    form = page.form("/me/secrets")
    weak = await visitor.send(form, password="nurse-1nurse-1", again="nurse-1nurse-1", pin=PIN)
    assert weak.status == 422
    assert "would be guessed" in weak.words
    weak = await visitor.send(form, password=PASSWORD, again=PASSWORD, pin="123456")
    assert (weak.status, "PIN would be guessed" in weak.words) == (422, True)
    assert (await visitor.send(form, password=PASSWORD, again=PASSWORD + "!", pin=PIN)).status == 422
    page = await visitor.send(form, password=PASSWORD, again=PASSWORD, pin=PIN)
    assert (page.status, page.path) == (200, "/work")
    assert page.headers["cache-control"] == "no-store"


async def test_a_code_serves_once_and_the_same_one_is_asked_until_it_is_answered(world: World) -> None:
    health = world["health"]
    issued = await settled_account(health)
    one, other = Visitor(health.app), Visitor(health.app)
    asked = []
    for visitor in (one, other):
        page = await visitor.open("/sign-in")
        asked.append(await visitor.send(page.form("/sign-in"), name="nurse-1", password=PASSWORD))
    code = code_on(asked[0], issued)
    assert code_on(asked[1], issued) == code
    assert (await one.send(asked[0].form("/sign-in/code"), code=code)).path == "/work"
    refused = await other.send(asked[1].form("/sign-in/code"), code=code)
    assert (refused.status, refused.path) == (403, "/sign-in/code")
    assert (await other.open("/work")).path.startswith("/sign-in")


@pytest.mark.parametrize("wrong", ["password", "code"])
async def test_after_five_wrong_answers_the_account_waits_and_says_no_more_than_to_a_stranger(world: World, wrong: str) -> None:
    health = world["health"]
    issued = await settled_account(health)
    visitor = Visitor(health.app)
    page = await visitor.open("/sign-in")
    if wrong == "password":
        said = {(await visitor.send(page.form("/sign-in"), name="nurse-1", password=f"guess {n}")).words for n in range(5)}
        unknown = await visitor.send(page.form("/sign-in"), name="nobody", password=PASSWORD)
        waiting = await visitor.send(page.form("/sign-in"), name="nurse-1", password=PASSWORD)
        assert waiting.status == unknown.status == 403
        said |= {waiting.words, unknown.words.replace("nobody", "nurse-1")}
        assert len(said) == 1
    else:
        asked = await visitor.send(page.form("/sign-in"), name="nurse-1", password=PASSWORD)
        right = code_on(asked, issued)
        for _ in range(5):
            await visitor.send(asked.form("/sign-in/code"), code="000000" if right != "000000" else "111111")
        refused = await visitor.send(asked.form("/sign-in/code"), code=right)
        assert refused.status == 403
    world.clock.advance(credentials.WAIT)
    assert (await sign_in(Visitor(health.app), issued)).path == "/work"


async def test_strangers_who_guess_keep_nobody_from_a_first_sign_in(world: World) -> None:
    """A whole new station signs in at browsers that nobody knows yet, under names that can be guessed."""
    health = world["health"]
    first = await credentials.one_time()
    async with health.database.write() as tx:
        await add_account(tx, health.here, "nurse-7", Role.CLINICIAN, None)
        issued = await reset_account(tx, "nurse-7", first)
    stranger, owner = Visitor(health.app), Visitor(health.app)
    for _ in range(credentials.FAILURES_MAX):
        await stranger.send((await stranger.open("/sign-in")).form("/sign-in"), name="nurse-7", password="a guess")
    page = await owner.send((await owner.open("/sign-in")).form("/sign-in"), name="nurse-7", password=issued.password)
    assert page.path.startswith("/sign-in/code"), page.words
    for _ in range(credentials.FAILURES_MAX):  # codes are counted by themselves, and wait by themselves
        page = await owner.send(page.form("/sign-in/code"), code="000000")
    page = await owner.send(page.form("/sign-in/code"), code=code_on(page, issued))
    assert page.status == 403
    world.clock.advance(credentials.WAIT)
    page = await owner.send(page.form("/sign-in/code"), code=code_on(page, issued))
    assert page.status == 200, page.words


async def test_a_one_time_password_ends_and_a_reset_ends_everything_before_it(world: World) -> None:
    health = world["health"]
    issued = await settled_account(health)
    visitor = Visitor(health.app)
    assert (await sign_in(visitor, issued)).path == "/work"
    first = await credentials.one_time()
    async with health.database.write() as tx:
        fresh = await reset_account(tx, "nurse-1", first)
    assert (await visitor.open("/work")).path.startswith("/sign-in")
    page = await visitor.open("/sign-in")
    assert (await visitor.send(page.form("/sign-in"), name="nurse-1", password=PASSWORD)).status == 403
    world.clock.advance(credentials.ONE_TIME_LIFE)
    late = await visitor.send(page.form("/sign-in"), name="nurse-1", password=fresh.password)
    assert (late.status, "too old" in late.words) == (403, True)


async def test_a_disabled_account_is_out_at_once(world: World) -> None:
    health = world["health"]
    visitor = Visitor(health.app)
    await sign_in(visitor, await settled_account(health))
    async with health.database.write() as tx:
        await disable_account(tx, health.here, "nurse-1")
    assert (await visitor.open("/work")).path.startswith("/sign-in")


async def test_an_idle_page_locks_then_ends_and_no_session_outlives_a_shift(world: World) -> None:
    health = world["health"]
    issued = await settled_account(health)
    visitor = Visitor(health.app)
    await sign_in(visitor, issued)
    world.clock.advance(IDLE_LOCK)
    locked = await visitor.open("/cases")
    assert locked.path.startswith("/locked")
    assert "nurse-1" in locked.words
    assert (await visitor.send(locked.form("/locked"), pin="314159")).status == 403
    assert (await visitor.send(locked.form("/locked"), pin=PIN)).path == "/cases"  # where she was going
    world.clock.advance(IDLE_END)
    assert (await visitor.open("/work")).path.startswith("/sign-in")
    await sign_in(visitor, issued)
    for _ in range(int(ABSOLUTE_END / timedelta(minutes=9))):
        world.clock.advance(timedelta(minutes=9))
        await visitor.open("/work")
    world.clock.advance(timedelta(minutes=9))
    assert (await visitor.open("/work")).path.startswith("/sign-in")


async def test_a_page_that_fetches_itself_does_not_keep_a_session_awake(world: World) -> None:
    health = world["health"]
    visitor = Visitor(health.app)
    await sign_in(visitor, await settled_account(health))
    for _ in range(3):
        world.clock.advance(timedelta(minutes=3))
        assert (await visitor.open("/work?auto=1")).path == "/work?auto=1"
        assert (await visitor.client.get("/work", headers={"HX-Request": "true"})).url.path == "/work"
    world.clock.advance(timedelta(minutes=3))
    assert (await visitor.open("/work?auto=1")).path.startswith("/locked")


async def test_an_address_alone_changes_nothing(world: World) -> None:
    health = world["health"]
    visitor = Visitor(health.app)
    await sign_in(visitor, await settled_account(health))
    assert (await visitor.client.get("/switch")).status_code == 405  # no picture and no link locks a session
    assert (await visitor.open("/work")).path == "/work"
    assert (await visitor.client.post("/switch", headers={"Sec-Fetch-Site": "same-origin"})).status_code == 403
    assert (await visitor.open("/work")).path == "/work"


async def test_five_wrong_pins_end_the_session(world: World) -> None:
    health = world["health"]
    visitor = Visitor(health.app)
    await sign_in(visitor, await settled_account(health))
    page = await visitor.send((await visitor.open("/work")).form("/switch"))
    form = page.form("/locked")
    for _ in range(5):
        page = await visitor.send(form, pin="314159")
    assert page.path.startswith("/sign-in")
    assert (await visitor.send(form, pin=PIN)).path.startswith("/sign-in")


async def test_the_next_user_is_two_actions_away_and_sees_nothing_of_the_one_before(world: World) -> None:
    health = world["health"]
    one, two = await settled_account(health), await settled_account(health, "nurse-2")
    visitor = Visitor(health.app)
    await sign_in(visitor, one)
    await sign_in(visitor, two, "nurse-2")
    page = await visitor.send((await visitor.open("/work")).form("/switch"))  # the first action
    waiting = [form for form in page.forms if form.action == "/locked"]
    assert len(waiting) == 2
    assert "nurse-1" in page.words
    page = await visitor.send(waiting[1], pin=PIN)  # the second
    assert page.path == "/work"
    assert "nurse-1" in page.words
    stranger = Visitor(health.app)
    assert (await stranger.open("/locked")).path == "/sign-in"  # another browser knows nobody


async def test_hide_blanks_the_page_and_the_form_is_there_again_after_the_pin_and_unreadable_meanwhile(world: World) -> None:
    police = world["police"]
    visitor = Visitor(police.app)
    await sign_in(visitor, await settled_account(police, "officer-1", Role.OFFICER), "officer-1")
    page = await visitor.open("/cases/new")
    form = page.form("/cases/new")
    age = form.choices["age_band"][2]
    hidden = await visitor.send(hide_of(form), age_band=age)
    assert (hidden.path, hidden.forms) == ("/blank", [])
    assert hidden.headers["cache-control"] == "no-store"
    async with police.database.read() as tx:
        kept = (await tx.session.execute(select(Draft))).scalars().one()
    assert age.encode() not in kept.sealed
    locked = await visitor.open("/cases/new")
    assert locked.path.startswith("/locked")
    again = await visitor.send(locked.form("/locked"), pin=PIN)
    assert again.path == "/cases/new?kept=1"
    assert again.form("/cases/new").fields["age_band"] == [age]


async def test_a_form_of_another_session_or_another_site_changes_nothing(world: World) -> None:
    health = world["health"]
    one, two = await settled_account(health), await settled_account(health, "nurse-2")
    mine, other = Visitor(health.app), Visitor(health.app)
    await sign_in(mine, one)
    await sign_in(other, two, "nurse-2")
    form = (await other.open("/arrivals/new")).form("/arrivals/new")
    stale = await mine.send(form, code="")
    assert stale.status == 403
    form = (await mine.open("/arrivals/new")).form("/arrivals/new")
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://elsewhere"}):
        answer = await mine.client.post(form.action, data={**form.fields, "feedback": "yes"}, headers=headers)
        assert answer.status_code == 403
    bare = await mine.client.post(form.action, data={"feedback": "yes"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert bare.status_code == 403
    assert "came" not in (await mine.open("/here-now")).words.lower().split("nobody")[0]


async def test_a_sign_in_never_leads_to_another_site(world: World) -> None:
    health = world["health"]
    issued = await settled_account(health)
    for onward in ("//elsewhere.example/", "https://elsewhere.example/", "/\\elsewhere.example", "/%09/elsewhere.example"):
        visitor = Visitor(health.app)
        page = await sign_in(visitor, issued, onward=onward)
        assert str(page.path).startswith(("/work", "/%09", "/%2509")), page.path
        await visitor.close()


@contextmanager
def strangers_held() -> Iterator[Callable[[], None]]:
    """No stranger's hash is begun before what is yielded was called: who stands in the queue then is no matter of speed."""
    go_on = threading.Event()
    for _ in range(credentials.HASH_THREADS):
        credentials.strangers._threads.submit(go_on.wait)
    try:
        yield go_on.set
    finally:
        go_on.set()


async def guesses(world: World, addresses: list[str], refused: int) -> list[Answer | BaseException]:
    """As many guesses at once as there are addresses, each from another browser; none is tried before so many are refused."""
    asked = [
        asyncio.create_task(
            credentials.check_password(world["health"].database, "nurse-1", f"guess {n}", Client(new_id(), address))
        )
        for n, address in enumerate(addresses)
    ]
    with strangers_held() as go_on:
        while sum(one.done() for one in asked) < refused:
            done, _ = await asyncio.wait([one for one in asked if not one.done()], timeout=30, return_when=asyncio.FIRST_COMPLETED)
            assert done, f"fewer than {refused} were refused"
        go_on()
        return await asyncio.gather(*asked, return_exceptions=True)


@pytest.mark.usefixtures("full_cost")
async def test_a_stolen_database_costs_whoever_guesses_what_rfc_9106_asks() -> None:
    assert (await credentials.one_time()).hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # 64 MiB, its second choice
    assert credentials.cost.code_n >= 1024


@pytest.mark.usefixtures("full_cost")
async def test_a_flood_of_sign_ins_is_told_to_wait_and_the_agency_goes_on(world: World) -> None:
    await settled_account(world["health"])
    done = await guesses(world, [f"192.0.2.{n}" for n in range(credentials.HASHES_WAITING_MAX + 5)], refused=5)
    assert sum(isinstance(one, TooBusy) for one in done) == 5
    assert {one for one in done if not isinstance(one, TooBusy)} == {Answer.WRONG}
    refused = 10 - credentials.CLIENT_HASHES_MAX
    done = await guesses(world, ["192.0.2.1"] * 10, refused)  # one alone never fills the queue
    assert sum(isinstance(one, TooBusy) for one in done) == refused


@pytest.mark.usefixtures("full_cost")
async def test_strangers_who_guess_keep_nobody_from_her_own_browser(world: World) -> None:
    health = world["health"]
    issued = await settled_account(health)
    nurse = Visitor(health.app)
    await sign_in(nurse, issued)
    locked = await nurse.send((await nurse.open("/work")).form("/switch"))
    with strangers_held():
        flood = asyncio.create_task(guesses(world, [f"192.0.2.{n}" for n in range(credentials.HASHES_WAITING_MAX)], refused=0))
        page = await nurse.send(locked.form("/locked"), pin=PIN)  # her PIN does not wait behind them
        assert (page.status, page.path) == (200, "/work")
    await flood
    stranger = Visitor(health.app)
    page = await stranger.open("/sign-in")
    assert (
        await stranger.send(page.form("/sign-in"), name="nurse-1", password=PASSWORD)
    ).status == 403  # the name waits for strangers
    page = await nurse.send((await nurse.open("/me")).form("/sign-out"))
    assert (await sign_in(nurse, issued)).path == "/work"  # and not for the browser at which she signs in
    for _ in range(5):  # where somebody guesses too, that one waits as well
        await nurse.send((await nurse.open("/sign-in")).form("/sign-in"), name="nurse-1", password="a guess")
    page = await nurse.send((await nurse.open("/sign-in")).form("/sign-in"), name="nurse-1", password=PASSWORD)
    assert page.status == 403


async def test_the_same_form_sent_twice_is_done_once(world: World) -> None:
    health = world["health"]
    visitor = Visitor(health.app)
    await sign_in(visitor, await settled_account(health))
    form = (await visitor.open("/arrivals/new")).form("/arrivals/new")
    for _ in range(2):
        assert (await visitor.send(form, code="")).status == 200
    async with health.database.read() as tx:
        from shared.casework.referrals.tables import WalkIn

        assert len(list((await tx.session.execute(select(WalkIn))).scalars())) == 1


async def test_changing_the_own_pin_asks_for_the_one_until_now_and_ends_the_other_sessions(world: World) -> None:
    health = world["health"]
    issued = await settled_account(health)
    one, other = Visitor(health.app), Visitor(health.app)
    await sign_in(one, issued)
    await sign_in(other, issued)
    form = (await one.open("/me/secrets")).form("/me/secrets")
    fresh: dict[str, Any] = {"password": "lamp river stone bread", "again": "lamp river stone bread", "pin": "161803"}
    refused = await one.send(form, old="000000", **fresh)
    assert (refused.status, "not your PIN" in refused.words) == (422, True)
    assert (await one.send(form, old=PIN, **fresh)).path == "/work"
    assert (await other.open("/work")).path.startswith("/sign-in")
