"""Routes of the register of offenders."""

from datetime import date, datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.offenders import commands
from services.police.offenders.commands import AddEntry, EnterOffender
from services.police.offenders.tables import Offender, OffenderEntry
from shared.casework.edge import Edge, IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.here import Actor
from shared.casework.shown import Shown
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["offenders"])


class EntryView(Body):
    """What was done, by the programme's own choices."""

    what: str | None
    on: date


class OffenderView(Shown):
    """Somebody of the register. It names no case, and no case names it."""

    id: UUID
    facility: str
    who: str | None
    entered_at: datetime
    entries: list[EntryView]

    async def keep_look(self, tx: Transaction, by: Actor) -> None:
        """Keeps it in the register's own log."""
        await commands.note_look(tx, self.id, by)


class ListedView(Body):
    """A line of the register: who it is, says the entry itself, and that somebody opened it is kept."""

    id: UUID
    facility: str
    entered_at: datetime


def _view(offender: Offender, entries: list[OffenderEntry]) -> OffenderView:
    done = [EntryView(what=one.what, on=one.on_date) for one in entries]
    return OffenderView(
        id=offender.id, facility=offender.facility, who=offender.who, entered_at=offender.entered_at, entries=done
    )  # fmt: skip


async def _one(tx: Transaction, offender_id: UUID, edge: Edge, by: Actor) -> OffenderView:
    return _view(*await commands.open_one(tx, offender_id, edge.here, by))


@router.post("/offenders", status_code=201, response_model=OffenderView)
async def post_offender(body: EnterOffender, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Enters somebody with what was done."""

    async def work(tx: Transaction) -> OffenderView:
        made = await commands.enter(body, tx, edge.here, by)
        return await _one(tx, made.id, edge, by)

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/offenders/{offender_id}/entries", status_code=201, response_model=OffenderView)
async def post_entry(
    offender_id: UUID, body: AddEntry, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Adds what was done."""

    async def work(tx: Transaction) -> OffenderView:
        await commands.add_entry(offender_id, body, tx, edge.here, by)
        return await _one(tx, offender_id, edge, by)

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/offenders")
async def get_offenders(edge: OneEdge, by: SignedIn) -> Page:
    """The register of the account's stations, newest first, without names."""
    async with edge.database.read() as tx:
        rows = await commands.listed(tx, edge.here, by)
    return Page(items=[ListedView(id=row.id, facility=row.facility, entered_at=row.entered_at) for row in rows])


@router.get("/offenders/{offender_id}")
async def get_offender(offender_id: UUID, edge: OneEdge, by: SignedIn) -> OffenderView:
    """One of them; the look is kept."""
    async with edge.database.write() as tx:
        found = await _one(tx, offender_id, edge, by)
        await found.keep_look(tx, by)
        return found
