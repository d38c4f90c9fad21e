"""A girl is brought to the desk, sent to the clinic, and cared for; the social worker is told: three windows, real Kafka.

The same story by mouse, without JavaScript, by keyboard alone, and in Dari on the narrowest telephone.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from people import Person
from town import Town

pytestmark = pytest.mark.timeout(240)
TOUCHES_MAX = 21 + 2  # from the work list until it is sent, as drawn; and the two things that are asked of a child
PAGES_MAX = 3


@dataclass(frozen=True)
class Manner:
    """How somebody uses the pages."""

    name: str
    how: dict[str, Any]


MANNERS = [
    Manner("mouse", {}),
    Manner("no-javascript", {"javascript": False}),
    Manner("keyboard", {"hand": "keyboard"}),
    Manner("right-to-left-320", {"language": "fa_AF", "width": 320, "height": 640}),
]


def go_on(person: Person) -> None:
    """The page's own button: at its end on a wide screen, under the thumb on a narrow one."""
    person.press(".app-in-thumb > .govuk-button, .app-thumb__grow .govuk-button")


def issue(officer: Person) -> str:
    """From the work list to sent; returns the referral's address."""
    officer.open("/work")
    officer.touches = 0
    pages = 1
    officer.press('a.govuk-button[href="/cases/new"]')
    officer.fits()
    for answer in ("#hurt_now", "#age_band-2", "#sex"):
        officer.choose(answer)
    officer.write("#at_least", "18")
    officer.write("#at_most", "22")
    officer.choose("#came_with-2")
    officer.choose("#safe_adult")
    go_on(officer)
    assert officer.path.endswith("/consent"), officer.page.inner_text("main")
    pages += 1
    officer.fits()
    names = officer.process.network.names
    for answer in (
        f"#answer_{names['health']}",
        f"#answer_{names['social_welfare']}",
        "#answer_back",
        "#how",
        "#assent",
        "#caregiver",
    ):
        officer.choose(answer)
    go_on(officer)
    assert officer.path.endswith("/refer"), officer.page.inner_text("main")
    pages += 1
    officer.fits()
    for answer in ("#care", "#place", "#mode", "#escort", "#carries"):
        officer.choose(answer)
    go_on(officer)
    assert officer.path.endswith("/card"), officer.page.inner_text("main")
    officer.fits()
    assert pages <= PAGES_MAX
    assert officer.touches <= TOUCHES_MAX, officer.touches
    return "/" + officer.path.removesuffix("/card")


# With keys everything is asked that a mouse is asked; without JavaScript every test of tests/pages goes through the same forms;
# its work lists and the page of the place are looked at, narrow and from right to left, by test_every_page.
MOST = [pytest.param(m, id=m.name, marks=[pytest.mark.long] * (m.name != "keyboard")) for m in MANNERS]


@pytest.mark.parametrize("manner", MOST)
def test_she_is_sent_seen_received_and_cared_for_and_everybody_who_may_know_knows(town: Town, manner: Manner) -> None:
    officer, nurse, worker = (town.person(name, **manner.how) for name in ("officer", "nurse", "worker"))
    nurse.open("/work")
    worker.open("/work")
    address = issue(officer)
    officer.open(address)
    ticks = len(officer.page.query_selector_all(".app-tick--done"))

    nurse.sees(f'form[action="{address}/seen-come"]')
    nurse.fits()
    nurse.touches = 0
    nurse.press(f'form[action="{address}/seen-come"] button')
    assert nurse.touches == 1
    assert nurse.path == "work"

    # Seen and accepted are ticked at the desk without anybody touching the window.
    officer.sees(f"ol.app-ticks > li:nth-child({max(ticks + 1, 4)}).app-tick--done")
    officer.fits()

    # The social worker has a request of her own from the desk, and takes it.
    worker.sees('form[action$="/seen-come"]')
    worker.fits()
    worker.press('form[action$="/seen-come"] button')

    nurse.press(f'form[action="{address}/arrive"] button')
    nurse.open(address)
    nurse.fits()
    nurse.press(f'a[href="/care{address.removeprefix("/referrals")}"]')
    nurse.fits()
    nurse.choose("#care_examination")
    nurse.choose("#care_pep")
    nurse.choose("#feedback")
    nurse.press("main button[name=then][value=close]")
    assert f"/{nurse.path}" == address, nurse.page.inner_text("main")
    nurse.sees("ol.app-ticks > li:nth-child(7).app-tick--done")

    # She agreed that the desk may know that she came; what was given stays in the clinic.
    officer.sees("ol.app-ticks > li:nth-child(7).app-tick--done")
    assert not officer.page.query_selector('a[href^="/care/"]')

    # The social worker's list says by itself what changed for the case that she took: at once where nobody touches the page,
    # and behind one press where it would move under a thumb.
    assert worker.path == "work"
    worker.sees(".app-new, [data-changes]:not([hidden])")
    if not worker.page.query_selector(".app-new"):
        worker.page.click("[data-show-changes]")
    worker.sees(".app-new")
    worker.fits()
    assert not (officer.complaints + nurse.complaints + worker.complaints)
    for person in (officer, nurse, worker):
        person.leave()


