"""Routes: what went against the protocol, of a case and how often."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from shared.casework.breaches import commands
from shared.casework.breaches.commands import RecordBreach
from shared.casework.breaches.figures import counted
from shared.casework.breaches.tables import Breach
from shared.casework.breaches.views import breaches_of
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.figures.domain import period
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["cases"])


class BreachView(OfACase):
    """A breach of the protocol. `rules` are those of the programme that forbid it."""

    look: ClassVar[str] = "complaint"

    id: UUID
    case_id: UUID
    code: str | None
    by_whom: str | None
    occurred_at: datetime
    rules: list[str] = Field(default_factory=list)


class BreachFigures(Body):
    """Of a period, by what was done or demanded; a nought is no proof that nothing was."""

    period: str
    breaches: dict[str, int]


def _breach(row: Breach, rules: list[str] | None = None) -> BreachView:
    return BreachView(
        id=row.id, case_id=row.case_id, code=row.code, by_whom=row.by_whom, occurred_at=row.occurred_at, rules=rules or []
    )


@router.post("/cases/{case_id}/breaches", status_code=201, response_model=BreachView)
async def post_breach(
    case_id: UUID, body: RecordBreach, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Something was done or demanded against the protocol; the supervisor's post is told."""

    async def work(tx: Transaction) -> BreachView:
        kept = await commands.record_breach(case_id, body, tx, edge.here, by)
        return _breach(kept.breach, [one.rule for one in kept.said])

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/breaches")
async def get_breaches(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """Breaches of a case, oldest first."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "complaint")
        return Page(items=[_breach(row) for row in await breaches_of(tx, case.id)])


@router.get("/breaches/figures")
async def get_figures(
    edge: OneEdge, by: SignedIn, month: Annotated[str, Query(description="a month or a quarter: 2026-10, 2026-Q4")]
) -> BreachFigures:
    """Breaches of a month or quarter, for a supervisor: no case is opened for it."""
    by.may_work()
    by.may_supervise()
    async with edge.database.read() as tx:
        found = await counted(tx, edge.here, by, period(month))
    return BreachFigures(period=month, breaches=found)
