"""The page on which somebody who has come is asked once more, one question an item that was told with the request."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.accounts.sessions import Visit
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.referrals.asked_again import answer_again, answers_of, items_of
from shared.casework.referrals.commands import load_referral
from shared.contracts.casework.codes import ConsentHow, ConsentItem
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class HowAgain(Body):
    """How she answered, once for all questions of the page."""

    how: Literal[ConsentHow.SPOKEN, ConsentHow.THUMB, ConsentHow.SIGNATURE]


WORDS = {"how": _("Say how she or he answered.")}
NOTHING_ASKED = _("Ask, and mark at least one answer, yes or no.")


@router.get("/referrals/{referral_id}/asked/again")
async def show_asked_again(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One question an item."""
    return await _page(referral_id, request, edge, visit, await draft_of(request, visit))


async def _page(referral_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        referral = await load_referral(tx, referral_id, visit.actor)
        await note_read(tx, referral.case_id, visit.actor, "referral")
        items, answers = items_of(edge.here, referral), await answers_of(tx, referral.id)
    return edge.pages.show(
        request, "referrals/asked_again.html", visit, r=referral, items=items, answers=answers, form=form, status=status,
        errors=bool(form.errors), here_now="/work",
    )  # fmt: skip


@router.post("/referrals/{referral_id}/asked/again")
async def post_asked_again(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps every answer that was marked."""
    form = fill(HowAgain, values, WORDS)
    marked = {item: values.get(f"again_{item}", [""])[-1] for item in ConsentItem}
    answers = {item: said == "yes" for item, said in marked.items() if said in {"yes", "no"}}
    async with edge.database.read() as tx:
        items = items_of(edge.here, await load_referral(tx, referral_id, visit.actor))
    first = f"again_{items[0]}" if items else "how"
    if not answers:
        form.error(first, NOTHING_ASKED)
    asked = form.model
    if asked is None or form.errors:
        return await _page(referral_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        await answer_again(referral_id, answers, asked.how, tx, edge.here, visit.actor)
        return f"/referrals/{referral_id}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        return await _page(referral_id, request, edge, visit, form.error(first, error), status=422)
