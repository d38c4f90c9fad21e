"""Complaints as they are shown, what of them is to be told to her, and how many there were. Reads only."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select
from sqlmodel import col

from services.police.complaints.commands import complaints_of, heard_of, known_to_her, steps_of
from services.police.complaints.domain import MILESTONES, SETTLED, AskedBy, Fact, Standing, Told, Where, belongs_to, standing
from services.police.complaints.tables import Complaint, ComplaintStep, Explained, Telling
from services.police.stations.domain import reference
from services.police.stations.views import number_of
from shared.casework import scope
from shared.casework.breaches.figures import counted as breaches_counted
from shared.casework.breaches.tables import Breach
from shared.casework.breaches.views import breaches_of
from shared.casework.cases.tables import Case
from shared.casework.circles.figures import steps
from shared.casework.circles.tables import Progress
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted
from shared.casework.here import Actor, Here
from shared.casework.messages.views import safe_hours
from shared.casework.pages.frame import StepToTell, ToTell, Way
from shared.casework.work.views import LIST_MAX
from shared.contracts.casework.codes import ProgressCode, Ternary
from shared.contracts.casework.events import HearingOff
from shared.exchange.incarnations import restored_at
from shared.kit.bulk import among
from shared.kit.db import Transaction
from shared.kit.i18n import mark as _
from shared.kit.sealed import shut_shown


@dataclass(frozen=True, slots=True)
class Step:
    """A step with what was asked with it, and what became of telling her."""

    row: Progress
    said: Mapping[str, Any]
    telling: Telling | None  # the last
    is_milestone: bool
    is_to_tell: bool  # she has not been told it yet, or not that its day does not hold

    @property
    def is_off(self) -> bool:
        """Whether it is a hearing whose day does not hold."""
        return self.row.is_off

    @property
    def may_be_told(self) -> bool:
        """Whether it is a milestone that says something to her: a hearing that is off, of which she never heard, does not."""
        return self.is_to_tell or (self.is_milestone and self.telling is not None)


@dataclass(frozen=True, slots=True)
class Shown:
    """One complaint with its steps and where they leave it."""

    complaint: Complaint
    steps: Sequence[Step]
    standing: Standing
    reference: str | None  # at a station that is usually offline: its own number


@dataclass(frozen=True, slots=True)
class Register:
    """Everything of a case: its complaints, steps that belong to none, what was explained, and breaches."""

    complaints: Sequence[Shown]
    others: Sequence[Step]
    heard: Sequence[Step]  # milestones that another agency told: of its charge, its hearings, its verdict
    to_tell: Sequence[Step]
    hours: str | None  # when a message is safe; None: only when she comes
    explained: Sequence[Explained]
    breaches: Sequence[Breach]

    @property
    def steps(self) -> list[Step]:
        """Every step, whoever recorded it."""
        return [*(step for shown in self.complaints for step in shown.steps), *self.others, *self.heard]


async def register_of(tx: Transaction, here: Here, case: Case) -> Register:
    """The register of a case."""
    known = await known_to_her(tx, case.id)
    last = {one.position: one for one in known.tellings}

    def step_of(row: Progress, said: Mapping[str, Any] | None) -> Step:
        is_milestone = row.code in MILESTONES
        return Step(row, said or {}, last.get(row.position), is_milestone, is_milestone and known.waits(row))

    complaints = await complaints_of(tx, case.id)
    ids = [one.id for one in complaints]
    by_complaint: dict[UUID | None, list[Step]] = {}
    for row, own in await steps_of(tx, here, case.id):
        step = step_of(row, own.said if own else None)
        named = own.complaint_id if own is not None else None
        by_complaint.setdefault(belongs_to(named, ids) if step.is_milestone else named, []).append(step)
    shown = [
        Shown(one, by_complaint.get(one.id, []), _standing(by_complaint.get(one.id, [])), await _reference(tx, here, one))
        for one in complaints
    ]
    explained = select(Explained).where(col(Explained.case_id) == case.id).order_by(col(Explained.occurred_at), col(Explained.id))
    heard = [step_of(row, None) for row in await heard_of(tx, here, case.id)]
    return Register(
        shown, by_complaint.get(None, []), heard,
        [step for steps in (*by_complaint.values(), heard) for step in steps if step.is_to_tell],
        safe_hours(case.relay, case.safety, was_unsafe=known.was_unsafe),
        list((await tx.session.execute(explained)).scalars()), await breaches_of(tx, case.id),
    )  # fmt: skip


async def _reference(tx: Transaction, here: Here, complaint: Complaint) -> str | None:
    number = await number_of(tx, complaint.id) if here.entry.mother is not None else None
    return None if number is None else reference(number)


def _standing(steps: Sequence[Step]) -> Standing:
    return standing(Fact(ProgressCode(one.row.code), one.row.occurred_at, one.row.on_date) for one in steps)


async def to_tell(tx: Transaction, _here: Here, by: Actor) -> tuple[list[ToTell], int]:
    """Whom this desk has something to tell, the newest first, and how many milestones there are in all. Of what does not open,
    because its key is not here, it stands there that there is something."""
    with shut_shown():
        return await _to_tell_lines(tx, by)


async def _to_tell_lines(tx: Transaction, by: Actor) -> tuple[list[ToTell], int]:
    settled = (col(Telling.position) == col(Progress.position), col(Telling.outcome).in_(SETTLED))
    was_told, was_told_off = exists().where(*settled, ~col(Telling.is_off)), exists().where(*settled, col(Telling.is_off))
    is_off = and_(col(Progress.code) == ProgressCode.HEARING_DATE, col(Progress.on_date).is_(None))
    off_at, restored = col(Progress.off_recorded_at), await restored_at(tx)
    is_lost = and_(col(Progress.occurred_at) < restored, off_at >= restored) if restored is not None else false()
    was_heard_of = and_(is_off, off_at.is_not(None), ~was_told_off, or_(was_told, is_lost))
    hold = await _hold_again(tx, was_heard_of, scope.this_case(by))
    query = (
        select(Progress, Case, func.count().over())
        .join(Case, col(Case.id) == col(Progress.case_id))
        .where(col(Progress.code).in_(MILESTONES), scope.this_case(by))
        .where(or_(and_(~is_off, ~was_told), and_(was_heard_of, col(Progress.position).not_in(hold))))
        .order_by(col(Progress.recorded_at).desc(), col(Progress.position).desc())
        .limit(LIST_MAX)
    )
    found = (await tx.session.execute(query)).tuples().all()
    cases = {case.id: case for _row, case, _count in found}
    unsafe = select(col(Telling.case_id)).where(col(Telling.case_id).in_(cases), col(Telling.outcome) == Told.NOT_SAFE)
    not_safe = set((await tx.session.execute(unsafe)).scalars()) if cases else set()
    lines = [
        ToTell(
            case, [_to_tell(row) for row, of, _count in reversed(found) if of.id == id_],
            safe_hours(case.relay, case.safety, was_unsafe=id_ in not_safe),
        )
        for id_, case in cases.items()
    ]  # fmt: skip
    return lines, int(found[0][2]) if found else 0


async def _hold_again(tx: Transaction, *conditions: ColumnElement[bool]) -> set[int]:
    """Those of some hearings that are off whose day the same agency has set again, or set twice. Their days lie sealed, and few
    are ever off: they are compared here."""
    off = select(Progress).join(Case, col(Case.id) == col(Progress.case_id)).where(*conditions)
    steps = (await tx.session.execute(off)).scalars().all()
    if not steps:
        return set()
    of_cases = select(Progress).where(
        among(tx, col(Progress.case_id), {step.case_id for step in steps}), col(Progress.code) == ProgressCode.HEARING_DATE,
        col(Progress.on_date).is_not(None),
    )  # fmt: skip
    known = [one for one in (await tx.session.execute(of_cases)).scalars() if isinstance(one.on_date, date)]
    stand = {(one.case_id, one.agency, one.on_date) for one in known}
    # Of a day that does not open, or was erased, nobody can say that it was set again: it stays to be told.
    opened = [step for step in steps if isinstance(step.was_on, date)]
    return {step.position or 0 for step in opened if (step.case_id, step.agency, step.was_on) in stand}


def _to_tell(row: Progress) -> StepToTell:
    return StepToTell(HearingOff.type, "line", row.was_on) if row.is_off else StepToTell(row.code, "progress", row.on_date)


async def case_ways(_tx: Transaction, _here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the complaint of a case is."""
    return [(f"/cases/{case.id}/complaint", _("Complaint"))]


