"""Pages: printing numbered sheets, and entering afterwards what was written on them."""

import asyncio
from datetime import date, datetime, time
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from shared.casework.accounts.sessions import Visit
from shared.casework.arrivals.commands import RecordArrival, record_arrival
from shared.casework.cases.commands import TooLongAgo
from shared.casework.consents.her_own import Caregiver, StandIn
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.pages.words import SPANS
from shared.casework.paper import commands
from shared.casework.paper.commands import SheetKind
from shared.casework.paper.sheets import Row, SheetText, sheets_pdf
from shared.casework.paper.tables import Sheet
from shared.casework.referrals.choices import CARE_ORDER, ESCORTS, MODES
from shared.casework.referrals.domain import is_code
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import codes
from shared.contracts.casework.codes import AgencyKind
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.digits import typed
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, fill
from shared.kit.i18n import is_rtl, named_in
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

ANSWERED_BY = (codes.ConsentHow.SPOKEN, codes.ConsentHow.THUMB, codes.ConsentHow.SIGNATURE)

SheetNumber = Annotated[str | None, Query(max_length=20)]  # in the address of a page on which the rest of a sheet is entered


def with_sheet(address: str, number: str | None) -> str:
    """The address of a page on which the rest of a sheet is entered."""
    if not number:
        return address
    return f"{address}{'&' if '?' in address else '?'}sheet={quote(number)}"


class EnterSheet(Body):
    """A sheet to be entered."""

    number: str = Field(max_length=20)
    on_date: date
    at_time: time
    code: str | None = Field(default=None, max_length=16)
    feedback: Literal["yes", "no", "not_asked"] | None = None


class PrintSheets(Body):
    """A pad of sheets."""

    facility: str
    kind: SheetKind
    count: int


WORDS = {
    "number": _("Type the number of the sheet."),
    "on_date": _("Choose the day that stands on the sheet."),
    "at_time": _("Type the time as 08:15."),
    "code": _("The number has six digits."),
    "facility": _("Choose the place."),
    "kind": _("Choose the sheet."),
    "count": _("Type how many, as a number."),
}


