"""Pages of a certified officer: offering a product to somebody, and reporting what went wrong. Each leads on to care."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlmodel import col

from services.police.dispensing import commands, rules
from services.police.dispensing.certificates import box_at, may_give, standing_of
from services.police.dispensing.commands import Dispense, NoneHere, ReportSafety, SecondDose, doses_before
from services.police.dispensing.domain import AgainReason, Outcome
from services.police.dispensing.tables import BoxEntry
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor, Here
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.scope import OutOfSight
from shared.casework.stock import commands as stock
from shared.casework.stock.domain import usable
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import CareProduct
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, RefnetError
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _
from shared.programmes.rules import answers
from shared.programmes.situation import Verdict
from shared.programmes.staff import Standing

router = APIRouter(include_in_schema=False)


class DoseForm(Afterwards):
    """What became of the offer."""

    product: CareProduct
    outcome: Outcome
    batch: events.BatchCode | None = None
    vomited: Literal["yes"] | None = None
    again_reason: AgainReason | None = None
    incident: UUID


class ReportForm(Body):
    """What was noticed."""

    product: CareProduct
    code: codes.SafetyCode
    batch: events.BatchCode | None = None


WORDS = {**AFTERWARDS_WORDS, "outcome": _("Say what became of it."), "product": _("Choose the product.")}
REPORT_WORDS = {
    "code": _("Choose what was noticed."), "product": _("Choose the product."),
    "batch": _("Type the batch as it stands on the pack, or leave it empty."),
}  # fmt: skip
CHANGED = _("It has happened again since this page was opened. Look at the case, and give nothing before.")


@router.get("/cases/{case_id}/dispense")
async def show_dispense(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The product, the batch that expires first, how long it may still be given; or in a sentence why not."""
    return await _page(case_id, request, edge, visit, await draft_of(request, visit))


async def _page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    here, by = edge.here, visit.actor
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, by)
        stands = await standing_of(tx, here, by)
        if stands.standing is Standing.NONE:
            raise OutOfSight("There is no such case.", case_id)
        await note_read(tx, case.id, by, "doses")
        incident = await _last_incident(tx, case)
        offers = await _offers(tx, here, by, case, incident) if incident is not None else []
        doses = await commands.doses_of(tx, case) if stands.standing is Standing.VALID else []
    return edge.pages.show(
        request, "dispensing/dispense.html", visit, status=status, form=form, errors=bool(form.errors), case=case,
        incident=incident, stands=stands, offers=offers, doses=doses, reasons=list(AgainReason), here_now="/cases",
    )  # fmt: skip


async def _last_incident(tx: Transaction, case: Case) -> Incident | None:
    query = select(Incident).where(col(Incident.case_id) == case.id)
    query = query.order_by(col(Incident.recorded_at).desc(), col(Incident.id).desc())
    return (await tx.session.execute(query.limit(1))).scalar_one_or_none()


async def _offers(tx: Transaction, here: Here, by: Actor, case: Case, incident: Incident) -> list[dict[str, Any]]:
    """What may be given now of each product that she is certified for."""
    now = tx.clock.now()
    lots = await stock.lots(tx, BoxEntry, box_at(here, by, case.facility if by.sees(case.facility) else None))
    found = []
    for product in await may_give(tx, here, by):
        held = (await standing_of(tx, here, by, product)).held
        situation = rules.asked(here.programme, product, case, incident, now, held)
        said = answers(here.programme, situation)
        refused = rules.refusal(here.programme, situation)
        until = next((one.until for one in said if one.until is not None and one.verdict is not Verdict.REFUSED), None)
        found.append(
            {
                "product": product, "refused": refused[1] if refused is not None else None, "until": until,
                "window": rules.window(here.programme, product),
                "assumed": (refused[0] if refused is not None else None) or next((one for one in said if one.is_assumption), None),
                "lots": usable(lots.get(product, ()), here.day_of(now)), "before": doses_before(incident, product),
            }
        )  # fmt: skip
    return found


@router.post("/cases/{case_id}/dispense")
async def post_dispense(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps it, and goes on to care."""
    form = fill(DoseForm, values, WORDS)
    asked = form.model
    if asked is None:
        return await _page(case_id, request, edge, visit, form, status=422)
    is_given = asked.outcome is Outcome.GIVEN

    async def work(tx: Transaction) -> str:
        case = await load_case(tx, case_id, visit.actor)
        newest = await _last_incident(tx, case)
        if newest is None or newest.id != asked.incident:
            raise Conflict(CHANGED)
        body = Dispense(
            product=asked.product, incident_id=asked.incident, outcome=asked.outcome, batch=asked.batch if is_given else None,
            vomited=is_given and asked.vomited is not None, again_reason=asked.again_reason if is_given else None,
            occurred_at=asked.happened_at(edge.pages.times("en", tx.clock.now())),
            facility=case.facility if visit.actor.sees(case.facility) else None,
        )  # fmt: skip
        await commands.dispense(case_id, body, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/refer"

    try:
        return await submit(request, edge, visit, values, work)
    except SecondDose as error:
        return await _again(case_id, request, edge, visit, values, "again_reason", error)
    except NoneHere as error:
        return await _again(case_id, request, edge, visit, values, "outcome", error)
    except Conflict as error:
        return await _again(case_id, request, edge, visit, values, "batch" if asked.batch else "outcome", error)


async def _again(
    case_id: UUID, request: Request, edge: Edge, visit: Visit, values: Values, field: str, error: RefnetError
) -> Response:
    return await _page(case_id, request, edge, visit, Filled(values, {field: error}), status=422)


# --- what went wrong ----------------------------------------------------------------------------------------------------------


@router.get("/dispensing/report")
async def show_report(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Anybody at a station may say what she noticed: it shows nothing of the box."""
    return _report_page(request, edge, visit, await draft_of(request, visit))


def _report_page(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    return edge.pages.show(
        request, "dispensing/report.html", visit, status=status, form=form, errors=bool(form.errors),
        products=rules.products(edge.here.programme), adverse=sorted(codes.ADVERSE), misuse=sorted(codes.MISUSE),
    )  # fmt: skip


@router.post("/dispensing/report")
async def post_report(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps it; the post above the desk's is told."""
    form = fill(ReportForm, values, REPORT_WORDS)
    asked = form.model
    if asked is None:
        return _report_page(request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        await commands.report_safety(ReportSafety.model_validate(asked.model_dump()), tx, edge.here, visit.actor)
        return "/work"

    return await submit(request, edge, visit, values, work)
