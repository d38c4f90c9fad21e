"""The page of a case's medical certificates."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.health.certificates import commands
from services.health.certificates.commands import GiveCertificate, IssueCertificate
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor, Here
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards, when_of
from shared.casework.pages.frame import Way
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.reports.commands import NAME_CHARACTERS_MAX
from shared.contracts.casework import events
from shared.contracts.casework.lifecycle import MissingDetail
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class NewCertificate(Afterwards):
    """Its number, and who signed it."""

    number: commands.Number
    post: events.Code
    name: str | None = Field(default=None, max_length=NAME_CHARACTERS_MAX)
    copy_kept: Literal["yes", "no"]


WORDS = {
    **AFTERWARDS_WORDS, "number": _("Type the number as it stands in the clinic’s book: letters, digits, / and -."),
    "post": _("Choose the post."), "copy_kept": _("Say whether a copy is kept here."),
}  # fmt: skip


async def case_ways(_tx: Transaction, _here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the certificates of a case are."""
    return [(f"/cases/{case.id}/medical-certificates", _("Medical certificate"))]


@router.get("/cases/{case_id}/medical-certificates")
async def show_certificates(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What was issued and given, and a new one."""
    return await _page(case_id, request, edge, visit, await draft_of(request, visit))


async def _page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "medical_certificate")
        issued = await commands.certificates_of(tx, case.id)
    return edge.pages.show(
        request, "certificates/of_case.html", visit, status=status, form=form, errors=bool(form.errors), case=case, issued=issued,
        desk_posts=edge.here.posts(visit.actor.facility or case.facility), here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/medical-certificates")
async def post_certificate(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps that one was issued. Small letters and spaces in its number are a way of typing."""
    if "number" in values:
        values = {**values, "number": ["".join(one.split()).upper() for one in values["number"]]}
    form = fill(NewCertificate, values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if asked is None or form.errors:
        return await _page(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        body = IssueCertificate(
            number=asked.number, post=asked.post, name=asked.name, copy_kept=asked.copy_kept == "yes", occurred_at=at
        )
        await commands.issue(case_id, body, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/medical-certificates"

    try:
        return await submit(request, edge, visit, values, work)
    except MissingDetail as error:
        form.error(error.field, error)
    except Conflict as error:
        form.error("number", error)
    return await _page(case_id, request, edge, visit, Filled(values, form.errors), status=422)


@router.post("/medical-certificates/{medical_certificate_id}/given")
async def post_given(
    medical_certificate_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted
) -> Response:  # fmt: skip
    """Into her hand: one tap."""
    visit.actor.may_work()

    async def work(tx: Transaction) -> str:
        row = await commands.give(medical_certificate_id, GiveCertificate(), tx, visit.actor)
        return f"/cases/{row.case_id}/medical-certificates"

    return await submit(request, edge, visit, values, work)
