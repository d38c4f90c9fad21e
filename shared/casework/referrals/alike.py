"""Requests that a desk's list cannot tell apart: before "she is here" is said of one, the page says what does."""

from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope
from shared.casework.here import Actor
from shared.casework.referrals.tables import Referral
from shared.kit.db import Transaction
from shared.kit.sealed import shut_shown

ALIKE_MAX = 20  # looked through and shown; a desk expects a few at a time, and beyond it the number is quicker


def _as_listed(referral: Referral) -> tuple[object, ...]:
    """What a list says of who is expected."""
    needs = (referral.said or {}).get("needs") or {}
    return tuple(needs.get(name) for name in ("sex", "age_band", "language"))


async def looks_alike(tx: Transaction, referral: Referral, by: Actor) -> list[Referral]:
    """The other open requests of the account's desks on which nobody has come, and of which a list says the same."""
    query = select(Referral).where(
        scope.at_desk(by, col(Referral.desk), col(Referral.case_id)), col(Referral.direction) == "in", col(Referral.is_open),
        col(Referral.arrived_at).is_(None), col(Referral.id) != referral.id,
    )  # fmt: skip
    with shut_shown():  # one whose key is missing keeps nobody from being received
        rows = (await tx.session.execute(query.order_by(col(Referral.issued_at).desc()).limit(ALIKE_MAX))).scalars().all()
        return [one for one in rows if _as_listed(one) == _as_listed(referral)]
