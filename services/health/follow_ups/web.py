"""Routes: follow-up visits of a case, what became of them, and how many there were."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.health.follow_ups import commands, views
from services.health.follow_ups.commands import MakeVisit, MoveVisit
from services.health.follow_ups.tables import FollowUp
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.figures.domain import period
from shared.casework.follow_ups.commands import AnswerVisit
from shared.casework.follow_ups.domain import State
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["health"])


class VisitView(OfACase):
    """A visit; what it is for stays here."""

    look: ClassVar[str] = "care"

    id: UUID
    case_id: UUID
    which: str | None
    due_on: date
    state: str


class ProposedView(Body):
    """A visit that may be made, because of what was given."""

    which: str
    due_on: date


class PlanView(Body):
    """The visits of a case and what may be made beside them."""

    visits: list[VisitView]
    proposed: list[ProposedView]


class VisitFigures(Body):
    """Of one place: visits whose day lay in the period."""

    facility: str
    due: int
    kept: int
    missed: int


def _view(row: FollowUp) -> VisitView:
    return VisitView(id=row.id, case_id=row.case_id, which=row.which, due_on=row.due_on, state=row.state)


@router.get("/cases/{case_id}/follow-ups")
async def get_plan(case_id: UUID, edge: OneEdge, by: SignedIn) -> PlanView:
    """The visits of a case, by their days, and what may be made."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "care")
        plan = await views.plan_of(tx, edge.here, case)
    proposed = [ProposedView(which=one.which, due_on=one.due_on) for one in plan.proposed]
    return PlanView(visits=[_view(row) for row in plan.visits], proposed=proposed)


@router.post("/cases/{case_id}/follow-ups", status_code=201, response_model=VisitView)
async def post_visit(
    case_id: UUID, body: MakeVisit, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Makes a visit; the nearest one is the next clinic date."""

    async def work(tx: Transaction) -> VisitView:
        return _view(await commands.make_visit(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/follow-ups/{visit_id}/answer", response_model=VisitView)
async def post_answer(
    visit_id: UUID, body: AnswerVisit, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Kept, nobody has come yet, or called off."""

    async def work(tx: Transaction) -> VisitView:
        return _view(await commands.answer_visit(visit_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/follow-ups/{visit_id}/move", response_model=VisitView)
async def post_move(
    visit_id: UUID, body: MoveVisit, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Gives it another day."""

    async def work(tx: Transaction) -> VisitView:
        return _view(await commands.move_visit(visit_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.get("/follow-ups/figures")
async def get_figures(
    edge: OneEdge, by: SignedIn, month: Annotated[str, Query(description="a month or a quarter: 2026-10, 2026-Q4")]
) -> Page:
    """Visits due, kept and missed by place, for a supervisor; no case is opened for it."""
    of = period(month)
    async with edge.database.write() as tx:
        found = await views.figures(tx, edge.here, by, of.first, of.until)
    return Page(
        items=[
            VisitFigures(facility=one.facility, due=one.due, kept=one.states[State.KEPT], missed=one.states[State.MISSED])
            for one in found
        ]
    )
