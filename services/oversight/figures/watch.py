"""On the watcher's clock: where all referrals of a country's police came from specialised desks in a quarter, and it has others, a
post is told (domain.md, section 5)."""

from datetime import datetime
from uuid import UUID, uuid5
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlmodel import col

from services.oversight.figures.views import countries, of_quarter
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.figures.domain import Period, periods_before
from shared.casework.figures.watch import EVERY
from shared.casework.here import Here
from shared.casework.own_words import OWN
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database, Transaction

ISOLATED = "no_other_desks"
MONTHS_LOOKED_AT = 8  # two quarters back: a correction of the one before the last is still seen
_last: WeakKeyDictionary[Database, datetime] = WeakKeyDictionary()  # saves work alone: whoever looks again raises nothing twice


def about_quarter(agency: str, quarter: str) -> UUID:
    """What stands in for a country's quarter as what an alarm is about: `agency` is the first of its police."""
    return uuid5(OWN, f"isolation/{agency}/{quarter}")


async def watch_isolation(database: Database, here: Here) -> None:
    """Raises and clears alarms; one that somebody resolved is not raised again for the same quarter."""
    now = database.clock.now()
    before = _last.get(database)
    if before is not None and now - before < EVERY:
        return
    _last[database] = now
    quarters = [one for one in periods_before(here.day_of(now), MONTHS_LOOKED_AT) if one.is_quarter]
    async with database.read() as tx:
        found = {about_quarter(agency, quarter): (agency, quarter) for agency, quarter in await _isolated(tx, here, quarters)}
        query = select(col(Alarm.about), col(Alarm.resolved_at)).where(col(Alarm.kind) == ISOLATED)
        told = dict((await tx.session.execute(query)).tuples().all())
    over = {id_ for id_, resolved_at in told.items() if resolved_at is None} - found.keys()
    if not (found.keys() - told.keys() or over):
        return
    facility = next(iter(here.entry.facilities))
    async with database.write() as tx:
        for id_ in sorted(found.keys() - told.keys()):
            agency, quarter = found[id_]
            detail = {"peer": agency, "quarter": quarter}
            await raise_alarm(tx, here, ISOLATED, id_, facility, Urgency.ROUTINE, None, detail)
        for id_ in sorted(over):
            await clear(tx, here, id_, {ISOLATED})


async def _isolated(tx: Transaction, here: Here, quarters: list[Period]) -> list[tuple[str, str]]:
    return [
        (one.agencies[0], quarter.name)
        for quarter in quarters for one in countries(here, await of_quarter(tx, here, quarter))
        if one.isolation is not None and one.isolation.is_alarming
    ]  # fmt: skip
