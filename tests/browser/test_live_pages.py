"""Pages that change by themselves, in a real browser: nothing moves under a thumb, and nothing that was typed is lost."""

from collections.abc import Callable
from typing import Any

import pytest
from people import PATIENCE_MS, Person
from processes import Process, until
from town import Town

pytestmark = pytest.mark.timeout(180)
THINGS = "main h1, main h2, main a, main button:not([data-show-changes])"  # what somebody reads or is about to press
PLACES = {"online": ("ndola_clinic", "acute_care"), "paper": ("masaiti_clinic", "injury_care")}


def sent(town: Town, place: str = "online") -> tuple[str, str]:
    """A referral that has reached the clinic: (case, referral)."""
    police, health = town.processes["police"], town.processes["health"]
    to, names = PLACES[place], town.network.names
    needs = {"age_band": "10-14", "sex": "female", "language": "bem"}
    case = police.post("/cases", {"facility": "ndola_central_vsu", "needs": needs})["id"]
    body = {"purpose": "care", "items": ["req", "fb", "needs"], "how": "spoken", "language": "bem"}
    police.post(f"/cases/{case}/consents", {"recipient": names["health"], **body})
    what = {"to_agency": names["health"], "to_facility": to[0], "services": [to[1]], "urgency": "acute"}
    referral = police.post("/referrals", {"case_id": case, **what})["id"]
    until(lambda: known(health, referral), "the referral to arrive")
    return case, referral


def known(process: Process, referral: str) -> bool:
    return any(one["id"] == referral for one in process.get("/referrals?limit=200")["items"])


def changes_wait(person: Person) -> None:
    """The page says that something changed, and shows nothing of it yet."""
    person.page.wait_for_selector("[data-changes]:not([hidden])", timeout=PATIENCE_MS)


def places_of(person: Person, selector: str) -> Any:
    return person.page.eval_on_selector_all(selector, "found => found.map(e => Math.round(e.getBoundingClientRect().top))")


@pytest.fixture
def at(town: Town) -> Any:
    """Somebody before a page; her window closes with the test."""
    made: list[Person] = []

    def open_at(name: str, path: str, **how: Any) -> Person:
        person = town.person(name, **how)
        made.append(person)
        person.open(path)
        return person

    yield open_at
    for person in made:
        person.leave()


Open = Callable[..., Person]


def test_a_page_that_nobody_touches_never_shows_a_time_that_has_gone_by(at: Open) -> None:
    person = at("nurse", "/work")
    person.page.clock.install()
    person.open("/work")
    with person.page.expect_response("**/work") as shown:
        person.page.clock.fast_forward(60_000)
    assert "hx-request" in shown.value.request.headers  # so that it is no touch of the session


@pytest.mark.parametrize("width", [pytest.param(1280, marks=pytest.mark.long), 320])
def test_a_page_that_is_being_read_stays_and_says_that_something_changed(town: Town, at: Open, width: int) -> None:
    case, referral = sent(town)
    pages = {f"/referrals/{referral}": "officer", f"/cases/{case}": "officer", "/here-now": "nurse"}
    readers = [at(name, path, width=width, height=640) for path, name in pages.items()]
    for reader in readers:
        reader.page.click("main h1")  # somebody is at it, for as long as this takes
        reader.page.evaluate("Date.now = (now => () => now)(Date.now())")
    before = [places_of(reader, THINGS) for reader in readers]
    town.processes["health"].post(f"/referrals/{referral}/arrive", {"feedback": True})
    for reader in readers:
        changes_wait(reader)
    assert before == [places_of(reader, THINGS) for reader in readers]
    for reader in readers:
        reader.fits()
        reader.page.click("[data-show-changes]")
        reader.page.wait_for_selector("[data-changes]", state="hidden")
    readers[0].page.wait_for_selector("ol.app-ticks > li:nth-child(5).app-tick--done")
    readers[1].page.wait_for_selector(".app-line:has-text('Came')")
    readers[2].page.wait_for_selector(f'a[href="/referrals/{referral}"]')
    assert not [complaint for reader in readers for complaint in reader.complaints]


def test_the_timeline_of_a_case_changes_by_itself(town: Town, at: Open) -> None:
    case, referral = sent(town)
    officer = at("officer", f"/cases/{case}")
    town.processes["health"].post(f"/referrals/{referral}/accept")
    officer.page.wait_for_selector(".app-line:has-text('Accepted')", timeout=PATIENCE_MS)


def test_what_is_typed_is_not_wiped_by_what_changes(town: Town, at: Open) -> None:
    case, referral = sent(town, "paper")
    hub, officer = at("nurse", f"/referrals/{referral}"), at("officer", f"/cases/{case}")
    hub.choose("#what")
    officer.page.select_option("#code", index=1)
    for person in (hub, officer):
        person.page.evaluate("document.activeElement.blur()")
    for person in (hub, officer):
        person.page.evaluate("Date.now = (now => () => now() + 60000)(Date.now)")  # she looks away for a minute
    town.processes["health"].post(f"/referrals/{referral}/acknowledge", {"entered_for": "masaiti_clinic"})
    for person in (hub, officer):
        changes_wait(person)
    assert hub.page.is_checked("#what")
    assert officer.page.eval_on_selector("#code", "e => e.selectedIndex") == 1


def test_a_page_whose_stream_is_refused_does_without_it_and_asks_later(at: Open) -> None:
    person, asked = at("nurse", "/me"), []

    def refuse(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(status=429, headers={"Retry-After": "2"})

    person.page.route("**/live?*", refuse)
    person.page.clock.install()
    person.open("/work")
    person.page.wait_for_load_state("networkidle")  # one that loads itself at once never comes to rest
    assert len(asked) == 1
    with person.page.expect_request("**/live?*"):
        person.page.clock.fast_forward(60_000)
