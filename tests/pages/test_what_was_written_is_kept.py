"""What stood in a form is never lost to a lock, and never turns up before another person."""

import random
import re
from datetime import timedelta
from typing import Any

import pytest
from agencies import World
from signing_in import PASSWORD, PIN, code_on, hide_of, settled_account, sign_in
from sqlalchemy import func, select
from visitor import OWN_PAGE, Form, Page, Visitor

from shared.casework.accounts.credentials import Issued
from shared.casework.accounts.sessions import ABSOLUTE_END, IDLE_END, IDLE_LOCK, PIN_FAILURES_MAX
from shared.casework.consents.tables import Consent, Refusal
from shared.contracts.casework.codes import Role

FIRST_PAGE: dict[str, Any] = {"hurt_now": "no", "age_band": "18-24", "sex": "female", "at_least": 1, "at_most": 3,
                              "language": "bem", "came_with": "nobody"}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "answer_health": "yes",
    "answer_social_welfare": "no",
    "answer_back": "yes",
    "how": "spoken",
    "language": "bem",
}


async def officer(world: World) -> Visitor:
    visitor = Visitor(world["police"].app)
    await sign_in(visitor, await settled_account(world["police"], "officer-1", Role.OFFICER), "officer-1")
    return visitor


async def unlocked(visitor: Visitor, page: Page | None = None) -> Page:
    page = page if page is not None and page.path.startswith("/locked") else await visitor.open("/locked")
    return await visitor.send(page.form("/locked"), pin=PIN)


async def test_a_conversation_longer_than_the_lock_loses_no_answer(world: World) -> None:
    visitor = await officer(world)
    page = await visitor.send((await visitor.open("/cases/new")).form("/cases/new"), **FIRST_PAGE)
    asked, path = page.form(page.path), page.path
    assert path.endswith("/consent")
    world.clock.advance(IDLE_LOCK + timedelta(minutes=1))
    page = await visitor.send(asked, **ANSWERS)
    assert page.path.startswith("/locked")
    page = await unlocked(visitor, page)
    assert page.path == f"{path}?kept=1"
    again = page.form(path)
    assert {name: again.fields[name] for name in ANSWERS} == {name: [value] for name, value in ANSWERS.items()}
    assert (await visitor.send(again)).path.endswith("/refer")
    assert "hidden at" not in (await visitor.open(path)).words  # sent: nothing of it is kept


async def talking(world: World) -> tuple[Visitor, Issued, Form, str]:
    """An officer in the middle of the questions: (her browser, her card, the form, its page)."""
    visitor = Visitor(world["police"].app)
    card = await settled_account(world["police"], "officer-1", Role.OFFICER)
    await sign_in(visitor, card, "officer-1")
    page = await visitor.send((await visitor.open("/cases/new")).form("/cases/new"), **FIRST_PAGE)
    return visitor, card, page.form(page.path), page.path


def stands(page: Page, path: str, answers: dict[str, Any] = ANSWERS) -> Form:
    """The form of a page on which every answer stands again."""
    assert page.path == f"{path}?kept=1", page.words
    again = page.form(path)
    assert {name: again.fields.get(name) for name in answers} == {name: [value] for name, value in answers.items()}
    return again


async def answered(world: World) -> int:
    """How many questions the agency has an answer to."""
    async with world["police"].database.read() as tx:
        counts = [await tx.session.scalar(select(func.count()).select_from(table)) for table in (Consent, Refusal)]
    return sum(count or 0 for count in counts)


async def as_another(world: World, visitor: Visitor) -> Page:
    """A colleague signs in at the same browser."""
    return await sign_in(visitor, await settled_account(world["police"], "officer-2", Role.OFFICER), "officer-2")


@pytest.mark.parametrize(("button", "passed"), [("answer", IDLE_END), ("hide", ABSOLUTE_END), ("switch", IDLE_END)])
async def test_a_conversation_longer_than_the_session_stands_as_it_stood_after_signing_in(
    world: World, button: str, passed: timedelta
) -> None:
    visitor, card, asked, path = await talking(world)
    world.clock.advance(passed)
    if passed >= ABSOLUTE_END:
        visitor.client.cookies.delete(world["police"].app.state.edge.pages.cookie)  # browsers have dropped it by then
    form = asked if button == "answer" else Form(f"/{button}", "post", asked.fields, asked.choices)
    page = await visitor.send(form, **ANSWERS)
    assert page.path == {"answer": "/sign-in?next=/", "hide": "/blank", "switch": "/sign-in"}[button]  # nothing of hers in it
    assert await answered(world) == 0

    page = await as_another(world, visitor)
    assert (page.path, "written here" in page.words) == ("/work", False)
    others = await visitor.open(f"{path}?kept=1")
    assert not set(ANSWERS) & set(others.form(path).fields) - {"language"}
    assert "written here" not in others.words

    page = await sign_in(visitor, card, "officer-1")
    assert (await visitor.send(stands(page, path))).path.endswith("/refer")
    assert await answered(world) == 2


