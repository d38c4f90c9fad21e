"""The Solar Hijri calendar as Afghanistan writes it, beside the Gregorian in which everything is kept and sent.

A day is typed and shown as 1404-10-15, months by their names of Afghanistan (CLDR, `fa_AF`; Pashto by its own). The conversion is
jdatetime's.
"""

import re
from datetime import date, timedelta

import jdatetime

from shared.kit.digits import typed

# Hamal is the first: names in the languages of the pages; others have the English ones.
MONTHS = {
    "en": ("Hamal", "Sawr", "Jawza", "Saratan", "Asad", "Sunbula", "Mizan", "Aqrab", "Qaws", "Jadi", "Dalw", "Hut"),
    "fa": ("حمل", "ثور", "جوزا", "سرطان", "اسد", "سنبله", "میزان", "عقرب", "قوس", "جدی", "دلو", "حوت"),
    "ps": ("وری", "غویی", "غبرګولی", "چنګاښ", "زمری", "وږی", "تله", "لړم", "لیندۍ", "مرغومی", "سلواغه", "کب"),
}
YEARS = range(1290, 1500)  # 1911 to 2120: what is beyond is a Gregorian year that was typed, or a mistyped one
SHAPE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
NO_DAY = "?"  # before what was typed and is no day, so that nobody reads it as a day of the other calendar


def solar_of(day: date) -> tuple[int, int, int]:
    """Year, month and day of the month."""
    found = jdatetime.date.fromgregorian(date=day)
    return found.year, found.month, found.day


def day_of_solar(year: int, month: int, day: int) -> date | None:
    """The day; None where that calendar has no such one."""
    if year not in YEARS:
        return None
    try:
        found: date = jdatetime.date(year, month, day).togregorian()
    except ValueError:
        return None
    return found


def written_solar(iso: str) -> str:
    """A day as a form holds it (2026-01-05), as it is typed there (1404-10-15); what is no day stands as it was typed."""
    try:
        return "{:04}-{:02}-{:02}".format(*solar_of(date.fromisoformat(iso)))
    except ValueError:
        return iso.removeprefix(NO_DAY)


def read_solar(text: str) -> str:
    """What was typed, in any digits, as the other calendar's day (2026-01-05). What is none is marked, so that it is refused."""
    match = SHAPE.fullmatch("".join(typed(one) if one.isdecimal() else one for one in text if not one.isspace()))
    found = day_of_solar(*(int(part) for part in match.groups())) if match else None
    return found.isoformat() if found is not None else f"{NO_DAY}{text.removeprefix(NO_DAY)}"


def month_named(month: int, language: str) -> str:
    """What a language calls a month."""
    return MONTHS.get(language.replace("_", "-").partition("-")[0], MONTHS["en"])[month - 1]


def days_of_month(day: date) -> list[date]:
    """Every day of the month in which a day lies."""
    _year, month, number = solar_of(day)
    first = day - timedelta(days=number - 1)
    return [one for n in range(31) if solar_of(one := first + timedelta(days=n))[1] == month]
