"""Deciding from the page of the agreement: one tap for each answer."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.partner.afterwards import commands
from services.partner.afterwards.commands import Decide
from services.partner.afterwards.domain import Plan
from shared.casework.edge import OneEdge
from shared.casework.pages.visits import Posted, Visitor, submit
from shared.casework.referrals.commands import load_referral
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import fill

router = APIRouter(include_in_schema=False)


@router.post("/referrals/{referral_id}/afterwards")
async def post_afterwards(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps what is to become of it."""
    visit.actor.may_work()
    asked = fill(Decide, {"plan": values.get("plan", [])}, {}).model

    async def work(tx: Transaction) -> str:
        await load_referral(tx, referral_id, visit.actor)
        if asked is None:
            raise Conflict("Choose what is to become of it: %(plans)s.", plans=tuple(str(plan) for plan in Plan))
        await commands.decide(referral_id, asked, tx, edge.here, visit.actor)
        return "/agreement"

    return await submit(request, edge, visit, values, work)
