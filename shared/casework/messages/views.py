"""When a message to a survivor is safe, as she has said it: for whoever is asked to pass one on. Reads only."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework import sharing
from shared.casework.cases.tables import Case
from shared.casework.here import Here
from shared.casework.messages.tables import Message
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import ConsentItem, SafeHours, Ternary
from shared.kit.db import Transaction


def safe_hours(relay: Mapping[str, Any] | None, safety: Mapping[str, Any] | None, *, was_unsafe: bool = False) -> SafeHours | None:
    """When she may be told by a message, as she has said it; None where she is told only when she comes, which is so unless she has
    agreed: nobody is called by default."""
    hours = SafeHours((relay or {}).get("safe_hours", SafeHours.NEVER))
    if was_unsafe or hours is SafeHours.NEVER or (safety or {}).get("alone_on_phone") == Ternary.NO:
        return None
    return hours


async def hours_of(tx: Transaction, here: Here, messages: Sequence[tuple[Message, Referral]]) -> dict[UUID, SafeHours | None]:
    """When each message may be passed on, by what she says now and not when the request was sent."""
    if not messages:
        return {}
    case_ids = {referral.case_id for _message, referral in messages}
    cases = {case.id: case for case in (await tx.session.execute(select(Case).where(col(Case.id).in_(case_ids)))).scalars()}
    agreed = await sharing.in_force(tx, here, case_ids)
    found: dict[UUID, SafeHours | None] = {}
    for message, referral in messages:
        release, case = agreed.get((referral.case_id, referral.recipient)), cases[referral.case_id]
        may = release is not None and ConsentItem.RELAY in release.items
        found[message.id] = safe_hours(case.relay, case.safety) if may else None
    return found
