"""Pages: the clinic's store, a station's request, and what a supervisor sees of stations: batches, balances and counts."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.health.supplies import commands, views
from services.health.supplies.commands import (
    Check,
    DeclineSupplies,
    Finding,
    KeepVisit,
    SendSupplies,
    WriteStoreEntry,
    may_supervise_boxes,
    store_at,
)
from shared.casework.accounts.sessions import Visit
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.stock.domain import BY_HAND, CorrectionReason, same_parcel
from shared.casework.stock.forms import ROWS, STOCK_WORDS, entry, parcel, typed
from shared.contracts.casework import codes
from shared.contracts.casework.codes import CareProduct
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

Place = Annotated[str | None, Query(max_length=40)]


class VisitForm(Body):
    """Where and when."""

    station: str = Field(pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_-]*$")
    visited_on: date


WORDS = {
    **STOCK_WORDS,
    "kind": _("Choose what happened."), "reason": _("Choose a reason."), "station": _("Choose the station."),
    "visited_on": _("Choose the day of the visit."),
}  # fmt: skip
POINT = _("Say how this was found; “not seen” is an answer too.")


@router.get("/supplies")
async def show_store(request: Request, edge: OneEdge, visit: Visitor, facility: Place = None) -> Response:
    """What lies in the store, and which stations ask."""
    return await _store_page(request, edge, visit, await draft_of(request, visit), facility)


async def _store_page(
    request: Request, edge: Edge, visit: Visit, form: Filled[Any], facility: str | None, status: int = 200
) -> Response:
    place = store_at(edge.here, visit.actor, form.value("facility") or facility)
    async with edge.database.read() as tx:
        store = await views.store_of(tx, place)
    return edge.pages.show(
        request, "supplies/store.html", visit, status=status, form=form, errors=bool(form.errors), store=store, at=place,
        places=[(id_, one.name) for id_, one in edge.here.entry.facilities.items() if visit.actor.sees(id_)],
        products=list(CareProduct), kinds=BY_HAND, corrections=list(CorrectionReason), here_now="/supplies",
    )  # fmt: skip


@router.post("/supplies")
async def post_entry(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """A line of the store's book."""
    form = entry(values, WORDS)
    asked = form.model
    if asked is None or form.errors:
        return await _store_page(request, edge, visit, form, None, 422)
    body = WriteStoreEntry.model_validate(asked.by_hand)

    async def work(tx: Transaction) -> str:
        row = await commands.write_entry(body, tx, edge.here, visit.actor)
        return f"/supplies?facility={row.facility}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _store_page(request, edge, visit, Filled(values, {"batch": error}), None, 422)


@router.get("/supplies/requests/{request_id}")
async def show_request(request_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What a station asks for, and what is handed over."""
    return await _request_page(request_id, request, edge, visit, await draft_of(request, visit))


async def _request_page(
    request_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    async with edge.database.read() as tx:
        row = await commands.load_request(tx, request_id, visit.actor)
        store = await views.store_of(tx, row.facility)
    return edge.pages.show(
        request, "supplies/request.html", visit, status=status, form=form, errors=bool(form.errors), r=row, count=ROWS,
        lots=store.lots.get(row.product, []), why_not=list(codes.SupplyDecline), is_alike=same_parcel, here_now="/supplies",
    )  # fmt: skip


@router.post("/supplies/requests/{request_id}")
async def post_request(request_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Hands over what was typed, or says why nothing is."""
    reason = values.get("reason_code", [""])[-1]
    form, sent = parcel(typed(values))
    if reason and reason not in set(codes.SupplyDecline):
        form.error("reason_code", WORDS["reason"])
    if not form.errors and bool(sent) == bool(reason):
        form.error("batch_0", _("Type what is handed over, or say why nothing is; not both."))
    if form.errors:
        return await _request_page(request_id, request, edge, visit, form, 422)

    async def work(tx: Transaction) -> str:
        if reason:
            body = DeclineSupplies(reason=codes.SupplyDecline(reason))
            row = await commands.decline(request_id, body, tx, edge.here, visit.actor)
        else:
            row = await commands.send(request_id, SendSupplies(batches=sent), tx, edge.here, visit.actor)
        return f"/supplies?facility={row.facility}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _request_page(request_id, request, edge, visit, Filled(values, {"batch_0": error}), 422)


@router.get("/supplies/stations")
async def show_stations(request: Request, edge: OneEdge, visit: Visitor, facility: Place = None) -> Response:
    """What stations have told, and visits to them; for supervisors of the place that supplies them."""
    return await _stations_page(request, edge, visit, await draft_of(request, visit), facility)


async def _stations_page(
    request: Request, edge: Edge, visit: Visit, form: Filled[Any], facility: str | None, status: int = 200
) -> Response:
    place = may_supervise_boxes(edge.here, visit.actor, form.value("facility") or facility)
    async with edge.database.read() as tx:
        found = await views.stations_of(tx, place)
    today = edge.pages.times("en", edge.database.clock.now()).today()
    known = [(f"{agency}/{id_}", edge.pages.place(agency, id_)) for agency, id_ in commands.stations(edge.here)]
    return edge.pages.show(
        request, "supplies/stations.html", visit, status=status, form=form, errors=bool(form.errors), found=found, at=place,
        checks=list(Check), findings=list(Finding), known=known, count=ROWS, today=today,
    )  # fmt: skip


@router.post("/supplies/stations")
async def post_visit(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps a visit."""
    given = typed(values)
    form, counted = parcel(given)
    where: Filled[VisitForm] = fill(VisitForm, given, WORDS)
    form.errors |= where.errors
    for point in Check:
        if form.value(point) not in set(Finding):
            form.error(point, POINT)
    asked = where.model
    if asked is None or form.errors:
        return await _stations_page(request, edge, visit, form, None, 422)
    agency, _slash, station = asked.station.partition("/")
    body = KeepVisit(
        agency=agency, station=station, visited_on=asked.visited_on, counted=counted, facility=form.value("facility") or None,
        findings={point: Finding(form.value(point)) for point in Check},
    )  # fmt: skip

    async def work(tx: Transaction) -> str:
        row = await commands.keep_visit(body, tx, edge.here, visit.actor)
        return f"/supplies/stations?facility={row.facility}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _stations_page(request, edge, visit, Filled(values, {"visited_on": error}), None, 422)
