"""A medical report as its facts make it, in whatever order they were entered; its clocks; and who may hold it.

Nothing here holds up care: a report that nobody signed changes nothing but a list. What it says is in no fact.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.contracts.casework.codes import FormRefusal, ReportStatus
from shared.programmes.profile import Programme
from shared.programmes.rules import answers
from shared.programmes.situation import Message, Situation
from shared.programmes.terms import Act

# Before the day on which a suspect is released without it: who signs may be a day's journey away, and so may be the desk that
# fetches it (practice guide: one doctor of a district signed). An assumption of ours: no published source says how long before.
WARNED_BEFORE = timedelta(days=3)
STANDS_AFTER = timedelta(days=1)  # so long a limit that has passed stands first; then the report waits like any other


class Step(StrEnum):
    """What may be written down of a report, here or at the other end."""

    REQUESTED = "requested"
    HANDED_BACK = "handed_back"
    EXAMINED = "examined"
    SIGNED = "signed"
    READY = "ready"
    COLLECTED = "collected"
    FEE_ASKED = "fee_asked"
    FEE_PAID = "fee_paid"
    TRAVELLED = "travelled"
    HELD = "held"  # a suspect, since then: the desk's own, and told to nobody
    RELEASED = "released"


_RANK = {step: rank for rank, step in enumerate(Step)}  # of facts at one moment: as the journey goes
_RANK[Step.HANDED_BACK] = -1  # the right form comes after it
WAY = (Step.REQUESTED, Step.EXAMINED, Step.SIGNED, Step.READY, Step.COLLECTED)
TOLD = {Step(status): status for status in ReportStatus}  # what the desk that asked is told, if she allows it
LASTS = frozenset({Step.REQUESTED, Step.EXAMINED})  # what a form that is handed back does not undo: nobody is examined twice for it


class Gap(StrEnum):
    """What does not fit yet: an entry is missing, its time is wrong, or the envelope went through hands that nobody wrote down. It
    is shown, and refuses nothing."""

    NOT_EXAMINED = "not_examined"
    NOT_SIGNED = "not_signed"
    COLLECTED_TWICE = "collected_twice"
    CODES_DIFFER = "codes_differ"


class Holder(StrEnum):
    """Who may be handed the one document."""

    DESK = "desk"
    COURT = "court"
    HERSELF = "herself"


class Ground(StrEnum):
    """What a hand-over rests on."""

    CONSENT = "consent"  # item `mlr`: one document to one holder, asked each time
    COURT_ORDER = "court_order"


class Traveller(StrEnum):
    """Who had to travel for a report."""

    SIGNER = "signer"
    SHE = "she"


@dataclass(frozen=True, slots=True)
class Fact:
    """One step at its own time. `is_own`: written down here, else told by the other end. `code`: on the envelope."""

    step: Step
    occurred_at: datetime
    is_own: bool = True
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the facts come to. `first`: since when each step of the way stands. `limit_at`: when somebody is released."""

    status: Step
    first: dict[Step, datetime]
    gaps: frozenset[Gap]
    limit_at: datetime | None

    @property
    def is_done(self) -> bool:
        """Whether it is in the hand that may hold it."""
        return self.status is Step.COLLECTED


def standing(facts: Iterable[Fact], detention_days: int | None = None) -> Standing:
    """Where a report stands by the own times of its facts. A total function: paper is typed in any order and lost in none.

    A form that was handed back takes with it what had been signed on it, and not the examination.
    """
    ordered = sorted(set(facts), key=lambda one: (one.occurred_at, _RANK[one.step], one.is_own, one.code or ""))
    back = max((one.occurred_at for one in ordered if one.step is Step.HANDED_BACK), default=None)
    counted = [one for one in ordered if one.step in WAY and (one.step in LASTS or back is None or one.occurred_at >= back)]
    first: dict[Step, datetime] = {}
    for one in counted:
        first.setdefault(one.step, one.occurred_at)
    furthest = max((WAY.index(step) for step in first), default=0)
    status = Step.HANDED_BACK if back is not None and furthest <= WAY.index(Step.EXAMINED) else WAY[furthest]
    return Standing(status, first, _gaps(counted, first, furthest), _limit(ordered, detention_days))


def _gaps(counted: list[Fact], first: dict[Step, datetime], furthest: int) -> frozenset[Gap]:
    gaps = set()
    signed = first.get(Step.SIGNED)
    if furthest >= WAY.index(Step.READY) and (signed is None or signed > min(first[s] for s in WAY[3:] if s in first)):
        gaps.add(Gap.NOT_SIGNED)
    examined = first.get(Step.EXAMINED)
    if signed is not None and (examined is None or examined > signed):
        gaps.add(Gap.NOT_EXAMINED)
    collected = [one for one in counted if one.step is Step.COLLECTED]
    if any(sum(one.is_own is own for one in collected) > 1 for own in (True, False)):
        gaps.add(Gap.COLLECTED_TWICE)
    if len({one.code for one in counted if one.code is not None}) > 1:
        gaps.add(Gap.CODES_DIFFER)
    return frozenset(gaps)


def _limit(ordered: list[Fact], days: int | None) -> datetime | None:
    """Counted from the last time that somebody was held; none where she or he was released before it came."""
    limit = None
    for one in ordered:
        if one.step is Step.HELD and days is not None:
            limit = one.occurred_at + timedelta(days=days)
        elif one.step is Step.RELEASED and limit is not None and one.occurred_at < limit:
            limit = None
    return limit


# --- what the programme says of a report --------------------------------------------------------------------------------------


def wrong_form(programme: Programme, form: str, version: int) -> FormRefusal | None:
    """Why a form is not taken; None where it is the one in use, or the programme has none of its own."""
    known = programme.report_forms
    if not known:
        return None
    if form not in known:
        return FormRefusal.OTHER_FORM
    return FormRefusal.OLD_VERSION if version != known[form].version else None


def right_form(programme: Programme, form: str) -> tuple[str, int]:
    """The form that is to be brought instead; the programme has one."""
    id_ = form if form in programme.report_forms else next(iter(programme.report_forms))
    return id_, programme.report_forms[id_].version


def detention_days(programme: Programme, form: str | None) -> int | None:
    """How long a suspect is held without it; None where the programme does not say."""
    found = programme.report_forms.get(form or "")
    return found.detention_limit_days if found is not None else None


def sign_by(programme: Programme, form: str | None, first: dict[Step, datetime]) -> datetime | None:
    """By when it is to be signed, counted from the examination; None before, where it is signed, and where no rule is given."""
    found = programme.report_forms.get(form or "")
    if found is None or found.sign_within_h is None or Step.EXAMINED not in first or Step.SIGNED in first:
        return None
    return first[Step.EXAMINED] + timedelta(hours=found.sign_within_h)


def is_breach(programme: Programme, form: str | None, packages: Iterable[str], amount: int, now: datetime) -> bool:
    """Whether a fee is asked for what the programme says is free: the form itself, or what was asked for with it."""
    found = programme.report_forms.get(form or "")
    if found is not None and found.fee is not None and amount > found.fee:
        return True
    asked = Situation(act=Act.CHARGE_FEE, now=now, packages=frozenset(packages), fee=float(amount))  # type: ignore[arg-type]
    return any(one.message is Message.FEE_IS_A_BREACH for one in answers(programme, asked))
