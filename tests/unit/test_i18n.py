"""Languages: catalogues without a compiler, times on the wall clock here, names of languages that may be unknown."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shared.casework.pages.frame import LOCALES
from shared.kit.i18n import Times, catalogue, comma, is_rtl, language_name, locale_of, named_in
from shared.kit.pages import Templates

NOW = datetime(2026, 6, 9, 22, 30, tzinfo=UTC)  # half past midnight in Lusaka, on the tenth
LUSAKA = ZoneInfo("Africa/Lusaka")


def test_an_unknown_language_says_the_sources_own_words(tmp_path: Path) -> None:
    assert catalogue(tmp_path, "tlh").gettext("Hide") == "Hide"
    assert catalogue(LOCALES, "fr").gettext("Hide") != "Hide"
    assert catalogue(LOCALES, "fr").ngettext("%(num)s hour", "%(num)s hours", 2) != "%(num)s hours"
    assert locale_of("no such tag").language == "en"


def test_what_is_not_translated_is_still_said_in_its_number(tmp_path: Path) -> None:
    header = 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=1; plural=0;\\n"\n\n'
    plural = 'msgid "%(num)s hour"\nmsgid_plural "%(num)s hours"\nmsgstr[0] ""\n'
    (tmp_path / "fa_AF").mkdir()
    (tmp_path / "fa_AF" / "messages.po").write_text(header + plural)
    said = catalogue(tmp_path, "fa_AF")
    assert [said.ngettext("%(num)s hour", "%(num)s hours", number) for number in (1, 50)] == ["%(num)s hour", "%(num)s hours"]


def test_what_fills_a_text_in_a_template_is_escaped_and_the_text_is_not(tmp_path: Path) -> None:
    texts = """{{ _("<b>90 %%</b>") }} {{ _("%(who)s", who=name) }} {{ ngettext("1", "%(num)s", 2) }}"""
    (tmp_path / "page.html").write_text(texts)
    page = Templates({"room": tmp_path}, LOCALES, {}).render("room/page.html", "fr", {"name": "<i>"})
    assert page == "<b>90 %</b> &lt;i&gt; 2"


def test_from_right_to_left_what_has_no_translation_stands_as_text_of_the_source(tmp_path: Path) -> None:
    """Among words that run the other way its full stop would stand at its beginning."""
    title = """<title>{{ _("No such text.") }}</title>"""
    texts = title + """<p title="{{ _("No such text.") }}">{{ _("%(who)s.", who=name) }} {{ _("Hide") }}</p>"""
    (tmp_path / "page.html").write_text(texts)
    page = Templates({"room": tmp_path}, LOCALES, {}).render("room/page.html", "fa_AF", {"name": "<i>"})
    isolated, hidden = "\u2066No such text.\u2069", catalogue(LOCALES, "fa_AF").gettext("Hide")
    shown = '<span lang="en" dir="ltr">&lt;i&gt;.</span>'
    assert page == f'<title>{isolated}</title><p title="{isolated}">{shown} {hidden}</p>'
    french = Templates({"room": tmp_path}, LOCALES, {}).render("room/page.html", "fr", {"name": "<i>"})
    assert "<span" not in french


def test_numbers_have_one_kind_of_digits_and_lists_the_languages_comma() -> None:
    """Codes, times and what is typed are in Latin digits, and so are the numbers in the sentences."""
    said = (LOCALES / "fa_AF" / "messages.po").read_text()
    assert not [letter for letter in said if letter.isdigit() and not letter.isascii()]
    assert Times("fa_AF", LUSAKA, NOW).full(NOW) == f"{Times('fa_AF', LUSAKA, NOW).day(NOW)}، 00:30"
    assert (comma("en"), comma("fr"), comma("fa_AF")) == (", ", ", ", "، ")


def test_right_to_left_is_the_languages_own() -> None:
    assert [tag for tag in ("en", "fr", "fa_AF", "ar") if is_rtl(tag)] == ["fa_AF", "ar"]


def test_times_are_those_of_the_wall_clock_here() -> None:
    times = Times("en", LUSAKA, NOW)
    assert times.today() == date(2026, 6, 10)
    assert (times.clock(NOW), times.short(NOW)) == ("00:30", "00:30")
    assert times.short(datetime(2026, 6, 9, 8, 5, tzinfo=UTC)) == "9 Jun 10:05"
    assert times.full(NOW) == "Wednesday 10 June, 00:30"
    assert times.moment(date(2026, 6, 10), time(0, 30)) == NOW
    assert Times("fr", LUSAKA, NOW).day(NOW) == "mercredi 10 juin"


def test_a_day_that_cannot_be_told_in_utc_is_an_error_of_what_was_typed() -> None:
    with pytest.raises(ValueError, match="0001-01-01 00:30"):
        Times("en", LUSAKA, NOW).moment(date.min, time(0, 30))


def test_languages_are_named_by_whoever_knows_them() -> None:
    assert named_in("fr", "en") == "anglais"
    assert named_in("en", "toi") == "Tonga"  # CLDR has no name for it
    assert named_in("en", "zzz") == "zzz"
    assert language_name("fr") == "Français"


def test_a_language_of_one_country_has_its_own_name() -> None:
    assert language_name("fa_AF") == "دری"
    assert [named_in(language, "fa-AF") for language in ("en", "fr", "fa_AF")] == ["Dari", "dari", "دری"]
    assert named_in("en", "uz-AF") == "Uzbek"  # no name of its own


def test_names_of_languages_are_written_as_the_language_writes_them() -> None:
    assert [named_in("fr", tag) for tag in ("bem", "toi", "kqn")] == ["bemba", "tonga", "kaonde"]
    assert [named_in("en", tag) for tag in ("bem", "toi", "kqn")] == ["Bemba", "Tonga", "Kaonde"]
