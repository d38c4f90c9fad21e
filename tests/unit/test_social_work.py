"""The pure rules of social work: what a plan changed and what is open, when a home visit may be planned, what a return is asked."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from services.social_welfare.plans.domain import StepState, changed, states, still_open
from services.social_welfare.returns.domain import Question, dangers, follow_up_days
from services.social_welfare.visits.domain import Kind, Refused, Way, why_not
from services.social_welfare.visits.tables import Visit
from services.social_welfare.visits.views import Plan
from shared.casework.follow_ups.domain import State, is_within_a_year, may_become
from shared.contracts.casework.codes import DECISIONS_OF, AgendaItem, ConferenceDecision, ConsentItem, Ternary

SAFE = {"is_safe": True, "way": Way.AT_HOME_ALONE, "hours": "morning"}


def test_a_version_says_what_it_changed_and_the_first_all_that_it_has() -> None:
    first = {"needs": ["safety"], "goals": [], "steps": [], "review_on": "2026-02-01"}
    assert changed(None, first) == ("needs", "review_on")
    assert changed(first, {**first, "steps": [{"id": "a"}]}) == ("steps",)
    assert changed(first, dict(first)) == ()
    assert changed({**first, "note": "x"}, first) == ("note",)


def test_a_step_stands_as_it_was_marked_last_and_only_the_unmarked_are_open() -> None:
    steps = [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    marks = {"a": "done", "b": "open"}
    assert states(steps, marks) == {"a": StepState.DONE, "b": StepState.OPEN, "c": StepState.OPEN}
    assert still_open(steps, marks) == ["b", "c"]


@pytest.mark.parametrize(
    ("word", "kind", "part", "refused"),
    [
        (None, Kind.OFFICE, None, None),
        (None, Kind.HOME, "morning", Refused.NOT_ASKED),
        ({"is_safe": False}, Kind.HOME, "morning", Refused.NOT_SAFE),
        ({"is_safe": False}, Kind.OFFICE, None, None),
        ({**SAFE, "hours": "never"}, Kind.HOME, "never", Refused.NOT_SAFE),
        (SAFE, Kind.HOME, "morning", None),
        (SAFE, Kind.HOME, "evening", Refused.ANOTHER_TIME),
        (SAFE, Kind.HOME, None, Refused.ANOTHER_TIME),
        (SAFE, Kind.ELSEWHERE, "morning", Refused.ANOTHER_PLACE),
        ({**SAFE, "way": Way.AT_ANOTHER_PLACE}, Kind.ELSEWHERE, "morning", None),
    ],
)
def test_a_home_visit_needs_her_word_its_way_and_its_hours(word, kind, part, refused) -> None:  # type: ignore[no-untyped-def]
    assert why_not(word, kind, part) is refused


def test_what_speaks_of_danger_and_what_nobody_knows_is_shown_and_nothing_is_added_up() -> None:
    good = {Question.SAFE_PERSON_THERE, Question.CAN_CALL_FOR_HELP, Question.CHILDREN_SAFE_THERE}
    safe: dict[str, str] = {one: Ternary.YES if one in good else Ternary.NO for one in Question}
    assert dangers(safe) == []
    for one in Question:
        other = Ternary.NO if safe[one] == Ternary.YES else Ternary.YES
        assert dangers({**safe, one: other}) == [one]
        assert dangers({**safe, one: Ternary.UNKNOWN}) == [one]


def test_days_after_a_return_are_the_programmes() -> None:
    assert follow_up_days(date(2026, 2, 1), (7, 30)) == [date(2026, 2, 8), date(2026, 3, 3)]
    assert follow_up_days(date(2026, 2, 1), ()) == []


def test_whoever_comes_late_has_kept_a_visit_and_a_year_is_not_mistyped() -> None:
    assert may_become("missed", State.KEPT)
    assert not may_become("kept", State.MISSED)
    assert not may_become("missed", State.MISSED)
    assert is_within_a_year(date(2027, 1, 5), date(2026, 1, 5))
    assert not is_within_a_year(date(2036, 1, 5), date(2026, 1, 5))


def test_each_item_of_an_agenda_is_a_consent_item_and_care_that_is_agreed_belongs_to_care_alone() -> None:
    assert {str(item) for item in AgendaItem} <= {str(item) for item in ConsentItem}
    assert set(DECISIONS_OF) == set(AgendaItem)
    assert set().union(*DECISIONS_OF.values()) == set(ConferenceDecision)
    assert [i for i, found in DECISIONS_OF.items() if ConferenceDecision.FOLLOW_UP_OF_CARE in found] == [AgendaItem.GIVEN]


@pytest.mark.parametrize(
    ("states", "is_so"),
    [
        ("missed", True), ("missed kept", False), ("kept missed", True), ("missed made", False), ("missed called_off", True),
        ("kept", False), ("", False),
    ],
)  # fmt: skip
def test_nobody_is_looked_for_who_has_come_since(states: str, *, is_so: bool) -> None:
    one = UUID(int=1)
    who: dict[str, Any] = {"id": one, "case_id": one, "facility": "office", "kind": "office", "recorded_by": one}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    visits = [
        Visit(**who, state=state, due_on=date(2026, 1, 5 + n), recorded_at=at) for n, state in enumerate(states.split())
    ]  # fmt: skip
    assert Plan(visits, None, ()).has_not_come is is_so
