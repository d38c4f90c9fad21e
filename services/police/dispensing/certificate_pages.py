"""A supervisor's page: who is certified, and what doses and boxes came to, in figures that open no case."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.dispensing import certificates, figures, rules
from services.police.dispensing.certificates import EnterCertificate
from services.police.dispensing.resupply import days_of, month_before
from services.police.dispensing.web import figures_view
from shared.casework.accounts.commands import accounts_of
from shared.casework.accounts.sessions import Visit
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

WORDS = {
    "certificate": _("Choose the certificate."), "trained_on": _("Choose the day on which the course ended."),
    "account_id": _("Choose who holds it."), "certified_on": _("Choose the day of the certificate, or leave it empty."),
    "valid_until": _("Choose its last day, or leave it empty."),
    "supervised_acts": _("Type how many, as a number, or leave it empty."),
}  # fmt: skip
ORDER = _("The days do not follow each other, or who certified is missing; look at them again.")


@router.get("/certificates")
async def show_certificates(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Who is certified; and what boxes and doses came to in the month before and in this one, in figures."""
    return await _certificates_page(request, edge, visit, await draft_of(request, visit))


async def _certificates_page(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    here, by = edge.here, visit.actor
    async with edge.database.read() as tx:
        held = await certificates.certificates_of(tx, by)
        staff = [account for account in await accounts_of(tx, by) if not account.is_disabled and account.role != "administrator"]
        on = here.day_of(tx.clock.now())
        standings = {
            row.id: rules.standing(here.programme, row.certificate, certificates.held_of(row), on) for row, _account in held
        }  # fmt: skip
        months = [
            (month, [figures_view(one) for one in await figures.figures(tx, here, by, *days_of(month))])
            for month in (month_before(on), f"{on.year}-{on.month:02}")
        ]  # fmt: skip
    language = edge.pages.language(request, visit.language)
    choose = ("", edge.pages.say(_("Choose"), language))
    return edge.pages.show(
        request, "dispensing/certificates.html", visit, status=status, form=form, errors=bool(form.errors), held=held,
        months=months, standings=standings, staff=[(str(one.id), one.name) for one in staff if one.id != by.account_id],
        kinds=[(id_, one.name.in_(language)) for id_, one in here.programme.certificates.items()],
        trainers=[choose, *((str(one.id), one.name) for one in staff)],
        is_assumed=any(one.valid_days and one.is_assumption("valid_days") for one in here.programme.certificates.values()),
        counts_acts=any(one.supervised_acts for one in here.programme.certificates.values()),
        agencies=[choose, *((id_, one.name.in_(language)) for id_, one in here.programme.agencies.items())],
        name_of={id_: one.name.in_(language) for id_, one in here.programme.certificates.items()},
    )  # fmt: skip


@router.post("/certificates")
async def post_certificate(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Enters what a colleague holds."""
    given = {name: one for name, one in values.items() if one != [""]}
    form = fill(EnterCertificate, {**given, "is_trainer": values.get("is_trainer", ["no"])}, WORDS)
    if "" in form.errors:  # a fault between fields
        form.errors = {"certified_on": ORDER}
    asked = form.model
    if asked is None or form.errors:
        return await _certificates_page(request, edge, visit, Filled(values, form.errors), 422)

    async def work(tx: Transaction) -> str:
        await certificates.enter_certificate(asked, tx, edge.here, visit.actor)
        return "/certificates"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _certificates_page(request, edge, visit, Filled(values, {"trained_on": error}), 422)


@router.post("/certificates/{certificate_id}/end")
async def post_end(certificate_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """From today on it is none."""

    async def work(tx: Transaction) -> str:
        await certificates.end_certificate(certificate_id, tx, edge.here, visit.actor)
        return "/certificates"

    return await submit(request, edge, visit, values, work)
