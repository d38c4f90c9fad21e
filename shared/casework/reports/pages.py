"""Pages of medical reports, without JavaScript: what waits, one report with its way, and one form for each step.

Each says first that care waits for none of it. A form that is refused stands again as it was sent.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_listed, note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Here
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards, when_of
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.referrals.tables import Referral
from shared.casework.reports import commands, views
from shared.casework.reports.commands import (
    ALLOWED,
    AMOUNT_MAX,
    KM_MAX,
    MAY_RECORD,
    NAME_CHARACTERS_MAX,
    NEEDED,
    ORDER_CHARACTERS_MAX,
    OpenReport,
    RecordStep,
)
from shared.casework.reports.domain import Ground, Holder, Step, Traveller
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import AgencyKind, ConsentHow
from shared.contracts.casework.lifecycle import MissingDetail
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

GIVEN_HOW = (ConsentHow.SPOKEN, ConsentHow.THUMB, ConsentHow.SIGNATURE)
SAY_HOW = _("Say how the yes was given.")
SAY_ORDER = _("Type the mark of the court’s order.")
NOT_HERE = _("This step is not for this agency to record.")


class NewReport(Afterwards):
    """A report that no request asks for."""

    form: events.Code
    form_version: int = Field(ge=1)


class NewStep(Afterwards):
    """What may be asked with a step; which of it is says the page."""

    post: events.Code | None = None
    name: str | None = Field(default=None, max_length=NAME_CHARACTERS_MAX)
    signed_as: events.Code | None = None
    form: events.Code | None = None
    form_version: int | None = Field(default=None, ge=1)
    holder: Holder | None = None
    ground: Ground | None = None
    how: ConsentHow | None = None
    language: events.LanguageTag | None = None
    order: str | None = Field(default=None, max_length=ORDER_CHARACTERS_MAX)
    other_post: events.Code | None = None
    other_name: str | None = Field(default=None, max_length=NAME_CHARACTERS_MAX)
    custody_code: events.CustodyCode | None = None
    amount: int | None = Field(default=None, ge=1, le=AMOUNT_MAX)
    who: Traveller | None = None
    mode: codes.TravelMode | None = None
    km: int | None = Field(default=None, ge=0, le=KM_MAX)


WORDS: Mapping[str, str] = {
    **AFTERWARDS_WORDS,
    "form": _("Choose the form."), "form_version": _("Type the number of the version, as it stands on the form."),
    "post": _("Choose the post."), "name": _("Type the name as it stands on the paper: not longer than 80 characters."),
    "other_name": _("Type the name as it stands on the paper: not longer than 80 characters."),
    "signed_as": _("Choose who signed it."), "holder": _("Say into whose hand it goes."),
    "ground": _("Say whether the patient said yes to this, or a court ordered it."),
    "how": SAY_HOW, "order": SAY_ORDER,
    "custody_code": _("Type the code as it stands on the envelope, such as M-7KQ4RT."),
    "amount": _("Type what was asked or paid, as a whole number."), "who": _("Say who had to travel."),
    "mode": _("Choose how."), "km": _("Type how far it is one way, as a whole number."),
}  # fmt: skip


@router.get("/reports")
async def show_reports(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What waits: to be signed, to be fetched, before a limit."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        lines = await views.open_ones(tx, visit.actor)
        await note_listed(tx, {one.case.id for one in lines}, visit.actor)
        found = views.in_sections(edge.here, lines, tx.clock.now())
    names = views.SECTIONS[edge.here.kind]
    return edge.pages.show(request, "reports/list.html", visit, sections=[(names[name], rows) for name, rows in found.items()])


@router.get("/cases/{case_id}/reports")
async def show_of_case(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The reports of a case, and a new one."""
    return await _of_case(case_id, request, edge, visit, await draft_of(request, visit))


