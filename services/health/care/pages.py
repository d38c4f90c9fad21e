"""Pages of the clinic: what was given, with a request or without one. The list stays in the clinic; the police never see it."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from services.health.care import commands
from services.health.care.commands import Care, CareResult, InCare, KeepCare
from services.health.care.listed import CLOCKS, elsewhere, services_of, windows_of
from services.health.follow_ups.commands import set_next
from shared.casework.accounts.sessions import Visit
from shared.casework.arrivals.commands import EndArrival, end_arrival
from shared.casework.cases.commands import WrongTime
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor
from shared.casework.holds.commands import is_set_aside
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.paper.pages import SheetNumber, with_sheet
from shared.casework.paper.tables import Sheet
from shared.casework.referrals import story
from shared.casework.referrals.asked_again import refused_fields, shown
from shared.casework.referrals.commands import MakeTransition, answer_feedback, make_transition
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import OutcomeCode, ReferralState, ServicePackage, Sex
from shared.contracts.casework.lifecycle import IllegalTransition, MissingDetail, Transition
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, RefnetError
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

Find = Callable[[Transaction, Actor], Awaitable[InCare]]

# The lines of each package, in the order in which a night nurse works.
LINES: dict[ServicePackage, tuple[Care, ...]] = {
    ServicePackage.ACUTE_CARE: (
        Care.EXAMINATION, Care.EMERGENCY_CONTRACEPTION, Care.PEP, Care.STI_PROPHYLAXIS, Care.TETANUS, Care.HEPATITIS_B_VACCINE,
        Care.INJURY_CARE, Care.FIRST_LINE_SUPPORT,
    ),
    ServicePackage.INJURY_CARE: (Care.EXAMINATION, Care.INJURY_CARE, Care.TETANUS, Care.FIRST_LINE_SUPPORT),
}  # fmt: skip
OTHERS = (Care.EXAMINATION, Care.FIRST_LINE_SUPPORT)


class CareForm(Afterwards):
    """What the page sends beside its lines."""

    next_visit: date | None = None
    outcome_code: OutcomeCode | None = None  # what the lines say, where nothing is chosen
    sheet: str | None = Field(default=None, max_length=20)  # on which all of it stands


WORDS = {
    **AFTERWARDS_WORDS,
    "next_visit": _("Choose the day of the next visit, or leave it empty."),
    "outcome_code": _("Choose how it ended."),
}


class LineChanged(RefnetError):
    """A colleague has kept another answer since the page was opened; `field` names the line."""

    def __init__(self, field: str, sentence: str, **params: object) -> None:
        super().__init__(sentence, **params)
        self.field = field


class EndingUnclear(Conflict):
    """How it ended is not said, or not as the lines say."""


def lines_of(services: list[str]) -> list[Care]:
    """The lines of what was asked for, each once, whoever it is asked for."""
    found: dict[Care, None] = {}
    for service in services:
        found |= dict.fromkeys(LINES.get(ServicePackage(service), ()))
    return list(found) or list(OTHERS)


def _is_offered(care: Care, said: Mapping[str, Any], kept: Collection[str]) -> bool:
    """A man or a boy is offered no emergency contraception; a line that was kept stays where it can be corrected."""
    is_his = care is Care.EMERGENCY_CONTRACEPTION and (said.get("needs") or {}).get("sex") == Sex.MALE
    return not is_his or care in kept


def ending(lines: Collection[CareResult], chosen: OutcomeCode | None) -> OutcomeCode:
    """How it ended: what was chosen, or what the lines say; raises EndingUnclear where it cannot be known or is not true."""
    missed = set(lines) - {CareResult.GIVEN}
    if chosen is OutcomeCode.SERVED and missed:
        raise EndingUnclear("A line above says that something was not given; choose how it ended.")
    if chosen is not None:
        return chosen
    if not lines or (len(missed) > 1 and CareResult.GIVEN not in lines):
        raise EndingUnclear("Mark what was given, or choose how it ended.")
    if CareResult.GIVEN in lines:
        return OutcomeCode.SERVED_PARTLY if missed else OutcomeCode.SERVED
    return OutcomeCode.SHE_DECLINED if CareResult.REFUSED in missed else OutcomeCode.NOT_AVAILABLE


@router.get("/care/{referral_id}")
async def show_care(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor, sheet: SheetNumber = None) -> Response:
    """One line a service, one tap each. `sheet`: all of it is entered from one, with its time and for its place."""
    whom = partial(commands.received, referral_id)
    return await _page(whom, request, edge, visit, await draft_of(request, visit), sheet)


@router.get("/care/arrivals/{arrival_id}")
async def show_care_of_arrival(
    arrival_id: UUID, request: Request, edge: OneEdge, visit: Visitor, sheet: SheetNumber = None
) -> Response:
    """The same for somebody who came without a request: care first, nothing is sent."""
    whom = partial(commands.came, arrival_id)
    return await _page(whom, request, edge, visit, await draft_of(request, visit), sheet)


async def _page(
    find: Find, request: Request, edge: Edge, visit: Visit, form: Filled[Any], number: str | None = None, status: int = 200
) -> Response:
    number = number or form.value("sheet")
    async with edge.database.write() as tx:
        whom = await find(tx, visit.actor)
        if request.url.path != _address(whom):
            # Her request is known meanwhile: that is where her list is.
            return RedirectResponse(with_sheet(_address(whom), number), 303)
        sheet = await commands.sheet_of(whom, number, tx, visit.actor) if number else None
        await note_read(tx, whom.case_id, visit.actor, "care")
        kept = {row.care: row.result for row in await commands.care_of(whom, tx)}
        is_after = whom.walk_in is not None and whom.walk_in.after_referral is not None
        after = await tx.session.get(Referral, whom.walk_in.after_referral) if is_after and whom.walk_in else None
        held = await is_set_aside(tx, after) if after else False
        now = tx.clock.now()
        local = edge.pages.times("en", now).local(now)
        others = await elsewhere(tx, edge.here, whom, local)
        refused = await refused_fields(tx, edge.here, whom.referral) if whom.referral else ()
    said = shown(whom.referral, refused) if whom.referral else {}
    standing = story.standing_of(whom.referral) if whom.referral else None
    return edge.pages.show(
        request, "health/care.html", visit, status=status, errors=bool(form.errors), form=form, r=whom.referral,
        walk_in=whom.walk_in, address=_address(whom), kept_lines=kept, standing=standing,
        lines=[care for care in lines_of(services_of(whom)) if _is_offered(care, said, kept)],
        others=others, here_now="/here-now", on_paper=edge.here.on_paper(whom.facility), sheet=sheet, after=after,
        is_held=held, said=said, windows=windows_of(said), clocks=CLOCKS,
        assumed={care for care, window in edge.here.programme.windows.items() if window.is_assumption("hours")},
    )  # fmt: skip


def _address(whom: InCare) -> str:
    return f"/care/{whom.referral.id}" if whom.referral else f"/care/arrivals/{whom.walk_in.id}" if whom.walk_in else "/here-now"


@router.post("/care/{referral_id}")
async def post_care(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps the lines that were marked, her answer about the police, and the next visit; closes where that was chosen."""
    return await _post(partial(commands.received, referral_id), request, edge, visit, values)


