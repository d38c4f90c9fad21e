"""Pages of a supervisor: alarms, what is overdue by facility, and who holds which post."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts.commands import accounts_of
from shared.casework.accounts.rosters import SetDuty, duties_of, end_duty, holder, set_duty
from shared.casework.accounts.tables import Account
from shared.casework.alarms import commands
from shared.casework.alarms.commands import LINE_TROUBLES, ResolveAlarm, may_see
from shared.casework.alarms.tables import Alarm
from shared.casework.cases.tables import Case
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, submit
from shared.casework.referrals.pages import last_seen
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Flag, Role, Urgency
from shared.exchange.tables import Peer
from shared.kit.db import Transaction
from shared.kit.errors import NotFound
from shared.kit.forms import fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

ALARMS_MAX = 100  # of one page; more than these is a bad day, and the oldest come first
REASON_CHARACTERS_MAX = 300


@router.get("/alarms")
async def show_alarms(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What nobody has taken first, then what somebody has."""
    after = await last_seen(edge)  # before anything is read: what comes between is told again, never missed
    async with edge.database.read() as tx:
        query = select(Alarm).where(col(Alarm.resolved_at).is_(None))
        if visit.actor.facility is not None:
            query = query.where(col(Alarm.facility).in_(visit.actor.desks))
        query = query.order_by(col(Alarm.taken_at).is_not(None), col(Alarm.is_acute).desc(), col(Alarm.raised_at))
        rows = [a for a in (await tx.session.execute(query.limit(ALARMS_MAX))).scalars() if may_see(a, visit.actor)]
        shown = [await _shown(tx, edge, alarm) for alarm in rows]
        overdue = await _overdue(tx, edge, visit) if visit.actor.role is Role.SUPERVISOR else []
    return edge.pages.show(request, "alarms/alarms.html", visit, rows=shown, overdue=overdue, live=f"/live?after={after}")


async def _shown(tx: Transaction, edge: Edge, alarm: Alarm) -> dict[str, Any]:
    about = await tx.session.get(Referral, alarm.about) if alarm.kind not in LINE_TROUBLES else None
    case = await tx.session.get(Case, alarm.case_id) if alarm.case_id else None
    taken = await tx.session.get(Account, alarm.taken_by) if alarm.taken_by else None
    posts = edge.here.facility(alarm.facility).posts
    holders = {post: await holder(tx, alarm.facility, post) for post in posts}
    return {"alarm": alarm, "referral": about, "case": case, "taken": taken, "posts": posts, "holders": holders}


async def _overdue(tx: Transaction, edge: Edge, visit: Visitor) -> list[dict[str, Any]]:
    """By facility that we sent to, in order of name: quiet places may have no power, so nobody is ranked."""
    query = select(Referral).where(col(Referral.direction) == "out", col(Referral.is_open).is_(True))
    if visit.actor.facility is not None:
        query = query.where(col(Referral.desk).in_(visit.actor.desks))
    heard = {row.peer: row.last_heard_at for row in (await tx.session.execute(select(Peer))).scalars()}
    table: dict[tuple[str, str], dict[str, Any]] = {}
    for agency in edge.here.peers:
        for id_, facility in edge.here.network.agencies[agency].facilities.items():
            table[(agency, id_)] = {
                "name": facility.name, "unseen": 0, "acute": 0, "late": 0, "heard": heard.get(agency), "mode": facility.mode,
            }  # fmt: skip
    for row in (await tx.session.execute(query)).scalars():
        entry = table.get((row.recipient, str(row.standing.get("facility") or row.to_facility)))
        if entry is None:
            continue
        if row.state == "issued" and Flag.UNACKNOWLEDGED in row.flags:
            entry["unseen"] += 1
            entry["acute"] += row.urgency == Urgency.ACUTE
        if Flag.LAPSED in row.flags:
            entry["late"] += 1
    return sorted(table.values(), key=lambda e: e["name"])


