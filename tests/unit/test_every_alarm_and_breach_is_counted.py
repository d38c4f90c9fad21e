"""Each kind of alarm and of breach is counted by its name, or left out of the figures on purpose: none is silently one of another
kind."""

from shared.casework.breaches.domain import BreachCode, ByWhom
from shared.casework.figures.domain import ALARMS, BREACHES, UNKNOWN, WHOM
from shared.casework.figures.views import APART
from shared.casework.pages import words


def test_every_kind_of_alarm_has_a_place_in_the_figures_or_none_on_purpose() -> None:
    known = set(words.ALARMS)
    assert not set(ALARMS) & APART
    assert known - set(ALARMS) - APART == set()
    assert set(ALARMS) - {UNKNOWN} - known == set()


def test_every_kind_of_breach_and_every_side_has_a_place_in_the_figures() -> None:
    assert set(BREACHES) == {*BreachCode, "pressure_to_settle", UNKNOWN}
    assert set(WHOM) == {*ByWhom, UNKNOWN}
