"""Routes: samples of a case, the book of one, and how many there were."""

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.custody import commands, views
from shared.casework.custody.commands import AddEntry, Collect
from shared.casework.custody.tables import SpecimenRow
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.figures.domain import period
from shared.casework.here import Here
from shared.kit.bodies import Body
from shared.kit.db import Transaction

LOOK = "specimen"
router = APIRouter(prefix="/api/v1", tags=["samples"])


class EntryView(Body):
    """A line of the book."""

    number: int
    act: str
    occurred_at: datetime
    said: dict[str, Any]


class SpecimenView(OfACase):
    """A sample and where it is. `gaps`: where the chain is broken."""

    look: ClassVar[str] = LOOK

    id: UUID
    case_id: UUID
    code: str
    kind: str | None
    state: str
    holder: str | None
    seal: str | None
    gaps: list[str]
    entries: list[EntryView]


class SampleFigures(Body):
    """Of one place."""

    facility: str
    collected: int
    handed_over: int
    with_gap: int


async def _view(tx: Transaction, specimen: SpecimenRow, here: Here) -> SpecimenView:
    book = await views.book_of(tx, specimen, here)
    entries = [EntryView(number=one.number, act=one.act, occurred_at=one.occurred_at, said=one.said or {}) for one in book.entries]
    return SpecimenView(
        id=specimen.id, case_id=specimen.case_id, code=specimen.code, kind=specimen.kind, state=specimen.state,
        holder=book.chain.holder, seal=book.chain.seal, gaps=sorted(book.chain.gaps), entries=entries,
    )  # fmt: skip


@router.post("/cases/{case_id}/specimens", status_code=201, response_model=SpecimenView)
async def post_specimen(
    case_id: UUID, body: Collect, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """A sample was collected; the answer has the code to be written on it."""

    async def work(tx: Transaction) -> SpecimenView:
        return await _view(tx, await commands.collect(case_id, body, tx, edge.here, by), edge.here)

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/specimens")
async def get_specimens(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """The samples of a case."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, LOOK)  # that there is none tells something too
        return Page(items=[await _view(tx, one, edge.here) for one in await views.of_case(tx, case.id, edge.here)])


@router.get("/specimens/figures")
async def get_figures(
    edge: OneEdge, by: SignedIn, month: Annotated[str, Query(description="a month or a quarter: 2026-10, 2026-Q4")]
) -> Page:
    """Samples of a period by place, for a supervisor; no case is opened for it."""
    of = period(month)
    async with edge.database.write() as tx:
        found = await views.figures(tx, edge.here, by, of.first, of.until)
    return Page(
        items=[
            SampleFigures(facility=one.facility, collected=one.collected, handed_over=one.handed_over, with_gap=one.with_gap)
            for one in found
        ]
    )


@router.get("/specimens/{specimen_id}")
async def get_specimen(specimen_id: UUID, edge: OneEdge, by: SignedIn) -> SpecimenView:
    """A sample with its book."""
    async with edge.database.write() as tx:
        specimen = await commands.load_specimen(tx, specimen_id, edge.here, by)
        await note_read(tx, specimen.case_id, by, LOOK)
        return await _view(tx, specimen, edge.here)


@router.post("/specimens/{specimen_id}/entries", status_code=201, response_model=SpecimenView)
async def post_entry(
    specimen_id: UUID, body: AddEntry, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """A line of the book; none is ever changed."""

    async def work(tx: Transaction) -> SpecimenView:
        return await _view(tx, await commands.add_entry(specimen_id, body, tx, edge.here, by), edge.here)

    return await command(request, edge, by, work, status=201, key=key)
