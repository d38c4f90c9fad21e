"""Routes: visits of a case, what she says about being visited, going out and coming back."""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.social_welfare.visits import commands, views
from services.social_welfare.visits.commands import AnswerVisit, MakeVisit, SayVisiting, SetOut
from services.social_welfare.visits.tables import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, SignedIn, command
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["social welfare"])


class VisitView(OfACase):
    """A visit; what it is for and how it went stay here."""

    look: ClassVar[str] = "visits"

    id: UUID
    case_id: UUID
    kind: str
    which: str | None
    due_on: date
    part: str | None
    state: str
    knows: str | None
    second: UUID | None
    back_by: datetime | None
    set_out_at: datetime | None
    back_at: datetime | None
    outcome: dict[str, Any] | None
    turn_back: bool  # the worker is out, and her last word does not allow it any more


class VisitsView(OfACase):
    """The visits of a case, and what she said last about being visited."""

    look: ClassVar[str] = "visits"

    case_id: UUID
    word: dict[str, Any] | None
    visits: list[VisitView]


async def _view(tx: Transaction, row: Visit) -> VisitView:
    shown = row.model_dump(include=set(VisitView.model_fields))
    return VisitView.model_validate({**shown, "turn_back": await commands.turns_back(tx, row)})


async def _all(tx: Transaction, case: Case) -> VisitsView:
    plan = await views.plan_of(tx, case)
    return VisitsView(case_id=case.id, word=plan.word, visits=[await _view(tx, row) for row in plan.visits])


@router.get("/cases/{case_id}/visits")
async def get_visits(case_id: UUID, edge: OneEdge, by: SignedIn) -> VisitsView:
    """The visits of a case, by their days."""
    by.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "visits")
        return await _all(tx, case)


@router.post("/cases/{case_id}/visiting", response_model=VisitsView)
async def post_word(
    case_id: UUID, body: SayVisiting, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Keeps whether a visit is safe, how and when; visits that this does not allow are called off."""

    async def work(tx: Transaction) -> VisitsView:
        await commands.say_visiting(case_id, body, tx, edge.here, by)
        return await _all(tx, await load_case(tx, case_id, by))

    return await command(request, edge, by, work, key=key)


@router.post("/cases/{case_id}/visits", status_code=201, response_model=VisitView)
async def post_visit(
    case_id: UUID, body: MakeVisit, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Makes a visit; 409 with the reason where she has not said that it is safe so."""

    async def work(tx: Transaction) -> VisitView:
        return await _view(tx, await commands.make_visit(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/visits/{visit_id}/set-out", response_model=VisitView)
async def post_set_out(
    visit_id: UUID, body: SetOut, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """A worker goes, and says by when she is back."""

    async def work(tx: Transaction) -> VisitView:
        return await _view(tx, await commands.set_out(visit_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/visits/{visit_id}/back", response_model=VisitView)
async def post_back(visit_id: UUID, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """She is back."""

    async def work(tx: Transaction) -> VisitView:
        return await _view(tx, await commands.come_back(visit_id, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/visits/{visit_id}/answer", response_model=VisitView)
async def post_answer(
    visit_id: UUID, body: AnswerVisit, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Kept, or nobody has come yet; how it went is a code."""

    async def work(tx: Transaction) -> VisitView:
        return await _view(tx, await commands.answer_visit(visit_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)
