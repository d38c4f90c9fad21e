"""The clock of a stay: days on the wall, nights in hospital, extensions, plans; whatever order the facts were typed in."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.police.stays.domain import NEEDS_PLAN, OVER_LIMIT, Gap, Happened, Kind, Standing, Way, end_of, limit_of, standing
from shared.programmes.profile import load_programme
from shared.programmes.situation import Message

BD = load_programme("bd-vsc")
RULE = limit_of(BD)
DHAKA = ZoneInfo("Asia/Dhaka")
CAME = datetime(2026, 3, 10, 10, 0, tzinfo=DHAKA)


def at(day: int, hour: int = 12, minute: int = 0) -> datetime:
    """On the `day`-th day after she came, by the wall of the centre."""
    return datetime(2026, 3, 10, hour, minute, tzinfo=DHAKA) + timedelta(days=day)


def stands(now: datetime, *facts: Happened, came: datetime = CAME) -> Standing:
    assert RULE is not None
    return standing(BD, RULE, came, facts, now)


def plan(when: datetime, referral: str | None = None) -> Happened:
    return Happened(Kind.PLANNED, when, Way.AGENCY, referral_id=referral)


def longer(when: datetime, until: date) -> Happened:
    return Happened(Kind.EXTENDED, when, until=end_of(until, DHAKA))


def test_a_plan_is_due_on_day_three_and_the_limit_is_five_days_after_she_came_the_last_moment_included() -> None:
    assert stands(at(3, 9, 59)).alarm is None
    assert stands(at(3, 10)).alarm == NEEDS_PLAN
    assert stands(at(5, 10)).alarm == NEEDS_PLAN  # the last moment belongs to the five days
    assert stands(at(5, 10, 1)).alarm == OVER_LIMIT
    assert stands(at(4), plan(at(2))).alarm is None
    assert stands(at(5, 10, 1), plan(at(2))).answer.message is Message.STAY_OVER_LIMIT  # a plan moves nothing: she still stays
    assert stands(at(400)).left is None  # nothing ends by itself


def test_days_are_the_walls_also_where_clocks_were_put_back() -> None:
    """On 31 December 2009 Bangladesh ended its summer time: five days of the wall were 121 hours."""
    came = datetime(2009, 12, 29, 10, 0, tzinfo=DHAKA)
    found = stands(came, came=came)
    assert found.limit_at.astimezone(DHAKA) == datetime(2010, 1, 3, 10, 0, tzinfo=DHAKA)
    assert found.limit_at - came.astimezone(UTC) == timedelta(hours=121)


def test_nights_in_hospital_do_not_count_and_that_is_an_assumption() -> None:
    out, back = Happened(Kind.HOSPITAL_OUT, at(1, 20)), Happened(Kind.HOSPITAL_BACK, at(3, 8))
    found = stands(at(4, 9), out, back)
    assert (found.nights_in_hospital, found.days) == (2, 2)
    assert found.limit_at == at(7, 10).astimezone(UTC)
    assert found.alarm is None  # day three has become day five
    assert found.answer.is_assumption
    assert stands(at(5, 10), out, back).alarm == NEEDS_PLAN
    same_day = (Happened(Kind.HOSPITAL_OUT, at(1, 9)), Happened(Kind.HOSPITAL_BACK, at(1, 18)))
    assert stands(at(4), *same_day).nights_in_hospital == 0
    still_there = stands(at(9), out)
    assert (still_there.in_hospital, still_there.nights_in_hospital, still_there.alarm) == (True, 8, None)
    just_before_midnight = (Happened(Kind.HOSPITAL_OUT, at(1, 23, 59)), Happened(Kind.HOSPITAL_BACK, at(2, 0, 1)))
    assert stands(at(4), *just_before_midnight).nights_in_hospital == 1


def test_an_extension_holds_until_the_end_of_its_day_at_the_centre() -> None:
    extended = longer(at(4), date(2026, 3, 18))
    assert stands(datetime(2026, 3, 18, 23, 59, tzinfo=DHAKA), extended, plan(at(2))).alarm is None
    assert stands(datetime(2026, 3, 19, 0, 1, tzinfo=DHAKA), extended, plan(at(2))).alarm == OVER_LIMIT
    assert stands(at(6), extended).alarm == NEEDS_PLAN  # an extension is no plan
    shorter = longer(at(1), date(2026, 3, 11))
    assert stands(at(4), shorter, plan(at(2))).until_at == stands(at(4)).limit_at  # it never makes a stay shorter


@pytest.mark.parametrize(
    ("facts", "end", "expected"),
    [
        ((), at(5, 9), False),
        ((), at(5, 11), True),
        ((plan(at(2)),), at(9), False),
        ((plan(at(6)),), at(9), True),  # planned when it was late already
        ((longer(at(4), date(2026, 3, 18)),), at(8), False),  # a supervisor has extended it in time
        ((longer(at(6), date(2026, 3, 18)),), at(8), True),  # and here when it was late already
        ((longer(at(4), date(2026, 3, 16)),), at(9), True),  # until which nothing was found
        ((plan(at(2)), Happened(Kind.PLAN_DROPPED, at(6))), at(7), True),
        ((plan(at(2)), Happened(Kind.PLAN_DROPPED, at(4)), plan(at(4, 13))), at(9), False),
    ],
)  # fmt: skip
def test_over_the_limit_without_a_plan(facts: tuple[Happened, ...], end: datetime, expected: bool) -> None:
    assert stands(end, *facts, Happened(Kind.LEFT, end, Way.OTHER)).was_over_without_plan is expected
    assert stands(end, *facts).was_over_without_plan is expected


def test_a_plan_that_another_agency_breaks_drops_with_its_own_request_only() -> None:
    broken = Happened(Kind.PLAN_DROPPED, at(3), referral_id="a")
    assert stands(at(4), plan(at(2), "a"), broken).plan is None
    assert stands(at(4), plan(at(2), "b"), broken).plan is not None


def test_facts_in_any_order_come_to_the_same_and_what_does_not_fit_is_named() -> None:
    facts = [
        Happened(Kind.HOSPITAL_OUT, at(1)), Happened(Kind.HOSPITAL_BACK, at(2)), plan(at(3)), longer(at(4), date(2026, 3, 20)),
        Happened(Kind.LEFT, at(6), Way.AGENCY),
    ]  # fmt: skip
    found = {repr(stands(at(8), *order)) for order in itertools.permutations(facts)}
    assert len(found) == 1
    assert stands(at(8), *facts).gaps == frozenset()
    assert stands(at(8), *facts).alarm is None
    assert stands(at(8), Happened(Kind.HOSPITAL_BACK, at(2))).gaps == {Gap.BACK_WITHOUT_OUT}
    twice = (Happened(Kind.HOSPITAL_OUT, at(1)), Happened(Kind.HOSPITAL_OUT, at(2)))
    assert stands(at(4), *twice).gaps == {Gap.OUT_TWICE}
    assert stands(at(8), *facts, plan(at(7))).gaps == {Gap.AFTER_THE_END}
