"""Routes: certificates, doses, the locked box, its counts, reports, supplies, and figures."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from services.police.dispensing import box, certificates, commands, figures, resupply, views
from services.police.dispensing.box import CountAgain, CountBox, WriteEntry
from services.police.dispensing.certificates import EnterCertificate, box_at, require
from services.police.dispensing.commands import Dispense, ReportSafety
from services.police.dispensing.resupply import AskSupplies, ReceiveSupplies, StateMonth
from services.police.dispensing.tables import BoxCount, BoxEntry, Dose, HeldCertificate, Resupply, SafetyReport
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_listed, note_read
from shared.casework.cases.web import Cursor, Limit
from shared.casework.directory.news import place_subject
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.stock import commands as stock
from shared.contracts.casework import events
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["dispensing"])
Place = Annotated[str | None, Query(max_length=40)]


class CertificateView(Body):
    """What an account holds after a course."""

    id: UUID
    account_id: UUID
    certificate: str
    trained_on: date | None
    certified_on: date | None
    valid_until: date | None
    certified_by: str | None
    is_trainer: bool
    trainer_id: UUID | None
    supervised_acts: int | None
    ended_on: date | None


class DoseView(OfACase):
    """One line of the register. `said` is null where its case was erased."""

    look: ClassVar[str] = "doses"

    id: UUID
    case_id: UUID
    incident_id: UUID
    facility: str
    said: dict[str, Any] | None
    given_at: datetime | None
    recorded_at: datetime


class EntryView(Body):
    """One line of the box's book."""

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
    recorded_at: datetime


class LotView(Body):
    """Doses of one batch that lie in the box by its book."""

    product: str
    batch: str
    expires_on: date
    quantity: int
    is_expired: bool
    expires_soon: bool


class BoxView(Body):
    """A station's box: `variance` of the last count by batch, where it differed."""

    facility: str
    lots: list[LotView]
    is_count_due: bool
    last_counted_at: datetime | None
    month_due: str | None


class CountView(Body):
    """A count. `is_agreed` is null for a first one; of a second one `variance` says, by batch, how many doses are missing (less
    than 0: too many)."""

    id: UUID
    of: UUID | None
    facility: str
    is_agreed: bool | None
    counted_at: datetime
    variance: dict[str, int] | None


class ReportView(Body):
    """A report, as whoever made it sees it."""

    id: UUID
    facility: str
    product: str
    code: str
    recorded_at: datetime


class ResupplyView(Body):
    """A request for supplies."""

    id: UUID
    facility: str
    agency: str
    to_facility: str
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


class StatementsView(Body):
    """What was told of a month, by product."""

    facility: str
    month: str
    products: list[dict[str, Any]]


class FiguresView(Body):
    """One station and product in a period; everything is there also where it is 0. `eligible` are incidents for which a first dose
    could have been the answer, each once, and `timely` those with one within the programme's window; `discarded` was returned or
    destroyed, `corrected` put other lines of the book right."""

    facility: str
    product: str
    doses: int
    timely: int
    since: dict[str, int]
    kinds: dict[str, int]
    declined: int
    none_here: int
    eligible: int
    opening: int
    received: int
    dispensed: int
    discarded: int
    corrected: int  # by how much lines put others right, more or less
    counted: int | None
    variance: int | None
    stock_out_days: int
    adverse: int
    misuse: int


def _view(model: type[BaseModel], row: Any) -> Any:
    return model.model_validate(row.model_dump(include=set(model.model_fields)))


# --- certificates ---------------------------------------------------------------------------------------------------------


