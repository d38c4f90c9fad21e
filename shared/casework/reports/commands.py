"""What people write down of a medical report: at the clinic who examined and signed, that it is ready and into whose hand it went;
at the desk that it came and how long a suspect is held; at both what was asked for it. What is typed late keeps its own time.
"""

import secrets
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope
from shared.casework.acts import ask_first
from shared.casework.alarms.commands import raise_alarm
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.cases.tables import Case
from shared.casework.circles.commands import RecordProgress, record_progress
from shared.casework.here import Actor, Here
from shared.casework.referrals import story
from shared.casework.referrals.commands import load_referral
from shared.casework.referrals.tables import Referral
from shared.casework.reports import domain, records
from shared.casework.reports.domain import Ground, Holder, Step, Traveller
from shared.casework.reports.records import Kept, form_of
from shared.casework.reports.tables import Report
from shared.casework.situations import situation_of
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import AgencyKind, ProgressCode, ServicePackage, Urgency
from shared.contracts.casework.lifecycle import MissingDetail
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.programmes.terms import Act, Fact

NAME_CHARACTERS_MAX = 80  # of whoever signs or hands over, as it stands on the paper; it stays here, sealed
ORDER_CHARACTERS_MAX = 60  # of the mark of a court's order
AMOUNT_MAX = 100_000_000  # in the country's money; more is a mistyped figure
KM_MAX = 5_000  # one way; more is a mistyped figure
CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without what is read wrongly
CODE_CHARACTERS = 6  # a thousand million codes: two of one clinic are not alike

OF_BOTH = frozenset({Step.HANDED_BACK, Step.COLLECTED, Step.FEE_ASKED, Step.FEE_PAID, Step.TRAVELLED})
MAY_RECORD = {
    AgencyKind.HEALTH: OF_BOTH | {Step.EXAMINED, Step.SIGNED, Step.READY},
    AgencyKind.POLICE: OF_BOTH | {Step.HELD, Step.RELEASED},
}

Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
FORM_IS_WRONG = _("This form is not taken; hand it back and ask for %(form)s, version %(version)s.")


class OpenReport(Form):
    """A report that no referral of ours asks for: she, a court or a sheet of paper does."""

    form: events.Code
    form_version: Annotated[int, Field(ge=1)]
    occurred_at: events.Moment | None = None


class RecordStep(Form):
    """A fact of a report. Which fields go with which step says `NEEDED`, `ALLOWED`; `name` and `other_name` stay here, sealed."""

    step: Step
    post: events.Code | None = Field(default=None, description="ours: who examined, signed, holds, hands over or takes it")
    name: Name | None = None
    signed_as: events.Code | None = Field(default=None, description="which of the form's signers, by the programme's id")
    form: events.Code | None = Field(default=None, description="as it stands on the paper; left out: the form that was asked for")
    form_version: Annotated[int, Field(ge=1)] | None = None
    holder: Holder | None = None
    ground: Ground | None = None
    how: codes.ConsentHow | None = None
    language: events.LanguageTag | None = None
    order: Annotated[str, Field(min_length=1, max_length=ORDER_CHARACTERS_MAX)] | None = None
    other_post: events.Code | None = Field(default=None, description="of the other end, into or out of whose hand it goes")
    other_name: Name | None = None
    custody_code: events.CustodyCode | None = None
    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX)] | None = None
    who: Traveller | None = None
    mode: codes.TravelMode | None = None
    km: Annotated[int, Field(ge=0, le=KM_MAX)] | None = None
    occurred_at: events.Moment | None = None
    entered_for: events.FacilityId | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> "RecordStep":
        given = {name for name in DETAILS if getattr(self, name) is not None}
        needed, allowed = NEEDED.get(self.step, frozenset()), ALLOWED.get(self.step, frozenset())
        if missing := sorted(needed - given):
            raise ValueError(f"'{missing[0]}' goes with the step {self.step}")
        if foreign := sorted(given - needed - allowed):
            raise ValueError(f"'{foreign[0]}' does not go with the step {self.step}")
        if self.step is Step.REQUESTED:
            raise ValueError("'step': a report is asked for by a referral, or opened on the case")
        if self.ground is Ground.CONSENT and self.how not in codes.HER_OWN_WAYS:
            raise ValueError("'how' says how the yes was given: spoken, thumb or signature")
        if (self.ground is Ground.COURT_ORDER) != (self.order is not None):
            raise ValueError("'order' goes with a court's order, and with nothing else")
        return self


