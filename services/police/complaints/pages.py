"""Pages of a complaint, without JavaScript: its register, what is to be told, withdrawal, what was explained, breaches, figures.

Each page says first that care does not wait for it. A form that is refused stands again as it was sent.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlmodel import col

from services.police.complaints import commands, views
from services.police.complaints.commands import AddStep, Explain, RegisterComplaint, Reopen, TakeOff, TellHer, Withdraw
from services.police.complaints.domain import STEPS, AskedBy, Topic, Where, WhyReopened
from shared.casework.accounts.sessions import Visit
from shared.casework.breaches.domain import BreachCode
from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Incident
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.figures.domain import Period, period, periods_before
from shared.casework.here import Actor, Here
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards, when_of
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import ProgressCode, Ternary
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

MONTHS_SHOWN = 12  # a year, for who compares a month with the one before
NO_HEARING = _("Type the day of the hearing: year, month, day; with any other step leave it empty.")
NOT_ALONE = _("Leave this empty where nobody asked alone.")
NOT_ANSWERED = _("Say what was answered.")
SAY_WHICH_HEARING = _("Say which hearing it is.")
SAY_WHAT_BECAME = _("Say whether it was told, or was not safe.")


class NewComplaint(Afterwards):
    """A complaint, with its number where there is one yet."""

    number: str | None = Field(default=None, pattern=r"^[A-Z0-9][A-Z0-9/-]{0,29}$")
    incident: UUID | None = None
    told_now: Literal["yes"] | None = None


class NewStep(Afterwards):
    """A milestone."""

    complaint: UUID
    code: ProgressCode
    hearing_on: date | None = None
    told_now: Literal["yes"] | None = None


class Withdrawal(Afterwards):
    """Who asked, and how it was."""

    complaint: UUID
    asked_by: AskedBy
    where: Where
    pressure: Ternary
    asked_alone: Literal["yes", "no"]
    is_safe: Ternary | None = None
    told_now: Literal["yes"] | None = None


class Reopening(Afterwards):
    """Why it goes on."""

    complaint: UUID
    reason: WhyReopened
    told_now: Literal["yes"] | None = None


class Explanation(Afterwards):
    """What was explained."""

    topics: list[Topic] = Field(min_length=1)
    language: events.LanguageTag
    interpreter: Literal["yes", "no"]
    post: events.Code


WORDS = {
    **AFTERWARDS_WORDS,
    "number": _("Type the number as it stands in the register: letters, digits, / and -, such as FIR/123/26."),
    "complaint": _("Choose the complaint; where there is none, register it first."),
    "asked_by": _("Say who asked."), "where": _("Say where it was; “Not known” is an answer too."),
    "pressure": _("Say whether pressure was seen."),
    "asked_alone": _("Say whether somebody asked alone."), "reason": _("Choose why it goes on."),
    "topics": _("Choose what was explained."), "language": _("Choose the language."),
    "interpreter": _("Say whether somebody interpreted."), "post": _("Choose the post."),
    "hearing_on": NO_HEARING,
}  # fmt: skip
CODE_WORDS = {"step": _("Choose what happened.")}

Do = Callable[[UUID, Any, datetime | None, Transaction, Here, Actor], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page with one form: what it asks, what it does, and the field beside which a refusal stands."""

    template: str
    model: type[Afterwards]
    beside: str
    do: Do


async def _register(case_id: UUID, form: NewComplaint, at: datetime | None, tx: Transaction, here: Here, by: Actor) -> None:
    asked = RegisterComplaint(number=form.number, incident_id=form.incident, occurred_at=at, told_now=bool(form.told_now))
    await commands.register(case_id, asked, tx, here, by)


async def _step(case_id: UUID, form: NewStep, at: datetime | None, tx: Transaction, here: Here, by: Actor) -> None:
    asked = AddStep(code=form.code, hearing_on=form.hearing_on, occurred_at=at, told_now=bool(form.told_now))
    await commands.add_step(case_id, form.complaint, asked, tx, here, by)


