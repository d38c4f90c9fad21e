"""Languages: catalogues read from .po files, words and times as a locale writes them.

Catalogues are small, so they are read at the first use of a language and kept; nothing is compiled ahead of time.
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from shared.kit.calendars import days_of_month, month_named, solar_of

SOURCE = "en"  # the language that the templates are written in

UNNAMED = {"kqn": "Kaonde", "lue": "Luvale", "toi": "Tonga"}  # ISO 639-3 names that CLDR has not yet


@cache
def catalogue(folder: Path, language: str) -> NullTranslations:
    """The catalogue of a language; the source's own words where there is none."""
    path = folder / language / "messages.po"
    if not path.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        said = read_po(file, locale=language)
    # Left in, a plural without a translation would be compiled as the source's singular for every number.
    for message in [message for message in said if message.pluralizable and not any(message.string or ())]:
        said.delete(message.id, message.context)
    write_mo(compiled, said, use_fuzzy=False)
    compiled.seek(0)
    return Translations(compiled)


def mark(text: str) -> str:
    """Marks a text for the catalogues where it is written; it is translated where it is shown."""
    return text


@cache
def locale_of(language: str) -> Locale:
    """The locale of a language tag; English where the tag is none that CLDR knows."""
    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse(SOURCE)


def is_rtl(language: str) -> bool:
    """Whether a language is written from right to left."""
    return bool(locale_of(language).text_direction == "rtl")


@cache
def comma(language: str) -> str:
    """What stands between the parts of a list, as a language writes it (CLDR)."""
    between = str(locale_of(language).list_patterns["standard"]["middle"])
    return between.replace("{0}", "").replace("{1}", "").replace("\u200f", "")  # a mark of direction: the page has its own


def _gregorian_month(on: date) -> list[date]:
    return [on.replace(day=number) for number in range(1, monthrange(on.year, on.month)[1] + 1)]


