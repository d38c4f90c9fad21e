"""Keeping a report and its facts, and telling the desk that asked as far as she allows: what is kept back is told with her yes,
late, with its own times. Whoever calls this holds the lock of the referral, or of the report where there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.tables import Referral
from shared.casework.reports import domain
from shared.casework.reports.domain import TOLD, Fact, Gap, Holder, Standing, Step
from shared.casework.reports.tables import Report, ReportFact
from shared.contracts.casework import events
from shared.contracts.casework.codes import AgencyKind, Urgency
from shared.exchange import feed
from shared.kit.db import Transaction
from shared.kit.ids import new_id

IN_CHAIN = frozenset({Gap.COLLECTED_TWICE, Gap.CODES_DIFFER})  # the one document may be in a hand that may not hold it
CUSTODY, LIMIT = "report_custody", "report_before_limit"


@dataclass(frozen=True, slots=True)
class Kept:
    """How a fact came into these records."""

    occurred_at: datetime
    is_own: bool = True
    recorded_by: UUID | None = None
    entered_for: str | None = None
    event_id: UUID | None = None


def row_along(
    tx: Transaction, referral_id: UUID, case_id: UUID, facility: str, at: datetime, by: UUID | None = None
) -> dict[str, Any]:
    """The row of a report that a new referral asks for, at either end."""
    return {
        "id": new_id(), "case_id": case_id, "referral_id": referral_id, "facility": facility, "form": None,
        "status": str(Step.REQUESTED), "requested_at": at, "signed_at": None, "collected_at": None, "sign_by": None,
        "limit_at": None, "recorded_at": tx.clock.now(), "recorded_by": by,
    }  # fmt: skip


async def ask_along(
    tx: Transaction, referral_id: UUID, case_id: UUID, facility: str, at: datetime, by: UUID | None = None
) -> Report:
    """The report of a referral, made where there is none yet; the caller holds the referral's lock."""
    known = await of_referral(tx, referral_id)
    if known is not None:
        return known
    report = Report(**row_along(tx, referral_id, case_id, facility, at, by))
    tx.session.add(report)
    await tx.session.flush()
    return report


async def of_referral(tx: Transaction, referral_id: UUID) -> Report | None:
    """The report that a referral asked for."""
    return (await tx.session.execute(select(Report).where(col(Report.referral_id) == referral_id))).scalar_one_or_none()


async def is_begun(tx: Transaction, _here: Here, referral: Referral) -> bool:
    """Whether anything was written down here of the report that a request asked for."""
    report = await of_referral(tx, referral.id)
    return report is not None and any(fact.is_own for fact in await facts_of(tx, report.id))


async def facts_of(tx: Transaction, report_id: UUID) -> list[ReportFact]:
    """Its facts, as they were learned."""
    query = select(ReportFact).where(col(ReportFact.report_id) == report_id).order_by(col(ReportFact.position))
    return list((await tx.session.execute(query)).scalars())


def form_of(report: Report, referral: Referral | None) -> Mapping[str, Any] | None:
    """The form that is wanted: as the referral says it, which goes with her consent, or as it was entered here."""
    said = (referral.said or {}).get("report_form") if referral is not None else report.form
    return said or None


def standing_of(here: Here, report: Report, referral: Referral | None, facts: list[ReportFact]) -> Standing:
    """Where it stands."""
    asked = Fact(Step.REQUESTED, report.requested_at)
    told = [Fact(Step(one.step), one.occurred_at, one.is_own, (one.said or {}).get("custody_code")) for one in facts]
    return domain.standing([asked, *told], domain.detention_days(here.programme, (form_of(report, referral) or {}).get("form")))


async def keep(
    tx: Transaction, here: Here, report: Report, referral: Referral | None, step: Step, said: Mapping[str, Any], how: Kept
) -> ReportFact:
    """Keeps a fact, folds the report anew, and tells what may be told."""
    word = _word(step, said) if how.is_own and _is_told_of(here, referral) and step in TOLD else None
    kept_back, event_id = False, how.event_id
    if word is not None and referral is not None and how.event_id is None:
        kept_back = not _may_tell(referral)
        event_id = None if kept_back else await story.say(tx, here, referral, word, how.occurred_at)
    fact = ReportFact(
        report_id=report.id, case_id=report.case_id, step=step, is_own=how.is_own, is_kept_back=kept_back, event_id=event_id,
        entered_for=how.entered_for, said=dict(said) or None, occurred_at=how.occurred_at, recorded_at=tx.clock.now(),
        recorded_by=how.recorded_by,
    )  # fmt: skip
    tx.session.add(fact)
    await tx.session.flush()
    await _line(tx, here, report, referral, fact, word)
    await refold(tx, here, report, referral)
    return fact


