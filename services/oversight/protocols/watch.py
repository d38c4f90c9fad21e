"""On the watcher's clock: a place that is overdue with the newest version of a protocol is an alarm here; and an agency that joined
after a protocol was published is told of it."""

from datetime import datetime
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlmodel import col

from services.oversight.protocols.commands import tell, word_of
from services.oversight.protocols.domain import Standing
from services.oversight.protocols.tables import PublishedProtocol
from services.oversight.protocols.views import adopted
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.figures.watch import EVERY
from shared.casework.here import Here
from shared.casework.own_words import subject_of
from shared.casework.protocols.watch import OVERDUE, about_place
from shared.contracts.casework import events
from shared.contracts.casework.codes import Urgency
from shared.exchange.tables import OutboxRow
from shared.kit.db import Database, Transaction

_last: WeakKeyDictionary[Database, datetime] = WeakKeyDictionary()  # saves work alone: whoever looks again raises nothing twice


async def watch_adoptions(database: Database, here: Here) -> None:
    """Raises and clears alarms; looks once an hour, for days are what counts."""
    now = database.clock.now()
    before = _last.get(database)
    if before is not None and now - before < EVERY:
        return
    _last[database] = now
    async with database.read() as tx:
        found = await adopted(tx, here, here.day_of(now))
        late = {
            about_place(*line.place, one.protocol.topic, one.protocol.version): (line.place, one.protocol)
            for one in found for line in one.lines if line.standing is Standing.OVERDUE
        }  # fmt: skip
        query = select(col(Alarm.about)).where(col(Alarm.kind) == OVERDUE, col(Alarm.resolved_at).is_(None))
        open_ = set((await tx.session.execute(query)).scalars())
        told = await _told(tx)
    untold = [one.protocol for one in found if not _wanted(here, one.protocol) <= told]
    if late.keys() == open_ and not untold:
        return
    facility = next(iter(here.entry.facilities))
    async with database.write() as tx:
        for protocol in untold:
            await tell(tx, here, protocol)
        for id_ in sorted(late.keys() - open_):
            (agency, place), protocol = late[id_]
            detail = {"protocol": protocol.topic, "peer": agency, "place": place}
            await raise_alarm(tx, here, OVERDUE, id_, facility, Urgency.ROUTINE, None, detail)
        for id_ in sorted(open_ - late.keys()):
            await clear(tx, here, id_, {OVERDUE})


def _wanted(here: Here, protocol: PublishedProtocol) -> set[tuple[UUID, str]]:
    subject = subject_of(here.agency, word_of(protocol))
    return {(subject, recipient) for recipient in here.serving}


async def _told(tx: Transaction) -> set[tuple[UUID, str]]:
    query = select(col(OutboxRow.subject), col(OutboxRow.recipient)).where(
        col(OutboxRow.type) == events.ProtocolPublished.type
    )  # fmt: skip
    return set((await tx.session.execute(query)).tuples())
