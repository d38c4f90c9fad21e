"""Routes: outreach sessions, and how many people they reached in a period."""

from collections import Counter
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.social_welfare.outreach import commands
from services.social_welfare.outreach.commands import WriteSession
from services.social_welfare.outreach.tables import OutreachSession
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.figures.domain import period
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["social welfare"])


class SessionView(Body):
    """A session: counts, of nobody in particular."""

    id: UUID
    facility: str
    kind: str
    district: str | None
    held_on: date
    reached: dict[str, dict[str, int]]
    total: int
    corrects: UUID | None


class OutreachFigures(Body):
    """Of a period, at the places of the account."""

    period: str
    sessions: dict[str, int]
    people: int
    by_sex: dict[str, int]
    by_age: dict[str, int]


def _view(row: OutreachSession) -> SessionView:
    return SessionView.model_validate(row.model_dump(include=set(SessionView.model_fields)))


@router.post("/outreach", status_code=201, response_model=SessionView)
async def post_session(body: WriteSession, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Writes a session down; `corrects` names one that was written down wrongly, which counts no more."""

    async def work(tx: Transaction) -> SessionView:
        return _view(await commands.write_session(body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/outreach")
async def get_sessions(edge: OneEdge, by: SignedIn) -> Page:
    """Sessions of the account's places, the last held first."""
    by.may_work()
    async with edge.database.read() as tx:
        return Page(items=[_view(row) for row in await commands.sessions(tx, by)])


@router.get("/outreach/figures")
async def get_figures(
    edge: OneEdge, by: SignedIn, month: Annotated[str, Query(description="a month or a quarter: 2026-10, 2026-Q4")]
) -> OutreachFigures:
    """Sessions and people reached, for a supervisor."""
    by.may_let_out()
    of = period(month)
    async with edge.database.read() as tx:
        found = await commands.sessions(tx, by, of.first, of.until)
    by_sex, by_age = Counter[str](), Counter[str]()
    for row in found:
        for sex, ages in row.reached.items():
            by_sex[sex] += sum(ages.values())
            by_age.update(ages)
    return OutreachFigures(
        period=month, sessions=dict(Counter(row.kind for row in found)), people=sum(row.total for row in found),
        by_sex=dict(by_sex), by_age=dict(by_age),
    )  # fmt: skip
