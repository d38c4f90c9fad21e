"""Acts on a complaint. Each milestone is a coded step of the case, said once by `record_progress`, so that a member of the circle
hears what she allows; everything else stays here. None of these acts touches a referral or a consent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlmodel import col

from services.police.complaints.domain import (
    MILESTONES,
    SETTLED,
    STEPS,
    AskedBy,
    Fact,
    HowTold,
    Told,
    Topic,
    Where,
    WhyReopened,
)
from services.police.complaints.tables import Complaint, ComplaintStep, Explained, Telling
from services.police.stations.commands import give_number
from shared.casework.acts import ask_first
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.circles.commands import RecordProgress, note_step_off, record_progress, take_off
from shared.casework.circles.tables import Progress
from shared.casework.here import Actor, Here
from shared.casework.messages.views import safe_hours
from shared.casework.scope import OutOfSight, not_as_guest, whole_agency
from shared.casework.situations import situation_of
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import ProgressCode, Registered, Ternary
from shared.exchange import outbox
from shared.exchange.incarnations import restored_at
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.programmes.terms import Act

NUMBER_LABEL = "police_complaints.number"
NO_SAFE_HOURS = _("There are no hours at which a message is safe. Tell it on the next visit.")
TWICE = _("This step stands here already, with the same time.")


class RegisterComplaint(Form):
    """The number as it stands in the register of First Information Reports, where there is one yet."""

    number: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9/-]{0,29}$")] | None = None
    incident_id: UUID | None = None
    occurred_at: events.Moment | None = None
    told_now: bool = False


class AddStep(Form):
    """A milestone of a complaint."""

    code: ProgressCode
    hearing_on: date | None = None
    occurred_at: events.Moment | None = None
    told_now: bool = False

    @model_validator(mode="after")
    def _is_a_step(self) -> "AddStep":
        if self.code not in STEPS:
            raise ValueError(f"'code' is one of {', '.join(STEPS)}; what else happens to a complaint has a route of its own")
        if (self.code in codes.DATED) != (self.hearing_on is not None):
            raise ValueError("'hearing_on' goes with a hearing, and with nothing else")
        return self


class Withdraw(Form):
    """Who asked, whether pressure was seen, and whether she was asked alone if she is safe."""

    asked_by: AskedBy
    where: Where = Where.NOT_KNOWN
    pressure: Ternary
    asked_alone: bool
    is_safe: Ternary | None = None
    occurred_at: events.Moment | None = None
    told_now: bool = False

    @model_validator(mode="after")
    def _answer_where_it_was_asked(self) -> "Withdraw":
        if self.asked_alone != (self.is_safe is not None):
            raise ValueError("'is_safe' is her answer where she was asked alone, and is left out where she was not")
        return self


class Reopen(Form):
    """Why it goes on."""

    reason: WhyReopened
    occurred_at: events.Moment | None = None
    told_now: bool = False


class Explain(Form):
    """What of the legal process was explained, and how."""

    topics: tuple[Topic, ...] = Field(min_length=1, max_length=len(Topic))
    language: events.LanguageTag
    interpreter: bool
    post: events.Code
    occurred_at: events.Moment | None = None


class TakeOff(Form):
    """Of a hearing that this desk entered: it will not be on that day. Another day is another step."""

    step: int
    occurred_at: events.Moment | None = None


class TellHer(Form):
    """What became of telling her a milestone. `is_off`: what she was told is that a day does not hold; left out, as it is now."""

    step: int
    outcome: Told
    how: HowTold | None = None
    is_off: bool | None = None

    @model_validator(mode="after")
    def _said_how(self) -> "TellHer":
        if self.outcome is Told.BEFORE:
            raise ValueError("'outcome' is told or not_safe")
        if (self.outcome is Told.TOLD) != (self.how is not None):
            raise ValueError("'how' says by which safe way she was told, and is left out where it was not safe")
        return self


async def register(case_id: UUID, command: RegisterComplaint, tx: Transaction, here: Here, by: Actor) -> Complaint:
    """Registers a complaint; raises Conflict where the number or the incident has one already."""
    case = await _locked(tx, case_id, by)
    if command.incident_id is not None:
        incident = await tx.session.get(Incident, command.incident_id)
        if incident is None or incident.case_id != case.id:
            raise OutOfSight("There is no such incident.", command.incident_id)
    for other in await complaints_of(tx, case.id):
        if other.incident_id == command.incident_id:
            raise Conflict("A complaint of this is registered already; add to that one.")
    incident = await tx.session.get(Incident, command.incident_id) if command.incident_id is not None else None
    situation = situation_of(here, Act.REGISTER_COMPLAINT, tx.clock.now(), case.facility, case, incident)
    await ask_first(tx, here, by.account_id, situation, case.facility, case.id, case.id)
    index = await _index(tx, command.number) if command.number is not None else None
    complaint = Complaint(
        id=new_id(), case_id=case.id, incident_id=command.incident_id, number=command.number, number_index=index,
        facility=case.facility, entered_at=tx.clock.now(), entered_by=by.account_id,
    )  # fmt: skip
    tx.session.add(complaint)
    await tx.session.flush()
    step = RecordProgress(code=ProgressCode.COMPLAINT_REGISTERED, occurred_at=command.occurred_at)
    own = await _say(complaint, step, None, command.told_now, tx, here, by)
    said = await tx.session.get_one(Progress, own.position)
    await give_number(tx, here, Registered.COMPLAINT, complaint.id, case.id, case.facility, said.occurred_at)
    return complaint


async def _index(tx: Transaction, number: str) -> bytes:
    """A number's digest; raises Conflict where a complaint has it, whosever that is."""
    index = tx.keys.index(NUMBER_LABEL, number)
    async with whole_agency(tx):
        found = await tx.session.execute(select(col(Complaint.id)).where(col(Complaint.number_index) == index))
        if found.first() is not None:
            raise Conflict("Another complaint has this number; look it up in the register.")
    return index


