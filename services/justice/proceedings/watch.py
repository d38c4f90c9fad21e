"""On the watcher's clock: a hearing that was put off or cancelled and has no other day within the programme's limit is told to a
post, once.

The alarm is about the court's calendar. It proposes no call to her: who sent her tells her, at the hours that she said.
"""

from uuid import UUID

from sqlalchemy import exists, select
from sqlmodel import col

from services.justice.proceedings.commands import NO_DAY, without_day
from services.justice.proceedings.tables import Hearing
from shared.casework.alarms.commands import raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.here import Here
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database

BATCH = 200  # read at once; more than a court puts off in weeks


async def watch(database: Database, here: Here) -> None:
    """One tick."""
    for id_ in await _late(database, here):
        async with database.write() as tx:
            query = select(Hearing).where(col(Hearing.id) == id_, without_day())
            row = (await tx.session.execute(query)).scalar_one_or_none()
            if row is not None and row.facility in here.entry.facilities:
                await raise_alarm(tx, here, NO_DAY, row.id, row.facility, Urgency.URGENT, row.case_id)


async def _late(database: Database, here: Here) -> list[UUID]:
    told = exists().where(col(Alarm.about) == col(Hearing.id), col(Alarm.kind) == NO_DAY)
    async with database.read() as tx:
        since = tx.clock.now() - here.programme.limits.new_hearing_day.length
        query = select(col(Hearing.id)).where(without_day(), col(Hearing.answered_at) < since, ~told)
        return list((await tx.session.execute(query.order_by(col(Hearing.answered_at)).limit(BATCH))).scalars())
