"""The clock of a hand-over, the order of an examination and the days of hearings, as pure rules."""

from datetime import UTC, date, datetime, timedelta

import pytest
from coast import coast
from hypothesis import given
from hypothesis import strategies as st

from services.justice.examinations.domain import ORDER_WITHIN, OWED, Order, at_begin, due_at, is_late, order_rule
from services.justice.proceedings.domain import Day, HearingState, next_day
from services.police.hand_overs.domain import OPEN, Facts, HandOver, counted_at, counted_from, standing
from shared.casework.circles.commands import is_hearing_day
from shared.programmes.profile import load_programme

T = datetime(2026, 1, 5, 8, tzinfo=UTC)
LIMIT = timedelta(hours=24)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(0, HandOver.DUE), (17.99, HandOver.DUE), (18, HandOver.DUE_SOON), (24, HandOver.DUE_SOON), (24.001, HandOver.LATE)],
)
def test_the_clock_warns_before_and_says_late_after_its_last_moment(hours: float, expected: HandOver) -> None:
    assert standing(Facts(T, LIMIT), T + timedelta(hours=hours)) is expected


@given(st.integers(0, 60), st.integers(0, 60), st.booleans(), st.booleans())
def test_what_was_handed_over_is_never_due_and_her_no_and_a_withdrawal_stop_the_clock(
    handed: int, now: int, said_no: bool, is_withdrawn: bool
) -> None:
    at = T + timedelta(hours=now)
    done = standing(Facts(T, LIMIT, T + timedelta(hours=handed), said_no, is_withdrawn), at)
    assert done is (HandOver.IN_TIME if handed <= 24 else HandOver.HANDED_LATE)
    assert (standing(Facts(T, LIMIT, None, said_no, is_withdrawn), at) in OPEN) == (not said_no and not is_withdrawn)


def test_what_goes_on_after_a_hand_over_begins_no_clock() -> None:
    """Registered, handed over late, and reopened after a withdrawal: it stays late, also where a second request was sent."""
    registered, handed, reopened = T, T + timedelta(hours=50), T + timedelta(hours=60)
    begun = [reopened, registered]
    assert counted_from(begun, handed) == registered
    assert standing(Facts(counted_from(begun, handed), LIMIT, handed), reopened) is HandOver.HANDED_LATE
    assert counted_from(begun, None) == reopened
    assert counted_from(begun, reopened) == reopened  # at the same moment
    assert counted_from([registered], registered - timedelta(hours=1)) == registered  # a request that was written down before


def test_what_was_never_handed_over_counts_as_due_once_its_limit_has_passed() -> None:
    due_at = T + LIMIT
    later = due_at + timedelta(days=90)
    assert counted_at(Facts(T, LIMIT), due_at) is None  # it may yet be in time
    assert counted_at(Facts(T, LIMIT), later) == due_at
    assert counted_at(Facts(T, LIMIT, later), later) == due_at  # as before it was handed over
    assert counted_at(Facts(T, LIMIT, T + LIMIT / 2), later) == T + LIMIT / 2
    assert counted_at(Facts(T, LIMIT, said_no=True), later) is None
    assert counted_at(Facts(T, LIMIT, is_withdrawn=True), later) is None


def test_an_order_may_follow_where_the_programme_says_so() -> None:
    rule = order_rule(coast())
    assert rule is not None
    assert at_begin(rule, is_there=False) is Order.AWAITED
    assert at_begin(rule, is_there=True) is Order.THERE
    assert at_begin(rule.model_copy(update={"may_follow": False}), is_there=False) is None
    assert at_begin(order_rule(load_programme("zm-vsu-ec")), is_there=False) is Order.NOT_NEEDED
    assert due_at(rule, Order.AWAITED, T) == T + timedelta(hours=48)
    assert due_at(rule.model_copy(update={"within_h": None}), Order.ASKED, T) == T + ORDER_WITHIN
    assert {order for order in Order if due_at(rule, order, T) is not None} == OWED


def test_the_last_moment_of_an_order_is_in_time() -> None:
    due = T + timedelta(hours=48)
    assert not is_late(Order.ASKED, due, due)
    assert is_late(Order.ASKED, due, due + timedelta(seconds=1))
    assert not is_late(Order.CAME, due, due + timedelta(days=9))
    assert not is_late(Order.AWAITED, None, due)


def test_days_of_hearings() -> None:
    today = date(2026, 1, 5)
    days = [Day(today + timedelta(days=n), state) for n, state in
            ((-1, HearingState.SET), (2, HearingState.PUT_OFF), (9, HearingState.SET), (30, HearingState.SET))]  # fmt: skip
    assert next_day(days, today) == today + timedelta(days=9)
    assert next_day(days[:2], today) is None
    assert is_hearing_day(today, today)
    assert is_hearing_day(today + timedelta(days=1000), today)
    assert not is_hearing_day(today + timedelta(days=1200), today)
    assert not is_hearing_day(today - timedelta(days=400), today)
