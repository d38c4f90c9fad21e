"""On the watcher's clock: a number of a station that never came, or came twice, and a station that was not heard for as long as its
programme allows, or not at all since it stands in the network file, raise an alarm to a supervisor."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.police.stations import views
from services.police.stations.domain import gaps
from services.police.stations.tables import Registration, StationEntry, StationKnown
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.directory.stations import station_subject
from shared.casework.here import Here
from shared.contracts.casework.codes import Urgency
from shared.kit.bulk import insert_many
from shared.kit.db import Database, Transaction

LACKING, TWICE, SILENT = "station_number_lacking", "station_number_twice", "station_silent"
KINDS = (LACKING, TWICE, SILENT)
SYNC_WITHIN = timedelta(hours=72)  # domain.md, 4.6 (D), where the programme does not say it of this station
PATIENCE = timedelta(minutes=10)  # what one stick or line brings is here within a minute, in whatever order


async def watch(database: Database, here: Here) -> None:
    """One tick. Nothing is written while nothing has changed: a writer would keep others waiting. What somebody has answered for
    is not said again before there is more of it: numbers that went with a stolen station never come."""
    if here.entry.mother is None and not here.stations:
        return
    await _note_new(database, here)
    async with database.read() as tx:
        answered = await _answered(tx, {station_subject(one) for one in (here.agency, *here.stations)})
        wanted = set()
        for station in here.stations:
            about = station_subject(station)
            wanted |= {(kind, about, station) for kind in await _wrong_with(tx, here, station, answered)}
        own = station_subject(here.agency)
        if here.entry.mother is not None and await _lacks_own(tx, answered.get((LACKING, own))):
            wanted.add((LACKING, own, here.agency))
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


async def _note_new(database: Database, here: Here) -> None:
    async with database.read() as tx:
        known = set((await tx.session.execute(select(col(StationKnown.station)))).scalars())
    if new := sorted(set(here.stations) - known):
        async with database.write() as tx:
            await insert_many(tx, StationKnown, [{"station": one, "since": tx.clock.now()} for one in new], absent_only=True)


async def _wrong_with(tx: Transaction, here: Here, station: str, answered: Mapping[tuple[str, UUID], datetime]) -> set[str]:
    about, found = station_subject(station), await views.station_of(tx, station)
    kinds = set()
    if found.missing and await _has_waited(tx, found, answered.get((LACKING, about))):
        kinds.add(LACKING)
    since = answered.get((TWICE, about))
    if any(since is None or row.received_at > since for _number, rows in found.twice for row in rows):
        kinds.add(TWICE)
    known = await tx.session.get(StationKnown, station)
    heard = found.last_heard_at or (known.since if known is not None else tx.clock.now())
    if _is_silent(here, station, heard, tx.clock.now(), answered.get((SILENT, about))):
        kinds.add(SILENT)
    return kinds


def _is_silent(here: Here, station: str, heard: datetime, now: datetime, answered_at: datetime | None) -> bool:
    """Whether a station has said nothing for longer than it may take, since it was heard, or is known; once answered for, only a
    silence after it was heard again. How it came by, by a line or on a stick, is one."""
    return now - heard > sync_within(here, station) and (answered_at is None or heard > answered_at)


def sync_within(here: Here, station: str) -> timedelta:
    """In what time the words of a station are to arrive, as the programme says of its places."""
    kinds = here.programme.facilities.values()
    hours = [one.sync_within_h for one in kinds if one.agency == station and one.sync_within_h is not None]
    return timedelta(hours=float(min(hours))) if hours else SYNC_WITHIN


async def _has_waited(tx: Transaction, station: views.Station, answered_at: datetime | None) -> bool:
    """Whether something above a gap has been here, or was stated, for longer than a delivery takes; of gaps that somebody has
    answered for only those above what was known then."""
    limit = tx.clock.now() - PATIENCE
    upto, known = await _known(tx, station, limit), 0
    if answered_at is not None:
        known = await _known(tx, station, answered_at)
    held = (await tx.session.execute(select(col(StationEntry.number)).where(col(StationEntry.station) == station.agency))).scalars()
    return any(last > known for _first, last in gaps(held, upto))


async def _known(tx: Transaction, station: views.Station, at: datetime) -> int:
    """The highest number of a station's that had come or was stated by then; 0 where none was."""
    query = select(func.max(col(StationEntry.number))).where(
        col(StationEntry.station) == station.agency, col(StationEntry.received_at) <= at
    )
    came = int((await tx.session.execute(query)).scalar_one() or 0)
    return max([came, *(one.number for one in station.words if one.stated_at <= at and one.id not in station.corrected)])


async def _lacks_own(tx: Transaction, answered_at: datetime | None) -> bool:
    """Whether this station's own book lacks a number above those that somebody has answered for."""
    known = 0
    if answered_at is not None:
        query = select(func.max(col(Registration.number))).where(col(Registration.recorded_at) <= answered_at)
        known = int((await tx.session.execute(query)).scalar_one() or 0)
    return any(last > known for _first, last in await views.own_gaps(tx))


async def _answered(tx: Transaction, abouts: Iterable[UUID]) -> dict[tuple[str, UUID], datetime]:
    """When somebody last resolved such an alarm by hand."""
    query = select(col(Alarm.kind), col(Alarm.about), func.max(col(Alarm.resolved_at))).where(
        col(Alarm.about).in_(set(abouts)), col(Alarm.kind).in_(KINDS), col(Alarm.resolved_by).is_not(None)
    )
    rows = (await tx.session.execute(query.group_by(col(Alarm.kind), col(Alarm.about)))).tuples()
    return {(kind, about): at for kind, about, at in rows if at is not None}


async def _told(tx: Transaction, abouts: Iterable[UUID]) -> set[tuple[str, UUID]]:
    query = select(col(Alarm.kind), col(Alarm.about)).where(
        col(Alarm.about).in_(set(abouts)), col(Alarm.kind).in_(KINDS), col(Alarm.resolved_at).is_(None)
    )
    return set((await tx.session.execute(query)).tuples().all())
