"""Pages: taking a file out of the agency, by whoever shows once more that it is her, and the files that were handed out."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.edge import Edge, OneEdge
from shared.casework.exports.commands import NoKey, Wish, export_figures, export_looks, export_programme, exports_of, file_of
from shared.casework.exports.domain import PURPOSES, SENTENCE_CHARACTERS_MAX, SENTENCE_CHARACTERS_MIN, Purpose, Reader, What
from shared.casework.exports.tables import Export
from shared.casework.figures.domain import period, span
from shared.casework.pages.frame import short
from shared.casework.pages.visits import Posted, Visitor, draft_of, is_herself, submit
from shared.casework.scope import not_as_guest
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.digits import typed
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)  # what was handed out
own_router = APIRouter(include_in_schema=False)  # what an agency that serves hands out of its own

KEY_CHARACTERS_MAX = 100  # a key has 62

Make = Callable[[Transaction, Wish], Awaitable[Export]]


class TakeFile(Body):
    """What for, in a code and a sentence; for whom; and her PIN, typed now."""

    purpose: Purpose
    because: str = Field(min_length=SENTENCE_CHARACTERS_MIN, max_length=SENTENCE_CHARACTERS_MAX)
    recipient_key: str = Field(max_length=KEY_CHARACTERS_MAX)
    pin: str


WRONG_KEY = _("This is no public key of age; it begins with age1 and the one who shall read the file gives it to you.")
WORDS = {
    "purpose": _("Choose what the file is for."),
    "because": _("Write in a sentence who asked for it and why; no name of a survivor."),
    "recipient_key": WRONG_KEY,
    "pin": _("Type your PIN once more: a file leaves only by your own hand."),
}


@own_router.get("/figures/{period_name}/export")
async def show_figures_export(period_name: str, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What the file of a period's figures is for."""
    visit.actor.may_let_out()
    return await take_page(
        request, edge, visit, What.FIGURES, f"/figures?period={period(period_name).name}", await draft_of(request, visit)
    )


@own_router.post("/figures/{period_name}/export")
async def post_figures_export(period_name: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Makes it."""
    visit.actor.may_let_out()
    of = period(period_name)

    async def make(tx: Transaction, wish: Wish) -> Export:
        return await export_figures(tx, edge.here, visit.actor, of, wish, reader_of(request, edge, visit))

    return await take(request, edge, visit, values, What.FIGURES, f"/figures?period={of.name}", make)


@own_router.get("/figures/{period_name}/programme/export")
async def show_programme_export(period_name: str, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What the file of a programme's indicators is for."""
    visit.actor.may_let_out()
    back = f"/figures/programme?period={span(period_name).name}"
    return await take_page(request, edge, visit, What.PROGRAMME, back, await draft_of(request, visit))


@own_router.post("/figures/{period_name}/programme/export")
async def post_programme_export(period_name: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Makes it."""
    visit.actor.may_let_out()
    of = span(period_name)

    async def make(tx: Transaction, wish: Wish) -> Export:
        return await export_programme(
            tx, edge.here, visit.actor, edge.pages.look.counts, of, wish, reader_of(request, edge, visit)
        )  # fmt: skip

    return await take(request, edge, visit, values, What.PROGRAMME, f"/figures/programme?period={of.name}", make)


@own_router.get("/cases/{case_id}/export")
async def show_looks_export(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What the file of who knows of a case is for."""
    await _may_take(edge, visit, case_id)
    return await take_page(request, edge, visit, What.LOOKS, f"/cases/{case_id}/looked", await draft_of(request, visit))


@own_router.post("/cases/{case_id}/export")
async def post_looks_export(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Makes it."""
    await _may_take(edge, visit, case_id)

    async def make(tx: Transaction, wish: Wish) -> Export:
        return await export_looks(tx, edge.here, visit.actor, case_id, wish, reader_of(request, edge, visit))

    return await take(request, edge, visit, values, What.LOOKS, f"/cases/{case_id}/looked", make)


def reader_of(request: Request, edge: Edge, visit: Visit) -> Reader:
    """How a file speaks that is taken from this page: in its language, by the clock here."""
    pages = edge.pages
    language = pages.language(request, visit.language)
    return Reader(
        lambda text, **params: pages.say(text, language) % params, lambda code, group: pages.word(code, group, language),
        lambda place: pages.place(edge.here.agency, place), pages.agency_name,
        pages.times(language, edge.database.clock.now()).zoned, short,
    )  # fmt: skip


async def _may_take(edge: Edge, visit: Visit, case_id: UUID) -> None:
    async with edge.database.read() as tx:
        case = await load_case(tx, case_id, visit.actor)
    not_as_guest(visit.actor, case.facility, case.id)
    visit.actor.may_let_out()


async def take_page(
    request: Request, edge: Edge, visit: Visit, what: What, back: str, form: Filled[Any], status: int = 200
) -> Response:
    """What the file is for."""
    return edge.pages.show(
        request, "exports/take.html", visit, what=what, purposes=PURPOSES[what], back=back, form=form, errors=bool(form.errors),
        status=status,
    )  # fmt: skip


async def take(request: Request, edge: Edge, visit: Visit, values: Values, what: What, back: str, make: Make) -> Response:
    """Makes the file, for whoever shows with her PIN that it is her."""
    form = fill(TakeFile, values, WORDS)
    asked = form.model
    if asked is not None and asked.purpose not in PURPOSES[what]:
        form.error("purpose", WORDS["purpose"])
    if asked is not None and not form.errors and not await is_herself(edge, visit, typed(asked.pin)):
        form.error("pin", _("That is not your PIN."))
    if asked is None or form.errors:
        return await take_page(request, edge, visit, what, back, form, status=422)
    wish = Wish(asked.purpose, asked.because, asked.recipient_key)

    async def work(tx: Transaction) -> str:
        return f"/exports/{(await make(tx, wish)).id}"

    try:
        return await submit(request, edge, visit, values, work)
    except NoKey:
        form.error("recipient_key", WRONG_KEY)
    return await take_page(request, edge, visit, what, back, form, status=422)


@router.get("/exports")
async def show_exports(
    request: Request, edge: OneEdge, visit: Visitor, id_: Annotated[str | None, Query(alias="id", max_length=40)] = None
) -> Response:
    """The files that were handed out; or the one that a mark in a file names."""
    wanted = _id(id_) if id_ else None
    async with edge.database.read() as tx:
        rows = await exports_of(tx, visit.actor, wanted)
    return edge.pages.show(request, "exports/list.html", visit, rows=rows, wanted=id_)


def _id(text: str) -> UUID:
    try:
        return UUID(text.strip())
    except ValueError:
        raise Conflict("This is not the number of a file; copy it as it stands at the end of each line.") from None


@router.get("/exports/{export_id}")
async def show_export(export_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The file is ready."""
    async with edge.database.read() as tx:
        file = await file_of(tx, visit.actor, export_id)
        rows = await exports_of(tx, visit.actor, export_id)
    return edge.pages.show(request, "exports/ready.html", visit, rows=rows, export_id=export_id, size=len(file))


@router.get("/exports/{export_id}/file")
async def get_file(export_id: UUID, edge: OneEdge, visit: Visitor) -> Response:
    """The encrypted file, for whoever made it. Its name says nothing of what is in it."""
    async with edge.database.read() as tx:
        file = await file_of(tx, visit.actor, export_id)
    headers = {"Content-Disposition": f'attachment; filename="refnet-{export_id}.csv.age"', "Cache-Control": "no-store"}
    return Response(file, media_type="application/octet-stream", headers=headers)