@router.post("/certificates", status_code=201, response_model=CertificateView)
async def post_certificate(
    body: EnterCertificate, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Enters what a colleague holds; for supervisors."""

    async def work(tx: Transaction) -> CertificateView:
        row: CertificateView = _view(CertificateView, await certificates.enter_certificate(body, tx, edge.here, by))
        return row

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/certificates")
async def get_certificates(edge: OneEdge, by: SignedIn) -> Page:
    """The certificates of the accounts that a supervisor looks after."""
    async with edge.database.read() as tx:
        rows: list[tuple[HeldCertificate, Any]] = await certificates.certificates_of(tx, by)
        return Page(items=[_view(CertificateView, row) for row, _account in rows])


@router.post("/certificates/{certificate_id}/end", response_model=CertificateView)
async def post_end(certificate_id: UUID, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """From today on it is none."""

    async def work(tx: Transaction) -> CertificateView:
        row: CertificateView = _view(CertificateView, await certificates.end_certificate(certificate_id, tx, edge.here, by))
        return row

    return await command(request, edge, by, work, key=key)


# --- doses ------------------------------------------------------------------------------------------------------------------


def _dose(row: Dose) -> DoseView:
    view: DoseView = _view(DoseView, row)
    return view


@router.post("/cases/{case_id}/doses", status_code=201, response_model=DoseView)
async def post_dose(
    case_id: UUID, body: Dispense, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Gives a product, or keeps that she declined or that there was none. The request for care is another command, always."""

    async def work(tx: Transaction) -> DoseView:
        return _dose(await commands.dispense(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/doses")
async def get_doses(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """What was offered on a case; for certified officers."""
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await require(tx, edge.here, by, case.id)
        await note_read(tx, case.id, by, "doses")
        return Page(items=[_dose(row) for row in await commands.doses_of(tx, case)])


@router.get("/dispensing/register")
async def get_register(edge: OneEdge, by: SignedIn, facility: Place = None, cursor: UUID | None = None, limit: Limit = 50) -> Page:
    """A station's register, newest first; for its certified officers."""
    async with edge.database.write() as tx:
        place = box_at(edge.here, by, facility)
        await require(tx, edge.here, by, place_subject(edge.here.agency, place))
        rows, following = await views.register(tx, by, place, cursor, limit)
        await note_listed(tx, [case.id for _row, case in rows], by)
        return Page(items=[_dose(row) for row, _case in rows], next_cursor=following)


@router.post("/dispensing/reports", status_code=201, response_model=ReportView)
async def post_report(body: ReportSafety, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Reports an adverse event or a misuse, as a code; anybody at the station may."""

    async def work(tx: Transaction) -> ReportView:
        row: SafetyReport = await commands.report_safety(body, tx, edge.here, by)
        view: ReportView = _view(ReportView, row)
        return view

    return await command(request, edge, by, work, status=201, key=key)


# --- the box ----------------------------------------------------------------------------------------------------------------


@router.get("/dispensing/box")
async def get_box(edge: OneEdge, by: SignedIn, facility: Place = None) -> BoxView:
    """What lies in a station's box, and what it waits for."""
    async with edge.database.read() as tx:
        place = box_at(edge.here, by, facility)
        await require(tx, edge.here, by, place_subject(edge.here.agency, place))
        shown = await views.box_of(tx, edge.here, place)
    lots = [
        LotView(
            product=product, batch=lot.batch, expires_on=lot.expires_on, quantity=lot.quantity, is_expired=lot.is_expired(shown.on),
            expires_soon=lot.expires_soon(shown.on),
        )
        for product, several in shown.lots.items() for lot in several
    ]  # fmt: skip
    return BoxView(
        facility=place, lots=lots, is_count_due=shown.is_count_due, month_due=shown.month_due,
        last_counted_at=shown.last.counted_at if shown.last is not None else None,
    )  # fmt: skip


@router.get("/dispensing/entries")
async def get_entries(edge: OneEdge, by: SignedIn, facility: Place = None, cursor: Cursor = None, limit: Limit = 50) -> Page:
    """The box's book, newest line first."""
    async with edge.database.read() as tx:
        place = box_at(edge.here, by, facility)
        await require(tx, edge.here, by, place_subject(edge.here.agency, place))
        before = int(cursor) if cursor is not None and cursor.isdigit() else None
        rows, following = await stock.newest(tx, BoxEntry, place, before, limit)
        return Page(items=[_view(EntryView, row) for row in rows], next_cursor=following)


@router.post("/dispensing/entries", status_code=201, response_model=EntryView)
async def post_entry(body: WriteEntry, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Writes a line by hand: received without a request, returned, destroyed, or a correction."""

    async def work(tx: Transaction) -> EntryView:
        view: EntryView = _view(EntryView, await box.write_entry(body, tx, edge.here, by))
        return view

    return await command(request, edge, by, work, status=201, key=key)


def _count(row: BoxCount) -> CountView:
    differs = {batch: row.book[batch] - n for batch, n in row.counted.items()} if row.is_agreed else None
    return CountView(
        id=row.id, of=row.of, facility=row.facility, is_agreed=row.is_agreed, counted_at=row.counted_at,
        variance={batch: n for batch, n in differs.items() if n} if differs is not None else None,
    )  # fmt: skip


@router.post("/dispensing/counts", status_code=201, response_model=CountView)
async def post_count(body: CountBox, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """The first of two counts."""

    async def work(tx: Transaction) -> CountView:
        return _count(await box.count_box(body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/dispensing/counts/{count_id}/second", status_code=201, response_model=CountView)
async def post_second(
    count_id: UUID, body: CountAgain, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """The second, by somebody else who is not shown the first. Where they are alike the count stands, and what differs from the
    book is an alarm."""

    async def work(tx: Transaction) -> CountView:
        return _count(await box.second_count(count_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


# --- supplies ---------------------------------------------------------------------------------------------------------------


def _request(row: Resupply) -> ResupplyView:
    view: ResupplyView = _view(ResupplyView, row)
    return view


@router.get("/dispensing/requests")
async def get_requests(edge: OneEdge, by: SignedIn, facility: Place = None) -> Page:
    """A station's requests for supplies, newest first."""
    async with edge.database.read() as tx:
        place = box_at(edge.here, by, facility)
        await require(tx, edge.here, by, place_subject(edge.here.agency, place))
        return Page(items=[_request(row) for row in (await views.box_of(tx, edge.here, place)).requests])


@router.post("/dispensing/requests", status_code=201, response_model=ResupplyView)
async def post_request(body: AskSupplies, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Asks the place of care that supplies the box."""

    async def work(tx: Transaction) -> ResupplyView:
        return _request(await resupply.ask_supplies(body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/dispensing/requests/{request_id}/receive", response_model=ResupplyView)
async def post_receive(
    request_id: UUID, body: ReceiveSupplies, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Writes what came into the book, as it was counted."""

    async def work(tx: Transaction) -> ResupplyView:
        return _request(await resupply.receive(request_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/dispensing/statements", status_code=201, response_model=StatementsView)
async def post_statement(body: StateMonth, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Tells the place that supplies what the box came to in a month that is over."""

    async def work(tx: Transaction) -> StatementsView:
        rows = await resupply.state_month(body, tx, edge.here, by)
        place = box_at(edge.here, by, body.facility)
        return StatementsView(facility=place, month=body.month, products=[row.data for row in rows])

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/dispensing/figures")
async def get_figures(edge: OneEdge, by: SignedIn, first: events.Day, until: events.Day) -> Page:
    """Figures of stations in a period, `until` not among its days; for supervisors. No case is opened for them."""
    async with edge.database.read() as tx:
        return Page(items=[figures_view(one) for one in await figures.figures(tx, edge.here, by, first, until)])


def figures_view(one: figures.StationFigures) -> FiguresView:
    """Figures as they are shown."""
    doses, sums = one.doses, one.sums
    moved = {kind.value: n for kind, n in sums.moved.items()}
    return FiguresView(
        facility=one.facility, product=one.product, doses=doses.outcomes["given"], timely=doses.timely, since=dict(doses.since),
        kinds=dict(doses.kinds), declined=doses.outcomes["declined"], none_here=doses.outcomes["none_here"],
        eligible=doses.eligible, opening=sums.opening, received=moved.get("received", 0), dispensed=moved.get("dispensed", 0),
        discarded=moved.get("returned", 0) + moved.get("destroyed", 0), corrected=moved.get("corrected", 0),
        counted=sums.counted, variance=sums.variance,
        stock_out_days=sums.stock_out_days, adverse=sums.adverse, misuse=sums.misuse,
    )  # fmt: skip
