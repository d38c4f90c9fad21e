"""Routes: medical reports of a case, their steps, the open ones of a desk, and how many there were."""

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_listed, note_read
from shared.casework.edge import Edge, IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.figures.domain import period
from shared.casework.reports import commands, views
from shared.casework.reports.commands import OpenReport, RecordStep
from shared.casework.reports.figures import figures
from shared.casework.reports.tables import Report, ReportFact
from shared.kit.bodies import Body
from shared.kit.db import Transaction

LOOK = "report"
router = APIRouter(prefix="/api/v1", tags=["reports"])


class ReportFactView(Body):
    """A fact. `said` holds what was written down with it; of what the other end told, codes only."""

    step: str
    is_own: bool
    is_told: bool
    entered_for: str | None
    occurred_at: datetime
    said: dict[str, Any]


class ReportView(OfACase):
    """A report and where its facts leave it, by their own times. What it says is in no field."""

    look: ClassVar[str] = LOOK

    id: UUID
    case_id: UUID
    referral_id: UUID | None
    form: str | None
    form_version: int | None
    form_wrong: str | None
    right_form: str | None
    right_form_version: int | None
    status: str
    gaps: list[str]
    requested_at: datetime
    signed_at: datetime | None
    collected_at: datetime | None
    sign_by: datetime | None
    limit_at: datetime | None
    custody_code: str | None
    facts: list[ReportFactView]


class OpenReportView(Body):
    """An open report of a list."""

    id: UUID
    case_id: UUID
    referral_id: UUID | None
    section: str
    status: str
    requested_at: datetime
    sign_by: datetime | None
    limit_at: datetime | None


class ReportFigures(Body):
    """Of one place: reports, not prevalence. What this kind of agency cannot know is absent."""

    facility: str
    counts: dict[str, int]
    until_signed_median_h: float | None


def _fact(one: ReportFact) -> ReportFactView:
    return ReportFactView(
        step=one.step, is_own=one.is_own, is_told=one.event_id is not None, entered_for=one.entered_for,
        occurred_at=one.occurred_at, said=one.said or {},
    )  # fmt: skip


def _view(shown: views.Shown) -> ReportView:
    report, form, right = shown.report, shown.form or {}, shown.right or (None, None)
    return ReportView(
        id=report.id, case_id=report.case_id, referral_id=report.referral_id, form=form.get("form"),
        form_version=form.get("form_version"), form_wrong=shown.wrong, right_form=right[0], right_form_version=right[1],
        status=report.status, gaps=sorted(shown.standing.gaps), requested_at=report.requested_at, signed_at=report.signed_at,
        collected_at=report.collected_at, sign_by=report.sign_by, limit_at=report.limit_at, custody_code=shown.code,
        facts=[_fact(one) for one in shown.in_order],
    )  # fmt: skip


async def _shown(tx: Transaction, edge: Edge, report: Report) -> ReportView:
    return _view(await views.shown(tx, edge.here, report))


@router.post("/cases/{case_id}/reports", status_code=201, response_model=ReportView)
async def post_report(
    case_id: UUID, body: OpenReport, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Opens a report that no referral asks for."""

    async def work(tx: Transaction) -> ReportView:
        return await _shown(tx, edge, await commands.open_report(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/reports")
async def get_reports(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """The reports of a case, oldest first."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, LOOK)  # that there is none tells something too
        return Page(items=[_view(await views.shown(tx, edge.here, report)) for report in await views.of_case(tx, case.id)])


@router.post("/referrals/{referral_id}/report", status_code=201, response_model=ReportView)
async def post_report_along(
    referral_id: UUID, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """The report of a referral; it is there already where the referral asked for one."""

    async def work(tx: Transaction) -> ReportView:
        return await _shown(tx, edge, await commands.report_along(referral_id, tx, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/reports")
async def get_open_reports(edge: OneEdge, by: SignedIn) -> Page:
    """The open reports of the account's desks, each with the list that it stands on."""
    by.may_work()
    async with edge.database.write() as tx:
        lines = await views.open_ones(tx, by)
        await note_listed(tx, {one.case.id for one in lines}, by)
        found = views.in_sections(edge.here, lines, tx.clock.now())
        return Page(items=[_line(section, one) for section, ones in found.items() for one in ones])


def _line(section: str, one: views.Line) -> OpenReportView:
    return OpenReportView.model_validate({**one.report.model_dump(), "section": section})


@router.get("/reports/figures")
async def get_figures(
    edge: OneEdge, by: SignedIn, month: Annotated[str, Query(description="a month or a quarter: 2026-10, 2026-Q4")]
) -> Page:
    """How many were asked for, signed, unsigned at the limit, and fees, by place: for a supervisor; no case is opened for it."""
    of = period(month)
    async with edge.database.write() as tx:
        found = await figures(tx, edge.here, by, of.first, of.until)
    return Page(
        items=[
            ReportFigures(
                facility=one.facility, counts={str(m): n for m, n in one.counts.items()}, until_signed_median_h=one.median_h
            )
            for one in found
        ]
    )


@router.get("/reports/{report_id}")
async def get_report(report_id: UUID, edge: OneEdge, by: SignedIn) -> ReportView:
    """A report, with its facts by their own times."""
    async with edge.database.write() as tx:
        report = await commands.load_report(tx, report_id, by)
        await note_read(tx, report.case_id, by, LOOK)
        return await _shown(tx, edge, report)


@router.post("/reports/{report_id}/steps", status_code=201, response_model=ReportView)
async def post_step(
    report_id: UUID, body: RecordStep, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """A fact, now or late. The desk that asked is told the step where the patient allows it, and nothing of who and how."""

    async def work(tx: Transaction) -> ReportView:
        return await _shown(tx, edge, await commands.record_step(report_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)