async def _of_case(
    case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:  # fmt: skip
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "report")
        reports = [await views.shown(tx, edge.here, one) for one in await views.of_case(tx, case.id)]
        asked = {one.report.referral_id for one in reports}
        query = select(Referral).where(col(Referral.case_id) == case.id, col(Referral.direction) == "in")
        found = (await tx.session.execute(query.order_by(col(Referral.issued_at)))).scalars()
        without = [one for one in found if one.id not in asked and edge.here.kind is AgencyKind.HEALTH]
    return edge.pages.show(
        request, "reports/of_case.html", visit, status=status, form=form, errors=bool(form.errors), case=case, reports=reports,
        without=without, forms=_forms(edge, visit, request), here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/reports")
async def post_of_case(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Opens one."""
    form = fill(NewReport, values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if asked is None or form.errors:
        return await _of_case(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        new = OpenReport(form=asked.form, form_version=asked.form_version, occurred_at=at)
        return f"/reports/{(await commands.open_report(case_id, new, tx, edge.here, visit.actor)).id}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _of_case(case_id, request, edge, visit, form.error("form", error), status=422)


@router.post("/referrals/{referral_id}/report")
async def post_along(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """A report for a request that asked for none."""
    visit.actor.may_work()

    async def work(tx: Transaction) -> str:
        return f"/reports/{(await commands.report_along(referral_id, tx, visit.actor)).id}"

    return await submit(request, edge, visit, values, work)


@router.get("/reports/{report_id}")
async def show_report(report_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Where it stands, by its facts, and what may be written down next."""
    return await _report("reports/report.html", report_id, request, edge, visit, Filled())


@router.get("/reports/{report_id}/steps/{report_step}")
async def show_step(report_id: UUID, report_step: Step, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One step, now or late."""
    return await _report("reports/step.html", report_id, request, edge, visit, await draft_of(request, visit), step=report_step)


@router.post("/reports/{report_id}/steps/{report_step}")
async def post_step(
    report_id: UUID, report_step: Step, request: Request, edge: OneEdge, visit: Visitor, values: Posted
) -> Response:  # fmt: skip
    """Keeps it."""
    if "custody_code" in values:  # small letters and spaces are a way of typing
        values = {**values, "custody_code": ["".join(one.split()).upper() for one in values["custody_code"]]}
    form = fill(NewStep, values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    _say_what_is_missing(form, report_step)
    if form.model is None or form.errors:
        again = Filled[Any](values, form.errors)
        return await _report("reports/step.html", report_id, request, edge, visit, again, step=report_step, status=422)
    details = form.model.model_dump(exclude_none=True)
    goes_with = NEEDED.get(report_step, frozenset()) | ALLOWED.get(report_step, frozenset())
    asked = {name: value for name, value in details.items() if name in goes_with}

    async def work(tx: Transaction) -> str:
        if report_step is Step.REQUESTED:
            await commands.load_report(tx, report_id, visit.actor)
            raise Conflict(NOT_HERE)
        step = RecordStep(step=report_step, occurred_at=at, **asked)
        await commands.record_step(report_id, step, tx, edge.here, visit.actor)
        return f"/reports/{report_id}"

    visit.actor.may_work()
    try:
        return await submit(request, edge, visit, values, work)
    except MissingDetail as error:
        form.error(error.field, WORDS.get(error.field, error) if error.field != "signed_as" else error)
    except Conflict as error:
        form.error("form_version" if "form_version" in goes_with else "on_date", error)
    again = Filled[Any](values, form.errors)
    return await _report("reports/step.html", report_id, request, edge, visit, again, step=report_step, status=422)


def _say_what_is_missing(form: Filled[Any], step: Step) -> None:
    asked = form.model
    if asked is None:
        return
    for name in sorted(NEEDED.get(step, frozenset())):
        if getattr(asked, name) is None:
            form.error(name, WORDS[name])
    if step is Step.COLLECTED and asked.ground is Ground.CONSENT and asked.how not in GIVEN_HOW:
        form.error("how", SAY_HOW)
    if step is Step.COLLECTED and (asked.ground is Ground.COURT_ORDER) != (asked.order is not None):
        form.error("order", SAY_ORDER if asked.order is None else _("Leave this empty where no court ordered it."))


async def _report(
    template: str, report_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200,
    step: Step | None = None,
) -> Response:  # fmt: skip
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        report = await commands.load_report(tx, report_id, visit.actor)
        if step is not None and step not in MAY_RECORD[edge.here.kind]:
            raise Conflict(NOT_HERE)
        await note_read(tx, report.case_id, visit.actor, "report")
        shown = await views.shown(tx, edge.here, report)
    desk = shown.referral.desk if shown.referral is not None else report.facility
    return edge.pages.show(
        request, template, visit, status=status, form=form, errors=bool(form.errors), shown=shown, case=shown.case, step=step,
        steps=_steps(edge.here, shown), forms=_forms(edge, visit, request),
        desk_posts=edge.here.posts(visit.actor.facility or desk),
        other_posts=_posts_there(edge.here, shown), signers=_signers(edge, visit, request, shown), given_how=GIVEN_HOW,
        lists={"holder": list(Holder), "ground": list(Ground), "who": list(Traveller), "mode": list(codes.TravelMode)},
        here_now="/reports",
    )  # fmt: skip


NEXT: Mapping[AgencyKind, tuple[Step, ...]] = {
    AgencyKind.HEALTH: (
        Step.EXAMINED, Step.SIGNED, Step.READY, Step.COLLECTED, Step.HANDED_BACK, Step.FEE_ASKED, Step.FEE_PAID, Step.TRAVELLED,
    ),
    AgencyKind.POLICE: (
        Step.COLLECTED, Step.HANDED_BACK, Step.HELD, Step.RELEASED, Step.FEE_ASKED, Step.FEE_PAID, Step.TRAVELLED,
    ),
}  # fmt: skip


def _steps(here: Here, shown: views.Shown) -> list[Step]:
    """What may be written down, in the order of the way; that a suspect is held only where the form has a limit for it."""
    known = here.programme.report_forms.get((shown.form or {}).get("form", ""))
    has_limit = known is not None and known.detention_limit_days is not None
    return [step for step in NEXT[here.kind] if has_limit or step not in {Step.HELD, Step.RELEASED}]


def _forms(edge: Edge, visit: Visit, request: Request) -> dict[str, str]:
    """What each form of the programme is called."""
    language = edge.pages.language(request, visit.language)
    return {id_: one.name.in_(language, "en") for id_, one in edge.here.programme.report_forms.items()}


def _posts_there(here: Here, shown: views.Shown) -> tuple[str, ...]:
    """The posts of the place at the other end, into or out of whose hand it goes."""
    referral = shown.referral
    if referral is None:
        return ()
    agency, place = (
        (referral.issuer, referral.from_facility) if referral.direction == "in" else (referral.recipient, referral.to_facility)
    )
    found = here.network.facility(agency, place)
    return tuple(found.posts) if found is not None else ()


def _signers(edge: Edge, visit: Visit, request: Request, shown: views.Shown) -> list[tuple[str, str]]:
    """Who may sign the form that was asked for, as the programme calls them."""
    programme, language = edge.here.programme, edge.pages.language(request, visit.language)
    form = programme.report_forms.get((shown.form or {}).get("form", ""))
    return [(one, programme.staff[one].name.in_(language, "en")) for one in form.signers] if form is not None else []
