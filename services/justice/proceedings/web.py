"""Routes: charge, hearings and verdict of a case, and the hearings of this week."""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.justice.proceedings import commands, views
from services.justice.proceedings.commands import AnswerHearing, Charge, GiveVerdict, SetHearing
from services.justice.proceedings.tables import Hearing
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.here import Here
from shared.kit.bodies import Body
from shared.kit.db import Transaction

LOOK = "proceedings"
router = APIRouter(prefix="/api/v1", tags=["justice"])


class HearingView(OfACase):
    """A day in court."""

    look: ClassVar[str] = LOOK

    id: UUID
    case_id: UUID
    on_date: date
    state: str


class VerdictView(Body):
    """That a court has decided; `outcome` stays within this agency."""

    occurred_at: datetime
    outcome: str | None


class ProceedingsView(OfACase):
    """Of a case."""

    look: ClassVar[str] = LOOK

    case_id: UUID
    charged_at: datetime | None
    next_on: date | None
    waits_for_day: bool  # a hearing was put off, and no other day is set
    hearings: list[HearingView]
    verdicts: list[VerdictView]


def _hearing(row: Hearing) -> HearingView:
    return HearingView(id=row.id, case_id=row.case_id, on_date=row.on_date, state=row.state)


async def _proceedings(tx: Transaction, here: Here, case_id: UUID, by: SignedIn) -> ProceedingsView:
    case = await load_case(tx, case_id, by)
    found = await views.proceedings_of(tx, here, case)
    verdicts = [VerdictView(occurred_at=one.occurred_at, outcome=one.outcome) for one in found.verdicts]
    hearings = [_hearing(one) for one in found.hearings]
    return ProceedingsView(
        case_id=case.id, charged_at=found.charged_at, next_on=found.next_on, waits_for_day=found.waits_for_day, hearings=hearings,
        verdicts=verdicts,
    )  # fmt: skip


@router.get("/hearings")
async def get_hearings(edge: OneEdge, by: SignedIn) -> Page:
    """Hearings of this week, after those of which nobody has said what became of them."""
    by.may_work()
    async with edge.database.write() as tx:
        return Page(items=[_hearing(one) for one, _case in await views.first(tx, edge.here, by)])


@router.get("/cases/{case_id}/proceedings")
async def get_proceedings(case_id: UUID, edge: OneEdge, by: SignedIn) -> ProceedingsView:
    """Charge, hearings and verdicts of a case."""
    by.may_work()
    async with edge.database.write() as tx:
        found = await _proceedings(tx, edge.here, case_id, by)
        await found.keep_look(tx, by)
        return found


@router.post("/cases/{case_id}/charge", status_code=201, response_model=ProceedingsView)
async def post_charge(
    case_id: UUID, body: Charge, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Somebody is charged; nobody is named."""

    async def work(tx: Transaction) -> ProceedingsView:
        await commands.charge(case_id, body, tx, edge.here, by)
        return await _proceedings(tx, edge.here, case_id, by)

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/cases/{case_id}/hearings", status_code=201, response_model=HearingView)
async def post_hearing(
    case_id: UUID, body: SetHearing, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """A day in court is set."""

    async def work(tx: Transaction) -> HearingView:
        return _hearing(await commands.set_hearing(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/hearings/{hearing_id}/answer", response_model=HearingView)
async def post_answer(
    hearing_id: UUID, body: AnswerHearing, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """What became of it."""

    async def work(tx: Transaction) -> HearingView:
        return _hearing(await commands.answer_hearing(hearing_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/cases/{case_id}/verdicts", status_code=201, response_model=ProceedingsView)
async def post_verdict(
    case_id: UUID, body: GiveVerdict, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """A court has decided. How it did is told to nobody."""

    async def work(tx: Transaction) -> ProceedingsView:
        await commands.give_verdict(case_id, body, tx, edge.here, by)
        return await _proceedings(tx, edge.here, case_id, by)

    return await command(request, edge, by, work, status=201, key=key)
