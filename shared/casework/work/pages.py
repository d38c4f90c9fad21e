"""Pages: the work list, who is here now, the shift's hand-over, and the stream that keeps them fresh."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts import sessions
from shared.casework.accounts.sessions import Visit
from shared.casework.accounts.tables import Account, HandOver
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_listed, note_read
from shared.casework.conferences.views import work_lines as conference_lines
from shared.casework.edge import Edge, OneEdge
from shared.casework.eyes.commands import to_review
from shared.casework.following.commands import subscriptions
from shared.casework.following.streams import LiveStream
from shared.casework.following.web import STREAM_BATCH, STREAM_LIFE_S, STREAM_POLL_S
from shared.casework.holds.commands import set_aside
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.protocols.views import work_lines as protocol_lines
from shared.casework.referrals import story
from shared.casework.referrals.commands import load_referral
from shared.casework.referrals.pages import care_until, last_seen
from shared.casework.scope import OutOfSight
from shared.casework.timeline.views import LINE_KINDS, of_followed, visible_to
from shared.casework.work.views import (
    LIST_MAX,
    REFERRALS,
    WorkList,
    alarm_at,
    look_at_taken_back,
    open_items,
    shown_cases,
    work_list,
)
from shared.contracts.casework.codes import AgencyKind, Role
from shared.exchange.feed import lines_after
from shared.exchange.tables import Activity
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.kit.sealed import shut_shown

router = APIRouter(include_in_schema=False)
live_router = APIRouter(include_in_schema=False)  # what every page that follows its records asks for

CHANGED_SINCE_MAX = timedelta(days=3)  # after a weekend the list is still a list
CHANGED_LINES_MAX = LIST_MAX * 4  # newest lines looked through for the cases of one list: a busy case has three or four a day
BOXES_MAX = 5  # requests that have not left, each in a box of its own; in a long outage the others are rows, or no box is read
HAND_OVERS_MAX = 20  # shifts that nobody has taken over; a week without anybody is fewer


@router.get("/work")
async def show_work(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What this desk has to do now."""
    visit.actor.may_work()
    after = await last_seen(edge)
    async with edge.database.write() as tx:  # what a list shows of a case is a look at it, and looks are kept
        times = edge.pages.times("en", tx.clock.now())
        work = await work_list(tx, edge.here, visit.actor, times.today())
        look = edge.pages.look
        to_tell, steps_to_tell = await look.to_tell(tx, edge.here, visit.actor) if look.to_tell is not None else ((), 0)
        await note_listed(tx, shown_cases(work) | {one.case.id for one in to_tell}, visit.actor)
        held = await _held(tx, work)
        changed = await _changed(tx, edge, visit) if edge.here.kind is not AgencyKind.POLICE else []
        first = [(template, await load(tx, edge.here, visit.actor)) for template, load in edge.pages.look.work_first]
        unsigned = await _unsigned(tx, visit)
        own = [
            line
            for lines in (conference_lines, *edge.pages.look.work_lines, protocol_lines)
            for line in await lines(tx, edge.here, visit.actor)
        ]
        openings = await to_review(tx, edge.here, visit.actor, times.today()) if visit.actor.role is Role.SUPERVISOR else []
        entered_at = await story.entered_at(tx, [r.id for r in work.unsent])
    return edge.pages.show(
        request, "work/work.html", visit, work=work, changed=changed, until=care_until, live=f"/live?after={after}",
        hand_overs=[(row, name, _what_was_open(row)) for row, name in unsigned], alarm_at=partial(alarm_at, edge.here),
        entered_at=entered_at, boxes_max=BOXES_MAX, openings=openings, own_lines=own, held=held, first=first, to_tell=to_tell,
        steps_to_tell=steps_to_tell,
    )  # fmt: skip


