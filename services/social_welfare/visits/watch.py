"""What the watcher looks at of visits: a worker who has not said in time that she is back is an alarm to the post that knows of it.

The alarm is about the worker. It proposes no visit and no call to whoever was visited.
"""

from services.social_welfare.visits.commands import OVERDUE, overdue
from shared.casework.alarms.commands import raise_alarm
from shared.casework.here import Here
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database


async def watch_visits(database: Database, here: Here) -> None:
    """One look; what is raised already is not raised twice."""
    async with database.read() as tx:  # nearly always there is nothing, and a writer would keep others waiting
        late = await overdue(tx, tx.clock.now())
    if not late:
        return
    async with database.write() as tx:
        for visit in await overdue(tx, tx.clock.now()):
            if visit.facility in here.entry.facilities:
                await raise_alarm(tx, here, OVERDUE, visit.id, visit.facility, Urgency.ACUTE, visit.case_id, post=visit.knows)
