"""Routes: calls to the hotline, how desks stand, and what the hotline came to."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.police.hotline import commands, views
from services.police.hotline.commands import MergeCall, TakeCall
from services.police.hotline.desks import SayState, hotline_of, say_state
from services.police.hotline.tables import Call, DeskState
from services.police.hotline.views import CallView, HotlineView, call_view
from shared.casework.cases.views import CaseView, case_view
from shared.casework.cases.web import Cursor, Limit
from shared.casework.edge import PAGE_DEFAULT, IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.here import Actor
from shared.contracts.casework import events
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["hotline"])


class DeskStateView(Body):
    """What a desk said of itself."""

    facility: str
    assets: list[str]
    is_trained: bool | None
    has_female_staff: bool | None
    languages: list[str]
    said_at: datetime


def _state(row: DeskState) -> DeskStateView:
    return DeskStateView.model_validate(row.model_dump(exclude={"recorded_by"}))


async def _shown(tx: Transaction, call: Call, by: Actor) -> CallView:
    return call_view(call, await views.alike(tx, call, by))


@router.post("/calls", status_code=201, response_model=CallView)
async def post_call(body: TakeCall, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Takes a call and sends it to exactly one desk of this agency. Nothing crosses to another agency, and no number is kept."""

    async def work(tx: Transaction) -> CallView:
        return call_view(await commands.take_call(body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/calls")
async def get_calls(edge: OneEdge, by: SignedIn, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None) -> Page:
    """The calls that lie at the account's desks or were taken there, newest first."""
    hotline_of(edge.here)
    by.may_work()
    async with edge.database.write() as tx:
        rows, following = await views.calls_page(tx, by, cursor, limit)
        return Page(items=[call_view(row) for row in rows], next_cursor=following)


@router.get("/calls/{call_id}")
async def get_call(call_id: UUID, edge: OneEdge, by: SignedIn) -> CallView:
    """One call, with those that may be of the same person; the read is logged."""
    async with edge.database.write() as tx:
        call = await commands.load_call(tx, call_id, by)
        await views.note_look(tx, call, by)
        return await _shown(tx, call, by)


@router.post("/calls/{call_id}/seen", response_model=CallView)
async def post_seen(call_id: UUID, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """The desk has seen it; the chain stops."""

    async def work(tx: Transaction) -> CallView:
        return call_view(await commands.see_call(call_id, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/calls/{call_id}/case", status_code=201, response_model=CaseView)
async def post_case(call_id: UUID, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Opens a case at the desk from what she told; the same case where there is one."""

    async def work(tx: Transaction) -> CaseView:
        return case_view(await commands.open_from_call(call_id, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/calls/{call_id}/merge", response_model=CallView)
async def post_merge(
    call_id: UUID, body: MergeCall, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Somebody says that it is of the person of an earlier call."""

    async def work(tx: Transaction) -> CallView:
        return call_view(await commands.merge_call(call_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/calls/{call_id}/called-back", response_model=CallView)
async def post_called_back(call_id: UUID, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """She was called back; 409 unless she has said that it is safe."""

    async def work(tx: Transaction) -> CallView:
        return call_view(await commands.call_back(call_id, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


@router.post("/hotline/desk", response_model=DeskStateView)
async def post_desk(body: SayState, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """How a desk stands now: room, vehicle, a trained officer, languages."""

    async def work(tx: Transaction) -> DeskStateView:
        return _state(await say_state(body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)


Moment = Annotated[events.Moment | None, Query()]


@router.get("/hotline")
async def get_hotline(edge: OneEdge, by: SignedIn, since: Moment = None, until: Moment = None) -> HotlineView:
    """Calls, routed, wrong numbers, unrouted, minutes to seen, and coverage now; the last 30 days where no span is named."""
    async with edge.database.read() as tx:
        last = until or tx.clock.now() + timedelta(microseconds=1)
        return await views.hotline_figures(tx, edge.here, by, since or last - views.COUNTED_OVER, last)
