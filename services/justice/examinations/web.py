"""Routes: examinations of a case, their order, and those that wait."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.justice.examinations import commands, views
from services.justice.examinations.commands import AskOrder, Begin, Finish, OrderCame
from services.justice.examinations.tables import Examination
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_listed, note_read
from shared.casework.edge import Edge, IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.here import Actor
from shared.kit.db import Transaction

LOOK = "examination"
router = APIRouter(prefix="/api/v1", tags=["justice"])


class ExaminationView(OfACase):
    """An examination and how its order stands; what was found is not here."""

    look: ClassVar[str] = LOOK

    id: UUID
    case_id: UUID
    post: str
    begun_at: datetime
    done_at: datetime | None
    order_state: str
    order_number: str | None
    order_due_at: datetime | None
    order_asked_of: str | None
    order_asked_at: datetime | None
    order_came_at: datetime | None


def _view(row: Examination) -> ExaminationView:
    return ExaminationView.model_validate(row.model_dump())


@router.get("/examinations")
async def get_unfinished(edge: OneEdge, by: SignedIn) -> Page:
    """Examinations of the account's desks that are not over, or whose order is owed."""
    by.may_work()
    async with edge.database.write() as tx:
        found = await views.unfinished(tx, by)
        await note_listed(tx, [case.id for _row, case in found], by)
        return Page(items=[_view(row) for row, _case in found])


@router.get("/cases/{case_id}/examinations")
async def get_examinations(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """The examinations of a case."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, LOOK)
        return Page(items=[_view(row) for row in await commands.examinations_of(tx, case.id)])


@router.post("/cases/{case_id}/examinations", status_code=201, response_model=ExaminationView)
async def post_examination(
    case_id: UUID, body: Begin, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """One begins, with her yes; the order may follow where the programme says so."""

    async def work(tx: Transaction) -> ExaminationView:
        return _view(await commands.begin(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


async def _moved(
    request: Request, edge: Edge, by: Actor, key: str | None, move: Callable[[Transaction], Awaitable[Examination]]
) -> Response:
    async def work(tx: Transaction) -> ExaminationView:
        return _view(await move(tx))

    return await command(request, edge, by, work, key=key)


@router.post("/examinations/{examination_id}/order-asked", response_model=ExaminationView)
async def post_asked(
    examination_id: UUID, body: AskOrder, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """The order was asked for afterwards."""
    return await _moved(request, edge, by, key, lambda tx: commands.ask_order(examination_id, body, tx, by))


@router.post("/examinations/{examination_id}/order-came", response_model=ExaminationView)
async def post_came(
    examination_id: UUID, body: OrderCame, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """The order is there."""
    return await _moved(request, edge, by, key, lambda tx: commands.order_came(examination_id, body, tx, edge.here, by))


@router.post("/examinations/{examination_id}/done", response_model=ExaminationView)
async def post_done(
    examination_id: UUID, body: Finish, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """It is over."""
    return await _moved(request, edge, by, key, lambda tx: commands.finish(examination_id, body, tx, by))