async def _withdraw(case_id: UUID, form: Withdrawal, at: datetime | None, tx: Transaction, here: Here, by: Actor) -> None:
    asked = Withdraw(
        asked_by=form.asked_by, where=form.where, pressure=form.pressure, asked_alone=form.asked_alone == "yes",
        is_safe=form.is_safe, occurred_at=at, told_now=bool(form.told_now),
    )  # fmt: skip
    await commands.withdraw(case_id, form.complaint, asked, tx, here, by)


async def _reopen(case_id: UUID, form: Reopening, at: datetime | None, tx: Transaction, here: Here, by: Actor) -> None:
    asked = Reopen(reason=form.reason, occurred_at=at, told_now=bool(form.told_now))
    await commands.reopen(case_id, form.complaint, asked, tx, here, by)


async def _explain(case_id: UUID, form: Explanation, at: datetime | None, tx: Transaction, here: Here, by: Actor) -> None:
    asked = Explain(
        topics=tuple(form.topics), language=form.language, interpreter=form.interpreter == "yes", post=form.post, occurred_at=at
    )
    await commands.explain(case_id, asked, tx, here, by)


SHEETS: Mapping[str, Sheet] = {
    "register": Sheet("complaints/register.html", NewComplaint, "number", _register),
    "step": Sheet("complaints/step.html", NewStep, "code", _step),
    "withdraw": Sheet("complaints/withdraw.html", Withdrawal, "asked_by", _withdraw),
    "reopen": Sheet("complaints/reopen.html", Reopening, "reason", _reopen),
    "explained": Sheet("complaints/explained.html", Explanation, "post", _explain),
}


