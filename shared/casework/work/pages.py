"""Pages: the work list, who is here now, somebody at the door, the shift's hand-over, and the stream that keeps them fresh."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlmodel import col
from sse_starlette.sse import EventSourceResponse

from shared.casework.accounts import sessions
from shared.casework.accounts.sessions import Visit
from shared.casework.accounts.tables import Account, HandOver
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_listed
from shared.casework.edge import Edge, OneEdge
from shared.casework.following.web import PING_S, STREAM_BATCH, STREAM_LIFE_S, STREAM_POLL_S
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.referrals import commands
from shared.casework.referrals.commands import MatchArrival, RecordArrival
from shared.casework.referrals.pages import care_until, last_seen
from shared.casework.referrals.tables import Referral, WalkIn
from shared.casework.timeline.views import LINE_KINDS, followed_by, visible_to
from shared.casework.work.views import LIST_MAX, open_items, shown_cases, work_list
from shared.contracts.casework.codes import AgencyKind
from shared.exchange.feed import lines_after
from shared.exchange.tables import Activity
from shared.kit.db import Transaction
from shared.kit.errors import NotFound
from shared.kit.forms import fill
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id

router = APIRouter(include_in_schema=False)

CHANGED_SINCE_MAX = timedelta(days=3)  # after a weekend the list is still a list


@router.get("/work")
async def show_work(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What this desk has to do now."""
    visit.actor.may_work()
    after = await last_seen(edge)
    async with edge.database.write() as tx:  # what a list shows of a case is a look at it, and looks are kept
        times = edge.pages.times("en", tx.clock.now())
        work = await work_list(tx, edge.here, visit.actor, times.today())
        await note_listed(tx, shown_cases(work), visit.actor)
        changed = await _changed(tx, edge, visit) if edge.here.kind is not AgencyKind.POLICE else []
        news = await _unsigned_hand_over(tx, visit)
    return edge.pages.show(
        request, "work/work.html", visit, work=work, changed=changed, until=care_until, live=f"/live?after={after}", hand_over=news
    )


async def _changed(tx: Transaction, edge: Edge, visit: Visit) -> list[tuple[Activity, Case]]:
    """The newest line of each followed case since the account was here last."""
    now = tx.clock.now()
    since = max(visit.left_at or now - timedelta(days=1), now - CHANGED_SINCE_MAX)
    query = (
        select(Activity, Case)
        .join(Case, col(Case.id) == col(Activity.case_id))
        .where(
            col(Activity.recorded_at) > since, col(Activity.is_own).is_(False), followed_by(visit.actor),
            col(Activity.kind).not_in((*LINE_KINDS, "circle.announced")), *visible_to(visit.actor),
        )
        .order_by(col(Activity.position).desc())
        .limit(LIST_MAX * 4)
    )  # fmt: skip
    newest: dict[UUID, tuple[Activity, Case]] = {}
    for line, case in (await tx.session.execute(query)).tuples():
        newest.setdefault(case.id, (line, case))
    return list(newest.values())[:LIST_MAX]


async def _unsigned_hand_over(tx: Transaction, visit: Visit) -> tuple[HandOver, str] | None:
    if visit.actor.facility is None:
        return None
    query = (
        select(HandOver, col(Account.name))
        .join(Account, col(Account.id) == col(HandOver.given_by))
        .where(col(HandOver.facility) == visit.actor.facility, col(HandOver.taken_at).is_(None))
        .where(col(HandOver.given_by) != visit.actor.account_id)
        .order_by(col(HandOver.written_at).desc())
        .limit(1)
    )
    found = (await tx.session.execute(query)).tuples().first()
    return found if found is None else (found[0], found[1])


