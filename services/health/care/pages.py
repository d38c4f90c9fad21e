"""Pages of the clinic: what was given. The list stays in the clinic; the police never see it."""

from datetime import date, time
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.health.care import commands
from services.health.care.commands import Care, CareResult, KeepCare
from shared.casework.cases.commands import InTheFuture
from shared.casework.cases.views import note_read
from shared.casework.circles.commands import RecordProgress, record_progress
from shared.casework.directory.places import places
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.referrals import story
from shared.casework.referrals.commands import MakeTransition, answer_feedback, load_referral, make_transition
from shared.contracts.casework.codes import CareClock, OutcomeCode, ProgressCode, ReferralState, ServicePackage
from shared.contracts.casework.lifecycle import Transition
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

# The lines of each package, in the order in which a night nurse works.
LINES: dict[ServicePackage, tuple[Care, ...]] = {
    ServicePackage.ACUTE_CARE: (
        Care.EXAMINATION, Care.EMERGENCY_CONTRACEPTION, Care.PEP, Care.STI_PROPHYLAXIS, Care.TETANUS, Care.HEPATITIS_B_VACCINE,
        Care.INJURY_CARE, Care.FIRST_LINE_SUPPORT,
    ),
    ServicePackage.INJURY_CARE: (Care.EXAMINATION, Care.INJURY_CARE, Care.TETANUS, Care.FIRST_LINE_SUPPORT),
}  # fmt: skip
OTHERS = (Care.EXAMINATION, Care.FIRST_LINE_SUPPORT)
CLOCKS = {
    Care.PEP: CareClock.PEP, Care.EMERGENCY_CONTRACEPTION: CareClock.EMERGENCY_CONTRACEPTION,
    Care.HEPATITIS_B_VACCINE: CareClock.HEPATITIS_B_VACCINE,
}  # fmt: skip


class CareForm(BaseModel):
    """What the page sends beside its lines."""

    next_visit: date | None = None
    outcome_code: OutcomeCode = OutcomeCode.SERVED
    on_date: date | None = None
    at_time: time | None = None


WORDS = {
    "next_visit": _("Choose the day of the next visit, or leave it empty."),
    "outcome_code": _("Choose how it ended."),
    "on_date": _("Choose the day, or leave day and time empty."),
    "at_time": _("Type the time as 08:15, with its day; or leave both empty."),
}


def lines_of(services: list[str]) -> list[Care]:
    """The lines of what was asked for, each once."""
    found: dict[Care, None] = {}
    for service in services:
        found |= dict.fromkeys(LINES.get(ServicePackage(service), ()))
    return list(found) or list(OTHERS)


@router.get("/care/{referral_id}")
async def show_care(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One line a service, one tap each."""
    return await _page(referral_id, request, edge, visit, await draft_of(request, visit))


async def _page(referral_id: UUID, request: Request, edge: Edge, visit: Visitor, form: Filled[Any], status: int = 200) -> Response:
    async with edge.database.write() as tx:
        referral = await load_referral(tx, referral_id, visit.actor)
        await note_read(tx, referral.case_id, visit.actor, "care")
        if referral.direction != "in":
            raise NotFound("There is no such referral.")
        kept = {row.care: row.result for row in await commands.care_of(referral_id, tx, visit.actor)}
        now = tx.clock.now()
        local = edge.pages.times("en", now).local(now)
        others = [
            p for p in await places(tx, edge.here, [edge.here.agency], referral.desk, local)
            if p.id != referral.desk and set(p.facility.services) & set(referral.services)
        ]  # fmt: skip
    return edge.pages.show(
        request, "health/care.html", visit, status=status, errors=bool(form.errors), form=form, r=referral, kept=kept,
        lines=lines_of(referral.services), standing=story.standing_of(referral), others=others, here_now="/here-now",
        on_paper=edge.here.on_paper(referral.desk),
        windows={w["care"]: w["until"] for w in (referral.said or {}).get("windows") or []}, clocks=CLOCKS,
    )  # fmt: skip


@router.post("/care/{referral_id}")
async def post_care(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps the lines that were marked, her answer about the police, and the next visit; closes where that was chosen."""
    form = fill(CareForm, values, WORDS)
    asked = form.model
    if asked is not None and (asked.on_date is None) != (asked.at_time is None):
        form.error("at_time", WORDS["at_time"])
    if asked is None or form.errors:
        return await _page(referral_id, request, edge, visit, form, status=422)
    then = form.value("then")

    async def work(tx: Transaction) -> str:
        await _keep(tx, edge, visit.actor, referral_id, asked, form)
        if then == "close":
            await _close(tx, edge, visit.actor, referral_id, asked)
        return f"/referrals/{referral_id}" if then != "stay" else f"/care/{referral_id}"

    try:
        return await submit(request, edge, visit, values, work)
    except InTheFuture as error:
        form.error("at_time", error)
    except Conflict as error:
        form.error("feedback", error)
    return await _page(referral_id, request, edge, visit, form, status=422)


def _entered(edge: Edge, tx: Transaction, desk: str, asked: CareForm) -> dict[str, Any]:
    times = edge.pages.times("en", tx.clock.now())
    at = times.moment(asked.on_date, asked.at_time) if asked.on_date and asked.at_time else None
    return {"occurred_at": at, "entered_for": edge.here.on_paper(desk)}


async def _keep(tx: Transaction, edge: Edge, by: Actor, referral_id: UUID, asked: CareForm, form: Filled[Any]) -> None:
    referral = await load_referral(tx, referral_id, by)
    entered = _entered(edge, tx, referral.desk, asked)
    known = {row.care: row.result for row in await commands.care_of(referral_id, tx, by)}
    for care in lines_of(referral.services):
        result = form.value(f"care_{care}")
        if result in set(CareResult) and known.get(care) != result:
            line = KeepCare(care=care, result=CareResult(result), occurred_at=entered["occurred_at"])
            await commands.keep_care(referral_id, line, tx, by)
    feedback = {"yes": True, "no": False}.get(form.value("feedback"))
    if feedback is not None:
        await answer_feedback(referral_id, feedback, tx, edge.here, by)
    if story.standing_of(referral).state is ReferralState.ARRIVED:
        await make_transition(referral_id, Transition.START, MakeTransition(**entered), tx, edge.here, by)
    if asked.next_visit:
        step = RecordProgress(code=ProgressCode.NEXT_CLINIC_DATE, on_date=asked.next_visit)
        await record_progress(referral.case_id, step, tx, edge.here, by)


async def _close(tx: Transaction, edge: Edge, by: Actor, referral_id: UUID, asked: CareForm) -> None:
    referral = await load_referral(tx, referral_id, by)
    if referral.is_open:
        body = MakeTransition(outcome_code=asked.outcome_code, **_entered(edge, tx, referral.desk, asked))
        await make_transition(referral_id, Transition.CLOSE, body, tx, edge.here, by)