def a_request_to_the_clinic(town: Town) -> str:
    """An acute request to the clinic and to nobody else, by the desk's own program; returns its id."""
    police, clinic = town.processes["police"], town.network.names["health"]
    case = police.post("/cases", {"facility": "ndola_central_vsu"})["id"]
    incident = police.post(f"/cases/{case}/incidents", {"incident_type": "gbv"})["id"]
    agreed = {"recipient": clinic, "purpose": "care", "items": ["req"], "how": "spoken", "language": "bem"}
    police.post(f"/cases/{case}/consents", agreed)
    place = {"to_agency": clinic, "to_facility": "ndola_clinic", "services": ["acute_care"], "urgency": "acute"}
    referral: str = police.post("/referrals", {"case_id": case, "incident_id": incident, **place})["id"]
    return referral


@pytest.mark.long
@pytest.mark.parametrize("manner", [pytest.param(m, id=m.name) for m in MANNERS if m.name != "keyboard"])
def test_a_supervisor_is_alarmed_takes_resolves_and_lets_a_colleague_in(town: Town, manner: Manner) -> None:
    nurse, in_charge = (town.person(name, **manner.how) for name in ("nurse", "in-charge"))
    in_charge.open("/alarms")
    address = f"/referrals/{a_request_to_the_clinic(town)}"
    nurse.open("/work")
    nurse.sees(f'a[href="{address}/decline"]')
    nurse.open(f"{address}/decline")
    nurse.choose("#reason_code")
    nurse.press("#page-form .govuk-button")  # no next place is named: that alarms

    of_hers = f'.app-urgent:has(a[href="{address}"])'
    in_charge.sees(f"{of_hers}, [data-changes]:not([hidden])")  # by itself
    in_charge.open("/alarms")
    in_charge.fits()
    in_charge.press(f'{of_hers} form[action$="/take"] button')
    in_charge.press(f'{of_hers} a[href$="/resolve"]')
    in_charge.fits()
    in_charge.write("#note", "the hospital takes her")
    in_charge.press("#page-form .govuk-button")
    assert in_charge.path == "alarms"
    assert not in_charge.page.query_selector(of_hers)

    in_charge.open("/posts")
    in_charge.fits()
    in_charge.write("#until_time", "05:59")  # of the next day: whenever the test runs, that is yet to come
    in_charge.press("#page-form .govuk-button")
    assert in_charge.page.query_selector('form[action$="/end"]')

    in_charge.open("/accounts/new")
    name = f"colleague-{manner.name}"
    in_charge.write("#name", name)
    in_charge.choose("#role")
    in_charge.press("#page-form .govuk-button")
    in_charge.fits()
    password = in_charge.page.inner_text("main p strong .app-code")
    codes = [text.replace(" ", "") for text in in_charge.page.locator(".app-codes strong").all_inner_texts()]
    in_charge.press('main form[action$="/card"] button')
    assert in_charge.path == "accounts"

    colleague = Person(town.browser, town.processes["health"], name, None, **manner.how)  # type: ignore[arg-type]
    colleague.open("/sign-in")
    colleague.write("#name", name)
    colleague.write("#password", password)
    colleague.press('form[action="/sign-in"] button')
    number = int(colleague.page.get_attribute("form", "data-number") or 0)
    colleague.write("#code", codes[number - 1])
    colleague.press('form[action="/sign-in/code"] button')
    assert colleague.path == "me/secrets"  # her own password and PIN come first
    colleague.fits()
    for person in (nurse, in_charge, colleague):
        assert not person.complaints
        person.leave()
