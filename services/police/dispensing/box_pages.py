"""Pages of the locked box: what lies in it, its book, its count by two, and its supplies."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.police.dispensing import box, resupply, rules, views
from services.police.dispensing.box import CountAgain, CountBox, WriteEntry
from services.police.dispensing.certificates import box_at, require
from services.police.dispensing.resupply import AskSupplies, ReceiveSupplies, StateMonth, month_before
from services.police.dispensing.tables import BoxEntry
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.views import note_listed
from shared.casework.directory.news import place_subject
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.stock import commands as stock
from shared.casework.stock.domain import BY_HAND, OF_AN_ENTRY, CorrectionReason, same_parcel
from shared.casework.stock.forms import COUNT, ROWS, STOCK_WORDS, entry, parcel, typed
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import CareProduct
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

LINES_SHOWN = 20  # of the book and of the register: a month of a busy station; the API has them all
Place = Annotated[str | None, Query(max_length=40)]


class AskForm(Body):
    """A request for supplies."""

    product: CareProduct
    quantity: int = Field(ge=1, le=events.DOSES_MAX)
    reason: codes.SupplyReason
    place: str = Field(pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_-]*$")
    facility: events.FacilityId


WORDS = {
    **STOCK_WORDS,
    "about": _("Choose the line that was mistyped."), "kind": _("Choose what happened."),
    "reason": _("Choose a reason."), "place": _("Choose the place that is asked."),
}  # fmt: skip


@router.get("/dispensing")
async def show_box(request: Request, edge: OneEdge, visit: Visitor, facility: Place = None) -> Response:
    """What lies in the box, what it waits for, its book and its register; for certified officers of the desk."""
    here, by = edge.here, visit.actor
    async with edge.database.write() as tx:  # what the register shows of a case is a look at it
        place = box_at(here, by, facility)
        await require(tx, here, by, place_subject(here.agency, place))
        shown = await views.box_of(tx, here, place)
        rows, _more = await stock.newest(tx, BoxEntry, place, None, LINES_SHOWN)
        doses, _more = await views.register(tx, by, place, None, LINES_SHOWN)
        await note_listed(tx, [case.id for _dose, case in doses], by)
    return edge.pages.show(
        request, "dispensing/box.html", visit, box=shown, rows=rows, doses=doses, at=place, products=rules.products(here.programme),
        places=[(id_, one.name) for id_, one in here.entry.facilities.items() if by.sees(id_)], here_now="/dispensing",
    )  # fmt: skip


# --- the book -----------------------------------------------------------------------------------------------------------------


@router.get("/dispensing/entry")
async def show_entry(request: Request, edge: OneEdge, visit: Visitor, facility: Place = None) -> Response:
    """A line by hand."""
    form = await draft_of(request, visit)
    return await _form_page("entry", request, edge, visit, form, facility)


async def _form_page(
    name: str, request: Request, edge: Edge, visit: Visit, form: Filled[Any], facility: str | None, status: int = 200
) -> Response:
    here, by = edge.here, visit.actor
    async with edge.database.read() as tx:
        place = box_at(here, by, form.value("facility") or facility)
        await require(tx, here, by, place_subject(here.agency, place))
        lots = await stock.lots(tx, BoxEntry, place)
        lines, _more = await stock.newest(tx, BoxEntry, place, None, LINES_SHOWN)
        chosen = await resupply.supplier_of(tx, here, place)
    known = resupply.suppliers(here, place)
    return edge.pages.show(
        request, f"dispensing/{name}.html", visit, status=status, form=form, errors=bool(form.errors), at=place, lots=lots,
        products=rules.products(here.programme), kinds=BY_HAND, corrections=list(CorrectionReason), lines=lines,
        why=list(codes.SupplyReason), asked=[(one.key, edge.pages.place(one.agency, one.facility)) for one in known],
        chosen=chosen.key if chosen is not None else "", here_now="/dispensing", key_of=box.key_of,
    )  # fmt: skip


@router.post("/dispensing/entry")
async def post_entry(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Writes it."""
    form = entry(values, WORDS)
    asked = form.model
    if asked is not None and asked.reason in OF_AN_ENTRY and asked.about is None:
        form.error("about", WORDS["about"])
    if asked is None or form.errors:
        return await _form_page("entry", request, edge, visit, form, None, 422)
    body = WriteEntry.model_validate(asked.by_hand)

    async def work(tx: Transaction) -> str:
        await box.write_entry(body, tx, edge.here, visit.actor)
        return f"/dispensing?facility={asked.facility}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _form_page("entry", request, edge, visit, Filled(values, {"batch": error}), None, 422)


# --- the count ----------------------------------------------------------------------------------------------------------------


@router.get("/dispensing/count")
async def show_count(request: Request, edge: OneEdge, visit: Visitor, facility: Place = None) -> Response:
    """The first of two counts: batches without their numbers."""
    return await _form_page("count", request, edge, visit, await draft_of(request, visit), facility)


DIGITS_MAX = len(str(events.DOSES_MAX))  # of a number of doses; more is a mistyped figure, and far more could not be read


