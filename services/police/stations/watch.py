"""On the watcher's clock: a number of a station that never came, or came twice, raises an alarm to a supervisor."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.police.stations import views
from services.police.stations.domain import gaps
from services.police.stations.tables import StationEntry
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.directory.stations import station_subject
from shared.casework.here import Here
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database, Transaction

LACKING, TWICE = "station_number_lacking", "station_number_twice"
PATIENCE = timedelta(minutes=10)  # what one stick or line brings is here within a minute, in whatever order


async def watch(database: Database, here: Here) -> None:
    """One tick. Nothing is written while nothing has changed: a writer would keep others waiting."""
    if here.entry.mother is None and not here.stations:
        return
    async with database.read() as tx:
        wanted = set()
        for station in here.stations:
            about, found = station_subject(station), await views.station_of(tx, station)
            if found.missing and await _has_waited(tx, found):
                wanted.add((LACKING, about, station))
            if found.twice:
                wanted.add((TWICE, about, station))
        if here.entry.mother is not None and await views.own_gaps(tx):
            wanted.add((LACKING, station_subject(here.agency), here.agency))
        told = await _told(tx, {station_subject(one) for one in (here.agency, *here.stations)})
    now = {(kind, about) for kind, about, _ in wanted}
    if now == told:
        return
    async with database.write() as tx:
        facility = next(iter(here.entry.facilities))
        for kind, about, station in sorted(wanted):
            if (kind, about) not in told:
                await raise_alarm(tx, here, kind, about, facility, Urgency.URGENT, None, {"peer": station}, to_supervisor=True)
        for kind, about in sorted(told - now):
            await clear(tx, here, about, {kind})


async def _has_waited(tx: Transaction, station: views.Station) -> bool:
    """Whether something above a gap has been here, or was stated, for longer than a delivery takes."""
    mine, limit = col(StationEntry.station) == station.agency, tx.clock.now() - PATIENCE
    old = select(func.max(col(StationEntry.number))).where(mine, col(StationEntry.received_at) <= limit)
    upto = int((await tx.session.execute(old)).scalar_one() or 0)
    upto = max([upto, *(one.number for one in station.words if one.stated_at <= limit)])
    held = (await tx.session.execute(select(col(StationEntry.number)).where(mine))).scalars()
    return bool(gaps(held, upto))


async def _told(tx: Transaction, abouts: Iterable[UUID]) -> set[tuple[str, UUID]]:
    query = select(col(Alarm.kind), col(Alarm.about)).where(
        col(Alarm.about).in_(set(abouts)), col(Alarm.kind).in_([LACKING, TWICE]), col(Alarm.resolved_at).is_(None)
    )
    return set((await tx.session.execute(query)).tuples().all())
