"""Breaches as they are shown. Reads only."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework.breaches.tables import Breach
from shared.kit.db import Transaction


async def breaches_of(tx: Transaction, case_id: UUID) -> list[Breach]:
    """Breaches of a case, by their own times."""
    query = select(Breach).where(col(Breach.case_id) == case_id).order_by(col(Breach.occurred_at), col(Breach.id))
    return list((await tx.session.execute(query)).scalars())
