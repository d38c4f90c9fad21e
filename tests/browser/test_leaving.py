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
    person.open("/info?again=1")  # whoever knows the address may look again
    assert heading(person) == told
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