async def test_what_was_hidden_is_found_again_after_signing_in_and_told_once(world: World) -> None:
    visitor, card, asked, path = await talking(world)
    await visitor.send(Form("/hide", "post", asked.fields, asked.choices), **ANSWERS)
    world.clock.advance(IDLE_END)
    stands(await sign_in(visitor, card, "officer-1"), path)
    assert (await sign_in(visitor, card, "officer-1")).path == "/work"  # from then on it is offered on its page, and no more
    assert "Something was written here" in (await visitor.open(path)).words


async def test_somebody_elses_case_throws_away_nothing_that_was_kept_and_not_shown(world: World) -> None:
    visitor = await officer(world)
    await visitor.send(hide_of((await visitor.open("/cases/new")).form("/cases/new")), **{**FIRST_PAGE, "age_band": "10-14"})
    await unlocked(visitor)
    page = await visitor.send((await visitor.open("/cases/new")).form("/cases/new"), **FIRST_PAGE)  # the next one
    assert page.path.endswith("/consent"), page.words
    assert "Something was written here" in (await visitor.open("/cases/new")).words
    page = await visitor.open("/cases/new?kept=1")
    page = await visitor.send(page.form("/cases/new"), at_most="")
    assert (page.status, page.form("/cases/new").fields["age_band"]) == (422, ["10-14"])
    page = await visitor.send(page.form("/cases/new"), at_most=3, safe_adult="here")
    assert page.path.endswith("/consent"), page.words
    assert "Something was written here" not in (await visitor.open("/cases/new")).words


async def test_what_is_older_than_a_shift_is_offered_on_its_page_only(world: World) -> None:
    visitor, card, asked, path = await talking(world)
    await visitor.send(Form("/hide", "post", asked.fields, asked.choices), **ANSWERS)
    world.clock.advance(ABSOLUTE_END)
    assert (await sign_in(visitor, card, "officer-1")).path == "/work"
    offer = await visitor.open(path)
    assert not set(ANSWERS) & set(offer.form(path).fields) - {"language"}
    stands(await visitor.open(f"{path}?kept=1"), path)


async def test_somebody_who_guesses_the_pin_throws_nothing_away(world: World) -> None:
    visitor, card, asked, path = await talking(world)
    await visitor.send(Form("/hide", "post", asked.fields, asked.choices), **ANSWERS)
    form = (await visitor.open("/locked")).form("/locked")
    for _ in range(PIN_FAILURES_MAX):
        page = await visitor.send(form, pin="314159")
    assert page.path.startswith("/sign-in")
    stands(await sign_in(visitor, card, "officer-1"), path)


async def test_a_colleague_at_the_same_computer_meanwhile_neither_sees_nor_loses_it(world: World) -> None:
    visitor, _card, asked, path = await talking(world)
    page = await visitor.send(Form("/switch", "post", asked.fields, asked.choices), **ANSWERS)
    assert page.path == "/locked"
    assert (await as_another(world, visitor)).path == "/work"
    page = await visitor.send((await visitor.open("/work")).form("/switch"))
    waiting = [form for form in page.forms if form.action == "/locked"]
    assert len(waiting) == 2
    stands(await visitor.send(waiting[1], pin=PIN), path)  # whoever was here last stands first


async def test_a_page_that_was_open_before_she_signed_in_again_is_shown_again_and_does_nothing_by_itself(world: World) -> None:
    visitor, card, asked, path = await talking(world)
    world.clock.advance(IDLE_END)
    await sign_in(visitor, card, "officer-1")  # in another tab
    again = stands(await visitor.send(asked, **ANSWERS), path)
    assert await answered(world) == 0
    assert (await visitor.send(again)).path.endswith("/refer")


async def test_a_page_that_another_person_left_open_is_kept_for_that_person(world: World) -> None:
    visitor, card, asked, path = await talking(world)
    world.clock.advance(IDLE_END)
    await as_another(world, visitor)
    page = await visitor.send(asked, **ANSWERS)
    assert (page.status, "kept for that person" in page.words) == (403, True)
    assert await answered(world) == 0
    assert "written here" not in (await visitor.open(f"{path}?kept=1")).words
    stands(await sign_in(visitor, card, "officer-1"), path)