class Times:
    """Times in words of one locale and time zone, in the digits that codes, forms and catalogues have. Everything is kept in UTC;
    this is where it becomes local."""

    def __init__(self, language: str, zone: ZoneInfo, now: datetime, *, is_solar: bool = False) -> None:
        self._locale, self._zone, self._now = locale_of(language), zone, now.astimezone(zone)
        self._language, self._is_solar = language, is_solar
        self._comma = comma(language)

    @property
    def now(self) -> datetime:
        """The moment at which the page is made."""
        return self._now

    def local(self, moment: datetime) -> datetime:
        """The moment on the wall clock here."""
        return moment.astimezone(self._zone)

    def moment(self, on: date, at: time) -> datetime:
        """A day and a clock time as somebody here writes them, in UTC; raises ValueError where no such moment can be told."""
        try:
            return datetime.combine(on, at, self._zone).astimezone(UTC)
        except OverflowError as error:  # the first day of all, and the last
            raise ValueError(f"{on} {at} lies outside the years that can be told in UTC") from error

    def clock(self, moment: datetime) -> str:
        """14:05."""
        return str(format_time(self.local(moment), "HH:mm", locale=self._locale))

    def day(self, when: date | datetime) -> str:
        """Tuesday 9 June; with the year where it is another than this."""
        local = self.local(when).date() if isinstance(when, datetime) else when
        if self._is_solar:
            is_other = solar_of(local)[0] != solar_of(self.today())[0]
            return f"{format_date(local, 'EEEE', locale=self._locale)} {self._solar(local, with_year=is_other)}"
        pattern = "EEEE d MMMM" if local.year == self.today().year else "EEEE d MMMM y"
        return str(format_date(local, pattern, locale=self._locale))

    def dated(self, when: date | datetime) -> str:
        """9 June 2026: a day that may be a year away."""
        local = self.local(when).date() if isinstance(when, datetime) else when
        if self._is_solar:
            return self._solar(local, with_year=True)
        return str(format_date(local, "d MMMM y", locale=self._locale))

    def month(self, on: date) -> str:
        """June 2026."""
        if self._is_solar:
            year, month, _day = solar_of(on)
            return f"{month_named(month, self._language)} {year}"
        return str(format_date(on, "LLLL y", locale=self._locale))

    def month_of(self, month: str) -> str:
        """May 2026, of 2026-05: figures are told by these months, whatever calendar the programme shows. As it is written where a
        peer wrote no month."""
        try:
            first = date.fromisoformat(f"{month}-01")
        except ValueError:
            return month
        return str(format_date(first, "LLLL y", locale=self._locale))

    def weekday(self, on: date) -> str:
        """Mon."""
        return str(format_date(on, "ccc", locale=self._locale))

    def short(self, moment: datetime) -> str:
        """14:05 on the same day, 9 June 14:05 otherwise."""
        local = self.local(moment)
        if self._is_solar and local.date() != self._now.date():
            return f"{self._solar(local.date())} {self.clock(moment)}"
        pattern = "HH:mm" if local.date() == self._now.date() else "d MMM HH:mm"
        return str(format_datetime(local, pattern, locale=self._locale))

    def opening(self, moment: datetime) -> str:
        """08:00 where the clock shows that next, Monday 08:00 where it is less than six days, the whole day otherwise."""
        left = self.local(moment) - self._now
        if left >= timedelta(days=6):
            return self.full(moment)
        pattern = "HH:mm" if left <= timedelta(hours=23, minutes=59) else "EEEE HH:mm"  # at 08:00, tomorrow's is named too
        return str(format_datetime(self.local(moment), pattern, locale=self._locale))

    def full(self, moment: datetime) -> str:
        """Tuesday 9 June, 14:05."""
        return f"{self.day(moment)}{self._comma}{self.clock(moment)}"

    def zoned(self, moment: datetime) -> str:
        """9 June 2026, 14:05 (UTC+02:00): for what is read elsewhere."""
        if self._is_solar:
            at = format_datetime(self.local(moment), "HH:mm '(UTC'ZZZZZ')'", locale=self._locale)
            return f"{self.dated(moment)}{self._comma}{at}"
        return str(format_datetime(self.local(moment), "d MMMM y, HH:mm '(UTC'ZZZZZ')'", locale=self._locale))

    def _solar(self, day: date, *, with_year: bool = False) -> str:
        year, month, number = solar_of(day)
        return f"{number} {month_named(month, self._language)}{f' {year}' if with_year else ''}"

    def weeks(self, on: date) -> list[list[tuple[date, int | None]]]:
        """The weeks of a month, from Monday, as a sheet on a wall has them: each day with its number, None where it is another
        month's."""
        first, last = (month := days_of_month(on) if self._is_solar else _gregorian_month(on))[0], month[-1]
        begin = first - timedelta(days=first.weekday())
        days = [begin + timedelta(days=n) for n in range((last - begin).days + 7 - last.weekday())]
        numbered = {day: number for number, day in enumerate(month, 1)}
        return [[(day, numbered.get(day)) for day in days[n : n + 7]] for n in range(0, len(days), 7)]

    def today(self) -> date:
        """The date here."""
        return self._now.date()


def named_in(language: str, other: str) -> str:
    """What a language calls another one; English words where it has none."""
    known = locale_of(language).languages
    tag = _tag_in(known, other)
    if tag in known:
        return str(known[tag])
    names = locale_of(SOURCE).languages
    name = str(names.get(_tag_in(names, other)) or UNNAMED.get(tag, other))
    return name.lower() if known.get(SOURCE, "").islower() else name  # as the language writes the names that it has


def language_name(language: str) -> str:
    """A language in its own words, or in English where CLDR does not know them."""
    locale = locale_of(language)
    if locale.language == _primary(language):
        return str(locale.languages.get(_tag_in(locale.languages, language)) or language).capitalize()
    return str(locale_of(SOURCE).languages.get(language, language))


def _tag_in(names: Mapping[str, str], language: str) -> str:
    """The tag under which names have a language: the whole one where it has a name of its own, as Dari (`fa_AF`) has."""
    whole = language.replace("-", "_")
    return whole if whole in names else _primary(language)


def _primary(language: str) -> str:
    return language.replace("-", "_").split("_", maxsplit=1)[0]
