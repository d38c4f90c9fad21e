"""On the watcher's clock: a place that let the last day for a protocol pass is told to its own posts, until it has confirmed."""

from datetime import datetime
from uuid import UUID, uuid5
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlmodel import col

from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.figures.watch import EVERY
from shared.casework.here import SYSTEM, Here
from shared.casework.own_words import OWN
from shared.casework.protocols.views import protocols_of
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database

OVERDUE = "protocol_overdue"
_last: WeakKeyDictionary[Database, datetime] = WeakKeyDictionary()  # saves work alone: whoever looks again raises nothing twice


def about_place(agency: str, facility: str, topic: str, version: int) -> UUID:
    """What stands in for a place's lacking confirmation as what an alarm is about."""
    return uuid5(OWN, f"adoption/{agency}/{facility}/{topic}/{version}")


async def watch_protocols(database: Database, here: Here) -> None:
    """Raises and clears alarms at our own places; looks once an hour, for days are what counts."""
    now = database.clock.now()
    before = _last.get(database)
    if not here.overseers or (before is not None and now - before < EVERY):
        return
    _last[database] = now
    async with database.read() as tx:
        today = here.day_of(now)
        late = {
            about_place(here.agency, place, one.protocol.topic, one.protocol.version): (place, one.protocol)
            for one in await protocols_of(tx, here, SYSTEM) if one.is_overdue(today) for place in one.lacking
        }  # fmt: skip
        query = select(col(Alarm.about)).where(col(Alarm.kind) == OVERDUE, col(Alarm.resolved_at).is_(None))
        open_ = set((await tx.session.execute(query)).scalars())
    if late.keys() == open_:
        return
    async with database.write() as tx:
        for id_ in sorted(late.keys() - open_):
            place, protocol = late[id_]
            detail = {"protocol": protocol.topic, "peer": protocol.agency}
            await raise_alarm(tx, here, OVERDUE, id_, place, Urgency.ROUTINE, None, detail, to_supervisor=True)
        for id_ in sorted(open_ - late.keys()):
            await clear(tx, here, id_, {OVERDUE})