async def add_step(case_id: UUID, complaint_id: UUID, command: AddStep, tx: Transaction, here: Here, by: Actor) -> ComplaintStep:
    """Records a milestone, now or late; raises Conflict where it stands already."""
    complaint = await _load(tx, case_id, complaint_id, by)
    step = RecordProgress(code=command.code, on_date=command.hearing_on, occurred_at=command.occurred_at)
    return await _say(complaint, step, None, command.told_now, tx, here, by)


async def withdraw(case_id: UUID, complaint_id: UUID, command: Withdraw, tx: Transaction, here: Here, by: Actor) -> ComplaintStep:
    """Records that a complaint was withdrawn. Care and referrals go on; whoever is not safe is helped first."""
    complaint = await _load(tx, case_id, complaint_id, by)
    not_as_guest(by, complaint.facility, complaint.case_id)
    said = command.model_dump(mode="json", include={"asked_by", "where", "pressure", "asked_alone", "is_safe"})
    step = RecordProgress(code=ProgressCode.COMPLAINT_WITHDRAWN, occurred_at=command.occurred_at)
    return await _say(complaint, step, said, command.told_now, tx, here, by)


async def reopen(case_id: UUID, complaint_id: UUID, command: Reopen, tx: Transaction, here: Here, by: Actor) -> ComplaintStep:
    """Records that it goes on. The withdrawal may be entered after it."""
    complaint = await _load(tx, case_id, complaint_id, by)
    step = RecordProgress(code=ProgressCode.COMPLAINT_REOPENED, occurred_at=command.occurred_at)
    return await _say(complaint, step, {"reason": command.reason.value}, command.told_now, tx, here, by)


async def _say(
    complaint: Complaint,
    step: RecordProgress,
    said: Mapping[str, Any] | None,
    told_now: bool,
    tx: Transaction,
    here: Here,
    by: Actor,
) -> ComplaintStep:
    """One step, said once: the same step at the same time is the same step, and so is a hearing on the same day at any time."""
    now = tx.clock.now()
    at = happened("occurred_at", step.occurred_at, now)
    fact = Fact(step.code, at, step.on_date)
    for known, own in await steps_of(tx, here, complaint.case_id):
        if own is None or own.complaint_id != complaint.id:
            continue
        if fact.on_date is not None and known.on_date == fact.on_date:
            raise Conflict("This complaint has a hearing on that day already.")
        if _fact(known) == fact:
            raise Conflict(TWICE)
    row, _told = await record_progress(complaint.case_id, step.model_copy(update={"occurred_at": at}), tx, here, by)
    assert row.position is not None
    own = ComplaintStep(
        position=row.position, case_id=complaint.case_id, complaint_id=complaint.id, said=dict(said) if said else None
    )  # fmt: skip
    tx.session.add(own)
    if told_now:
        tx.session.add(_telling(row, Told.TOLD, HowTold.WHEN_SHE_CAME, tx, by))
    await tx.session.flush()
    return own