@router.post("/work/taken-back/{referral_id}/read")
async def post_read(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """The desk has read that somebody who was expected will not come on this request."""
    visit.actor.may_work()

    async def work(tx: Transaction) -> str:
        referral = await load_referral(tx, referral_id, visit.actor)
        await note_read(tx, referral.case_id, visit.actor, look_at_taken_back(referral.id))
        return "/work"

    return await submit(request, edge, visit, values, work)


async def _changed(tx: Transaction, edge: Edge, visit: Visit) -> list[tuple[Activity, Case]]:
    """The newest line of each followed case since the account was here last."""
    followed = await subscriptions(tx, visit.actor)
    if not followed:
        return []
    now = tx.clock.now()
    since = max(visit.left_at or now - timedelta(days=1), now - CHANGED_SINCE_MAX)
    query = (
        select(Activity, Case)
        .join(Case, col(Case.id) == col(Activity.case_id))
        .where(
            col(Activity.recorded_at) > since, col(Activity.is_own).is_(False), of_followed(followed),
            col(Activity.kind).not_in((*LINE_KINDS, "circle.announced")), *visible_to(visit.actor),
        )
        .order_by(col(Activity.recorded_at).desc(), col(Activity.position).desc())
        .limit(CHANGED_LINES_MAX)
    )  # fmt: skip
    newest: dict[UUID, tuple[Activity, Case]] = {}
    with shut_shown():
        for line, case in (await tx.session.execute(query)).tuples():
            newest.setdefault(case.id, (line, case))
    return list(newest.values())[:LIST_MAX]


@router.get("/here-now")
async def show_here_now(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Who has come and is in care, and walk-ins that are not matched yet."""
    visit.actor.may_work()
    after = await last_seen(edge)  # before anything is read: what comes between is told again, never missed
    async with edge.database.write() as tx:
        work = await work_list(tx, edge.here, visit.actor, edge.pages.times("en", tx.clock.now()).today())
        await note_listed(tx, shown_cases(work), visit.actor)
        held = await _held(tx, work)
    return edge.pages.show(request, "work/here_now.html", visit, work=work, held=held, live=f"/live?after={after}")


async def _held(tx: Transaction, work: WorkList) -> set[UUID]:
    """Of the referrals whose care goes on after consent was taken back, those of which a court keeps what was told."""
    return await set_aside(tx, [referral for _walk_in, _case, referral in work.goes_on])


@live_router.get("/live")
async def get_live(
    request: Request, edge: OneEdge, visit: Visitor, after: Annotated[int, Query(ge=0)] = 0,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,18}$")] = None,
) -> LiveStream:  # fmt: skip
    """Says that something the account may see has changed; never what. The page asks for itself again."""
    return LiveStream(edge.streams, visit.actor.account_id, _changes(request, edge, visit, int(last_event_id or after)))


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
            await edge.database.clock.sleep(STREAM_POLL_S)


# --- the end of a shift ----------------------------------------------------------------------------------------------------


SECTIONS = {  # what the next shift takes over, most urgent first; beside it only what needs nothing just now
    "unseen": _("Sent, and nobody has seen it"), "unsent": _("Has not left yet"),
    "no_way": _("Seen there, and nobody has set out"), "told": _("Told by phone, not yet seen on their screen"),
    "refused": _("Cannot be taken: another place is needed"), "fresh": _("New, not yet seen"),
    "cancels": _("A desk asks to cancel"),
    "taken_back": _("Will not come on this request: consent was taken back"),
    "here_now": _("Here now"), "goes_on": _("Here now, consent was taken back: care goes on"),
    "walk_ins": _("Came without a request"),
    "coming": _("Expected"), "messages": _("Messages to pass on"), "late": _("Time has passed, still open"),
    "waiting": _("Sent, not seen yet"), "drafted": _("Time to think, not sent yet"),
    "opened": _("Opened, nothing sent yet"),
}  # fmt: skip


class Shift(Body):
    """At which place a shift ends; needed only from whoever sees the whole agency."""

    facility: str | None = None


async def _unsigned(tx: Transaction, visit: Visit) -> list[tuple[HandOver, str]]:
    """Every shift that was handed over here by somebody else and that nobody has taken over, oldest first."""
    query = (
        select(HandOver, col(Account.name))
        .join(Account, col(Account.id) == col(HandOver.given_by))
        .where(col(HandOver.taken_at).is_(None), col(HandOver.given_by) != visit.actor.account_id)
    )
    if visit.actor.facility is not None:
        query = query.where(col(HandOver.facility).in_(visit.actor.desks))
    newest = (await tx.session.execute(query.order_by(col(HandOver.written_at).desc()).limit(HAND_OVERS_MAX))).tuples()
    return [(row, name) for row, name in newest][::-1]


@dataclass(frozen=True, slots=True)
class WasOpen:
    """One line of what a shift left: what it is, how many, and those of them that are referrals."""

    what: str
    count: int
    referrals: tuple[UUID, ...] = ()


def _what_was_open(row: HandOver) -> list[WasOpen]:
    ids, counts = row.open_items, row.open_items.get("totals", {})
    found = [
        WasOpen(name, int(counts.get(key, len(ids.get(key, [])))), tuple(map(UUID, ids.get(key, ()))) if key in REFERRALS else ())
        for key, name in SECTIONS.items()
    ]
    return [one for one in (*found, WasOpen(_("Sent and seen"), int(ids.get("under_way", 0)))) if one.count]


@router.get("/hand-over")
async def show_hand_over(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What is open at the end of the shift."""
    return await _hand_over_page(request, edge, visit, await draft_of(request, visit))


async def _hand_over_page(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # what a list shows of a case is a look at it
        work = await work_list(tx, edge.here, visit.actor, edge.pages.times("en", tx.clock.now()).today())
        await note_listed(tx, shown_cases(work), visit.actor)
        unsigned = [(row, name, _what_was_open(row)) for row, name in await _unsigned(tx, visit)]
    open_now = [(key, name, getattr(work, key), work.total(key)) for key, name in SECTIONS.items() if work.total(key)]
    return edge.pages.show(
        request, "work/hand_over.html", visit, status=status, form=form, errors=bool(form.errors), open_now=open_now,
        under_way=work.under_way, hand_overs=unsigned,
    )  # fmt: skip


@router.post("/hand-over")
async def post_hand_over(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Closes the shift: what is open at its place is kept for the next one to sign."""
    visit.actor.may_work()
    form = fill(Shift, values, {})
    facility = visit.actor.facility or (form.model.facility if form.model else None)
    if facility not in edge.here.entry.facilities:
        form.error("facility", _("Choose the place whose shift ends."))
        return await _hand_over_page(request, edge, visit, form, status=422)
    by = visit.actor
    desk = edge.here.actor(by.account_id, by.name, by.role, facility)

    async def work(tx: Transaction) -> str:
        found = await work_list(tx, edge.here, desk, edge.pages.times("en", tx.clock.now()).today())
        kept: dict[str, Any] = {"facility": facility, "given_by": by.account_id, "open_items": open_items(found)}
        tx.session.add(HandOver(id=new_id(), written_at=tx.clock.now(), **kept))
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
            raise OutOfSight("There is no such hand-over.", hand_over_id)
        if row.given_by == visit.actor.account_id:
            raise Conflict("Whoever hands over does not take over; the next shift signs.")
        if row.taken_at is None:
            row.taken_by, row.taken_at = visit.actor.account_id, tx.clock.now()
        is_last = not await _unsigned(tx, visit)
        return "/work" if is_last else "/hand-over"

    return await submit(request, edge, visit, values, work)
