"""Pages of a supervisor: alarms, what is overdue by facility, and who holds which post."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from shared.casework.accounts.commands import accounts_of
from shared.casework.accounts.rosters import SetDuty, duties_of, end_duty, set_duty
from shared.casework.alarms import commands, views
from shared.casework.alarms.commands import ResolveAlarm, load_alarm
from shared.casework.cases.recovering import waiting_cases
from shared.casework.cases.views import note_listed
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, submit
from shared.casework.referrals.pages import last_seen
from shared.casework.work.views import UNSEEN_IS_RED
from shared.contracts.casework.authority import SERVING
from shared.contracts.casework.codes import Role
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

REASON_CHARACTERS_MAX = 300  # a sentence or two on what was done; a longer story belongs into the case


@router.get("/alarms")
async def show_alarms(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What nobody has taken first, then what somebody has."""
    after = await last_seen(edge)
    async with edge.database.write() as tx:  # what a list shows of a case is a look at it, and looks are kept
        board = await views.alarm_board(tx, edge.here, visit.actor)
        await note_listed(tx, [row.alarm.case_id for row in board.rows if row.alarm.case_id], visit.actor)
        is_in_charge = visit.actor.role is Role.SUPERVISOR
        waiting, waiting_total = await waiting_cases(tx, visit.actor) if is_in_charge else ([], 0)
        await note_listed(tx, [row.case.id for row in waiting], visit.actor)
        has_referrals = is_in_charge and edge.here.kind in SERVING
        overdue = await views.overdue_by_facility(tx, edge.here, visit.actor) if has_referrals else []
    return edge.pages.show(
        request, "alarms/alarms.html", visit, board=board, overdue=overdue, waiting=waiting, waiting_total=waiting_total,
        live=f"/live?after={after}", red_after=UNSEEN_IS_RED,
    )  # fmt: skip


@router.get("/overdue")
async def show_overdue(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What waits too long, by facility; nothing waits at whoever serves nobody."""
    if edge.here.kind not in SERVING:
        raise NotFound("There is nothing at this address.")
    visit.actor.may_work()
    visit.actor.may_supervise()
    async with edge.database.read() as tx:
        overdue = await views.overdue_by_facility(tx, edge.here, visit.actor)
    return edge.pages.show(request, "alarms/overdue.html", visit, overdue=overdue, red_after=UNSEEN_IS_RED)


@router.post("/alarms/{alarm_id}/take")
async def post_take(alarm_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Somebody has it."""

    async def work(tx: Transaction) -> str:
        await commands.take(tx, edge.here, alarm_id, visit.actor)
        return "/alarms"

    return await submit(request, edge, visit, values, work)


class Resolution(Body):
    """How it ended, in a sentence that stays here."""

    note: str = Field(min_length=1, max_length=REASON_CHARACTERS_MAX)


@router.get("/alarms/{alarm_id}/resolve")
async def show_resolve(alarm_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What was done."""
    return await _resolve_page(alarm_id, request, edge, visit)


async def _resolve_page(alarm_id: UUID, request: Request, edge: Edge, visit: Visitor, **more: Any) -> Response:
    async with edge.database.read() as tx:
        alarm = await load_alarm(tx, alarm_id, visit.actor)
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

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        form.error("note", error)
    return await _resolve_page(alarm_id, request, edge, visit, form=form, errors=True, status=422)


# --- posts ---------------------------------------------------------------------------------------------------------------


@router.get("/posts")
async def show_posts(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Who holds which post, today and in the coming week."""
    return await _posts_page(request, edge, visit)


async def _posts_page(request: Request, edge: Edge, visit: Visitor, **more: Any) -> Response:
    visit.actor.may_supervise()
    async with edge.database.read() as tx:
        facilities = {id_: f for id_, f in edge.here.entry.facilities.items() if visit.actor.sees(id_)}
        duties = await duties_of(tx, facilities)
        accounts = [a for a in await accounts_of(tx, visit.actor) if not a.is_disabled]
        now = tx.clock.now()
    local = edge.pages.times("en", now).local(now)
    return edge.pages.show(
        request, "alarms/posts.html", visit, facilities=facilities, duties=duties, accounts=accounts,
        today=local.date().isoformat(), **more,
    )  # fmt: skip


class DutyForm(Body):
    """Who, which post, when."""

    facility: str
    post: str
    account: UUID
    day: date
    from_time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    until_time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")


@router.post("/posts")
async def post_duty(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Puts somebody on the roster."""
    words = {
        "account": _("Choose who."), "post": _("Choose the post."), "day": _("Type the day: year, month, day."),
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

    try:
        return await submit(request, edge, visit, values, work)
    except (Conflict, NotFound) as error:
        form.error("place", error)
    return await _posts_page(request, edge, visit, form=form, errors=True, status=422)


@router.post("/posts/{duty_id}/end")
async def post_end_duty(duty_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Takes a duty off the roster."""

    async def work(tx: Transaction) -> str:
        await end_duty(duty_id, tx, visit.actor)
        return "/posts"

    return await submit(request, edge, visit, values, work)
