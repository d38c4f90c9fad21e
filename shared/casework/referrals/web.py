"""Routes: referrals, their transitions, and arrivals at the door."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from shared.casework.cases.views import note_listed, note_read
from shared.casework.cases.web import Cursor, Limit
from shared.casework.edge import PAGE_DEFAULT, IdempotencyKey, IfMatch, OneEdge, Page, SignedIn, answer, command, version_of
from shared.casework.referrals import commands, views
from shared.casework.referrals.asked_again import refused_fields
from shared.casework.referrals.commands import IssueReferral, MakeTransition
from shared.contracts.casework.codes import Flag, ReferralState
from shared.contracts.casework.lifecycle import Transition
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["referrals"])


@router.post("/referrals", status_code=201, response_model=views.ReferralView)
async def post_referral(body: IssueReferral, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Issues a referral. The recipient hears of it as soon as the lines allow; `sent_at` and `delivered_at` tell how far it is."""

    async def work(tx: Transaction) -> views.ReferralView:
        return views.referral_view(await commands.issue_referral(body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key, key_needed=True)


@router.get("/referrals")
async def get_referrals(
    edge: OneEdge, by: SignedIn, direction: Literal["in", "out"] | None = None,
    status: Annotated[ReferralState | None, Query()] = None, flag: Annotated[Flag | None, Query()] = None,
    limit: Limit = PAGE_DEFAULT, cursor: Cursor = None,
) -> Page:  # fmt: skip
    """The referrals of the account's desk, newest first."""
    by.may_work()
    async with edge.database.write() as tx:
        items, following = await views.referrals_page(
            tx, edge.here, by, cursor, limit, direction=direction, status=status, flag=flag
        )
        await note_listed(tx, [item.case_id for item in items], by)
    return Page(items=items, next_cursor=following)


@router.get("/referrals/{referral_id}", response_model=views.ReferralView)
async def get_referral(referral_id: UUID, edge: OneEdge, by: SignedIn) -> Response:
    """One referral; the read is logged on its case."""
    async with edge.database.write() as tx:
        referral = await commands.load_referral(tx, referral_id, by)
        await note_read(tx, referral.case_id, by, "referral")
        return answer(views.referral_view(referral, await refused_fields(tx, edge.here, referral)))


@router.post("/referrals/{referral_id}/{transition}", response_model=views.ReferralView)
async def post_transition(
    referral_id: UUID, transition: Transition, request: Request, edge: OneEdge, by: SignedIn,
    body: MakeTransition | None = None, key: IdempotencyKey = None, if_match: IfMatch = None,
) -> Response:  # fmt: skip
    """A transition; 409 where it is not this agency's or not possible now."""
    seen = version_of(if_match, needed=False)

    async def work(tx: Transaction) -> views.ReferralView:
        made = await commands.make_transition(referral_id, transition, body or MakeTransition(), tx, edge.here, by, seen)
        return views.referral_view(made, await refused_fields(tx, edge.here, made))

    return await command(request, edge, by, work, key=key)
