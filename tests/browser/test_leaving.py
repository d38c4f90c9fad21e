"""Leaving in a hurry: neither Back nor the history nor the cache brings anything back, with and without JavaScript."""

from typing import Any

import pytest
from people import Person
from town import Town

pytestmark = pytest.mark.timeout(120)
BOTH = pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])


def heading(person: Person) -> str:
    return person.page.inner_text("h1")


def anybody(town: Town, **how: Any) -> Person:
    return Person(town.browser, town.processes["police"], "", None, **how)  # type: ignore[arg-type]


@BOTH
def test_the_quick_way_out_leads_past_its_page(town: Town, javascript: bool) -> None:
    person = anybody(town, javascript=javascript)
    person.open("/calendar")
    month = heading(person)
    person.open("/info")
    told = heading(person)
    assert told != month
    assert person.page.title() == "Information"  # the history says no more than this
    person.press(".govuk-exit-this-page__button")
    person.page.wait_for_url("**/calendar")
    for _ in range(2):
        person.page.go_back()
        assert told not in person.page.content()
    person.page.go_forward()
    assert told not in person.page.content()
    person.open("/info?again=1")  # whoever follows a link to it may look again
    assert heading(person) == told
    assert person.path == "info"  # and the link's own address stands in no history
    person.press(".govuk-exit-this-page__button")
    person.page.wait_for_url("**/calendar")
    for _ in range(2):
        person.page.go_back()
        assert told not in person.page.content()
    person.leave()


def test_three_times_shift_is_the_same_way_out(town: Town) -> None:
    person = anybody(town)
    person.open("/info")
    for _ in range(3):
        person.page.keyboard.press("Shift")
    person.page.wait_for_url("**/calendar")
    person.page.go_back()
    assert heading(person) != "Help is there, day and night"
    person.leave()


@BOTH
def test_after_hide_and_after_signing_out_back_shows_nothing(town: Town, javascript: bool) -> None:
    nurse = town.person("nurse", javascript=javascript)
    nurse.open("/work")
    inbox = heading(nurse)
    nurse.press('form[action="/hide"] button, button[formaction="/hide"]')
    nurse.page.wait_for_url("**/blank")
    nurse.page.go_back()
    assert heading(nurse) != inbox
    assert nurse.page.query_selector('form[action="/locked"]')
    nurse.write('input[name="pin"]', "271828")
    nurse.press('form[action="/locked"] button')
    nurse.open("/me")
    nurse.press('form[action="/sign-out"] button')
    nurse.page.wait_for_url("**/sign-in")
    nurse.page.go_back()
    assert nurse.page.query_selector('form[action="/sign-in"]')
    nurse.leave()


def test_three_times_escape_hides_a_staff_page(town: Town) -> None:
    nurse = town.person("nurse")
    nurse.open("/work")
    for _ in range(3):
        nurse.page.keyboard.press("Escape")
    nurse.page.wait_for_url("**/blank")
    nurse.leave()


def test_a_page_that_nobody_touches_hides_itself_and_keeps_what_stands_in_it(town: Town) -> None:
    officer = town.person("officer")
    officer.page.clock.install()
    officer.open("/cases/new")
    officer.choose("#age_band-2")
    officer.page.clock.run_for("10:16")
    officer.page.wait_for_url("**/blank")
    officer.open("/locked")
    officer.write('input[name="pin"]', "271828")
    officer.press('form[action="/locked"] button')
    assert officer.path == "cases/new"
    assert officer.page.is_checked("#age_band-2")
    officer.leave()


def test_whoever_types_or_points_tells_the_server_that_she_is_there(town: Town) -> None:
    officer = town.person("officer")
    officer.page.clock.install()
    officer.open("/cases/new")
    told = []
    officer.page.on("response", lambda answer: told.append(answer.status) if answer.url.endswith("/touch") else None)
    officer.choose("#age_band-2")
    assert not told  # the page was asked for just now
    for _ in range(2):
        officer.page.clock.run_for("01:01")
        with officer.page.expect_response("**/touch"):
            officer.write("#at_least", "3")
            officer.page.keyboard.press("Tab")
        officer.page.keyboard.press("Tab")  # within the same minute: once is enough
    assert told == [204, 204]
    assert not officer.complaints
    officer.leave()


def test_a_page_whose_session_is_locked_elsewhere_hides_at_the_next_touch(town: Town) -> None:
    officer = town.person("officer")
    officer.page.clock.install()
    officer.open("/cases/new")
    other = officer.page.context.new_page()
    other.goto("/work")
    other.locator("[data-hide]").click()
    other.wait_for_url("**/blank")
    officer.page.clock.run_for("01:01")
    officer.page.keyboard.press("Tab")
    officer.page.wait_for_url("**/blank")
    officer.leave()