def _counted(values: Values, keys: list[str]) -> Filled[Any]:
    """What was typed beside each batch."""
    form: Filled[Any] = Filled(values)
    for key in keys:
        said = form.value(key)
        if not (said.isascii() and said.isdigit() and len(said) <= DIGITS_MAX and int(said) <= events.DOSES_MAX):
            form.error(key, COUNT)
    return form


@router.post("/dispensing/count")
async def post_count(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps it; a colleague counts second."""
    keys = values.get("batches", [])
    form = _counted(values, keys)
    if form.errors or (not keys and form.value("nothing") != "yes"):
        return await _form_page("count", request, edge, visit, form, None, 422)

    async def work(tx: Transaction) -> str:
        body = CountBox(counted=box.asked({key: form.value(key) for key in keys}), facility=form.value("facility") or None)
        row = await box.count_box(body, tx, edge.here, visit.actor)
        return f"/dispensing?facility={row.facility}"

    return await submit(request, edge, visit, values, work)


@router.get("/dispensing/counts/{count_id}")
async def show_second(count_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The second count: by another officer of the desk, who sees no figure of the first."""
    return await _second_page(count_id, request, edge, visit, await draft_of(request, visit))


async def _second_page(
    count_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    async with edge.database.read() as tx:
        first = await box.open_count(tx, count_id, visit.actor)
        keys = await box.to_count(tx, first)
    return edge.pages.show(
        request, "dispensing/second.html", visit, status=status, form=form, errors=bool(form.errors), first=first,
        keys=keys,
    )  # fmt: skip


@router.post("/dispensing/counts/{count_id}")
async def post_second(count_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Lays it beside the first."""
    async with edge.database.read() as tx:
        keys = await box.to_count(tx, await box.open_count(tx, count_id, visit.actor))
    form = _counted(values, keys)
    if form.errors:
        return await _second_page(count_id, request, edge, visit, form, 422)

    async def work(tx: Transaction) -> str:
        body = CountAgain(counted=box.asked({key: form.value(key) for key in keys}))
        row = await box.second_count(count_id, body, tx, edge.here, visit.actor)
        return "/work" if row.is_agreed else "/dispensing/not-alike"

    return await submit(request, edge, visit, values, work)


@router.get("/dispensing/not-alike")
async def show_not_alike(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The two have counted otherwise: nothing stands, and both count again."""
    visit.actor.may_work()
    return edge.pages.show(request, "dispensing/not_alike.html", visit)


# --- supplies -----------------------------------------------------------------------------------------------------------------


@router.get("/dispensing/ask")
async def show_ask(request: Request, edge: OneEdge, visit: Visitor, facility: Place = None) -> Response:
    """A request for doses."""
    return await _form_page("ask", request, edge, visit, await draft_of(request, visit), facility)


@router.post("/dispensing/ask")
async def post_ask(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Asks."""
    form = fill(AskForm, values, WORDS)
    asked = form.model
    if asked is None:
        return await _form_page("ask", request, edge, visit, form, None, 422)
    agency, _slash, place = asked.place.partition("/")
    body = AskSupplies(
        product=asked.product, quantity=asked.quantity, reason=asked.reason, to_agency=agency, to_facility=place,
        facility=asked.facility,
    )  # fmt: skip

    async def work(tx: Transaction) -> str:
        await resupply.ask_supplies(body, tx, edge.here, visit.actor)
        return f"/dispensing?facility={asked.facility}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _form_page("ask", request, edge, visit, Filled(values, {"product": error}), None, 422)


@router.get("/dispensing/requests/{request_id}")
async def show_request(request_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One request: what was sent, and what has come of it."""
    return await _request_page(request_id, request, edge, visit, await draft_of(request, visit))


async def _request_page(
    request_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    async with edge.database.read() as tx:
        row = await resupply.load_request(tx, edge.here, request_id, visit.actor)
    return edge.pages.show(
        request, "dispensing/request.html", visit, status=status, form=form, errors=bool(form.errors), r=row, count=ROWS,
        is_alike=same_parcel, here_now="/dispensing",
    )  # fmt: skip


@router.post("/dispensing/requests/{request_id}")
async def post_request(request_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """What came goes into the book, as it was counted."""
    form, came = parcel(typed(values))
    if not form.errors and not came and "nothing" not in values:
        form.error("batch_0", _("Type what has come, or say that nothing came."))
    if form.errors:
        return await _request_page(request_id, request, edge, visit, form, 422)

    async def work(tx: Transaction) -> str:
        row = await resupply.receive(request_id, ReceiveSupplies(batches=came), tx, edge.here, visit.actor)
        return f"/dispensing?facility={row.facility}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _request_page(request_id, request, edge, visit, Filled(values, {"batch_0": error}), 422)


@router.post("/dispensing/months")
async def post_month(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Tells the place that supplies what the box came to in the month before this one."""

    async def work(tx: Transaction) -> str:
        place = values.get("facility", [""])[-1] or None
        body = StateMonth(month=month_before(edge.here.day_of(tx.clock.now())), facility=place)
        await resupply.state_month(body, tx, edge.here, visit.actor)
        return f"/dispensing?facility={place}" if place else "/dispensing"

    return await submit(request, edge, visit, values, work)