async def test_between_password_and_code_nothing_is_lost_and_nothing_is_shown(world: World) -> None:
    visitor, card, asked, path = await talking(world)
    world.clock.advance(IDLE_END)
    page = await visitor.open("/sign-in")
    code = await visitor.send(page.form("/sign-in"), name="officer-1", password=PASSWORD)
    assert (await visitor.send(asked, **ANSWERS)).path == "/sign-in/code"
    assert (await visitor.open(f"{path}?kept=1")).path == "/sign-in/code"
    stands(await visitor.send(code.form("/sign-in/code"), code=code_on(code, card)), path)


async def test_whoever_signs_out_leaves_nothing_and_another_browser_finds_nothing(world: World) -> None:
    visitor, card, asked, path = await talking(world)
    await visitor.send(Form("/hide", "post", asked.fields, asked.choices), **ANSWERS)
    elsewhere = Visitor(world["police"].app)
    await sign_in(elsewhere, card, "officer-1")
    assert "written here" not in (await elsewhere.open(f"{path}?kept=1")).words
    await unlocked(visitor)
    await visitor.send((await visitor.open("/me")).form("/sign-out"))
    await sign_in(visitor, card, "officer-1")
    assert "written here" not in (await visitor.open(f"{path}?kept=1")).words


async def test_the_button_that_switches_takes_the_form_along_like_the_one_that_hides(world: World) -> None:
    visitor, _card, _asked, path = await talking(world)
    buttons = re.findall(r"<button[^>]*>Switch user", (await visitor.open(path)).text)
    assert len(buttons) == 2
    assert all('form="page-form" formaction="/switch" formnovalidate' in button for button in buttons)


async def test_a_locked_session_keeps_only_its_own_forms(world: World) -> None:
    visitor = await officer(world)
    form = (await visitor.open("/cases/new")).form("/cases/new")
    world.clock.advance(IDLE_LOCK)
    for data, headers in (({**form.fields, "csrf": "guess"}, OWN_PAGE), (form.fields, {"Sec-Fetch-Site": "cross-site"})):
        answer = await visitor.client.post("/cases/new", data=data, headers=headers)
        assert answer.status_code == 403
    page = await unlocked(visitor)
    assert page.path == "/work"
    assert "stands here again" not in (await visitor.open("/cases/new?kept=1")).words


async def test_somebody_who_types_is_not_idle(world: World) -> None:
    visitor = await officer(world)
    form = (await visitor.open("/cases/new")).form("/cases/new")
    for _ in range(3):
        world.clock.advance(IDLE_LOCK - timedelta(minutes=1))
        answer = await visitor.client.post("/touch", data={"csrf": form.fields["csrf"]}, headers=OWN_PAGE)
        assert (answer.status_code, str(answer.url.path)) == (204, "/touch")
    assert (await visitor.client.post("/touch", headers=OWN_PAGE)).status_code == 403
    page = await visitor.send(form, **FIRST_PAGE)
    assert page.path.endswith("/consent")


async def test_the_next_person_never_gets_the_last_ones_answers(world: World) -> None:
    visitor = await officer(world)
    girl = hide_of((await visitor.open("/cases/new")).form("/cases/new"))
    await visitor.send(girl, age_band="10-14", sex="female", hurt_now="yes")
    page = await unlocked(visitor)
    assert page.form("/cases/new").fields["age_band"] == ["10-14"]  # hers again, right after the PIN

    inbox = await visitor.open("/work")  # the form was left; another page is hidden
    await visitor.send(next(form for form in inbox.forms if form.action == "/hide"))
    assert (await unlocked(visitor)).path == "/work"

    fresh = await visitor.open("/cases/new")
    assert "age_band" not in fresh.form("/cases/new").fields  # empty, with an offer
    assert "Something was written here" in fresh.words
    offered = await visitor.open(next(link for link in fresh.links if link.endswith("?kept=1")))
    assert offered.form("/cases/new").fields["age_band"] == ["10-14"]
    gone = await visitor.send(offered.form("/drafts/forget"))
    assert (gone.path, "Something was written" in gone.words) == ("/cases/new", False)


async def test_a_form_that_is_sent_elsewhere_than_it_stands_is_forgotten_too(world: World) -> None:
    visitor = Visitor(world["health"].app)
    await sign_in(visitor, await settled_account(world["health"]))
    page = await visitor.open("/paper/print")
    printed = await visitor.send(page.form("/paper/print"), facility="masaiti_clinic", kind="visit", count=1)
    number = next(word for word in printed.words.split() if word.startswith("V-"))
    await visitor.send(hide_of((await visitor.open("/paper")).form("/paper/enter")), number=number)
    page = await unlocked(visitor)
    form = page.form("/paper/enter")
    assert form.fields["number"] == [number]
    assert (await visitor.send(form, on_date="2026-01-05", at_time="04:10")).status == 200
    assert "Something was written here" not in (await visitor.open("/paper")).words


