"""Codes, phones, case and sheet numbers are read from left to right in every language: a number said backwards leads nowhere."""

import re
from pathlib import Path

import pytest
from agencies import World
from desk_pages import at_the_desk, to_consent, to_place, to_sent
from visitor import Page, Visitor

from shared.casework.pages.frame import GLOBALS, ISOLATE, ISOLATE_END, STATIC, ltr
from shared.casework.referrals.card import spoken
from shared.kit.errors import Conflict

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(p for part in ("shared", "services") for p in (ROOT / part).glob("**/templates/**/*.html"))
SHOWN = re.compile(  # what shows a number: an expression of a template that ends in one
    r"\{\{ *(?:[\w.]*\.)?(?:duty_number|(?:c|case|row|sheet|sheets\[-?\d\]|row\[1\])\.number|code|issued\.password) *\}\}"
)
UNSEEN = re.compile(r'="govuk-visually-hidden">[^<]*<|\{% block title %\}.*?\{% endblock %\}|="[^"]*"')  # read by ear, or no text


def test_no_template_shows_a_number_but_in_its_own_direction() -> None:
    assert GLOBALS["ltr"] is ltr
    for template in TEMPLATES:
        text = template.read_text()
        assert 'app-code"' not in text, f"{template}: say ltr(…)"
        assert not (bare := SHOWN.findall(UNSEEN.sub("", text))), f"{template}: {bare}"


@pytest.mark.parametrize("name", ["refnet.css", "refnet.rtl.css"])
def test_the_style_leaves_numbers_as_they_are(name: str) -> None:
    """A style made right-to-left by a program turned the numbers as well, whatever the page said."""
    (rule,) = re.findall(r"\.app-code\{([^}]*)\}", (STATIC / name).read_text())
    assert "direction:ltr" in rule
    assert "unicode-bidi:isolate" in rule


def isolated(page: Page, number: str) -> None:
    """The number stands on the page, and nowhere among words of the other direction."""
    assert number in page.words, f"{page.path} does not show {number}"
    by_ear = r'<span class="govuk-visually-hidden">[^<]*</span>'
    rest = re.sub(by_ear, "", page.text.replace(str(ltr(number)), ""))
    assert number not in re.sub(r"<[^>]*>", "", rest), f"{page.path} shows {number} as its words run"


async def in_dari(visitor: Visitor) -> Visitor:
    await visitor.send((await visitor.open("/me")).form("/me/language"), button=("language", "fa_AF"))
    return visitor


async def test_in_dari_the_code_and_the_phones_stand_from_left_to_right(world: World) -> None:
    officer = await in_dari(await at_the_desk(world))
    rid = await to_sent(officer, await to_place(officer, await to_consent(officer)))
    case_id = next(
        link.split("/")[2] for link in (await officer.open("/cases")).links if re.fullmatch(r"/cases/[0-9a-f-]{36}", link)
    )
    clinic = world["police"].here.network.facility("health", "ndola_clinic")
    assert clinic is not None
    card = await officer.open(f"/referrals/{rid}/card")
    assert 'dir="rtl"' in card.text
    (code,) = re.findall(r"\d\d \d\d \d\d", card.words)
    isolated(card, spoken(code.replace(" ", "")))
    case = await officer.open(f"/cases/{case_id}")
    (number,) = set(re.findall(r"P-\d{4}-\d{6}", case.text))
    isolated(await officer.open("/cases"), number)
    for address in ("/directory", "/info", f"/referrals/{rid}"):
        isolated(await officer.open(address), str(clinic.duty_number))


def test_a_refusal_in_dari_holds_its_numbers_together(world: World) -> None:
    pages = world["police"].app.state.edge.pages
    said = Conflict("Sheet %(number)s is entered already.", number="V 000 17")
    assert pages.tell(said, "fa_AF") == f"Sheet {ISOLATE}V 000 17{ISOLATE_END} is entered already."
    assert pages.tell(said, "fr").count("V 000 17") == 1
    assert ISOLATE not in pages.tell(said, "fr")