DETAILS = frozenset(RecordStep.model_fields) - {"step", "occurred_at", "entered_for"}
_PAPER = frozenset({"form", "form_version"})
NEEDED: Mapping[Step, frozenset[str]] = {
    Step.EXAMINED: frozenset({"post"}),
    Step.SIGNED: frozenset({"post"}),
    Step.READY: frozenset({"post"}),
    Step.COLLECTED: frozenset({"post"}),
    Step.FEE_ASKED: frozenset({"amount"}),
    Step.FEE_PAID: frozenset({"amount"}),
    Step.TRAVELLED: frozenset({"who", "mode"}),
}
ALLOWED: Mapping[Step, frozenset[str]] = {
    Step.HANDED_BACK: _PAPER,
    Step.EXAMINED: frozenset({"name"}),
    Step.SIGNED: frozenset({"name", "signed_as"}) | _PAPER,
    Step.READY: frozenset({"custody_code"}),
    Step.COLLECTED: frozenset({"name", "other_post", "other_name", "custody_code", "holder", "ground", "how", "language", "order"})
    | _PAPER,
    Step.TRAVELLED: frozenset({"km"}),
}


async def open_report(case_id: UUID, command: OpenReport, tx: Transaction, here: Here, by: Actor) -> Report:
    """A report without a referral; raises Conflict where the form is not one that is in use."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    scope.not_as_guest(by, case.facility, case.id)
    _right(here, {"form": command.form, "form_version": command.form_version})
    now = tx.clock.now()
    report = Report(
        id=new_id(), case_id=case.id, facility=_place(case, by), form=command.model_dump(include={"form", "form_version"}),
        status=Step.REQUESTED, requested_at=happened("occurred_at", command.occurred_at, now), recorded_at=now,
        recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(report)
    await tx.session.flush()
    return report


async def load_report(tx: Transaction, report_id: UUID, by: Actor) -> Report:
    """A report of a case that the account may see; raises OutOfSight."""
    by.may_work()
    query = select(Report).where(col(Report.id) == report_id, scope.sees_case(by, col(Report.case_id)))
    report = (await tx.session.execute(query)).scalar_one_or_none()
    if report is None:
        raise scope.OutOfSight("There is no such report.", report_id)
    return report


async def report_along(referral_id: UUID, tx: Transaction, by: Actor) -> Report:
    """The report of a referral: what was asked before reports were kept, or is written though nobody asked, begins here."""
    by.may_work()
    referral = await load_referral(tx, referral_id, by)
    known = await records.of_referral(tx, referral.id)
    if known is not None:
        return known
    if referral.direction == "out" and not (referral.said or {}).get("report_form"):
        raise Conflict("No report was asked for with this referral.")
    await story.lock(tx, referral.id)
    return await records.ask_along(tx, referral.id, referral.case_id, referral.desk, referral.issued_at, by.account_id)


async def record_step(report_id: UUID, command: RecordStep, tx: Transaction, here: Here, by: Actor) -> Report:
    """Keeps a fact, now or late. Raises Conflict where it is not this agency's, or stands here with the same time already."""
    report = await load_report(tx, report_id, by)
    referral, case = await _locked(tx, report, by)
    scope.not_as_guest(by, referral.desk if referral is not None else report.facility, report.case_id)
    if command.step not in MAY_RECORD.get(here.kind, frozenset()):
        raise Conflict("“%(step)s” is not for this agency to record.", step=Coded(command.step, "report_step"))
    now = tx.clock.now()
    at = happened("occurred_at", command.occurred_at, now)
    facts = await records.facts_of(tx, report.id)
    if any(one.is_own and one.step == command.step and one.occurred_at == at for one in facts):
        raise Conflict("This stands here already, with the same time.")
    said = _said(tx, here, by, report, referral, command, [one.said or {} for one in facts])
    if command.entered_for is not None:
        here.facility(command.entered_for)
        if not by.sees(command.entered_for):
            raise NotFound("This account does not work at %(place)s.", place=Coded(command.entered_for, "place"))
    desk = referral.desk if referral is not None else report.facility
    await _ask_first(tx, here, by, case, desk, command, said, form_of(report, referral) or {})
    how = Kept(at, recorded_by=by.account_id, entered_for=command.entered_for or here.on_paper(desk))
    await records.keep(tx, here, report, referral, command.step, said, how)
    if said.get("is_breach"):
        await raise_alarm(tx, here, "breach", report.id, desk, Urgency.URGENT, report.case_id, to_supervisor=True)
    if command.step is Step.COLLECTED and here.kind is AgencyKind.POLICE:
        step = RecordProgress(code=ProgressCode.MEDICAL_REPORT_RECEIVED, occurred_at=at)
        await record_progress(case.id, step, tx, here, by)
    return report


