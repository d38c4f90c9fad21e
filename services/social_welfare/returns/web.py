"""Routes: returns of a case: what was asked before, her answer, that she went, and the end."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.social_welfare.returns import commands
from services.social_welfare.returns.commands import AnswerReturn, AssessReturn, EndReturn, WentBack
from services.social_welfare.returns.tables import HomeReturn
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["social welfare"])


class ReturnView(OfACase):
    """A return; it is told to nobody."""

    look: ClassVar[str] = "return"

    id: UUID
    case_id: UUID
    state: str
    asked: dict[str, Any] | None
    said: dict[str, Any] | None
    assessed_at: datetime
    agreed_at: datetime | None
    returned_at: datetime | None
    ended_at: datetime | None
    ending: str | None


def _view(row: HomeReturn) -> ReturnView:
    return ReturnView.model_validate(row.model_dump(include=set(ReturnView.model_fields)))


@router.get("/cases/{case_id}/returns")
async def get_returns(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """Every return of a case, the last first."""
    by.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "return")
        return Page(items=[_view(row) for row in await commands.returns_of(tx, case.id)])


@router.post("/cases/{case_id}/returns", status_code=201, response_model=ReturnView)
async def post_assessment(
    case_id: UUID, body: AssessReturn, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Keeps what was asked before a return."""

    async def work(tx: Transaction) -> ReturnView:
        return _view(await commands.assess(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/cases/{case_id}/returns/answer", response_model=ReturnView)
async def post_answer(
    case_id: UUID, body: AnswerReturn, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Her own answer, after it."""

    async def work(tx: Transaction) -> ReturnView:
        return _view(await commands.keep_answer(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/cases/{case_id}/returns/went", response_model=ReturnView)
async def post_went(
    case_id: UUID, request: Request, edge: OneEdge, by: SignedIn, body: WentBack | None = None, key: IdempotencyKey = None
) -> Response:
    """She went; days are set on which she is seen again."""

    async def work(tx: Transaction) -> ReturnView:
        return _view(await commands.went_back(case_id, body or WentBack(), tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/cases/{case_id}/returns/end", response_model=ReturnView)
async def post_end(
    case_id: UUID, body: EndReturn, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """It is over: a person says so."""

    async def work(tx: Transaction) -> ReturnView:
        return _view(await commands.end_return(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)
