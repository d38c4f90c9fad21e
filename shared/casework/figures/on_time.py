"""On the watcher's clock: a quarter that nobody released is released for the oversight body when its time has come, once; and
what an oversight body has not been told is told."""

from datetime import date, datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import func, select
from sqlmodel import col

from shared.casework.figures.commands import HeldBack, release_figures, release_of
from shared.casework.figures.domain import Period, periods_before
from shared.casework.figures.telling import tell_release, untold
from shared.casework.figures.watch import EVERY
from shared.casework.here import SYSTEM, Here
from shared.exchange.tables import Activity
from shared.kit.db import Database

RELEASED_AFTER = timedelta(days=14)  # of a quarter's end: sheets of its last days have come in by then, and a person has had a turn
MONTHS_LOOKED_AT = 5  # back from now: the quarter that ended last, whatever the day
_last: WeakKeyDictionary[Database, datetime] = WeakKeyDictionary()  # saves work alone: whoever looks again releases nothing twice


def due(today: date) -> Period:
    """The newest quarter whose time has come."""
    ended = (one for one in periods_before(today - RELEASED_AFTER, MONTHS_LOOKED_AT) if one.is_quarter)
    return next(ended)


async def watch_releases(database: Database, here: Here) -> None:
    """Looks once an hour, where there is an oversight body."""
    now = database.clock.now()
    before = _last.get(database)
    if not here.overseers or (before is not None and now - before < EVERY):
        return
    _last[database] = now
    quarter = due(here.day_of(now))
    async with database.read() as tx:
        is_there = await release_of(tx, quarter) is not None
        is_untold = bool(await untold(tx, here))
        begun = [month for month in quarter.months if await release_of(tx, month) is not None]
        began = (await tx.session.execute(select(func.min(col(Activity.recorded_at))))).scalar() if not is_there else None
    # Of a time before its first record an agency knows nothing, and that is not nought.
    if began is not None and here.day_of(began) < quarter.until:
        # Where months were released the quarter is their sum, so the others come first.
        for one in [*((month for month in quarter.months if month not in begun) if begun else ()), quarter]:
            await _release(database, here, one)
    if is_untold:
        async with database.write() as tx:
            for release in await untold(tx, here):
                await tell_release(tx, here, release)


async def _release(database: Database, here: Here, of: Period) -> None:
    try:
        async with database.write() as tx:
            if await release_of(tx, of) is None:
                await release_figures(tx, here, SYSTEM, of)
    except HeldBack:
        return  # its page says why