@router.get("/overdue")
async def show_overdue(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What waits too long, by facility."""
    visit.actor.may_work()
    visit.actor.may_supervise()
    async with edge.database.read() as tx:
        overdue = await _overdue(tx, edge, visit)
    return edge.pages.show(request, "alarms/overdue.html", visit, overdue=overdue)


@router.post("/alarms/{alarm_id}/take")
async def post_take(alarm_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Somebody has it."""

    async def work(tx: Transaction) -> str:
        await commands.take(tx, edge.here, alarm_id, visit.actor)
        return "/alarms"

    return await submit(request, edge, visit, values, work)


class Resolution(BaseModel):
    """How it ended, in a sentence that stays here."""

    note: str = Field(min_length=1, max_length=REASON_CHARACTERS_MAX)


@router.get("/alarms/{alarm_id}/resolve")
async def show_resolve(alarm_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What was done."""
    return await _resolve_page(alarm_id, request, edge, visit)


async def _resolve_page(alarm_id: UUID, request: Request, edge: Edge, visit: Visitor, **more: Any) -> Response:
    async with edge.database.read() as tx:
        alarm = await tx.session.get(Alarm, alarm_id)
        if alarm is None or not may_see(alarm, visit.actor):
            raise NotFound("There is no such alarm.")
    return edge.pages.show(request, "alarms/resolve.html", visit, alarm=alarm, here_now="/alarms", **more)


@router.post("/alarms/{alarm_id}/resolve")
async def post_resolve(alarm_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """It is dealt with."""
    form = fill(Resolution, values, {"note": _("Write in a few words what was done; no name.")})
    asked = form.model
    if asked is None:
        return await _resolve_page(alarm_id, request, edge, visit, form=form, errors=True, status=422)

    async def work(tx: Transaction) -> str:
        await commands.resolve(ResolveAlarm(note=asked.note), tx, edge.here, alarm_id, visit.actor)
        return "/alarms"

    return await submit(request, edge, visit, values, work)


# --- posts ---------------------------------------------------------------------------------------------------------------


@router.get("/posts")
async def show_posts(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Who holds which post, today and in the coming week."""
    return await _posts_page(request, edge, visit)


async def _posts_page(request: Request, edge: Edge, visit: Visitor, **more: Any) -> Response:
    visit.actor.may_supervise()
    async with edge.database.read() as tx:
        facilities = {id_: f for id_, f in edge.here.entry.facilities.items() if visit.actor.sees(id_)}
        duties = {id_: await duties_of(tx, id_) for id_ in facilities}
        accounts = [a for a in await accounts_of(tx, visit.actor) if not a.is_disabled]
        now = tx.clock.now()
    local = edge.pages.times("en", now).local(now)
    return edge.pages.show(
        request, "alarms/posts.html", visit, facilities=facilities, duties=duties, accounts=accounts,
        today=local.date().isoformat(), **more,
    )  # fmt: skip


class DutyForm(BaseModel):
    """Who, which post, when."""

    facility: str
    post: str
    account: UUID
    day: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    from_time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    until_time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")


@router.post("/posts")
async def post_duty(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Puts somebody on the roster."""
    words = {
        "account": _("Choose who."), "post": _("Choose the post."), "day": _("Type the day, as 2026-06-09."),
        "from_time": _("Type the time as 06:00."), "until_time": _("Type the time as 14:00."),
    }  # fmt: skip
    values = dict(values)
    facility, _slash, post = (values.get("place", [""])[-1]).partition("/")
    values |= {"facility": [facility], "post": [post]} if post else {}
    form = fill(DutyForm, values, words)
    asked = form.model
    if asked is None:
        return await _posts_page(request, edge, visit, form=form, errors=True, status=422)

    async def work(tx: Transaction) -> str:
        zone = edge.pages.times("en", tx.clock.now()).local(tx.clock.now()).tzinfo
        first = datetime.fromisoformat(f"{asked.day}T{asked.from_time}").replace(tzinfo=zone)
        last = datetime.fromisoformat(f"{asked.day}T{asked.until_time}").replace(tzinfo=zone)
        if last <= first:
            last += timedelta(days=1)  # a night
        duty = SetDuty(facility=asked.facility, post=asked.post, account_id=asked.account, from_at=first, until_at=last)
        await set_duty(duty, tx, edge.here, visit.actor)
        return "/posts"

    return await submit(request, edge, visit, values, work)


@router.post("/posts/{duty_id}/end")
async def post_end_duty(duty_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Takes a duty off the roster."""

    async def work(tx: Transaction) -> str:
        await end_duty(duty_id, tx, visit.actor)
        return "/posts"

    return await submit(request, edge, visit, values, work)
