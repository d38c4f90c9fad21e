"""Routes: her things, one by one, and the book of each."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.property import commands, views
from services.police.property.commands import AddEntry, TakeIn
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["property"])


class LineView(Body):
    """A line of its book; names are as signed."""

    act: str
    occurred_at: datetime
    said: dict[str, Any]


class PropertyView(OfACase):
    """A thing that is kept. `asked_at`: she asked for it and has not got it; `breached_at`: since when that is a breach."""

    look: ClassVar[str] = "property"

    id: UUID
    case_id: UUID
    number: int
    kind: str | None
    note: str | None
    holder: str | None
    asked_at: datetime | None
    returned_at: datetime | None
    breached_at: datetime | None
    gaps: list[str]
    lines: list[LineView]


def _view(one: views.Shown) -> PropertyView:
    row, stands = one.row, one.standing
    lines = [LineView(act=line.act, occurred_at=line.occurred_at, said=line.said or {}) for line in one.lines]
    return PropertyView(
        id=row.id, case_id=row.case_id, number=row.number, kind=row.kind, note=row.note, holder=stands.holder,
        asked_at=row.asked_at, returned_at=row.returned_at, breached_at=row.breached_at, gaps=sorted(stands.gaps), lines=lines,
    )  # fmt: skip


@router.post("/cases/{case_id}/property", status_code=201, response_model=PropertyView)
async def post_property(
    case_id: UUID, body: TakeIn, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Takes one thing in."""

    async def work(tx: Transaction) -> PropertyView:
        return _view(await views.shown(tx, await commands.take_in(case_id, body, tx, edge.here, by)))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/property")
async def get_things(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """What is kept of a case, by number."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        commands.needs_register(edge.here)
        await note_read(tx, case.id, by, "property")
        return Page(items=[_view(one) for one in await views.of_case(tx, case)])


@router.post("/property/{property_id}/entries", status_code=201, response_model=PropertyView)
async def post_entry(
    property_id: UUID, body: AddEntry, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Handed over, asked for, refused, given back."""

    async def work(tx: Transaction) -> PropertyView:
        return _view(await views.shown(tx, await commands.add_entry(property_id, body, tx, edge.here, by)))

    return await command(request, edge, by, work, status=201, key=key)
