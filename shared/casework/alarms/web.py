"""Routes: alarms, taken and resolved."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.alarms import commands, views
from shared.casework.alarms.commands import ResolveAlarm
from shared.casework.cases.views import note_listed
from shared.casework.cases.web import Cursor, Limit
from shared.casework.edge import PAGE_DEFAULT, IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1/alarms", tags=["alarms"])


@router.get("")
async def get_alarms(
    edge: OneEdge, by: SignedIn, *, resolved: bool = False, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None
) -> Page:
    """Open alarms, newest first; `?resolved=true` shows all."""
    async with edge.database.write() as tx:  # what a list shows of a case is a look at it, and looks are kept
        items, following = await views.alarms_page(tx, by, cursor, limit, is_open=not resolved)
        await note_listed(tx, {one.case_id for one in items if one.case_id}, by)
    return Page(items=items, next_cursor=following)


@router.post("/{alarm_id}/take", response_model=views.AlarmView)
async def post_take(alarm_id: UUID, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Somebody has it: it climbs no further."""

    async def work(tx: Transaction) -> views.AlarmView:
        return views.alarm_view(await commands.take(tx, edge.here, alarm_id, by))

    return await command(request, edge, by, work, key=key)


@router.post("/{alarm_id}/resolve", response_model=views.AlarmView)
async def post_resolve(
    alarm_id: UUID, request: Request, edge: OneEdge, by: SignedIn, body: ResolveAlarm | None = None, key: IdempotencyKey = None
) -> Response:
    """It is dealt with."""

    async def work(tx: Transaction) -> views.AlarmView:
        return views.alarm_view(await commands.resolve(body or ResolveAlarm(), tx, edge.here, alarm_id, by))

    return await command(request, edge, by, work, key=key)
