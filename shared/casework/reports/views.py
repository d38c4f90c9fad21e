"""Reports as they are shown: one with its facts, a desk's open ones, and the lines of a work list. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.referrals.tables import Referral
from shared.casework.reports import domain, records
from shared.casework.reports.domain import STANDS_AFTER, WARNED_BEFORE, Standing, Step
from shared.casework.reports.tables import Report, ReportFact
from shared.casework.work.views import LIST_MAX
from shared.contracts.casework.codes import AgencyKind, ReferralState
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _


@dataclass(frozen=True, slots=True)
class Shown:
    """One report, whole. `wrong`: why the form that was asked for is not taken, and `right` the one that is."""

    report: Report
    case: Case
    referral: Referral | None
    facts: Sequence[ReportFact]
    standing: Standing
    form: Mapping[str, Any] | None
    wrong: str | None
    right: tuple[str, int] | None

    @property
    def code(self) -> str | None:
        """What the envelope is known by."""
        said = [one.said or {} for one in self.facts]
        return next((one["custody_code"] for one in reversed(said) if one.get("custody_code")), None)

    @property
    def in_order(self) -> list[ReportFact]:
        """The facts by their own times."""
        return sorted(self.facts, key=lambda one: (one.occurred_at, one.position or 0))


@dataclass(frozen=True, slots=True)
class Line:
    """One of a list."""

    report: Report
    case: Case
    referral: Referral | None

    @property
    def is_here(self) -> bool:
        """Whether she has come to the place that writes it."""
        return self.referral is None or self.referral.arrived_at is not None


async def shown(tx: Transaction, here: Here, report: Report) -> Shown:
    """A report as its page shows it; whoever asks was let in before."""
    referral = await tx.session.get(Referral, report.referral_id) if report.referral_id is not None else None
    case = await tx.session.get_one(Case, report.case_id)
    facts = await records.facts_of(tx, report.id)
    form = records.form_of(report, referral)
    wrong = domain.wrong_form(here.programme, form["form"], form["form_version"]) if form else None
    right = domain.right_form(here.programme, form["form"]) if form and wrong else None
    return Shown(report, case, referral, facts, records.standing_of(here, report, referral, facts), form, wrong, right)


async def of_case(tx: Transaction, case_id: UUID) -> list[Report]:
    """The reports of a case, oldest first."""
    query = select(Report).where(col(Report.case_id) == case_id).order_by(col(Report.requested_at), col(Report.id))
    return list((await tx.session.execute(query)).scalars())


async def open_ones(tx: Transaction, by: Actor) -> list[Line]:
    """The open reports of the account's desks: first whose limit comes first, then the oldest."""
    desk = func.coalesce(col(Referral.desk), col(Report.facility))
    query = (
        select(Report, Case, Referral)
        .join(Case, col(Case.id) == col(Report.case_id))
        .outerjoin(Referral, col(Referral.id) == col(Report.referral_id))
        .where(col(Report.status) != Step.COLLECTED, scope.at_desk(by, desk, col(Report.case_id)))  # type: ignore[arg-type]
        .order_by(col(Report.limit_at).is_(None), col(Report.limit_at), col(Report.requested_at), col(Report.id))
        .limit(LIST_MAX)
    )
    lines = [Line(*row) for row in (await tx.session.execute(query)).tuples()]
    return [one for one in lines if one.referral is None or _goes_on(one)]


def _goes_on(line: Line) -> bool:
    """What was asked for by a request that came to nothing is on no list, unless something of it was written."""
    assert line.referral is not None
    is_over = line.referral.state in {ReferralState.DECLINED, ReferralState.CANCELLED}
    return not is_over or line.report.status != Step.REQUESTED or line.report.limit_at is not None


def in_sections(here: Here, lines: Sequence[Line], now: datetime) -> dict[str, list[Line]]:
    """The lists of a page, in the order in which they are worked on."""
    found: dict[str, list[Line]] = {name: [] for name in SECTIONS[here.kind]}
    for line in lines:
        found[_section(here, line, now)].append(line)
    return found


SECTIONS: Mapping[AgencyKind, Mapping[str, str]] = {
    AgencyKind.POLICE: {
        "limit": _("Due before the remand limit"), "ready": _("Ready: to be fetched"), "back": _("The right form is wanted"),
        "asked": _("Asked for"),
    },
    AgencyKind.HEALTH: {
        "sign": _("To be signed"), "examine": _("Asked for, and here"), "ready": _("Ready: to be fetched"),
        "back": _("Handed back: another form is wanted"), "asked": _("Asked for, not here yet"),
    },
}  # fmt: skip


def _section(here: Here, line: Line, now: datetime) -> str:
    report = line.report
    if here.kind is AgencyKind.POLICE and report.limit_at is not None and report.limit_at > now - STANDS_AFTER:
        return "limit"
    match report.status:
        case Step.READY:
            return "ready"
        case Step.HANDED_BACK:
            return "back"
        case Step.EXAMINED | Step.SIGNED if here.kind is AgencyKind.HEALTH:
            return "sign"
    return "examine" if here.kind is AgencyKind.HEALTH and line.is_here else "asked"


async def work_lines(tx: Transaction, here: Here, by: Actor) -> Sequence[tuple[str, Said]]:
    """What a work list says of reports: how many wait, and for what."""
    found = in_sections(here, await open_ones(tx, by), tx.clock.now())
    said = {
        AgencyKind.POLICE: {
            "limit": _("Medical reports that are due before the remand limit: %(count)s."),
            "ready": _("Medical reports that are ready to be fetched: %(count)s."),
            "back": _("Medical reports for which the right form is wanted: %(count)s."),
        },
        AgencyKind.HEALTH: {
            "sign": _("Medical reports that wait to be signed: %(count)s."),
            "ready": _("Medical reports that wait to be fetched: %(count)s."),
        },
    }[here.kind]
    return [("/reports", Sentence(text, {"count": len(found[name])})) for name, text in said.items() if found[name]]


async def due_soon(tx: Transaction, here: Here, by: Actor) -> Sequence[Line]:
    """What a desk's work list begins with: what it needs before somebody is released, the nearest first."""
    now = tx.clock.now()
    first, last = now - STANDS_AFTER, now + WARNED_BEFORE
    return [one for one in await open_ones(tx, by) if one.report.limit_at and first < one.report.limit_at <= last]


async def case_ways(_tx: Transaction, _here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the reports of a case are."""
    return [(f"/cases/{case.id}/reports", _("Medical report"))]