async def refold(tx: Transaction, here: Here, report: Report, referral: Referral | None) -> Standing:
    """Writes where it stands now; alarms where the one document may have gone astray, and lets an alarm go that is over."""
    facts = await facts_of(tx, report.id)
    now = standing_of(here, report, referral, facts)
    report.status = now.status
    report.signed_at, report.collected_at, report.limit_at = _signed_at(here, now), now.first.get(Step.COLLECTED), now.limit_at
    report.sign_by = domain.sign_by(here.programme, (form_of(report, referral) or {}).get("form"), now.first)
    await tx.session.flush()
    if now.gaps & IN_CHAIN:
        desk = referral.desk if referral is not None else report.facility
        await raise_alarm(tx, here, CUSTODY, report.id, desk, Urgency.URGENT, report.case_id, to_supervisor=True)
    over = ({LIMIT} if now.is_done or report.limit_at is None else set()) | (set() if now.gaps & IN_CHAIN else {CUSTODY})
    await clear(tx, here, report.id, over)
    return now


def _signed_at(here: Here, now: Standing) -> datetime | None:
    """The desk may not be told of the signature: what it holds in its hand was signed by then."""
    in_hand = (Step.READY, Step.COLLECTED) if here.kind is AgencyKind.POLICE else ()
    return now.first.get(Step.SIGNED) or min((now.first[step] for step in in_hand if step in now.first), default=None)


def _is_told_of(here: Here, referral: Referral | None) -> bool:
    """Whether there is a desk that asked and may be told at all."""
    if referral is None or referral.direction != "in" or not (referral.said or {}).get("report_form"):
        return False
    if here.known_kind(referral.issuer) is None:  # it has left
        return False
    return (here.kind, here.kind_of(referral.issuer)) == (AgencyKind.HEALTH, AgencyKind.POLICE)


def _may_tell(referral: Referral) -> bool:
    """`fb` was agreed to at the desk and once more here; and nothing of it was taken back or has ended since."""
    is_over = referral.said is None or story.standing_of(referral).consent_taken_back
    return referral.feedback_agreed and referral.feedback is True and not is_over


def _word(step: Step, said: Mapping[str, Any]) -> events.ReportMoved | None:
    crossing = {name: said.get(name) for name in ("reason_code", "form", "form_version")} if step is Step.HANDED_BACK else {}
    if step is Step.COLLECTED and said.get("holder") != Holder.DESK:
        return None  # hers, or a court's: what the desk waits for is not in its hand, and whose hand it is, is not told
    if step in {Step.READY, Step.COLLECTED}:
        crossing = {"post": said.get("post"), "custody_code": said.get("custody_code")}
        if crossing["custody_code"] is None:
            return None  # it was handed over without an envelope of its own: the hand that took it knows
    return events.ReportMoved.model_validate({"status": TOLD[step], **crossing})


async def tell_kept_back(tx: Transaction, here: Here, referral: Referral) -> None:
    """She says yes, late: what was kept back of the report is told, with its own times."""
    report = await of_referral(tx, referral.id)
    if report is None or not _may_tell(referral):
        return
    for fact in await facts_of(tx, report.id):
        word = _word(Step(fact.step), fact.said or {}) if fact.is_kept_back else None
        if word is not None:
            fact.event_id, fact.is_kept_back = await story.say(tx, here, referral, word, fact.occurred_at), False
    await tx.session.flush()


async def _line(
    tx: Transaction, here: Here, report: Report, referral: Referral | None, fact: ReportFact, word: events.ReportMoved | None
) -> None:
    """One line of the diary: which step, and nothing of who and how. What a desk alone keeps, and fees, stand on no line."""
    if Step(fact.step) not in TOLD:
        return
    agency = here.agency if fact.is_own or referral is None else referral.recipient
    line = feed.Line(
        kind=events.ReportMoved.type, subject=referral.id if referral is not None else report.id, agency=agency,
        is_own=fact.is_own, occurred_at=fact.occurred_at, case_id=report.case_id,
        facility=referral.desk if referral is not None else report.facility, event_id=fact.event_id, detail={"status": fact.step},
    )  # fmt: skip
    await feed.record(tx, line)
