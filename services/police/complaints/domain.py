"""A complaint as its facts make it, in whatever order they were entered; and the closed lists of what is written down beside it.

Nothing here ends or changes care: a complaint is one thing, her referrals and consents are others (practice guide, rule 7). There
is no outcome of a mediation, because none exists (rule 8): an attempt is a breach (`shared.casework.breaches`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from shared.contracts.casework.codes import PROGRESS_OF, AgencyKind, ProgressCode

_P = ProgressCode
MILESTONES = PROGRESS_OF[AgencyKind.POLICE] - {_P.PRESSURE_TO_SETTLE}  # what she is told of; that she was pressed she knows
ENTERED_APART = frozenset({_P.COMPLAINT_REGISTERED, _P.COMPLAINT_WITHDRAWN, _P.COMPLAINT_REOPENED})  # with what is asked of each
STEPS = tuple(code for code in ProgressCode if code in MILESTONES - ENTERED_APART)
_RANK = {code: place for place, code in enumerate(ProgressCode)}  # of facts at one moment: as the journey goes


class AskedBy(StrEnum):
    """Who asked that a complaint be withdrawn."""

    SHE = "she"
    FAMILY = "family"
    ACCUSED_SIDE = "accused_side"
    OTHER = "other"
    NOT_KNOWN = "not_known"


class Where(StrEnum):
    """Where it was withdrawn: the ministry asks (practice guide, monthly figure 7)."""

    STATION = "station"
    COURT = "court"
    NOT_KNOWN = "not_known"


class WhyReopened(StrEnum):
    """Why a complaint goes on that was withdrawn."""

    SHE_ASKS = "she_asks"
    WAS_PRESSED = "was_pressed"
    HAPPENED_AGAIN = "happened_again"
    LAW_ASKS = "law_asks"
    OTHER = "other"


class Topic(StrEnum):
    """What of the legal process was explained to her (domain.md 4.2: legal information is a service of its own)."""

    HER_RIGHTS = "her_rights"
    CARE_WITHOUT_REPORT = "care_without_report"
    STATEMENT = "statement"
    MEDICAL_REPORT = "medical_report"
    PROTECTION = "protection"
    COURT_STEPS = "court_steps"
    LEGAL_AID = "legal_aid"
    COSTS = "costs"
    MAY_WITHDRAW = "may_withdraw"


class Told(StrEnum):
    """What became of telling her a milestone."""

    TOLD = "told"
    NOT_SAFE = "not_safe"
    BEFORE = "before"  # the milestone is older than this record


SETTLED = frozenset({Told.TOLD, Told.BEFORE})  # after which a milestone stands on no list any more


class HowTold(StrEnum):
    """By which of her safe ways."""

    WHEN_SHE_CAME = "when_she_came"
    IN_SAFE_HOURS = "in_safe_hours"
    BY_HER_WORD = "by_her_word"  # she called, and said the word that she had chosen


class State(StrEnum):
    """Where a complaint stands."""

    OPEN = "open"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"  # by a verdict


class Gap(StrEnum):
    """What does not fit yet, because an entry is missing or its time is wrong. It is shown, and refuses nothing."""

    REOPENED_WITHOUT_WITHDRAWAL = "reopened_without_withdrawal"
    WITHDRAWN_TWICE = "withdrawn_twice"
    AFTER_THE_VERDICT = "after_the_verdict"


@dataclass(frozen=True, slots=True)
class Fact:
    """One recorded step, at its own time. `on_date`: of a hearing."""

    code: ProgressCode
    occurred_at: datetime
    on_date: date | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the facts of a complaint come to. `first`: each step with the time at which it first happened, for attrition."""

    state: State
    first: Mapping[ProgressCode, datetime]
    gaps: frozenset[Gap]


def standing(facts: Iterable[Fact]) -> Standing:
    """Where a complaint stands by its facts in the order of their own times: what is entered late changes nothing but the end.

    A total function: no order of entry is refused, because the sheet with the withdrawal may be typed after the one with the
    reopening. What does not fit is named.
    """
    state, gaps = State.OPEN, set()
    first: dict[ProgressCode, datetime] = {}
    for fact in in_order(facts):
        first.setdefault(fact.code, fact.occurred_at)
        match fact.code, state:
            case ((_P.COMPLAINT_WITHDRAWN | _P.COMPLAINT_REOPENED), State.ENDED):
                gaps.add(Gap.AFTER_THE_VERDICT)
            case _P.COMPLAINT_WITHDRAWN, State.OPEN:
                state = State.WITHDRAWN
            case _P.COMPLAINT_WITHDRAWN, State.WITHDRAWN:
                gaps.add(Gap.WITHDRAWN_TWICE)
            case _P.COMPLAINT_REOPENED, State.WITHDRAWN:
                state = State.OPEN
            case _P.COMPLAINT_REOPENED, State.OPEN:
                gaps.add(Gap.REOPENED_WITHOUT_WITHDRAWAL)
            case _P.VERDICT, _:
                state = State.ENDED
    return Standing(state, first, frozenset(gaps))


def belongs_to(named: UUID | None, complaints: Sequence[UUID]) -> UUID | None:
    """The complaint of a milestone: the one that was named with it, else the only one there is of its case."""
    return named if named is not None or len(complaints) != 1 else complaints[0]


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Facts by their own times, each once."""
    return sorted(set(facts), key=lambda one: (one.occurred_at, _RANK[one.code], one.on_date or date.min))
