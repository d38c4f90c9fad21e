"""Pages of the profile's registers, without JavaScript: one form for every register, each field as the profile types it."""

from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts.sessions import Visit
from shared.casework.accounts.tables import Account
from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.referrals.tables import Referral
from shared.casework.registers import commands
from shared.casework.registers.commands import Correct, Enter
from shared.casework.registers.domain import OF_A_CASE, may, may_write, readable, registers_of
from shared.casework.registers.tables import RegisterEntry
from shared.casework.registers.web import held, shown
from shared.casework.scope import OutOfSight
from shared.contracts.casework.lifecycle import MissingDetail
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values
from shared.kit.i18n import Times
from shared.programmes.records import About, CodeList, FieldType, RecordField, RecordType

router = APIRouter(include_in_schema=False)

PREFIX = "r_"  # of every field of a register in a form: a profile may call one as it likes
TIME = "_time"  # of a moment's second half
GROUP_OF = {  # in which group of words a page finds the codes of a list
    CodeList.INCIDENT_TYPE: "incident", CodeList.AGE_BAND: "age", CodeList.SEX: "sex", CodeList.PACKAGE: "service",
    CodeList.PRODUCT: "product", CodeList.OUTCOME: "outcome", CodeList.TRAVEL: "mode", CodeList.MILESTONE: "progress",
}  # fmt: skip


async def of_case(tx: Transaction, edge: Edge, by: Actor, case: Case, language: str) -> list[tuple[str, str]]:
    """The registers of a case that an account may read: address and name."""
    look, here = edge.pages.look, edge.here
    of = await held(tx, edge, by)
    return [
        (f"/cases/{case.id}/registers/{id_}", one.name.in_(language, "en"))
        for id_, one in registers_of(here.programme, here.agency, look.registers_apart).items()
        if one.about in OF_A_CASE and commands.is_kept_at(one, here, by.facility or case.facility) and may(one.readers, by.role, of)
    ]


