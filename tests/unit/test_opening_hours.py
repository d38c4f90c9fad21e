"""When a place is open, and when it opens next: by its hours, its days, and the clock on its wall."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.casework.directory.network import Facility
from shared.casework.directory.places import is_open_at, opens_next
from shared.kit.i18n import Times
from shared.programmes.terms import EVERY_DAY, DayOfWeek

LUSAKA = ZoneInfo("Africa/Lusaka")
OFFICE_DAYS = EVERY_DAY[:5]
FRIDAY = datetime(2026, 6, 12, tzinfo=LUSAKA)


def _place(hours: str, days: tuple[DayOfWeek, ...] = EVERY_DAY) -> Facility:
    return Facility(name="A place", district="ndola", posts=("duty_nurse",), open_hours=hours, open_days=days)


def _at(days: int, hour: int, minute: int = 0) -> datetime:
    """So many days after a Friday."""
    return FRIDAY + timedelta(days=days, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("place", "local", "opens", "words"),
    [
        (_place("08:00-17:00", OFFICE_DAYS), _at(0, 7, 59), _at(0, 8), "08:00"),
        (_place("08:00-17:00", OFFICE_DAYS), _at(0, 17), _at(3, 8), "Monday 08:00"),
        (_place("08:00-17:00", OFFICE_DAYS), _at(2, 12), _at(3, 8), "08:00"),
        (_place("08:00-17:00", OFFICE_DAYS), _at(2, 3), _at(3, 8), "Monday 08:00"),  # in the night before, 08:00 is in five hours
        (_place("20:00-06:00", OFFICE_DAYS), _at(2, 12), _at(3, 20), "Monday 20:00"),
        (_place("08:00-17:00"), _at(0, 17), _at(1, 8), "08:00"),
        (_place("20:00-06:00", OFFICE_DAYS), _at(1, 6), _at(3, 20), "Monday 20:00"),
        (_place("24 h", OFFICE_DAYS), _at(1, 0), _at(3, 0), "Monday 00:00"),
        (_place("08:00-17:00", (DayOfWeek.FRIDAY,)), _at(0, 18), _at(7, 8), "Friday 19 June, 08:00"),
    ],
)
def test_a_place_that_is_closed_says_when_it_opens(place: Facility, local: datetime, opens: datetime, words: str) -> None:
    assert not is_open_at(place, local)
    assert opens_next(place, local) == opens
    assert Times("en", LUSAKA, local).opening(opens) == words
    assert is_open_at(place, opens)


def test_hours_past_midnight_belong_to_the_day_on_which_they_began() -> None:
    night = _place("20:00-06:00", OFFICE_DAYS)
    assert is_open_at(night, _at(1, 5, 59))  # Friday's night, on Saturday morning
    assert not is_open_at(night, _at(1, 20))
    assert not is_open_at(night, _at(3, 5))  # Sunday had no night
    assert is_open_at(night, _at(3, 20))


def test_of_a_place_that_never_closes_and_says_it_is_closed_nobody_knows_until_when() -> None:
    assert opens_next(_place("24 h"), FRIDAY) is None


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda one: one.replace(tzinfo=LUSAKA))  # noqa: DTZ001
DAYS = st.sets(st.sampled_from(EVERY_DAY), min_size=1).map(tuple)


@given(hours=st.sampled_from(["08:00-17:00", "20:00-06:00", "00:00-23:59"]), days=DAYS, local=MOMENTS)
def test_what_is_closed_opens_within_eight_days_and_not_before_it_is_said(
    hours: str, days: tuple[DayOfWeek, ...], local: datetime
) -> None:
    place = _place(hours, days)
    opens = opens_next(place, local)
    assert opens is not None
    assert timedelta() < opens - local <= timedelta(days=8)
    assert is_open_at(place, opens)
    if not is_open_at(place, local):
        between = [local + (opens - local) * part / 7 for part in range(7)]
        assert not any(is_open_at(place, moment) for moment in between)
