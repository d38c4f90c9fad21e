"""Pages: asking for a message to be passed on, and answering one."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.messages import commands
from shared.casework.messages.commands import AnswerMessage, AskMessage
from shared.casework.pages.visits import Posted, Visitor, submit
from shared.casework.referrals.commands import load_referral
from shared.contracts.casework import codes
from shared.contracts.casework.codes import MessageCode
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class NewMessage(Body):
    """Which message, and when to come."""

    code: MessageCode
    day: date | None = None
    time: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")


WORDS = {"code": _("Choose the message."), "day": _("Type the day: year, month, day."), "time": _("Type the time as 10:00.")}


@router.get("/referrals/{referral_id}/messages/new")
async def show_new_message(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Which message the desk shall pass on."""
    return await _page(referral_id, request, edge, visit)


async def _page(referral_id: UUID, request: Request, edge: Edge, visit: Visitor, **more: Any) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        referral = await load_referral(tx, referral_id, visit.actor)
        await note_read(tx, referral.case_id, visit.actor, "referral")
    return edge.pages.show(request, "messages/new.html", visit, r=referral, messages=list(MessageCode), here_now="/work", **more)


@router.post("/referrals/{referral_id}/messages/new")
async def post_message(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Asks."""
    form = fill(NewMessage, values, WORDS)
    asked = form.model
    if asked is not None and asked.code in codes.TIMED_MESSAGES and not (asked.day and asked.time):
        form.error("day", _("Say on which day and at what time to come."))
    if asked is None or form.errors:
        return await _page(referral_id, request, edge, visit, form=form, errors=True, status=422)

    async def work(tx: Transaction) -> str:
        when = None
        if asked.code in codes.TIMED_MESSAGES:
            zone = edge.pages.times("en", tx.clock.now()).local(tx.clock.now()).tzinfo
            when = datetime.fromisoformat(f"{asked.day}T{asked.time}").replace(tzinfo=zone)
        await commands.ask_message(referral_id, AskMessage(code=asked.code, on_at=when), tx, edge.here, visit.actor)
        return f"/referrals/{referral_id}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _page(referral_id, request, edge, visit, form=form.error("code", error), errors=True, status=422)


@router.post("/messages/{message_id}/answer")
async def post_answer(message_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Passed on, or not safe."""
    form = fill(AnswerMessage, values, {"answer": _("Say whether it was passed on.")})

    async def work(tx: Transaction) -> str:
        if form.model is None:
            raise Conflict("Say whether the message was passed on, or was not safe.")
        await commands.answer_message(message_id, form.model, tx, edge.here, visit.actor)
        return "/work"

    return await submit(request, edge, visit, values, work)
