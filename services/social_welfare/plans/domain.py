"""What a plan may hold, as codes, what differs between two of its versions, and what is still open at its end.

Source: domain.md, section 2, case management (O13): engagement, assessment, action plan, implementation, follow-up, closure.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any


class Need(StrEnum):
    """What was found to be needed."""

    SAFETY = "safety"
    SHELTER = "shelter"
    HEALTH = "health"
    SUPPORT = "support"
    LEGAL = "legal"
    INCOME = "income"
    SCHOOL = "school"
    CHILDCARE = "childcare"
    PAPERS = "papers"
    OTHER = "other"


class What(StrEnum):
    """What a step does. Talking with whoever did it, to settle, is none (practice.md, rule 8)."""

    TALK = "talk"
    REFER = "refer"
    GO_WITH_HER = "go_with_her"
    VISIT = "visit"
    PAPERS = "papers"
    GOODS_OR_MONEY = "goods_or_money"
    TRAINING_OR_SCHOOL = "training_or_school"
    SAFETY_PLAN = "safety_plan"
    OTHER = "other"


class Who(StrEnum):
    """Who does a step: never a name."""

    SHE = "she"
    WORKER = "worker"
    COLLEAGUE = "colleague"
    SUPERVISOR = "supervisor"
    ANOTHER_AGENCY = "another_agency"


class StepState(StrEnum):
    """How a step stands."""

    OPEN = "open"
    DONE = "done"
    NOT_POSSIBLE = "not_possible"
    SHE_DOES_NOT_WANT_IT = "she_does_not_want_it"
    HANDED_ON = "handed_on"


class Closing(StrEnum):
    """Why a plan is closed. Nobody closes one but a person, and nothing closes by itself."""

    GOALS_REACHED = "goals_reached"
    SHE_ASKS = "she_asks"
    MOVED_AWAY = "moved_away"
    HANDED_TO_ANOTHER = "handed_to_another"
    NOT_REACHED_SAFELY = "not_reached_safely"
    DIED = "died"


PARTS = ("needs", "goals", "steps", "review_on", "note")


def changed(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of a plan that another version says otherwise; all that it has where there was none."""
    return tuple(part for part in PARTS if (before or {}).get(part) != after.get(part) and (before or after.get(part)))


def states(steps: Iterable[Mapping[str, Any]], marks: Mapping[str, str]) -> dict[str, StepState]:
    """How each step of a version stands, by its id, after the last mark on it."""
    return {str(step["id"]): StepState(marks.get(str(step["id"]), StepState.OPEN)) for step in steps}


def still_open(steps: Sequence[Mapping[str, Any]], marks: Mapping[str, str]) -> list[str]:
    """The ids of steps of which nobody said what became of them: each is asked about before a plan is closed."""
    return [id_ for id_, state in states(steps, marks).items() if state is StepState.OPEN]
