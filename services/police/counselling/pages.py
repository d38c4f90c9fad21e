"""The page of counselling, without JavaScript: what was, and one more time."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.counselling import commands
from services.police.counselling.commands import Counsel
from services.police.counselling.domain import What
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import NoteText, load_case
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor, Here
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards, when_of
from shared.casework.pages.frame import Way
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework import events
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

KINDS: Mapping[str, str] = {
    "first_support": _("First support"), "session": _("A session"), "with_children": _("Together with the children"),
    "safety": _("How to stay safe"),
}  # fmt: skip
WORDS = {
    **AFTERWARDS_WORDS, "what": _("Choose what it was."), "language": _("Choose the language."),
    "interpreter": _("Say whether somebody interpreted."), "post": _("Choose the post."),
}  # fmt: skip


class NewCounselling(Afterwards):
    """One time."""

    what: What
    language: events.LanguageTag
    interpreter: Literal["yes", "no"]
    post: events.Code
    note: NoteText | None = None


async def case_ways(_tx: Transaction, here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where it is written down."""
    return [(f"/cases/{case.id}/counselling", _("Counselling"))] if commands.has_register(here) else []


@router.get("/cases/{case_id}/counselling")
async def show_counselling(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What was, and the form for one more."""
    return await _page(case_id, request, edge, visit, await draft_of(request, visit))


async def _page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        commands.needs_register(edge.here)
        await note_read(tx, case.id, visit.actor, "counselling")
        before = await commands.counselled(tx, case.id)
    return edge.pages.show(
        request, "counselling/counselling.html", visit, status=status, form=form, errors=bool(form.errors), case=case,
        before=before,
        kinds=list(What), desk_posts=edge.here.posts(visit.actor.facility or case.facility), here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/counselling")
async def post_counselling(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps it."""
    form = fill(NewCounselling, values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if asked is None or form.errors:
        return await _page(case_id, request, edge, visit, Filled(values, form.errors), 422)

    async def work(tx: Transaction) -> str:
        body = Counsel(
            what=asked.what, language=asked.language, interpreter=asked.interpreter == "yes", post=asked.post, note=asked.note,
            occurred_at=at,
        )  # fmt: skip
        await commands.counsel(case_id, body, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/counselling"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _page(case_id, request, edge, visit, Filled(values, {"post": error}), 422)
