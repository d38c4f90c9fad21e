"""On the watcher's clock: an agreement that ends within 30 days is told to the partner's post and to a supervisor's post of whoever
signed it, once for each end; nothing that is open is touched.
"""

from uuid import UUID, uuid5

from sqlalchemy import select
from sqlmodel import col

from shared.casework.agreements.domain import Standing, is_named, standing
from shared.casework.agreements.views import of_this_agency
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.here import Here
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database

ENDS = "agreement_ends"
AGREEMENTS = UUID("0197a1c0-0000-7000-8000-0000000a6ee0")  # an alarm is about an id, and an agreement has a name: uuid5 of it


async def watch(database: Database, here: Here) -> None:
    """One tick."""
    mine = of_this_agency(here)
    if not mine:
        return
    on = here.day_of(database.clock.now())
    due = {
        uuid5(AGREEMENTS, f"{id_}:{one.ends_on}:{place}"): (id_, place)
        for id_, one in mine.items() if standing(one, on) in (Standing.ENDS_SOON, Standing.ENDED)
        for place in _told(here, id_)
    }  # fmt: skip
    async with database.read() as tx:
        query = select(col(Alarm.about), col(Alarm.resolved_at)).where(col(Alarm.kind) == ENDS)
        known = dict((await tx.session.execute(query)).tuples().all())
    over = {about for about, resolved_at in known.items() if resolved_at is None} - due.keys()
    if not (due.keys() - known.keys() or over):
        return  # nearly always: a writer would keep others waiting
    async with database.write() as tx:
        for about in sorted(due.keys() - known.keys()):
            id_, place = due[about]
            detail = {"agreement": id_, "peer": _other_end(here, id_), "ends_on": str(mine[id_].ends_on)}
            is_partner = mine[id_].partner == here.agency
            await raise_alarm(tx, here, ENDS, about, place, Urgency.ROUTINE, None, detail, to_supervisor=not is_partner)
        for about in sorted(over):  # it was prolonged, or the programme names it no more
            await clear(tx, here, about, {ENDS})


def _told(here: Here, id_: str) -> list[str]:
    """The places whose post is told: at the partner each that it covers, elsewhere the first of the agency."""
    one = here.programme.agreements[id_]
    if one.partner != here.agency:
        return [next(iter(here.entry.facilities))]
    return [place for place in here.entry.facilities if is_named(one, place, here.kind_of_place(place))]


def _other_end(here: Here, id_: str) -> str:
    one = here.programme.agreements[id_]
    return one.signed_with[0] if one.partner == here.agency else one.partner
