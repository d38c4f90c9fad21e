"""Pages: the neutral card, on screen and as a file to print."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from shared.casework.accounts.sessions import Visit
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.pages.frame import PAGE_LANGUAGES
from shared.casework.pages.visits import Visitor
from shared.casework.referrals import story
from shared.casework.referrals.card import CardText, card_pdf, spoken
from shared.casework.referrals.commands import load_referral
from shared.casework.referrals.tables import Referral
from shared.kit.errors import NotFound
from shared.kit.i18n import SOURCE, is_rtl
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

WithPlace = Annotated[bool, Query(alias="place")]


async def _card(referral_id: UUID, edge: Edge, visit: Visit) -> tuple[Referral, str]:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept: the number opens her way to the clinic
        referral = await load_referral(tx, referral_id, visit.actor)
        if referral.direction != "out" or referral.arrival_code is None or referral.carries == "nothing":
            raise NotFound("There is no card for this referral.")
        await note_read(tx, referral.case_id, visit.actor, "card")
    return referral, referral.arrival_code


def _text(edge: Edge, language: str, referral: Referral, *, with_place: bool) -> CardText:
    def say(text: str) -> str:
        return edge.pages.say(text, language)

    standing = story.standing_of(referral)
    place: tuple[str, ...] = (edge.pages.place(referral.recipient, standing.facility),) if with_place else ()
    return CardText(
        say(_("Your visit")), place, say(_("Show or say this at the desk:")),
        (say(_("You will not wait in line.")), say(_("It costs nothing."))),
        say(_("You may throw this card away. The number is enough.")), is_rtl(language),
    )  # fmt: skip


@router.get("/referrals/{referral_id}/card")
async def show_card(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor, with_place: WithPlace = False) -> Response:
    """The card as it will be printed, or the number to remember."""
    referral, code = await _card(referral_id, edge, visit)
    card = _text(edge, edge.pages.language(request, visit.language), referral, with_place=with_place)
    context: dict[str, Any] = {"r": referral, "card": card, "code": spoken(code), "with_place": with_place, "here_now": "/cases"}
    return edge.pages.show(request, "referrals/card.html", visit, **context)


@router.get("/referrals/{referral_id}/card.pdf")
async def get_card(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor, with_place: WithPlace = False) -> Response:
    """The card as PDF, A6, in the page's language; on its back the same words in hers where the catalogues have it."""
    referral, code = await _card(referral_id, edge, visit)
    hers = str(((referral.said or {}).get("needs") or {}).get("language", SOURCE))
    front = edge.pages.language(request, visit.language)
    back = [tag for tag in PAGE_LANGUAGES if tag.split("_")[0] == hers and tag != front]
    sides = tuple(_text(edge, language, referral, with_place=with_place) for language in (front, *back))
    headers = {"Content-Disposition": 'inline; filename="card.pdf"'}
    card = await asyncio.to_thread(card_pdf, sides, code)  # nobody else at a page waits for it
    return Response(card, media_type="application/pdf", headers=headers)
