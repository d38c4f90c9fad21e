"""Days of the Solar Hijri calendar: against known pairs, back and forth, and as they are typed and shown."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kit.calendars import MONTHS, days_of_month, read_solar, solar_of, written_solar
from shared.kit.i18n import Times

# First days of years (Nawruz), ends of leap years, and days that history dates in both calendars.
KNOWN = {
    (1298, 5, 28): date(1919, 8, 20), (1343, 7, 9): date(1964, 10, 1), (1357, 2, 7): date(1978, 4, 27),
    (1358, 1, 1): date(1979, 3, 21), (1375, 1, 1): date(1996, 3, 20), (1380, 9, 14): date(2001, 12, 5),
    (1383, 7, 18): date(2004, 10, 9), (1387, 12, 30): date(2009, 3, 20), (1388, 1, 1): date(2009, 3, 21),
    (1391, 12, 30): date(2013, 3, 20), (1395, 12, 30): date(2017, 3, 20), (1399, 12, 30): date(2021, 3, 20),
    (1400, 1, 1): date(2021, 3, 21), (1400, 5, 24): date(2021, 8, 15), (1403, 1, 1): date(2024, 3, 20),
    (1403, 12, 30): date(2025, 3, 20), (1404, 1, 1): date(2025, 3, 21), (1404, 10, 15): date(2026, 1, 5),
}  # fmt: skip
KABUL = ZoneInfo("Asia/Kabul")
NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)


@pytest.mark.parametrize(("solar", "gregorian"), KNOWN.items(), ids=str)
def test_known_days_are_the_same_in_both(solar: tuple[int, int, int], gregorian: date) -> None:
    text = "{:04}-{:02}-{:02}".format(*solar)
    assert (solar_of(gregorian), read_solar(text), written_solar(gregorian.isoformat())) == (solar, gregorian.isoformat(), text)


@settings(max_examples=200)
@given(st.dates(date(1912, 1, 1), date(2120, 1, 1)))
def test_a_day_comes_back_as_it_went_and_the_next_day_is_the_next(day: date) -> None:
    assert read_solar(written_solar(day.isoformat())) == day.isoformat()
    year, month, number = solar_of(day)
    assert solar_of(day + timedelta(days=1)) in ((year, month, number + 1), (year, month + 1, 1), (year + 1, 1, 1))
    month_days = days_of_month(day)
    assert month_days[number - 1] == day
    assert len(month_days) in {31: {31}, 30: {30}, 29: {29, 30}}[31 if month <= 6 else 30 if month <= 11 else 29]


@pytest.mark.parametrize("typed", ["1404-10-15", "1404/10/15", "1404.10.15", "۱۴۰۴-۱۰-۱۵", "١٤٠٤/١٠/١٥", " 1404-10-15 "])
def test_a_day_is_read_in_any_digits(typed: str) -> None:
    assert read_solar(typed) == "2026-01-05"


@pytest.mark.parametrize(
    "typed", ["1404-12-30", "1404-13-01", "1404-07-31", "2026-01-05", "0783-10-15", "15 Jadi", "yesterday", "²-1-1"]
)
def test_what_is_no_day_is_refused_and_never_read_in_the_other_calendar(typed: str) -> None:
    read = read_solar(typed)
    with pytest.raises(ValueError, match="Invalid isoformat"):
        date.fromisoformat(read)
    assert written_solar(read) == typed  # and stands there again as it was typed
    assert read_solar(read) == read


def test_times_show_it_in_the_pages_language_and_clocks_as_ever() -> None:
    english, dari, plain = (
        Times("en", KABUL, NOW, is_solar=True), Times("fa_AF", KABUL, NOW, is_solar=True), Times("en", KABUL, NOW)
    )  # fmt: skip
    assert (english.day(NOW), english.dated(NOW), english.month(NOW.date())) == ("Monday 15 Jadi", "15 Jadi 1404", "Jadi 1404")
    assert english.full(NOW) == "Monday 15 Jadi, 12:30"
    assert (english.short(NOW), english.short(NOW - timedelta(days=1))) == ("12:30", "14 Jadi 12:30")
    assert english.zoned(NOW) == "15 Jadi 1404, 12:30 (UTC+04:30)"
    assert dari.dated(NOW) == "15 جدی 1404"
    assert plain.dated(NOW) == "5 January 2026"
    assert {len(names) for names in MONTHS.values()} == {12}


def test_a_sheet_on_the_wall_has_the_months_own_days() -> None:
    for times, length in ((Times("en", KABUL, NOW, is_solar=True), 30), (Times("en", KABUL, NOW), 31)):
        weeks = times.weeks(times.today())
        assert [number for week in weeks for _day, number in week if number] == list(range(1, length + 1))
        assert {week[0][0].weekday() for week in weeks} == {0}
        assert (date(2026, 1, 5), 15 if length == 30 else 5) in [one for week in weeks for one in week]