@router.get("/paper")
async def show_paper(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Enter, and how many are out."""
    return await _page(request, edge, visit, await draft_of(request, visit))


async def _page(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.read() as tx:
        standing = await commands.standing_of_sheets(tx, visit.actor)
        entered = await commands.case_of_sheet(tx, visit.actor, form.value("number"))
    return edge.pages.show(
        request, "paper/paper.html", visit, status=status, errors=bool(form.errors), form=form, standing=standing,
        entered=entered if "number" in form.errors else None,
    )  # fmt: skip


@router.get("/paper/print")
async def show_print(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """A pad for one place: a page of its own, as what is kept unsent is kept by page."""
    return _print_page(request, edge, visit, await draft_of(request, visit))


def _print_page(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    places = [(id_, one.name) for id_, one in edge.here.entry.facilities.items() if visit.actor.sees(id_)]
    first = SheetKind.REQUEST if edge.here.kind is AgencyKind.POLICE else SheetKind.VISIT
    return edge.pages.show(
        request, "paper/print.html", visit, status=status, errors=bool(form.errors), form=form, desks=places, kinds=list(SheetKind),
        first=str(first), here_now="/paper",
    )  # fmt: skip


@router.post("/paper/print")
async def post_print(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Numbers a pad."""
    form = fill(PrintSheets, values, WORDS)
    asked = form.model
    if asked is None:
        return _print_page(request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        batch = await commands.print_sheets(tx, edge.here, visit.actor, asked.kind, asked.facility, asked.count)
        return f"/paper/batches/{batch}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return _print_page(request, edge, visit, form.error("count", error), status=422)


@router.get("/paper/batches/{batch}")
async def show_batch(batch: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The numbers, and the file."""
    return edge.pages.show(request, "paper/printed.html", visit, sheets=await _batch(batch, edge, visit))


@router.get("/paper/batches/{batch}/sheets.pdf")
async def get_sheets(batch: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The sheets, a page each, in the language of the pages."""
    sheets = await _batch(batch, edge, visit)
    text = sheet_text(edge, edge.pages.language(request, visit.language), SheetKind(sheets[0].kind))
    places = [(sheet.number, edge.pages.place(edge.here.agency, sheet.facility)) for sheet in sheets]
    headers = {"Content-Disposition": 'inline; filename="sheets.pdf"'}
    file = await asyncio.to_thread(sheets_pdf, text, places)  # nobody else at a page waits for it
    return Response(file, media_type="application/pdf", headers=headers)


async def _batch(batch: UUID, edge: Edge, visit: Visit) -> list[Sheet]:
    visit.actor.may_work()
    async with edge.database.read() as tx:
        return await commands.batch_of(tx, visit.actor, batch)


def sheet_text(edge: Edge, language: str, kind: SheetKind) -> SheetText:
    """What stands on a sheet of a kind; a request's asks for whatever the three pages of a new case ask for."""

    def say(text: str) -> str:
        return edge.pages.say(text, language)

    def words(values: Any, group: str) -> tuple[str, ...]:
        return tuple(edge.pages.word(value, group, language) for value in values)

    yes_no = (say(_("Yes")), say(_("No")))
    when = (
        Row(say(_("Day (day, month, year)")), digits=(2, 2, 4)),
        Row(say(_("Time (hours, minutes)")), digits=(2, 2)),
    )
    if kind is SheetKind.VISIT:
        given = (say(_("Given")), say(_("Said no")), say(_("None in stock")))
        rows = (
            *when,
            Row(say(_("The number she or he showed or said")), digits=(6,)),
            *(Row(say(line), given) for line in edge.pages.look.sheet_lines),
            Row(say(_("May the desk that sent know? Ask.")), (*yes_no, say(_("Not asked")))),
            Row(say(_("Next visit (day, month)")), digits=(2, 2)),
            Row(say(_("Went on to (place)"))),
        )
    else:
        clinic, office = say(_("A clinic may know")), say(_("The social worker may know"))
        asked = {
            AgencyKind.HEALTH: clinic, AgencyKind.SOCIAL_WELFARE: office, AgencyKind.POLICE: say(_("The police may know")),
            AgencyKind.PARTNER: say(_("The organisation that helps may know")),
            AgencyKind.JUSTICE: say(_("The prosecutor may know")),
        }  # fmt: skip
        rows = (
            *when,
            Row(say(_("Hurt or bleeding now?")), yes_no),
            Row(say(_("Age")), words(codes.AgeBand, "age")),
            Row(say(_("Girl or woman, boy or man")), words(codes.Sex, "sex")),
            Row(say(_("Hours ago: at least, at most")), digits=(3, 3)),
            Row(say(_("Language")), tuple(named_in(language, tag) for tag in edge.here.programme.languages)),
            Row(say(_("Who came along?")), (say(_("Nobody")), say(_("A relative")), say(_("Someone else")))),
            Row(say(_("For a child: is there a safe adult?")), (say(_("Yes, here")), say(_("Not here")), say(_("No")))),
            *(Row(asked[kind_], yes_no) for kind_ in (edge.here.kind_of(p) for p in edge.here.serving) if kind_ in asked),
            Row(say(_("We may hear that she or he came")), yes_no),
            Row(say(_("It holds")), words(SPANS, "span")),
            Row(say(_("The child’s own word")), (say(_("Agrees")), say(_("Says no")), say(_("Too young, or cannot say")))),
            Row(say(_("The adult who looks after the child")), words(Caregiver, "caregiver")),
            Row(say(_("If not this one: who stands in")), words(StandIn, "stand_in")),
            Row(say(_("How was it answered?")), words(ANSWERED_BY, "how")),
            Row(say(_("Interpreter")), (say(_("None needed")), say(_("An interpreter helped")))),
            Row(say(_("Care")), words(_care_asked_for(edge), "service")),
            Row(say(_("Sent to (place)"))),
            Row(say(_("Way")), words(MODES, "mode")),
            Row(say(_("Who goes along?")), words(ESCORTS, "escort")),
        )
    title = edge.pages.word(kind, "sheet", language)
    rules = (say(_("Care first. Do not write a name. Keep this sheet locked away.")),)
    return SheetText(title, say(_("Number")), rules, rows, is_rtl(language))


def _care_asked_for(edge: Edge) -> tuple[codes.ServicePackage, ...]:
    """What page 3 asks for first: care, where a clinic is among those that may be told."""
    kinds = [edge.here.kind_of(peer) for peer in edge.here.serving]
    first = [kind for kind in kinds if kind is AgencyKind.HEALTH] or kinds
    return tuple(dict.fromkeys(service for kind in first for service in CARE_ORDER.get(kind, ())))


@router.post("/paper/enter")
async def post_enter(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """A visit is entered at once, and what was given follows on the clinic's page; a request goes on through the three pages of a
    new case, under the sheet's time."""
    form = fill(EnterSheet, values, WORDS)
    asked = form.model
    if asked is not None and asked.code is not None and not is_code(asked.code):
        form.error("code", WORDS["code"])
    if asked is None or form.errors:
        return await _page(request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        visit.actor.may_work()
        sheet = await commands.open_sheet(tx, visit.actor, asked.number)
        written_at = commands.when_written(sheet, asked.on_date, asked.at_time, edge.pages.times("en", tx.clock.now()))
        if sheet.kind == SheetKind.REQUEST:
            sheet.written_at = written_at
            return with_sheet("/cases/new", sheet.number)
        return await _enter_visit(tx, edge, visit, sheet, asked, written_at)

    try:
        return await submit(request, edge, visit, values, work)
    except (Conflict, NotFound) as error:
        form.error("number", error)
    except commands.BeforePrinted:
        form.error("on_date", _("This sheet was not printed yet on that day; type the day that stands on the sheet."))
    except TooLongAgo as error:
        form.error(error.part, error)
    except ValueError:
        form.error("at_time", _("This time has not come yet; type the one that stands on the sheet."))
    return await _page(request, edge, visit, form, status=422)


async def _enter_visit(tx: Transaction, edge: Edge, visit: Visit, sheet: Sheet, asked: EnterSheet, came_at: datetime) -> str:
    feedback = {"yes": True, "no": False}.get(asked.feedback or "")
    code = typed(asked.code or "") or None
    body = RecordArrival(code=code, entered_for=sheet.facility, occurred_at=came_at, feedback=feedback)
    walk_in, found = await record_arrival(body, tx, edge.here, visit.actor)
    referral = found if isinstance(found, Referral) else None
    case_id = referral.case_id if referral else walk_in.case_id if walk_in else None
    assert case_id is not None
    await commands.keep_entered(tx, sheet, visit.actor, case_id, came_at)
    gives_care = edge.here.kind is AgencyKind.HEALTH
    if referral is not None:
        return with_sheet(f"/care/{referral.id}", sheet.number) if gives_care else f"/referrals/{referral.id}"
    assert walk_in is not None
    if code or not gives_care:
        return with_sheet(f"/arrivals/{walk_in.id}/match{'?unknown=number' if code else ''}", sheet.number)
    return with_sheet(f"/care/arrivals/{walk_in.id}", sheet.number)
