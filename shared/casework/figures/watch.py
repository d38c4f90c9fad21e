"""On the watcher's clock: an indicator of this year that is past what its programme sets is an alarm, until it is not any more."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5
from weakref import WeakKeyDictionary

from sqlalchemy import or_, select
from sqlmodel import col

from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.alarms.watcher import Watch
from shared.casework.figures.counting import Count
from shared.casework.figures.domain import year_of
from shared.casework.figures.programme import programme_of
from shared.casework.here import Here
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database
from shared.programmes.indicators import Measure
from shared.programmes.tallies import measures_of

PAST = "indicator_past"
EVERY = timedelta(hours=1)  # counting reads every record of the year, and no indicator is for the next minute
REST = timedelta(days=30)  # after somebody has resolved it: it is a monthly figure
INDICATORS = UUID("0197a1c0-0000-7000-8000-000000000034")  # an alarm is about an id, and an indicator has a name: uuid5 of it


def about(indicator: str) -> UUID:
    """What stands in for an indicator as what an alarm is about."""
    return uuid5(INDICATORS, indicator)


def watch_indicators(counts: Sequence[Count], beside: Collection[Measure] = ()) -> Watch:
    """What an agency that counts these looks at; `beside`: measures whose every single lack is an alarm of its own already."""
    last: WeakKeyDictionary[Database, datetime] = WeakKeyDictionary()  # saves work alone: whoever looks again raises nothing twice

    async def watch(database: Database, here: Here) -> None:
        watched = {
            id_ for id_, one in here.programme.indicators.items() if one.alarm is not None and not {*measures_of(one)} & {*beside}
        }
        now = database.clock.now()
        before = last.get(database)
        if not watched or (before is not None and now - before < EVERY):
            return
        last[database] = now
        await _look(database, here, counts, watched)

    return watch


async def _look(database: Database, here: Here, counts: Sequence[Count], watched: Collection[str]) -> None:
    async with database.read() as tx:
        now = tx.clock.now()
        found = await programme_of(tx, here, counts, year_of(here.day_of(now).year))
        told_of = or_(col(Alarm.resolved_at).is_(None), col(Alarm.resolved_at) > now - REST)
        query = select(col(Alarm.about), col(Alarm.resolved_at)).where(col(Alarm.kind) == PAST, told_of)
        told = (await tx.session.execute(query)).tuples().all()
    known, open_ = {id_ for id_, _ in told}, {id_ for id_, resolved_at in told if resolved_at is None}
    past = {about(one.id): one.id for one in found.lines if one.id in watched and one.is_past}
    if not (past.keys() - known or open_ - past.keys()):
        return
    facility = next(iter(here.entry.facilities))
    async with database.write() as tx:
        for id_ in sorted(past.keys() - known):
            detail = {"indicator": past[id_]}
            await raise_alarm(tx, here, PAST, id_, facility, Urgency.ROUTINE, None, detail, to_supervisor=True)
        for id_ in sorted(open_ - past.keys()):
            await clear(tx, here, id_, {PAST})
