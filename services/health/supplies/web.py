"""Routes: the clinic's store, requests of stations and their answers, and the supervision of boxes."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.health.supplies import commands, views
from services.health.supplies.commands import (
    DeclineSupplies,
    KeepVisit,
    SendSupplies,
    WriteStoreEntry,
    may_supervise_boxes,
    store_at,
)
from services.health.supplies.tables import StationRequest, StoreEntry, SupervisionVisit
from shared.casework.cases.web import Cursor, Limit
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.stock import commands as stock
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1/supplies", tags=["supplies"])
Place = Annotated[str | None, Query(max_length=40)]


class StoreLotView(Body):
    """Doses of one batch that lie in the store by its book."""

    product: str
    batch: str
    expires_on: date
    quantity: int


class StoreEntryView(Body):
    """One line of the store's book."""

    id: UUID
    facility: str
    number: int
    product: str
    batch: str
    expires_on: date
    kind: str
    quantity: int
    balance: int
    reason: str | None
    about: UUID | None
    occurred_at: datetime


class StationRequestView(Body):
    """A station's request."""

    id: UUID
    facility: str
    agency: str
    station: str
    product: str
    quantity: int | None
    reason: str | None
    state: str
    asked_at: datetime
    answered_at: datetime | None
    declined_because: str | None
    sent: list[Any]
    received: list[Any]
    received_at: datetime | None


class VisitView(Body):
    """A supervision visit."""

    id: UUID
    facility: str
    agency: str
    station: str
    visited_on: date
    findings: dict[str, Any]
    counted: list[Any]


def _request(row: StationRequest) -> StationRequestView:
    return StationRequestView.model_validate(row.model_dump(include=set(StationRequestView.model_fields)))


def _entry(row: StoreEntry) -> StoreEntryView:
    return StoreEntryView.model_validate(row.model_dump(include=set(StoreEntryView.model_fields)))


def _visit(row: SupervisionVisit) -> VisitView:
    return VisitView.model_validate(row.model_dump(include=set(VisitView.model_fields)))


@router.get("/stock")
async def get_stock(edge: OneEdge, by: SignedIn, facility: Place = None) -> Page:
    """What lies in a place's store."""
    async with edge.database.read() as tx:
        held = await stock.lots(tx, StoreEntry, store_at(edge.here, by, facility))
    return Page(
        items=[
            StoreLotView(product=product, batch=lot.batch, expires_on=lot.expires_on, quantity=lot.quantity)
            for product, lots in held.items() for lot in lots
        ]
    )  # fmt: skip


@router.get("/entries")
async def get_entries(edge: OneEdge, by: SignedIn, facility: Place = None, cursor: Cursor = None, limit: Limit = 50) -> Page:
    """The store's book, newest line first."""
    async with edge.database.read() as tx:
        before = int(cursor) if cursor is not None else None
        rows, following = await stock.newest(tx, StoreEntry, store_at(edge.here, by, facility), before, limit)
        return Page(items=[_entry(row) for row in rows], next_cursor=following)


@router.post("/entries", status_code=201, response_model=StoreEntryView)
async def post_entry(body: WriteStoreEntry, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Writes a line by hand: received, returned, destroyed, or a correction."""

    async def work(tx: Transaction) -> StoreEntryView:
        return _entry(await commands.write_entry(body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/requests")
async def get_requests(edge: OneEdge, by: SignedIn, facility: Place = None) -> Page:
    """Requests of stations, open ones first."""
    async with edge.database.read() as tx:
        return Page(items=[_request(row) for row in await views.requests(tx, store_at(edge.here, by, facility))])


@router.post("/requests/{request_id}/send", response_model=StationRequestView)
async def post_send(
    request_id: UUID, body: SendSupplies, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Hands doses over out of the store."""

    async def work(tx: Transaction) -> StationRequestView:
        return _request(await commands.send(request_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/requests/{request_id}/decline", response_model=StationRequestView)
async def post_decline(
    request_id: UUID, body: DeclineSupplies, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Sends none."""

    async def work(tx: Transaction) -> StationRequestView:
        return _request(await commands.decline(request_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.get("/stations")
async def get_stations(edge: OneEdge, by: SignedIn, facility: Place = None) -> Page:
    """What stations have told of their boxes, month by month; for the place's supervisors."""
    async with edge.database.read() as tx:
        found = await views.stations_of(tx, may_supervise_boxes(edge.here, by, facility))
    return Page(items=[{"agency": one.agency, "station": one.station, **one.data} for one in found.months])


@router.get("/reports")
async def get_reports(edge: OneEdge, by: SignedIn, facility: Place = None) -> Page:
    """What stations have reported, as codes; for the place's supervisors."""
    async with edge.database.read() as tx:
        found = await views.stations_of(tx, may_supervise_boxes(edge.here, by, facility))
    return Page(items=[one.model_dump() for one in found.reports])


@router.get("/visits")
async def get_visits(edge: OneEdge, by: SignedIn, facility: Place = None) -> Page:
    """Visits to stations; for the place's supervisors."""
    async with edge.database.read() as tx:
        found = await views.stations_of(tx, may_supervise_boxes(edge.here, by, facility))
    return Page(items=[_visit(row) for row, _fits in found.visits])


@router.post("/visits", status_code=201, response_model=VisitView)
async def post_visit(body: KeepVisit, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Keeps a visit."""

    async def work(tx: Transaction) -> VisitView:
        return _visit(await commands.keep_visit(body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)