@router.get("/registers")
async def show_registers(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The registers of no case that this account may read."""
    visit.actor.may_work()
    language = edge.pages.language(request, visit.language)
    async with edge.database.read() as tx:
        of = await held(tx, edge, visit.actor)
    found = [
        (id_, one.name.in_(language, "en"))
        for id_, one in registers_of(edge.here.programme, edge.here.agency, edge.pages.look.registers_apart).items()
        if one.about not in OF_A_CASE and may(one.readers, visit.actor.role, of)
        and commands.places_of(one, edge.here, visit.actor)
    ]  # fmt: skip
    return edge.pages.show(request, "registers/registers.html", visit, registers=found)


@router.get("/registers/{register}")
async def show_register(
    register: str, request: Request, edge: OneEdge, visit: Visitor, cursor: Annotated[UUID | None, Query()] = None
) -> Response:
    """A register of no case: its entries, and the form for one more."""
    return await _page(None, register, request, edge, visit, await draft_of(request, visit), cursor)


@router.get("/cases/{case_id}/registers/{register}")
async def show_case_register(
    case_id: UUID, register: str, request: Request, edge: OneEdge, visit: Visitor, cursor: Annotated[UUID | None, Query()] = None
) -> Response:
    """The same of one case."""
    return await _page(case_id, register, request, edge, visit, await draft_of(request, visit), cursor)


async def _page(
    case_id: UUID | None, register: str, request: Request, edge: Edge, visit: Visit, form: Filled[Any], cursor: UUID | None = None,
    status: int = 200,
) -> Response:  # fmt: skip
    by = visit.actor
    by.may_work()
    async with edge.database.write() as tx:  # looks are kept
        case = await load_case(tx, case_id, by) if case_id is not None else None
        of = await held(tx, edge, by)
        record = commands.register(edge.here, edge.pages.look.registers_apart, register, by, of, case_id)
        if (record.about in OF_A_CASE) != (case is not None):
            raise OutOfSight("There is nothing at this address.", case_id or UUID(int=0))
        rows = [shown(row, record, by, of) for row in await commands.entries(tx, register, by, case_id, cursor)]
        abouts = await _abouts(tx, record, case)
        staff = await _staff(tx)
    return _show(
        request, edge, visit, form, status, register, record, of, case=case, rows=rows, abouts=abouts, staff=staff,
        following=rows[-1].entry_id if len(rows) == commands.LISTED_MAX else None,
        writes_at=commands.places_of(record, edge.here, by) if case is None else [],
    )  # fmt: skip


def _show(
    request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int, register: str, record: RecordType, of: Any,
    **more: Any,
) -> Response:  # fmt: skip
    language = edge.pages.language(request, visit.language)
    by = visit.actor
    fields = [(PREFIX + id_, one, _options(one, language)) for id_, one in readable(record, by.role, of).items()]
    names = {id_: one.label.in_(language, "en") for id_, one in record.fields.items()}
    return edge.pages.show(
        request, "registers/register.html", visit, status=status, form=form, errors=bool(form.errors), register=register,
        record=record, title=record.name.in_(language, "en"), fields=fields, names=names, may_write=may_write(record, by.role, of),
        places_known=commands.places(edge.here), moment=commands.moment_of, group_of=GROUP_OF,
        told={id_: _told(one, language) for id_, one in record.fields.items()},
        here_now="/cases" if more.get("case") else "/registers", **more,
    )  # fmt: skip


def _options(one: RecordField, language: str) -> list[tuple[str, str]]:
    """Of a choice of the profile's own; a list of codes has the words of pages."""
    return [(id_, words.in_(language, "en")) for id_, words in one.choices.items()]


def _told(one: RecordField, language: str) -> Mapping[str, str]:
    return {id_: words.in_(language, "en") for id_, words in one.choices.items()}


async def _abouts(tx: Transaction, record: RecordType, case: Case | None) -> list[Any]:
    """What of the case an entry may be about."""
    if case is None or record.about not in (About.INCIDENT, About.REFERRAL):
        return []
    table: Any = Incident if record.about is About.INCIDENT else Referral
    return list((await tx.session.execute(select(table).where(col(table.case_id) == case.id))).scalars())


async def _staff(tx: Transaction) -> list[tuple[str, str, bool]]:
    """Every account that a field may name, and whether one may still be chosen: who has gone stands in what was written before."""
    accounts = (await tx.session.execute(select(Account).order_by(col(Account.name)))).scalars()
    return [(str(one.id), one.name, not one.is_disabled) for one in accounts]


@router.post("/registers/{register}")
async def post_register(register: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Adds an entry of no case."""
    return await _post(None, register, request, edge, visit, values)


@router.post("/cases/{case_id}/registers/{register}")
async def post_case_register(
    case_id: UUID, register: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted
) -> Response:
    """Adds one of a case."""
    return await _post(case_id, register, request, edge, visit, values)


async def _post(case_id: UUID | None, register: str, request: Request, edge: Edge, visit: Visit, values: Values) -> Response:
    by, form = visit.actor, Filled[Any](values)

    async def work(tx: Transaction) -> str:
        by.may_work()
        if case_id is not None:
            await load_case(tx, case_id, by)
        of = await held(tx, edge, by)
        record = commands.register(edge.here, edge.pages.look.registers_apart, register, by, of, case_id)
        said = _typed(record, values, edge.pages.times("en", tx.clock.now()))
        about, facility = form.value("about"), form.value("facility") if case_id is None else None
        body = Enter(case_id=case_id, about=UUID(about) if about else None, facility=facility or None, fields=said)
        await commands.enter(register, record, body, tx, edge.here, by, of)
        return f"/cases/{case_id}/registers/{register}" if case_id is not None else f"/registers/{register}"

    try:
        return await submit(request, edge, visit, values, work)
    except MissingDetail as error:
        form.error(error.field if error.field == "about" else PREFIX + error.field, error)
    except Conflict as error:
        form.error("page-form", error)
    return await _page(case_id, register, request, edge, visit, form, status=422)


def _typed(record: RecordType, values: Values, times: Times) -> dict[str, Any]:
    """What was typed, as the register's types have it; what cannot be read stays as it was typed, and is refused by its type."""
    said: dict[str, Any] = {}
    for id_, one in record.fields.items():
        written = (values.get(PREFIX + id_) or [""])[-1]
        clock = (values.get(PREFIX + id_ + TIME) or [""])[-1]
        if written or clock:
            said[id_] = _value(one.type, written, clock, times)
    return said


def _value(kind: FieldType, written: str, clock: str, times: Times) -> Any:
    try:
        match kind:
            case FieldType.COUNT:
                return int(written)
            case FieldType.HOURS:
                return float(written.replace(",", "."))
            case FieldType.YES_NO:
                return {"yes": True, "no": False}.get(written, written)
            case FieldType.MOMENT:
                return times.moment(date.fromisoformat(written), time.fromisoformat(clock)).isoformat()
            case FieldType.MARK:
                return written.upper()
            case _:
                return written
    except ValueError:
        return written


# --- one entry ---------------------------------------------------------------------------------------------------------------


@router.get("/registers/entries/{entry_id}")
async def show_entry(entry_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """An entry with what stood before, and the form that corrects it."""
    return await _entry_page(entry_id, request, edge, visit, await draft_of(request, visit))


async def _entry_page(entry_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    by = visit.actor
    async with edge.database.write() as tx:
        row, record, of = await _entry(entry_id, tx, edge, by)
        if row.case_id is not None:
            await note_read(tx, row.case_id, by, commands.LOOK)
        case = await tx.session.get(Case, row.case_id) if row.case_id is not None else None
        before = [shown(one, record, by, of) for one in await commands.before(tx, row)]
        now, staff = shown(row, record, by, of), await _staff(tx)
    if not form.values:
        form = Filled(_as_typed(record, now.said or {}, edge.pages.times("en", edge.database.clock.now())), form.errors)
    return _show(
        request, edge, visit, form, status, row.record, record, of, case=case, entry=now, before=before, rows=[], abouts=[],
        staff=staff,
    )  # fmt: skip


async def _entry(entry_id: UUID, tx: Transaction, edge: Edge, by: Actor) -> tuple[RegisterEntry, RecordType, Any]:
    row = await commands.load_entry(tx, entry_id, by)
    of = await held(tx, edge, by)
    return row, commands.register(edge.here, edge.pages.look.registers_apart, row.record, by, of, entry_id), of


def _as_typed(record: RecordType, said: Mapping[str, Any], times: Times) -> Values:
    """What stands, as the form shows it."""
    values: Values = {}
    for id_, value in said.items():
        kind = record.fields[id_].type if id_ in record.fields else None
        if kind is FieldType.MOMENT:
            at = times.local(commands.moment_of(value))
            values[PREFIX + id_], values[PREFIX + id_ + TIME] = [at.date().isoformat()], [f"{at:%H:%M}"]
        else:
            values[PREFIX + id_] = [{True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)]
    return values


@router.post("/registers/entries/{entry_id}")
async def post_correction(entry_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Corrects it."""
    by, form = visit.actor, Filled[Any](values)

    async def work(tx: Transaction) -> str:
        row, record, of = await _entry(entry_id, tx, edge, by)
        said = _typed(record, values, edge.pages.times("en", tx.clock.now()))
        await commands.correct(row, record, Correct(fields=said), tx, edge.here, by, of)
        return f"/registers/entries/{entry_id}"

    try:
        return await submit(request, edge, visit, values, work)
    except MissingDetail as error:
        form.error(PREFIX + error.field, error)
    except Conflict as error:
        form.error("page-form", error)
    return await _entry_page(entry_id, request, edge, visit, form, 422)
