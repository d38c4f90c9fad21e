"""On the watcher's clock: an order that was to follow an examination and has not come in its time is told to a post, once."""

from uuid import UUID

from sqlalchemy import exists, select
from sqlmodel import col

from services.justice.examinations.commands import ALARM
from services.justice.examinations.domain import OWED, Order, is_late
from services.justice.examinations.tables import Examination
from shared.casework.alarms.commands import raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.here import Here
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database

BATCH = 200  # read at once; more than an institute examines in weeks


async def watch(database: Database, here: Here) -> None:
    """One tick."""
    for id_ in await _late(database):
        async with database.write() as tx:
            row = await tx.session.get(Examination, id_, with_for_update=True, populate_existing=True)
            if row is not None and is_late(Order(row.order_state), row.order_due_at, tx.clock.now()):
                await raise_alarm(tx, here, ALARM, row.id, row.facility, Urgency.URGENT, row.case_id)


async def _late(database: Database) -> list[UUID]:
    told = exists().where(col(Alarm.about) == col(Examination.id), col(Alarm.kind) == ALARM)
    async with database.read() as tx:
        query = select(col(Examination.id)).where(
            col(Examination.order_state).in_(OWED), col(Examination.order_due_at) < tx.clock.now(), ~told
        )
        return list((await tx.session.execute(query.order_by(col(Examination.order_due_at)).limit(BATCH))).scalars())
