"""Routes: the complaint of a case, what was explained and told to her, breaches of the protocol, and how many there were."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.police.complaints import commands, views
from services.police.complaints.commands import AddStep, Explain, RegisterComplaint, Reopen, TakeOff, TellHer, Withdraw
from services.police.complaints.domain import AskedBy, Where
from services.police.complaints.tables import Explained, Telling
from shared.casework.breaches.domain import BreachCode
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import Edge, IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.figures.domain import period
from shared.casework.here import Actor
from shared.contracts.casework.codes import Ternary
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["police"])


class StepView(Body):
    """A step of a complaint, or one that another agency told of the case. `said` is what was asked with a withdrawal or a
    reopening; `told` what became of telling her. A hearing that `is_off` will not be on the day that was told: `was_on`."""

    step: int
    agency: str
    code: str
    hearing_on: date | None
    is_off: bool
    was_on: date | None
    occurred_at: datetime
    said: dict[str, Any]
    told: str | None


class HearingOffView(StepView, OfACase):
    """The step of a case that lost its day."""

    look: ClassVar[str] = "complaint"

    case_id: UUID


class ComplaintView(OfACase):
    """A complaint and where its facts leave it."""

    look: ClassVar[str] = "complaint"

    id: UUID
    case_id: UUID
    incident_id: UUID | None
    number: str | None
    reference: str | None  # at a station that is usually offline: its own number, given at once
    state: str
    gaps: list[str]
    steps: list[StepView]


class ExplainedView(OfACase):
    """What of the legal process was explained."""

    look: ClassVar[str] = "complaint"

    id: UUID
    case_id: UUID
    topics: list[str]
    language: str | None
    interpreter: bool
    post: str
    occurred_at: datetime


class ToldView(OfACase):
    """What became of telling her a step."""

    look: ClassVar[str] = "complaint"

    id: UUID
    case_id: UUID
    step: int | None
    outcome: str
    is_off: bool
    how: str | None
    occurred_at: datetime


class ToTellView(Body):
    """What she is to be told, and when a message is safe: null where she is told only when she comes."""

    safe_hours: str | None
    steps: list[StepView]


class WithdrawnView(Body):
    """Withdrawals by who asked and by pressure."""

    asked_by: str
    pressure: str
    count: int


class ComplaintFigures(Body):
    """Reports, not prevalence; a nought is no proof that nobody was pressed."""

    period: str
    registered: int
    withdrawn: int
    withdrawn_by: list[WithdrawnView]
    withdrawn_where: dict[str, int]
    asked_alone: int
    not_safe: int
    reopened: int
    charged: int
    verdicts: int
    pressure_to_settle: int
    mediations_attempted: int
    breaches: dict[str, int]


def _step(step: views.Step) -> StepView:
    row = step.row
    return StepView(
        step=row.position or 0, agency=row.agency, code=row.code, hearing_on=row.on_date, is_off=step.is_off, was_on=row.was_on,
        occurred_at=row.occurred_at, said=dict(step.said),
        told=step.telling.outcome if step.telling else None,
    )  # fmt: skip


def _complaint(shown: views.Shown) -> ComplaintView:
    one = shown.complaint
    return ComplaintView(
        id=one.id, case_id=one.case_id, incident_id=one.incident_id, number=one.number, reference=shown.reference,
        state=shown.standing.state,
        gaps=sorted(shown.standing.gaps), steps=[_step(step) for step in shown.steps],
    )  # fmt: skip


def _explained(row: Explained) -> ExplainedView:
    return ExplainedView.model_validate(row.model_dump(exclude={"facility", "recorded_at", "recorded_by"}))


def _told(row: Telling) -> ToldView:
    return ToldView(
        id=row.id, case_id=row.case_id, step=row.position, outcome=row.outcome, is_off=row.is_off, how=row.how,
        occurred_at=row.occurred_at,
    )  # fmt: skip


async def _register(tx: Transaction, edge: Edge, case_id: UUID, by: Actor) -> views.Register:
    return await views.register_of(tx, edge.here, await load_case(tx, case_id, by))


async def _read(tx: Transaction, edge: Edge, case_id: UUID, by: Actor) -> views.Register:
    case = await load_case(tx, case_id, by)
    await note_read(tx, case.id, by, "complaint")
    return await views.register_of(tx, edge.here, case)


async def _one(tx: Transaction, edge: Edge, case_id: UUID, complaint_id: UUID, by: Actor) -> ComplaintView:
    found = await _register(tx, edge, case_id, by)
    return next(_complaint(one) for one in found.complaints if one.complaint.id == complaint_id)


@router.post("/cases/{case_id}/complaints", status_code=201, response_model=ComplaintView)
async def post_complaint(
    case_id: UUID, body: RegisterComplaint, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Registers a complaint of the case, or of one of its incidents."""

    async def work(tx: Transaction) -> ComplaintView:
        made = await commands.register(case_id, body, tx, edge.here, by)
        return await _one(tx, edge, case_id, made.id, by)

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/complaints")
async def get_complaints(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """The complaints of a case, each with its steps in the order of their own times."""
    async with edge.database.write() as tx:
        found = await _read(tx, edge, case_id, by)
        return Page(items=[_complaint(one) for one in found.complaints])


@router.post("/cases/{case_id}/complaints/{complaint_id}/steps", status_code=201, response_model=ComplaintView)
async def post_step(
    case_id: UUID, complaint_id: UUID, body: AddStep, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """A milestone, now or late; members of the circle hear what she allows."""

    async def work(tx: Transaction) -> ComplaintView:
        await commands.add_step(case_id, complaint_id, body, tx, edge.here, by)
        return await _one(tx, edge, case_id, complaint_id, by)

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/cases/{case_id}/complaints/{complaint_id}/withdrawals", status_code=201, response_model=ComplaintView)
async def post_withdrawal(
    case_id: UUID, complaint_id: UUID, body: Withdraw, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Withdrawn. Care and referrals go on."""

    async def work(tx: Transaction) -> ComplaintView:
        await commands.withdraw(case_id, complaint_id, body, tx, edge.here, by)
        return await _one(tx, edge, case_id, complaint_id, by)

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/cases/{case_id}/complaints/{complaint_id}/reopenings", status_code=201, response_model=ComplaintView)
async def post_reopening(
    case_id: UUID, complaint_id: UUID, body: Reopen, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """It goes on, with the reason."""

    async def work(tx: Transaction) -> ComplaintView:
        await commands.reopen(case_id, complaint_id, body, tx, edge.here, by)
        return await _one(tx, edge, case_id, complaint_id, by)

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/cases/{case_id}/legal-information", status_code=201, response_model=ExplainedView)
async def post_explained(
    case_id: UUID, body: Explain, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """She was told how the legal process goes."""

    async def work(tx: Transaction) -> ExplainedView:
        return _explained(await commands.explain(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/legal-information")
async def get_explained(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """What was explained, oldest first."""
    async with edge.database.write() as tx:
        return Page(items=[_explained(row) for row in (await _read(tx, edge, case_id, by)).explained])


@router.get("/cases/{case_id}/to-tell")
async def get_to_tell(case_id: UUID, edge: OneEdge, by: SignedIn) -> ToTellView:
    """Milestones that she has not been told yet, and her safe way."""
    async with edge.database.write() as tx:
        found = await _read(tx, edge, case_id, by)
        return ToTellView(safe_hours=found.hours, steps=[_step(one) for one in found.to_tell])


@router.post("/cases/{case_id}/hearing-off", status_code=201, response_model=HearingOffView)
async def post_hearing_off(
    case_id: UUID, body: TakeOff, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """A hearing that this desk entered will not be on that day; whoever was told of it hears so."""

    async def work(tx: Transaction) -> HearingOffView:
        await commands.take_off_hearing(case_id, body, tx, edge.here, by)
        found = await _register(tx, edge, case_id, by)
        off = next(_step(one) for one in found.steps if one.row.position == body.step)
        return HearingOffView(case_id=case_id, **off.model_dump())

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/cases/{case_id}/told", status_code=201, response_model=ToldView)
async def post_told(
    case_id: UUID, body: TellHer, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """She was told a milestone by her safe way, or it was not safe."""

    async def work(tx: Transaction) -> ToldView:
        return _told(await commands.tell_her(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/complaints/figures")
async def get_figures(
    edge: OneEdge, by: SignedIn, month: Annotated[str, Query(description="a month or a quarter: 2026-10, 2026-Q4")]
) -> ComplaintFigures:
    """Complaints, withdrawals with pressure, and breaches of a month or quarter, for a supervisor: no case is opened for it."""
    by.may_work()
    by.may_supervise()
    async with edge.database.read() as tx:
        counts = await views.counted(tx, edge.here, by, period(month))
    return ComplaintFigures(
        period=month, registered=counts.registered, withdrawn=counts.withdrawn_by(), asked_alone=counts.asked_alone,
        withdrawn_by=[
            WithdrawnView(asked_by=who, pressure=seen, count=counts.withdrawn_by(who, seen)) for who in AskedBy for seen in Ternary
        ],
        withdrawn_where={one.value: counts.withdrawn_where[one] for one in Where},
        not_safe=counts.not_safe, reopened=counts.reopened, charged=counts.charged, verdicts=counts.verdicts,
        pressure_to_settle=counts.pressure_to_settle, mediations_attempted=counts.breaches[BreachCode.MEDIATION_ATTEMPTED],
        breaches={code.value: counts.breaches[code] for code in BreachCode},
    )  # fmt: skip