@router.get("/cases/{case_id}/complaint")
async def show_complaint(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Where the complaint stands, what is to be told and by which way, and what was explained."""
    return await _page("complaints/complaint.html", case_id, request, edge, visit, await draft_of(request, visit))


@router.get("/cases/{case_id}/complaint/register")
async def show_register(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Registers a complaint."""
    return await _show("register", case_id, request, edge, visit)


@router.post("/cases/{case_id}/complaint/register")
async def post_register(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Small letters and spaces are a way of typing."""
    if "number" in values:
        values = {**values, "number": ["".join(one.split()).upper() for one in values["number"]]}
    return await _post("register", case_id, request, edge, visit, values)


@router.get("/cases/{case_id}/complaint/step")
async def show_step(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """A milestone, now or late."""
    return await _show("step", case_id, request, edge, visit)


@router.post("/cases/{case_id}/complaint/step")
async def post_step(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps it, and tells whom consent allows."""
    return await _post("step", case_id, request, edge, visit, values)


@router.get("/cases/{case_id}/complaint/withdraw")
async def show_withdraw(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Somebody asks that it be withdrawn: care goes on, and safety is asked first."""
    return await _show("withdraw", case_id, request, edge, visit)


@router.post("/cases/{case_id}/complaint/withdraw")
async def post_withdraw(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Withdrawn; nothing else changes."""
    return await _post("withdraw", case_id, request, edge, visit, values)


@router.get("/cases/{case_id}/complaint/reopen")
async def show_reopen(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """It goes on."""
    return await _show("reopen", case_id, request, edge, visit)


@router.post("/cases/{case_id}/complaint/reopen")
async def post_reopen(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Opened again, with the reason."""
    return await _post("reopen", case_id, request, edge, visit, values)


@router.get("/cases/{case_id}/complaint/explained")
async def show_explained(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """How the legal process goes: what was explained."""
    return await _show("explained", case_id, request, edge, visit)


@router.post("/cases/{case_id}/complaint/explained")
async def post_explained(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps it."""
    return await _post("explained", case_id, request, edge, visit, values)


async def _show(name: str, case_id: UUID, request: Request, edge: Edge, visit: Visit) -> Response:
    return await _page(SHEETS[name].template, case_id, request, edge, visit, await draft_of(request, visit))


async def _page(
    template: str, case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "complaint")
        register = await views.register_of(tx, edge.here, case)
        told = select(Incident).where(col(Incident.case_id) == case.id).order_by(col(Incident.recorded_at), col(Incident.id))
        incidents = list((await tx.session.execute(told)).scalars())
    return edge.pages.show(
        request, template, visit, status=status, form=form, errors=bool(form.errors), case=case, register=register,
        incidents=incidents, steps=STEPS, dated=codes.DATED, desk_posts=edge.here.posts(visit.actor.facility or case.facility),
        lists={"asked_by": list(AskedBy), "where": list(Where), "why_reopened": list(WhyReopened), "topic": list(Topic),
               "answer": list(Ternary)},
        here_now="/cases",
    )  # fmt: skip


async def _post(name: str, case_id: UUID, request: Request, edge: Edge, visit: Visit, values: Values) -> Response:
    sheet = SHEETS[name]
    words = {**WORDS, **({"code": CODE_WORDS[name]} if name in CODE_WORDS else {})}
    form = _checked(fill(sheet.model, values, words))
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if asked is None or form.errors:
        return await _page(sheet.template, case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        await sheet.do(case_id, asked, at, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/complaint"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        form.error(sheet.beside, error)
    return await _page(sheet.template, case_id, request, edge, visit, Filled(values, form.errors), status=422)


def _checked(form: Filled[Any]) -> Filled[Any]:
    """What fields say together."""
    asked = form.model
    if isinstance(asked, NewStep) and (asked.code in codes.DATED) != (asked.hearing_on is not None):
        form.error("hearing_on", NO_HEARING)
    if isinstance(asked, NewStep) and asked.code not in STEPS:
        form.error("code", CODE_WORDS["step"])
    if isinstance(asked, Withdrawal) and (asked.asked_alone == "yes") != (asked.is_safe is not None):
        form.error("is_safe", NOT_ANSWERED if asked.asked_alone == "yes" else NOT_ALONE)
    return form


@router.post("/cases/{case_id}/complaint/told")
async def post_told(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Told by the safe way, or not safe."""
    return await _of_a_step(TellHer, commands.tell_her, Conflict(SAY_WHAT_BECAME), case_id, request, edge, visit, values)


@router.post("/cases/{case_id}/complaint/hearing-off")
async def post_hearing_off(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """A hearing will not be on its day, or the day was mistyped."""
    return await _of_a_step(TakeOff, commands.take_off_hearing, Conflict(SAY_WHICH_HEARING), case_id, request, edge, visit, values)


async def _of_a_step(
    model: type[BaseModel], do: Callable[[UUID, Any, Transaction, Here, Actor], Awaitable[Any]], lacks: Conflict, case_id: UUID,
    request: Request, edge: Edge, visit: Visit, values: Values,
) -> Response:  # fmt: skip
    """What a button beside a step does."""
    asked = fill(model, values, {}).model

    async def work(tx: Transaction) -> str:
        if asked is None:
            await load_case(tx, case_id, visit.actor)
            raise lacks
        await do(case_id, asked, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/complaint"

    visit.actor.may_work()
    return await submit(request, edge, visit, values, work)


@router.get("/complaints")
async def show_figures(request: Request, edge: OneEdge, visit: Visitor, month: str | None = None) -> Response:
    """Complaints of a month: withdrawals with pressure, pressure to settle and attempted mediations beside each other."""
    visit.actor.may_work()
    visit.actor.may_supervise()
    now = edge.database.clock.now()
    today = edge.pages.times("en", now).today()
    this_month = period(f"{today:%Y-%m}")
    periods: list[Period] = [this_month, *periods_before(today, MONTHS_SHOWN)]
    of = period(month) if month else this_month
    async with edge.database.read() as tx:
        counts = await views.counted(tx, edge.here, visit.actor, of)
    return edge.pages.show(
        request, "complaints/figures.html", visit, counts=counts, of=of, periods=periods, who=list(AskedBy), where=list(Where),
        pressure=list(Ternary), breaches=[code for code in BreachCode if code is not BreachCode.MEDIATION_ATTEMPTED],
        mediation=BreachCode.MEDIATION_ATTEMPTED,
    )  # fmt: skip
