"""On the watcher's clock: a call that its desk has not seen in time goes on, and a desk where nobody is raises an alarm."""

from uuid import UUID, uuid5

from sqlalchemy import and_, or_, select
from sqlmodel import col

from services.police.hotline.commands import send_on
from services.police.hotline.desks import desks_now, has_hotline, waiting
from services.police.hotline.domain import is_ready
from services.police.hotline.tables import Call
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.here import Here
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database

UNMANNED = "desk_unmanned"
LATE_BATCH = 200  # calls looked at in one tick; more than a country's line takes in a minute
DESKS = UUID("0197a1c0-0000-7000-8000-000000003512")  # an alarm is about an id, and a desk has a name: uuid5 of it


def about(facility: str) -> UUID:
    """What stands in for a desk as what an alarm is about."""
    return uuid5(DESKS, facility)


async def watch(database: Database, here: Here) -> None:
    """One tick. Each call is decided again under its own lock, so that several watchers move it once."""
    if not has_hotline(here):
        return
    for call_id in await _late(database):
        async with database.write() as tx:
            query = select(Call).where(col(Call.id) == call_id, *waiting()).with_for_update()
            call = (await tx.session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
            if call is not None and call.respond_by is not None and call.respond_by < tx.clock.now():
                await send_on(tx, here, call)
    await _desks(database, here)


async def _late(database: Database) -> list[UUID]:
    async with database.read() as tx:
        late = col(Call.respond_by) < tx.clock.now()  # the last moment itself is in time, as for every deadline
        query = select(col(Call.id)).where(*waiting(), late).order_by(col(Call.respond_by)).limit(LATE_BATCH)
        return list((await tx.session.execute(query)).scalars())


async def _desks(database: Database, here: Here) -> None:
    """An alarm for each desk that is open and not ready, to the post above whoever should be there; it ends when somebody is."""
    async with database.read() as tx:
        desks = {about(desk.id): desk for desk in await desks_now(tx, here)}
        rest = tx.clock.now() - here.programme.limits.ladder_step_h.of(Urgency.URGENT)
        by_hand = and_(col(Alarm.resolved_at) > rest, col(Alarm.resolved_by).is_not(None))  # whoever resolved it knows for a while
        told_of = or_(col(Alarm.resolved_at).is_(None), by_hand)
        query = select(col(Alarm.about), col(Alarm.resolved_at)).where(col(Alarm.kind) == UNMANNED, told_of)
        found = (await tx.session.execute(query)).tuples().all()
    known, told = {id_ for id_, _ in found}, {id_ for id_, resolved_at in found if resolved_at is None}
    bare = {id_ for id_, desk in desks.items() if desk.now.is_open is not False and not is_ready(here.programme, desk)}
    if not (bare - known or told - bare):
        return  # nearly always: a writer would keep others waiting
    async with database.write() as tx:
        for id_ in sorted(bare - known):
            desk = desks[id_].id
            await raise_alarm(tx, here, UNMANNED, id_, desk, Urgency.URGENT, None, {"desk": desk}, to_supervisor=True)
        for id_ in sorted(told - bare):
            await clear(tx, here, id_, {UNMANNED})