@router.get("/here-now")
async def show_here_now(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Who has come and is in care, and walk-ins that are not matched yet."""
    visit.actor.may_work()
    async with edge.database.write() as tx:
        work = await work_list(tx, edge.here, visit.actor, edge.pages.times("en", tx.clock.now()).today())
        await note_listed(tx, shown_cases(work), visit.actor)
    return edge.pages.show(request, "work/here_now.html", visit, work=work, live=f"/live?after={await last_seen(edge)}")


@router.get("/live")
async def get_live(
    request: Request, edge: OneEdge, visit: Visitor, after: Annotated[int, Query(ge=0)] = 0,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,18}$")] = None,
) -> EventSourceResponse:  # fmt: skip
    """Says that something the account may see has changed; never what. The page asks for itself again."""
    return EventSourceResponse(
        _changes(request, edge, visit, int(last_event_id or after)), ping=PING_S, headers={"Cache-Control": "no-store"}
    )


async def _changes(request: Request, edge: Edge, visit: Visit, after: int) -> AsyncIterator[dict[str, str]]:
    loop = asyncio.get_running_loop()
    until = loop.time() + STREAM_LIFE_S
    conditions = visible_to(visit.actor)
    while loop.time() < until and not edge.closing and not await request.is_disconnected():
        async with edge.database.read() as tx:
            now = await sessions.visit(tx, edge.here, request.cookies.get(edge.pages.cookie))
            if now is None or now.is_locked or now.actor != visit.actor:
                return
            rows = await lines_after(tx, after, STREAM_BATCH, *conditions)
        if rows:
            after = rows[-1].feed_seq or after
            yield {"id": str(after), "event": "line", "data": ""}
        else:
            await asyncio.sleep(STREAM_POLL_S)


# --- at the door ---------------------------------------------------------------------------------------------------------


class AtTheDoor(BaseModel):
    """Somebody is here."""

    code: str | None = Field(default=None, max_length=20)
    feedback: Literal["yes", "no", "not_asked"] | None = None
    facility: str | None = None


@router.get("/arrivals/new")
async def show_arrival(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Somebody is here: by a spoken number, or without one."""
    visit.actor.may_work()
    return edge.pages.show(request, "work/arrival.html", visit, form=await draft_of(request, visit), here_now="/work")


@router.post("/arrivals/new")
async def post_arrival(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Care first: a number that fits nothing never keeps anybody waiting."""
    form = fill(AtTheDoor, values, {"code": _("The number has six digits.")})
    asked = form.model
    if asked is None:
        return edge.pages.show(request, "work/arrival.html", visit, form=form, errors=True, status=422)
    feedback = {"yes": True, "no": False}.get(asked.feedback or "")
    code = (asked.code or "").replace(" ", "") or None

    async def work(tx: Transaction) -> str:
        body = RecordArrival(code=code, facility=asked.facility, feedback=feedback)
        walk_in, referral = await commands.record_arrival(body, tx, edge.here, visit.actor)
        if referral is not None:
            return f"/referrals/{referral.id}"
        return f"/arrivals/{walk_in.id}/match" if walk_in and code else "/here-now"

    return await submit(request, edge, visit, values, work)


@router.get("/arrivals/{arrival_id}/match")
async def show_match(arrival_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Which request somebody came on, once it is known."""
    visit.actor.may_work()
    async with edge.database.write() as tx:
        walk_in = await tx.session.get(WalkIn, arrival_id)
        if walk_in is None or not visit.actor.sees(walk_in.facility):
            raise NotFound("There is no such arrival.")
        # Of every desk of this agency: she may have come to another door than the one that was asked.
        query = select(Referral).where(
            col(Referral.direction) == "in", col(Referral.is_open).is_(True), col(Referral.arrived_at).is_(None)
        )
        rows = list((await tx.session.execute(query.order_by(col(Referral.issued_at).desc()).limit(LIST_MAX))).scalars())
        await note_listed(tx, {row.case_id for row in rows}, visit.actor)
    return edge.pages.show(request, "work/match.html", visit, walk_in=walk_in, rows=rows, here_now="/here-now")


@router.post("/arrivals/{arrival_id}/match")
async def post_match(arrival_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Counts the arrival from when it was."""
    form = fill(MatchArrival, values, {"referral_id": _("Choose the request.")})
    asked = form.model
    if asked is None:
        return RedirectResponse(f"/arrivals/{arrival_id}/match", 303)

    async def work(tx: Transaction) -> str:
        _walk_in, referral = await commands.match_arrival(arrival_id, asked, tx, edge.here, visit.actor)
        return f"/referrals/{referral.id}"

    return await submit(request, edge, visit, values, work)


# --- the end of a shift ----------------------------------------------------------------------------------------------------


@router.get("/hand-over")
async def show_hand_over(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What is open at the end of the shift."""
    visit.actor.may_work()
    async with edge.database.write() as tx:
        work = await work_list(tx, edge.here, visit.actor, edge.pages.times("en", tx.clock.now()).today())
        await note_listed(tx, shown_cases(work), visit.actor)
        news = await _unsigned_hand_over(tx, visit)
    return edge.pages.show(request, "work/hand_over.html", visit, work=work, hand_over=news)


@router.post("/hand-over")
async def post_hand_over(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Closes the shift: what is open is kept for the next one to sign."""
    visit.actor.may_work()

    async def work(tx: Transaction) -> str:
        found = await work_list(tx, edge.here, visit.actor, edge.pages.times("en", tx.clock.now()).today())
        facility = visit.actor.facility or next(iter(edge.here.entry.facilities))
        tx.session.add(
            HandOver(id=new_id(), facility=facility, given_by=visit.actor.account_id, open_items=open_items(found),
                     written_at=tx.clock.now())
        )  # fmt: skip
        await sessions.lock(tx, visit.session_id)
        return "/locked"

    return await submit(request, edge, visit, values, work)


@router.post("/hand-over/{hand_over_id}/take")
async def post_take_over(hand_over_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """The next shift has read it."""
    visit.actor.may_work()

    async def work(tx: Transaction) -> str:
        row = await tx.session.get(HandOver, hand_over_id, with_for_update=True)
        if row is None or not visit.actor.sees(row.facility):
            raise NotFound("There is no such hand-over.")
        if row.taken_at is None:
            row.taken_by, row.taken_at = visit.actor.account_id, tx.clock.now()
        return "/work"

    return await submit(request, edge, visit, values, work)
