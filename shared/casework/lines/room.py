"""The database's disk is full: this process tries again until there is room, and then keeps the looks that waited for it.

Nothing can be saved meanwhile; reading goes on (decision 46).
"""

import asyncio
import contextlib
import logging
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from sqlalchemy import delete, update
from sqlmodel import col

from shared.casework.accounts.tables import Attempt, Session
from shared.kit.bulk import insert_many
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway
from shared.kit.ids import new_id

NOBODYS = UUID(int=0)  # no account and no case has this id
TRY_S = 2.0  # how soon people can save again once there is room; a try costs a transaction

FULL = "The disk under the database is full: people can read, and nothing can be saved until it has room."

log = logging.getLogger(__name__)


async def look_for_room(database: Database, stop: asyncio.Event) -> None:
    """Tries every TRY_S while room is lacking or anything waits for it, until `stop` is set, and once more then. What still waits
    after that is lost, and its number is in the log."""
    try:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TRY_S)
            if database.room.is_lacking or database.room.aside:
                await _try_or_wait(database)
    finally:
        if database.room.aside:
            log.error("looks_not_kept", extra={"count": len(database.room.aside)})


async def _try_or_wait(database: Database) -> None:
    try:
        await keep_what_waits(database)
    except DatabaseAway:
        pass  # the next try finds the same, or room
    except Exception as error:  # whatever it was: nothing else keeps these
        log.error("looks_wait", extra={"because": type(error).__name__, "count": len(database.room.aside)})


async def keep_what_waits(database: Database) -> None:
    """Writes down what waits for room; raises DatabaseFull where there is none yet."""
    room, now = database.room, database.clock.now()
    async with database.write() as tx:
        waiting, used = list(room.aside), dict(room.used)
        for table, rows in groupby(waiting, key=itemgetter(0)):
            # Those may be there already whose commit was not answered.
            await insert_many(tx, table, [row for _table, row in rows], absent_only=True)
        for session_id, at in used.items():
            mine = (col(Session.id) == session_id, col(Session.seen_at) < at)
            await tx.session.execute(update(Session).where(*mine).values(seen_at=at))
        # A row that goes again: where no look waits, too, this asks the disk for what people ask it for.
        row = {"id": new_id(), "account_id": NOBODYS, "what": "room", "about": NOBODYS, "tried_at": now}
        await insert_many(tx, Attempt, [row])
        await tx.session.execute(delete(Attempt).where(col(Attempt.id) == row["id"]))
    del room.aside[: len(waiting)]
    for session_id in used:
        room.used.pop(session_id, None)
    if room.is_lacking:
        log.warning("disk_has_room", extra={"looks_kept": len(waiting)})
    room.is_lacking = False
