"""Routes: subscriptions, and the stream of what an account may see, resumable by feed_seq."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from sse_starlette.sse import EventSourceResponse

from shared.casework.cases.views import note_listed
from shared.casework.edge import Edge, IdempotencyKey, IfMatch, OneEdge, Page, SignedIn, command, still_signed_in, version_of
from shared.casework.following import commands
from shared.casework.following.commands import Follow
from shared.casework.following.streams import LiveStream
from shared.casework.following.tables import FollowedThing
from shared.casework.here import Actor
from shared.casework.referrals.commands import Stale
from shared.casework.timeline.views import line_view, of_followed, visible_to
from shared.exchange.feed import lines_after
from shared.exchange.tables import Activity
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import DatabaseAway

router = APIRouter(prefix="/api/v1", tags=["following"])

STREAM_LIFE_S = 600.0  # a browser comes back by itself; an account that was disabled meanwhile does not
STREAM_POLL_S = 0.25  # how late a line may show; the feed itself is numbered a moment after each commit
STREAM_BATCH = 100  # lines of one read: some 50 KiB, and what a restart or a night has left comes in a few of them


class SubscriptionView(Body):
    """One subscription."""

    id: UUID
    case_id: UUID | None
    facility: str | None
    service: str | None
    channel: str
    created_at: datetime


def _view(row: FollowedThing) -> SubscriptionView:
    return SubscriptionView.model_validate(row.model_dump(exclude={"account_id"}))


@router.get("/subscriptions")
async def get_subscriptions(edge: OneEdge, by: SignedIn) -> Page:
    """What the account follows."""
    async with edge.database.read() as tx:
        return Page(items=[_view(row) for row in await commands.subscriptions(tx, by)])


@router.post("/subscriptions", status_code=201, response_model=SubscriptionView)
async def post_subscription(body: Follow, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Follows a case, a facility or a service."""

    async def work(tx: Transaction) -> SubscriptionView:
        return _view(await commands.follow(body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.delete("/subscriptions/{subscription_id}", status_code=204)
async def delete_subscription(subscription_id: UUID, edge: OneEdge, by: SignedIn, if_match: IfMatch = None) -> Response:
    """Ends a subscription. It has one version only, so `If-Match: *` or "1" will do."""
    if version_of(if_match, needed=True) not in (None, 1):
        raise Stale("A subscription never changes; its version is 1.")
    async with edge.database.write() as tx:
        await commands.unfollow(subscription_id, tx, by)
    return Response(status_code=204)


@router.get("/updates")
async def get_updates(
    edge: OneEdge, by: SignedIn, cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
    limit: Annotated[int, Query(ge=1, le=STREAM_BATCH)] = STREAM_BATCH,
) -> Page:  # fmt: skip
    """What has changed in the followed things since `cursor`, oldest first; `next_cursor` is where to go on, also at the end."""
    after = int(cursor or 0)
    async with edge.database.write() as tx:  # what a line says of a case is a look at it, and looks are kept
        rows = await lines_after(tx, after, limit, *visible_to(by), of_followed(await commands.subscriptions(tx, by)))
        await note_listed(tx, {row.case_id for row in rows if row.case_id}, by)
    return Page(items=[line_view(row) for row in rows], next_cursor=str(rows[-1].feed_seq) if rows else cursor)


@router.get("/events/stream", response_class=EventSourceResponse)
async def get_stream(
    request: Request, edge: OneEdge, by: SignedIn, following: bool = False,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,18}$")] = None,
) -> LiveStream:  # fmt: skip
    """Server-sent events: ids are feed_seq, data is a line of the timeline; `?following=true` only what the account follows."""
    return LiveStream(edge.streams, by.account_id, _lines(request, edge, by, int(last_event_id or 0), following=following))


async def _lines(request: Request, edge: Edge, by: Actor, after: int, *, following: bool) -> AsyncIterator[dict[str, str]]:
    loop = asyncio.get_running_loop()
    until = loop.time() + STREAM_LIFE_S
    while loop.time() < until and not edge.closing and not await request.is_disconnected():
        rows: Sequence[Activity] = []
        with contextlib.suppress(DatabaseAway):  # the stream stays open and goes on where it was
            async with edge.database.read() as tx:
                if not await still_signed_in(tx, request, edge, by):
                    return  # signed out, locked, disabled, moved to another desk: the stream ends with the right to it
                followed = [of_followed(await commands.subscriptions(tx, by))] if following else []
                found = await lines_after(tx, after, STREAM_BATCH, *visible_to(by), *followed)
            if found:
                async with edge.database.write() as tx:  # before any of it is shown
                    await note_listed(tx, {row.case_id for row in found if row.case_id}, by)
            rows = found
        for row in rows:
            after = row.feed_seq or after
            data = line_view(row).model_dump(mode="json", exclude={"receipt"})
            yield {"id": str(after), "event": row.kind, "data": json.dumps(data, separators=(",", ":"))}
        if not rows:
            await asyncio.sleep(STREAM_POLL_S)
