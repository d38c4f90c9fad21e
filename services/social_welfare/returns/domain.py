"""What is asked before somebody goes back, and in which order things happen. No answer is added up, and none decides for her.

Source: rule `family_return_needs_consent_and_risk_check` (domain.md, 4.2); no risk scoring that closes or downgrades (7.9).
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from enum import StrEnum

from shared.contracts.casework.codes import Ternary


class Where(StrEnum):
    """Where to: never an address."""

    FAMILY = "family"
    COMMUNITY = "community"
    ELSEWHERE = "elsewhere"


class Question(StrEnum):
    """What is asked before; each is answered, also with "not known"."""

    DOER_LIVES_THERE = "doer_lives_there"
    DOER_CAN_COME_THERE = "doer_can_come_there"
    THREATS_SINCE = "threats_since"
    PRESSED_TO_GO = "pressed_to_go"
    SAFE_PERSON_THERE = "safe_person_there"
    CAN_CALL_FOR_HELP = "can_call_for_help"
    CHILDREN_SAFE_THERE = "children_safe_there"


DANGER_IF_YES = frozenset({Question.DOER_LIVES_THERE, Question.DOER_CAN_COME_THERE, Question.THREATS_SINCE, Question.PRESSED_TO_GO})


class State(StrEnum):
    """How far it is. It ends only where a person says so."""

    ASSESSED = "assessed"
    AGREED = "agreed"
    NOT_AGREED = "not_agreed"
    RETURNED = "returned"
    ENDED = "ended"


class Ending(StrEnum):
    """Why following it up has ended."""

    SAFE_THERE = "safe_there"
    LEFT_AGAIN = "left_again"
    SHE_ASKS = "she_asks"
    DID_NOT_GO = "did_not_go"


def dangers(answers: Mapping[str, str]) -> list[Question]:
    """The answers that speak of danger, and those that are not known: shown, and read to her before she is asked."""
    return [
        one for one in Question
        if Ternary(answers[one]) is Ternary.UNKNOWN or (Ternary(answers[one]) is Ternary.YES) == (one in DANGER_IF_YES)
    ]  # fmt: skip


def follow_up_days(went_on: date, days: Iterable[int]) -> list[date]:
    """The days on which she is seen again after a return, by the programme's intervals."""
    return [went_on + timedelta(days=one) for one in days]