async def _locked(tx: Transaction, report: Report, by: Actor) -> tuple[Referral | None, Case]:
    case = await load_case(tx, report.case_id, by)
    if report.referral_id is None:
        await outbox.lock_subjects(tx, [report.id, case.circle])
        referral = None
    else:
        referral = await story.lock(tx, report.referral_id, case.circle)
    await tx.session.refresh(report)
    return referral, case


ASKED_AS = {
    (AgencyKind.HEALTH, Step.SIGNED): Act.SIGN_MEDICAL_REPORT, (AgencyKind.POLICE, Step.COLLECTED): Act.TAKE_MEDICAL_REPORT,
}  # fmt: skip


async def _ask_first(
    tx: Transaction, here: Here, by: Actor, case: Case, desk: str, command: RecordStep, said: Mapping[str, Any],
    asked: Mapping[str, Any],
) -> None:  # fmt: skip
    """Whether the programme lets a report be signed, or taken in as somebody read it off the paper."""
    act = ASKED_AS.get((here.kind, command.step))
    if act is None:
        return
    paper = {**asked, **{name: said[name] for name in _PAPER if name in said}}
    situation = situation_of(
        here, act, tx.clock.now(), desk, case, form=paper.get("form") if command.form_version is not None else None,
        form_version=paper.get("form_version"), facts=frozenset({Fact.SIGNED}) if act is Act.SIGN_MEDICAL_REPORT else frozenset(),
    )  # fmt: skip
    await ask_first(tx, here, by.account_id, situation, desk, case.id, case.id)