@router.post("/care/arrivals/{arrival_id}")
async def post_care_of_arrival(arrival_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps the lines of somebody who came without a request."""
    return await _post(partial(commands.came, arrival_id), request, edge, visit, values)


async def _post(find: Find, request: Request, edge: Edge, visit: Visit, values: Values) -> Response:
    form = fill(CareForm, values, WORDS)
    asked = form.model
    if asked is None:
        return await _page(find, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        whom = await find(tx, visit.actor)
        sheet = await commands.sheet_of(whom, asked.sheet, tx, visit.actor) if asked.sheet else None
        entered = _entered(edge, tx, whom, asked, sheet)
        await commands.still_here(whom, tx)
        lines = await _keep(tx, visit.actor, whom, form, entered["occurred_at"])
        if whom.referral is not None:
            await _go_on(tx, edge, visit.actor, whom.referral, form, entered)
        if asked.next_visit:
            await set_next(whom.case_id, asked.next_visit, entered["occurred_at"], tx, edge.here, visit.actor)
        if form.value("then") == "close":
            outcome = ending([CareResult(result) for result in lines.values()], asked.outcome_code)
            await _close(tx, edge, visit.actor, whom, outcome, entered)
        return f"/referrals/{whom.referral.id}" if whom.referral else "/here-now"

    try:
        return await submit(request, edge, visit, values, work)
    except MissingDetail as error:
        form.error(error.field, WORDS.get(error.field, error))
    except (WrongTime, LineChanged) as error:
        form.error(error.part if isinstance(error, WrongTime) else error.field, error)
    except (IllegalTransition, EndingUnclear) as error:
        form.error("outcome_code", error)
    except Conflict as error:
        form.error("feedback", error)
    return await _page(find, request, edge, visit, form, status=422)


def _entered(edge: Edge, tx: Transaction, whom: InCare, asked: CareForm, sheet: Sheet | None) -> dict[str, Any]:
    at = asked.happened_at(edge.pages.times("en", tx.clock.now()))
    if sheet is not None:  # also a clinic with a line writes on paper while its power is out
        return {"occurred_at": at or sheet.written_at, "entered_for": sheet.facility}
    return {"occurred_at": at, "entered_for": edge.here.on_paper(whom.facility)}


async def _keep(tx: Transaction, by: Actor, whom: InCare, form: Filled[Any], at: datetime | None) -> dict[str, str]:
    """Keeps what was answered; returns how the lines stand then, the last word of each. Raises LineChanged."""
    known = {row.care: row.result for row in await commands.care_of(whom, tx)}
    for care in lines_of(services_of(whom)):
        result, shown = form.value(f"care_{care}"), form.value(f"shown_{care}")
        if result not in set(CareResult) or result == shown:
            continue  # not answered, or as the page showed it: a colleague may have corrected it meanwhile
        if shown and known.get(care, "-") not in (shown, result):
            kept = Coded(known[care], "result")
            raise LineChanged(f"care_{care}", "A colleague has just kept “%(kept)s” here. Look, then save once more.", kept=kept)
        if known.get(care) != result:
            await commands.keep_care(whom, KeepCare(care=care, result=CareResult(result), occurred_at=at), tx, by)
            known[care] = result
    return known


async def _go_on(tx: Transaction, edge: Edge, by: Actor, referral: Referral, form: Filled[Any], entered: dict[str, Any]) -> None:
    feedback = {"yes": True, "no": False}.get(form.value("feedback"))
    if feedback is not None:
        await answer_feedback(referral.id, feedback, tx, edge.here, by)
    if story.standing_of(referral).state is ReferralState.ARRIVED:
        await make_transition(referral.id, Transition.START, MakeTransition(**entered), tx, edge.here, by)


async def _close(tx: Transaction, edge: Edge, by: Actor, whom: InCare, outcome: OutcomeCode, entered: dict[str, Any]) -> None:
    if whom.walk_in is not None:
        body = EndArrival(outcome_code=outcome, occurred_at=entered["occurred_at"])
        await end_arrival(whom.walk_in.id, body, tx, edge.here, by)
    elif whom.referral is not None and whom.referral.is_open:
        closing = MakeTransition(outcome_code=outcome, **entered)
        await make_transition(whom.referral.id, Transition.CLOSE, closing, tx, edge.here, by)