@dataclass(slots=True)
class Counts:
    """How many of each in a period, of the cases that an account may see; without whoever wants to be left out of figures.

    `withdrawn` by who asked and whether pressure was seen; what was recorded without asking is not known.
    """

    registered: int = 0
    withdrawn: Counter[tuple[str, str]] = field(default_factory=Counter)
    withdrawn_where: Counter[str] = field(default_factory=Counter)  # at the station, in court
    asked_alone: int = 0  # withdrawals at which she was asked alone whether she is safe
    not_safe: int = 0  # and answered that she is not
    reopened: int = 0
    charged: int = 0
    verdicts: int = 0
    pressure_to_settle: int = 0
    breaches: Counter[str] = field(default_factory=Counter)

    def withdrawn_by(self, who: str | None = None, pressure: str | None = None) -> int:
        """Withdrawals, by who asked and by pressure where these are named."""
        return sum(n for (one, seen), n in self.withdrawn.items() if who in (None, one) and pressure in (None, seen))


PLAIN = {
    ProgressCode.COMPLAINT_REGISTERED: "registered", ProgressCode.COMPLAINT_REOPENED: "reopened", ProgressCode.CHARGED: "charged",
    ProgressCode.VERDICT: "verdicts", ProgressCode.PRESSURE_TO_SETTLE: "pressure_to_settle",
}  # fmt: skip


async def counted(tx: Transaction, here: Here, by: Actor, of: Period) -> Counts:
    """The figures of a period, by the times at which things happened. No case is opened for them."""
    first, until = here.begin_of(of.first), here.begin_of(of.until)
    counts = Counts()
    for step in await steps(tx, here, PLAIN, first, until, scope.this_case(by)):
        setattr(counts, PLAIN[step.code], getattr(counts, PLAIN[step.code]) + 1)
    withdrawn = (
        of_counted(Progress, col(ComplaintStep.said))
        .outerjoin(ComplaintStep, col(ComplaintStep.position) == col(Progress.position))
        .where(
            col(Progress.agency) == here.agency, col(Progress.code) == ProgressCode.COMPLAINT_WITHDRAWN, scope.this_case(by),
            col(Progress.occurred_at) >= first, col(Progress.occurred_at) < until,
        )
    )  # fmt: skip
    with shut_shown():  # what does not open is counted without what it said
        for said in (await tx.session.execute(withdrawn)).scalars():
            answers = said or {}
            counts.withdrawn[answers.get("asked_by", AskedBy.NOT_KNOWN.value), answers.get("pressure", Ternary.UNKNOWN.value)] += 1
            counts.withdrawn_where[answers.get("where", Where.NOT_KNOWN.value)] += 1
            counts.asked_alone += bool(answers.get("asked_alone"))
            counts.not_safe += answers.get("is_safe") == Ternary.NO
    counts.breaches.update(await breaches_counted(tx, here, by, of))
    return counts
