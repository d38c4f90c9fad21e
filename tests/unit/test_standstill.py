"""How the watchdog tells what stands still from what moves."""

from datetime import UTC, datetime, timedelta

from shared.exchange.watchdog import Standstill

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_what_keeps_its_value_grows_older_and_what_moves_begins_anew() -> None:
    seen: Standstill[str] = Standstill()
    assert seen.since(START, {"a": 1, "b": 1}) == {"a": timedelta(0), "b": timedelta(0)}
    assert seen.since(START + MINUTE, {"a": 1, "b": 2}) == {"a": MINUTE, "b": timedelta(0)}
    assert seen.since(START + 2 * MINUTE, {"a": 1, "b": 2}) == {"a": 2 * MINUTE, "b": MINUTE}


def test_what_is_not_named_has_moved_though_it_comes_back_at_the_same_value() -> None:
    seen: Standstill[str] = Standstill()
    seen.since(START, {"a": 1})
    seen.since(START + MINUTE, {})
    assert seen.since(START + 2 * MINUTE, {"a": 1}) == {"a": timedelta(0)}


def test_time_spent_waiting_for_somebody_else_does_not_count() -> None:
    seen: Standstill[str] = Standstill()
    seen.since(START, {"a": 1})
    seen.forget()
    assert seen.since(START + MINUTE, {"a": 1}) == {"a": timedelta(0)}
