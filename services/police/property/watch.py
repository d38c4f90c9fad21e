"""On the watcher's clock: what she asked for and has not got in the programme's time is a breach, written down once."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.police.property.commands import breach, has_register
from services.police.property.domain import given_back_within
from services.police.property.tables import Property
from shared.casework.here import SYSTEM, Here
from shared.kit.db import Database

BATCH = 200  # looked at in one tick


async def watch(database: Database, here: Here) -> None:
    """One tick. The last moment itself is in time, as for every deadline."""
    within = given_back_within(here.programme)
    if within is None or not has_register(here):
        return
    async with database.read() as tx:
        late = (
            col(Property.asked_at) < tx.clock.now() - within,
            col(Property.returned_at).is_(None),
            col(Property.breached_at).is_(None),
        )
        found = list((await tx.session.execute(select(col(Property.id)).where(*late).limit(BATCH))).scalars())
    for property_id in found:
        await _breach(database, here, property_id)


async def _breach(database: Database, here: Here, property_id: UUID) -> None:
    async with database.write() as tx:
        query = select(Property).where(col(Property.id) == property_id).with_for_update().execution_options(populate_existing=True)
        row = (await tx.session.execute(query)).scalar_one_or_none()
        if row is not None and row.asked_at is not None and row.returned_at is None:
            await breach(row, tx.clock.now(), tx, here, SYSTEM)