async def explain(case_id: UUID, command: Explain, tx: Transaction, here: Here, by: Actor) -> Explained:
    """Keeps that she was told how the legal process goes, and by which post of this desk."""
    case = await _locked(tx, case_id, by)
    facility = by.facility or case.facility
    if command.post not in here.posts(facility):
        raise Conflict("This place has no such post; choose one of its own.")
    now = tx.clock.now()
    row = Explained(
        id=new_id(), case_id=case.id, topics=sorted(set(map(str, command.topics))), language=command.language,
        interpreter=command.interpreter, post=command.post, facility=facility,
        occurred_at=happened("occurred_at", command.occurred_at, now), recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def take_off_hearing(case_id: UUID, command: TakeOff, tx: Transaction, here: Here, by: Actor) -> Progress:
    """The day of a hearing does not hold, or was mistyped: whoever was told of it hears so. Raises Conflict where it is off.

    Where another step stands for the same day, of another complaint or entered twice, the day holds, and nobody is told otherwise.
    """
    case = await _locked(tx, case_id, by)
    not_as_guest(by, case.facility, case.id)
    steps = {row.position: row for row, _own in await steps_of(tx, here, case.id)}
    step = steps.get(command.step)
    if step is None or step.code != ProgressCode.HEARING_DATE:
        raise Conflict("There is no such hearing of this agency’s in this case; read it again.")
    if step.on_date is None:
        raise Conflict("This day was taken back already.")
    at = happened("occurred_at", command.occurred_at, tx.clock.now())
    of_the_day = [row for row in steps.values() if row.code == step.code and row.on_date == step.on_date]
    if len(of_the_day) > 1:
        note_step_off(step, at, tx.clock.now())
        await tx.session.flush()
    else:
        await take_off(case, step.on_date, at, tx, here)
        await tx.session.refresh(step)
    return step


async def tell_her(
    case_id: UUID, command: TellHer, tx: Transaction, here: Here, by: Actor, *, said_her_word: bool = False
) -> Telling:
    """Keeps that she was told a milestone, or that it was not safe; raises Conflict where a message is safe at no hour.
    `said_her_word`: whoever calls has just answered her enquiry, in which she said it."""
    if command.how is HowTold.BY_HER_WORD and not said_her_word:
        raise Conflict("By telephone only whoever says the agreed word is told; enter the call first, and keep it there.")
    case = await _locked(tx, case_id, by)
    step = await tx.session.get(Progress, command.step)
    if step is None or step.case_id != case.id or step.code not in MILESTONES:
        raise Conflict("There is no such step in this case; read it again.")
    known = await known_to_her(tx, case.id)
    is_off = step.is_off if command.is_off is None else command.is_off
    if is_off and not step.is_off:
        raise Conflict("This day holds; read the page again.")
    # Whoever was told the day just as it was taken off was told it: that it does not hold waits to be told then.
    is_late = not is_off and step.is_off and not known.was_told(step, is_off=False)
    if not is_late and (is_off != step.is_off or not known.waits(step)):
        raise Conflict("This has been told already.")
    if command.how is HowTold.IN_SAFE_HOURS and safe_hours(case.relay, case.safety, was_unsafe=known.was_unsafe) is None:
        raise Conflict(NO_SAFE_HOURS)
    row = _telling(step, command.outcome, command.how, tx, by, is_off=is_off)
    tx.session.add(row)
    await tx.session.flush()
    return row


@dataclass(frozen=True, slots=True)
class Known:
    """What she was told of a case, and the days of hearings that stand, by who set them. What she was told before the database was
    `restored` is lost."""

    tellings: Sequence[Telling]
    days: frozenset[tuple[str, date]]
    restored: datetime | None

    @property
    def was_unsafe(self) -> bool:
        """Whether a message was not safe once."""
        return was_unsafe(self.tellings)

    def was_told(self, step: Progress, *, is_off: bool) -> bool:
        """Whether she was told a step; of a hearing its day, or that this does not hold."""
        return any(one.position == step.position and one.is_off == is_off and one.outcome in SETTLED for one in self.tellings)

    def waits(self, step: Progress) -> bool:
        """Whether she is to be told a milestone: once; and once more, of a hearing that she was told of, that its day does not
        hold, unless the same agency has another on that day. She may have been told, before a restore, of any day that was set
        before. `to_tell` of the views asks the database the same."""
        was_told = self.was_told(step, is_off=False)
        if not step.is_off:
            return not was_told
        if step.off_recorded_at is None or (step.agency, step.was_on) in self.days or self.was_told(step, is_off=True):
            return False
        return was_told or (self.restored is not None and step.occurred_at < self.restored <= step.off_recorded_at)


def was_unsafe(tellings: Iterable[Telling]) -> bool:
    """Whether a message was not safe once: none is from then on."""
    return any(one.outcome == Told.NOT_SAFE for one in tellings)


async def known_to_her(tx: Transaction, case_id: UUID) -> Known:
    """What she was told of a case, and which hearings stand."""
    days = select(col(Progress.agency), col(Progress.on_date)).where(
        col(Progress.case_id) == case_id, col(Progress.code) == ProgressCode.HEARING_DATE, col(Progress.on_date).is_not(None)
    )
    standing = frozenset((agency, on) for agency, on in (await tx.session.execute(days)).tuples() if on is not None)
    return Known(await tellings_of(tx, case_id), standing, await restored_at(tx))


def _telling(
    step: Progress, outcome: Told, how: HowTold | None, tx: Transaction, by: Actor, *, is_off: bool = False
) -> Telling:  # fmt: skip
    now = tx.clock.now()
    assert step.position is not None
    return Telling(
        id=new_id(), case_id=step.case_id, position=step.position, outcome=outcome, is_off=is_off, how=how, occurred_at=now,
        recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip


async def _locked(tx: Transaction, case_id: UUID, by: Actor) -> Case:
    """The case, with its circle's turn taken: two desks do not register, or tell, the same thing at once."""
    by.may_work()
    circle = (await load_case(tx, case_id, by)).circle
    await outbox.lock_subjects(tx, [circle])
    return await load_case(tx, case_id, by, lock=True)


async def _load(tx: Transaction, case_id: UUID, complaint_id: UUID, by: Actor) -> Complaint:
    case = await _locked(tx, case_id, by)
    complaint = await tx.session.get(Complaint, complaint_id)
    if complaint is None or complaint.case_id != case.id:
        raise OutOfSight("There is no such complaint.", complaint_id)
    return complaint


def _fact(row: Progress) -> Fact:
    return Fact(ProgressCode(row.code), row.occurred_at, row.on_date)


async def complaints_of(tx: Transaction, case_id: UUID) -> list[Complaint]:
    """The complaints of a case, as they were entered."""
    query = select(Complaint).where(col(Complaint.case_id) == case_id).order_by(col(Complaint.entered_at), col(Complaint.id))
    return list((await tx.session.execute(query)).scalars())


async def steps_of(tx: Transaction, here: Here, case_id: UUID) -> list[tuple[Progress, ComplaintStep | None]]:
    """Every step that this agency recorded on a case, by their own times, with the complaint that it was entered for."""
    query = (
        select(Progress, ComplaintStep)
        .outerjoin(ComplaintStep, col(ComplaintStep.position) == col(Progress.position))
        .where(col(Progress.case_id) == case_id, col(Progress.agency) == here.agency)
        .order_by(col(Progress.occurred_at), col(Progress.position))
    )
    return list((await tx.session.execute(query)).tuples())


async def heard_of(tx: Transaction, here: Here, case_id: UUID) -> list[Progress]:
    """Every milestone that another agency told of a case, by their own times: a hearing that a court set, a charge, a verdict."""
    query = (
        select(Progress)
        .where(col(Progress.case_id) == case_id, col(Progress.agency) != here.agency, col(Progress.code).in_(MILESTONES))
        .order_by(col(Progress.occurred_at), col(Progress.position))
    )
    return list((await tx.session.execute(query)).scalars())


async def tellings_of(tx: Transaction, case_id: UUID) -> list[Telling]:
    """What became of telling her, oldest first."""
    query = select(Telling).where(col(Telling.case_id) == case_id).order_by(col(Telling.recorded_at), col(Telling.id))
    return list((await tx.session.execute(query)).scalars())
