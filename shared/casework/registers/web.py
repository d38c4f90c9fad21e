"""Routes: the registers of the profile that no feature of its own keeps."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import Edge, IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.here import Actor
from shared.casework.registers import commands
from shared.casework.registers.commands import Correct, Enter
from shared.casework.registers.domain import Held, may, readable, registers_of
from shared.casework.registers.tables import RegisterEntry
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.sealed import is_shut
from shared.programmes.records import RecordType

router = APIRouter(prefix="/api/v1/records", tags=["records"])


class RegisterView(Body):
    """A register, and the fields that the account may see."""

    record: str
    name: str
    about: str
    is_numbered: bool
    fields: dict[str, dict[str, Any]]


class EntryView(OfACase):
    """An entry as it stands now. `said` is null where its key is missing; fields that are not for the account are left out."""

    look: ClassVar[str] = commands.LOOK

    entry_id: UUID
    version: int
    record: str
    number: int | None
    case_id: UUID | None
    about: UUID | None
    facility: str
    said: dict[str, Any] | None
    keep_until: date | None
    recorded_at: datetime
    is_shut: bool = False


async def held(tx: Transaction, edge: Edge, by: Actor) -> Held:
    """What the account is, for registers."""
    of = edge.pages.look.certificates
    return await commands.held_by(tx, by, await of(tx, edge.here, by) if of is not None else ())


def shown(row: RegisterEntry, record: RecordType, by: Actor, of: Held) -> EntryView:
    """An entry, as far as the account may see it."""
    seen = readable(record, by.role, of)
    said: Mapping[str, Any] | None = row.said if isinstance(row.said, dict) else None
    return EntryView(
        **row.model_dump(include=set(EntryView.model_fields) - {"said", "is_shut"}),
        said={id_: value for id_, value in said.items() if id_ in seen} if said is not None else None, is_shut=is_shut(row),
    )  # fmt: skip


@router.get("")
async def get_registers(edge: OneEdge, by: SignedIn) -> Page:
    """The registers that the account may read."""
    by.may_work()
    async with edge.database.read() as tx:
        of = await held(tx, edge, by)
    found = registers_of(edge.here.programme, edge.here.agency, edge.pages.look.registers_apart)
    views = [
        RegisterView(
            record=id_, name=str(one.name), about=one.about, is_numbered=one.numbered,
            fields={name: {"type": f.type, "required": f.required, "options": list(f.options)}
                    for name, f in readable(one, by.role, of).items()},
        )
        for id_, one in found.items() if may(one.readers, by.role, of)
    ]  # fmt: skip
    return Page(items=views)


@router.get("/{register}")
async def get_entries(
    register: str, edge: OneEdge, by: SignedIn, case_id: Annotated[UUID | None, Query()] = None,
    cursor: Annotated[UUID | None, Query()] = None,
) -> Page:  # fmt: skip
    """The entries of a register, the newest first: of one case, or all that the account may see."""
    by.may_work()
    async with edge.database.write() as tx:  # looks are kept
        if case_id is not None:
            await load_case(tx, case_id, by)
        of = await held(tx, edge, by)
        record = commands.register(edge.here, edge.pages.look.registers_apart, register, by, of, case_id)
        rows: Sequence[RegisterEntry] = await commands.entries(tx, register, by, case_id, cursor)
        more = str(rows[-1].entry_id) if len(rows) == commands.LISTED_MAX else None
        return Page(items=[shown(row, record, by, of) for row in rows], next_cursor=more)


@router.post("/{register}", status_code=201, response_model=EntryView)
async def post_entry(
    register: str, body: Enter, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Adds an entry. It stays here, sealed."""

    async def work(tx: Transaction) -> EntryView:
        by.may_work()
        of = await held(tx, edge, by)
        record = commands.register(edge.here, edge.pages.look.registers_apart, register, by, of, body.case_id)
        return shown(await commands.enter(register, record, body, tx, edge.here, by, of), record, by, of)

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/{register}/{entry_id}", response_model=list[EntryView])
async def get_entry(register: str, entry_id: UUID, edge: OneEdge, by: SignedIn) -> list[EntryView]:
    """One entry in all its versions, the first first."""
    async with edge.database.write() as tx:
        row = await commands.load_entry(tx, entry_id, by)
        of = await held(tx, edge, by)
        record = commands.register(edge.here, edge.pages.look.registers_apart, row.record, by, of, entry_id)
        if row.case_id is not None:
            await note_read(tx, row.case_id, by, commands.LOOK)
        return [shown(one, record, by, of) for one in (*await commands.before(tx, row), row)]


@router.post("/{register}/{entry_id}/corrections", response_model=EntryView)
async def post_correction(
    register: str, entry_id: UUID, body: Correct, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Writes an entry anew; what stood before stays."""

    async def work(tx: Transaction) -> EntryView:
        row = await commands.load_entry(tx, entry_id, by)
        of = await held(tx, edge, by)
        record = commands.register(edge.here, edge.pages.look.registers_apart, row.record, by, of, entry_id)
        return shown(await commands.correct(row, record, body, tx, edge.here, by, of), record, by, of)

    return await command(request, edge, by, work, key=key)
