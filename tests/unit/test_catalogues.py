"""The words of the pages: every text is marked, no language lacks anything, and every code has a word."""

import re
import unicodedata
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from shared.casework import app as _every_page  # noqa: F401 — whatever a page refuses is known by then
from shared.casework.here import Forbidden
from shared.casework.pages import words
from shared.casework.pages.frame import LOCALES, PAGE_LANGUAGES
from shared.kit.catalogues import LANGUAGES, REFUSALS, extracted, missing_in
from shared.kit.errors import Conflict, NotFound, RefnetError
from shared.kit.i18n import catalogue
from shared.programmes.profile import PROFILES, load_programme

ROOT = Path(__file__).parents[2]
REJECTED = {  # one word a term: what else it was called once
    "fr": ("superviseu",),
    "fa_AF": ("ناظر", "تیلفون", "تلفن", "پرونده", "گواهی‌نامه", "دستورالعمل", "پروتوکول"),
    "ps": ("څارونکی", "ټیلیفون", "تېلفون", "شهادت‌نامه", "پروتوکول"),
}  # fmt: skip
SUPERVISOR = {"fr": "responsable", "fa_AF": "آمر", "ps": "آمر"}  # as the role is called
SAME_IN_FRENCH = 40  # "Menu", "Type", "Police" and their like; more would mean that English was left standing


@pytest.fixture(scope="module")
def said():  # type: ignore[no-untyped-def]
    return extracted(ROOT)


def test_the_pages_languages_are_the_catalogues() -> None:
    assert set(PAGE_LANGUAGES) == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_missing(said, language: str) -> None:  # type: ignore[no-untyped-def]
    assert missing_in(ROOT, language, said) == [], "run scripts/catalogues, then translate what is empty"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_catalogue_keeps_what_nobody_says_and_placeholders_fit(said, language: str) -> None:  # type: ignore[no-untyped-def]
    with (LOCALES / language / "messages.po").open("rb") as file:
        kept = read_po(file, locale=language)
    assert {m.id for m in kept if m.id} == {m.id for m in said if m.id}, "run scripts/catalogues"
    for message in kept:
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        for form, string in enumerate(strings):
            # "The last day" needs no number; a language of one form says thirty days with the same words, and needs it.
            fitting = [_placeholders(one) for one in (ids if form == 0 and len(strings) > 1 else ids[-1:])]
            assert _placeholders(string) in fitting, string


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_string_has_a_mark_that_nobody_can_read(language: str) -> None:
    """A replacement that lost its `\\1` wrote U+0001 where a colon belonged: it is invisible, and no placeholder misses it."""
    with (LOCALES / language / "messages.po").open("rb") as file:
        kept = [one for m in read_po(file, locale=language) for one in (m.string if isinstance(m.string, tuple) else (m.string,))]
    assert [string for string in kept if any(unicodedata.category(sign) == "Cc" and sign != "\n" for sign in string or "")] == []


def _placeholders(text: object) -> set[str]:
    return set(re.findall(r"%\(\w+\)s", str(text)))


@pytest.mark.parametrize("language", sorted(REJECTED))
def test_a_term_is_one_word(language: str) -> None:
    """A reader takes two words for two things: a supervisor, a case or a certificate is called alike on every page."""
    with (LOCALES / language / "messages.po").open("rb") as file:
        kept = [(str(m.id), str(m.string)) for m in read_po(file, locale=language) if m.id]
    assert [said for _id, said in kept if any(word in said.lower() for word in REJECTED[language])] == []
    assert [said for id_, said in kept if "supervisor" in id_.lower() and SUPERVISOR[language] not in said.lower()] == []


def test_french_is_french(said) -> None:  # type: ignore[no-untyped-def]
    french = catalogue(LOCALES, "fr")
    same = [m.id for m in said if m.id and isinstance(m.id, str) and french.gettext(m.id) == m.id]
    assert len(same) <= SAME_IN_FRENCH, same


@pytest.mark.parametrize("group", sorted(words.ENUMS))
def test_every_code_has_a_word(group: str) -> None:
    lacking = [code for code in words.ENUMS[group] if not words.GROUPS[group].get(str(code))]
    assert not lacking


def test_every_report_form_of_a_programme_is_called_as_people_call_it() -> None:
    forms = {form for file in PROFILES.glob("*.yaml") for form in load_programme(file.stem).report_forms}
    assert forms
    assert forms <= words.GROUPS["report_form"].keys()


def test_french_puts_a_space_that_does_not_break_before_its_colons() -> None:
    with (LOCALES / "fr" / "messages.po").open("rb") as file:
        said = [m.string for m in read_po(file, locale="fr") if m.id]
    for string in (one for strings in said for one in (strings if isinstance(strings, tuple | list) else (strings,))):
        assert not re.search(r"(?:[^\u00a0]|^):(?=\s|$)|[ \u202f][;?!»]|«[ \u202f]", string or ""), string


def test_no_template_types_a_mark_that_languages_space_differently() -> None:
    """Beside what is filled in, they are `colon`, `semicolon` and `comma`: a typed one stands wrongly in French, or in Dari."""
    typed = re.compile(r"(?:[}%]\}|</\w+>|visually-hidden\">)\s*[:;?!,](?=[\s{<]|$)|(?:~|else) ?\"[:;,]", re.MULTILINE)
    pages = [page for source in ("shared", "services") for page in (ROOT / source).glob("**/templates/**/*.html")]
    assert len(pages) > 40
    assert {str(page.relative_to(ROOT)): found for page in pages if (found := typed.findall(page.read_text()))} == {}


def test_every_line_of_the_diary_has_its_words() -> None:
    """A kind that the code writes down and that no table has words for would be shown as the code that it is."""
    written = {
        kind
        for path in (ROOT / "shared").glob("casework/**/*.py")
        for kind in re.findall(r'Line\(\s*kind="([a-z._]+)"', path.read_text())
    }
    assert "referral.flagged" in written
    assert written <= words.LINES.keys()


def test_nobody_is_not_taken_for_a_name() -> None:
    say = catalogue(LOCALES, "fr").gettext
    assert say(words.person(None)) != "Personne"
    assert say(words.word("alone", "escort")) not in {"Personne", "Nobody"}


def test_every_kind_of_refusal_is_looked_through_for_its_words() -> None:
    """One that is not named is said in English on every page."""

    def kinds(of: type[RefnetError]) -> set[str]:
        return {of.__name__, *(name for one in of.__subclasses__() for name in kinds(one))}

    assert kinds(NotFound) | kinds(Conflict) | kinds(Forbidden) <= REFUSALS.keys()