async def test_printing_a_pad_neither_takes_the_place_of_a_sheet_that_was_not_entered_nor_throws_it_away(world: World) -> None:
    visitor = Visitor(world["health"].app)
    await sign_in(visitor, await settled_account(world["health"]))
    printing = (await visitor.open("/paper/print")).form("/paper/print")
    await visitor.send(hide_of((await visitor.open("/paper")).form("/paper/enter")), number="V-00017-K")
    await unlocked(visitor)
    world.clock.advance(IDLE_LOCK)
    await visitor.send(printing, kind="visit", count=7)  # too late: the page had locked
    page = await unlocked(visitor)
    assert (page.path, page.form("/paper/print").fields["count"]) == ("/paper/print?kept=1", ["7"])
    page = await visitor.send(page.form("/paper/print"))
    assert page.path.startswith("/paper/batches/"), page.words
    assert "Something was written here" not in (await visitor.open("/paper/print")).words
    assert (await visitor.open("/paper?kept=1")).form("/paper/enter").fields["number"] == ["V-00017-K"]


async def test_a_form_that_names_itself_at_length_reaches_no_key(world: World) -> None:
    visitor = await officer(world)
    form = (await visitor.open("/cases/new")).form("/cases/new")
    endless = random.Random(1).randbytes(8000).hex()  # does not compress: an index of PostgreSQL takes 2,704 bytes
    sent = {**{name: found for name, found in form.fields.items() if found}, **FIRST_PAGE, "once": endless}
    answer = await visitor.client.post("/cases/new", data=sent, headers=OWN_PAGE)
    assert (answer.status_code, "from another session or another page" in answer.text) == (403, True)
    hidden = {**sent, "once": "1", "page": f"/{endless}"}
    assert (await visitor.client.post("/hide", data=hidden, headers=OWN_PAGE)).status_code in {200, 303}
    assert (await unlocked(visitor)).status == 200


async def test_a_locked_page_says_that_something_is_kept_only_where_something_was_written(world: World) -> None:
    visitor = await officer(world)
    page = await visitor.send((await visitor.open("/work")).form("/switch"))
    assert ("PIN to go on" in page.words, "is kept" in page.words) == (True, False)
    await unlocked(visitor, page)
    form = (await visitor.open("/cases/new")).form("/cases/new")
    page = await visitor.send(Form("/switch", "post", form.fields, form.choices), **FIRST_PAGE)
    assert "What you had written is kept." in page.words


async def test_since_you_left_is_said_only_to_somebody_who_had_left(world: World) -> None:
    card = await settled_account(world["police"], "officer-1", Role.OFFICER)
    for _window in range(2):  # the second one opens while the first is at work
        visitor = Visitor(world["police"].app)
        assert "Since you left" not in (await sign_in(visitor, card, "officer-1")).words
        world.clock.advance(timedelta(minutes=1))
    await visitor.send((await visitor.open("/work")).form("/switch"))
    world.clock.advance(timedelta(minutes=30))
    assert "Since you left 10:02." in (await sign_in(Visitor(world["police"].app), card, "officer-1")).words


async def test_what_was_taken_up_again_and_left_says_so_and_is_gone_a_shift_later(world: World) -> None:
    visitor, card, asked, path = await talking(world)
    await visitor.send(Form("/hide", "post", asked.fields, asked.choices), **ANSWERS)
    world.clock.advance(timedelta(minutes=1))
    stands(await unlocked(visitor), path)
    words = (await visitor.open(path)).words
    assert ("it was shown again at" in words, "hidden at" in words) == (True, False)
    stands(await visitor.open(f"{path}?kept=1"), path)  # still there for whoever left the page by a wrong tap
    world.clock.advance(ABSOLUTE_END)
    await sign_in(visitor, card, "officer-1")
    assert "written here" not in (await visitor.open(path)).words
    assert "answer_health" not in (await visitor.open(f"{path}?kept=1")).form(path).fields


async def test_what_is_written_on_in_a_form_that_was_taken_up_again_is_kept_anew(world: World) -> None:
    visitor, card, asked, path = await talking(world)
    await visitor.send(Form("/hide", "post", asked.fields, asked.choices), **ANSWERS)
    again = stands(await unlocked(visitor), path)
    world.clock.advance(ABSOLUTE_END - timedelta(minutes=1))
    await visitor.send(Form("/hide", "post", again.fields, again.choices), answer_health="no")
    world.clock.advance(timedelta(minutes=2))
    stands(await sign_in(visitor, card, "officer-1"), path, {**ANSWERS, "answer_health": "no"})