def _said(
    tx: Transaction, here: Here, by: Actor, report: Report, referral: Referral | None, command: RecordStep,
    before: list[Mapping[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    """What a fact says beside its step and time."""
    said = command.model_dump(mode="json", include=set(DETAILS), exclude_none=True)
    facility = by.facility or (referral.desk if referral is not None else report.facility)
    if command.post is not None and command.post not in here.posts(command.entered_for or facility):
        raise MissingDetail("post", "This place has no such post; choose one of its own.")
    asked = dict(form_of(report, referral) or {})
    back = next((one for one in reversed(before) if one.get("reason_code")), None)
    wanted = {name: back[name] for name in _PAPER} if back is not None else asked  # the right one came since
    paper = {**wanted, **{name: said[name] for name in _PAPER if name in said}}
    match command.step:
        case Step.HANDED_BACK:
            said |= _handed_back(here, {**asked, **{name: said[name] for name in _PAPER if name in said}})
        case Step.SIGNED:
            _right(here, paper)
            said |= _signer(here, paper, command.signed_as)
        case Step.READY:
            said.setdefault("custody_code", _known_code(before) or new_code())
        case Step.COLLECTED:
            if command.form_version is not None:  # what is read off the paper in the hand
                _right(here, paper)
            said |= _handed_over(here, referral, command, before)
        case Step.FEE_ASKED:
            services = [ServicePackage.EXAMINATION_AND_REPORT, *(referral.services if referral is not None else ())]
            said["is_breach"] = domain.is_breach(here.programme, asked.get("form"), services, command.amount or 0, tx.clock.now())
    return said


def _handed_back(here: Here, paper: Mapping[str, Any]) -> dict[str, Any]:
    if "form" not in paper:
        raise MissingDetail("form", "Say which form it is, and which version.")
    why = domain.wrong_form(here.programme, paper["form"], paper.get("form_version", 1))
    if why is None:
        raise Conflict("This form is the one in use; there is nothing to hand back.")
    form, version = domain.right_form(here.programme, paper["form"])
    return {"reason_code": why.value, "form": form, "form_version": version, "brought": paper["form"],
            "brought_version": paper.get("form_version", 1)}  # fmt: skip


def _right(here: Here, paper: Mapping[str, Any]) -> None:
    """Raises Conflict where a form is not the one in use, and names that one."""
    if "form" not in paper or domain.wrong_form(here.programme, paper["form"], paper.get("form_version", 1)) is None:
        return
    form, version = domain.right_form(here.programme, paper["form"])
    raise Conflict(FORM_IS_WRONG, form=Coded(form, "report_form"), version=version)


def _signer(here: Here, paper: Mapping[str, Any], signed_as: str | None) -> dict[str, Any]:
    form = here.programme.report_forms.get(paper.get("form", ""))
    signers = form.signers if form is not None else ()
    if not signers:
        return {}
    chosen = signed_as or (signers[0] if len(signers) == 1 else None)
    if chosen not in signers:
        known = ", ".join(str(here.programme.staff[one].name) for one in signers)
        raise MissingDetail("signed_as", "This form is signed by: %(known)s.", known=known)
    return {"signed_as": chosen}


def _handed_over(
    here: Here, referral: Referral | None, command: RecordStep, before: list[Mapping[str, Any]]
) -> dict[str, Any]:  # fmt: skip
    """At the clinic: one document to one holder, by her yes or a court's order. At the desk: the code on the envelope."""
    if here.kind is AgencyKind.POLICE:
        if command.holder is not None or command.ground is not None:
            raise MissingDetail("holder", "Who may hold it is asked where it is handed over.")
        return {}
    if command.holder is None:
        raise MissingDetail("holder", "Say into whose hand it goes.")
    if command.holder is not Holder.HERSELF and command.ground is None:
        raise MissingDetail("ground", "Say whether the patient said yes to this, or a court ordered it.")
    if command.holder is Holder.DESK and referral is not None and command.other_post is not None:
        desk = here.network.facility(referral.issuer, referral.from_facility)
        if desk is not None and command.other_post not in desk.posts:
            raise MissingDetail("other_post", "The desk has no such post; choose one of its own.")
    code = command.custody_code or _known_code(before)
    return {"custody_code": code} if code is not None else {}


def _known_code(before: list[Mapping[str, Any]]) -> str | None:
    return next((one["custody_code"] for one in reversed(before) if one.get("custody_code")), None)


def new_code(kind: str = "M") -> str:
    """A code for an envelope or a sample: random, so that it tells nothing of whose it is."""
    return f"{kind}-" + "".join(secrets.choice(CODE_ALPHABET) for _place in range(CODE_CHARACTERS))


def _place(case: Case, by: Actor) -> str:
    return case.facility if by.sees(case.facility) else by.facility or case.facility
