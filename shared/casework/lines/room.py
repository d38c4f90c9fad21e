"""The database's disk is full: this process tries again until there is room, and then keeps the looks that waited for it.

Nothing can be saved meanwhile; reading goes on (decision 46).
"""

import asyncio
import contextlib
import logging
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col

from shared.casework.accounts.tables import Attempt, CaseRead
from shared.kit.bulk import insert_many
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway
from shared.kit.ids import new_id

NOBODYS = UUID(int=0)  # no account and no case has this id
TRY_S = 2.0  # how soon people can save again once there is room; a try costs a transaction

FULL = "The disk under the database is full: people can read, and nothing can be saved until it has room."

log = logging.getLogger(__name__)


async def look_for_room(database: Database, stop: asyncio.Event) -> None:
    """Tries every TRY_S while room is lacking, until `stop` is set. What still waits then is counted in the log: it is lost."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TRY_S)
        if database.room.is_lacking:
            with contextlib.suppress(DatabaseAway):
                await _try(database)
    if database.room.aside:
        log.error("looks_not_kept", extra={"count": len(database.room.aside)})


async def _try(database: Database) -> None:
    room = database.room
    waiting = list(room.aside)
    async with database.write() as tx:
        await insert_many(tx, CaseRead, waiting)
        # A row that goes again: where no look waits, too, this asks the disk for what people ask it for.
        row = {"id": new_id(), "account_id": NOBODYS, "what": "room", "about": NOBODYS, "tried_at": tx.clock.now()}
        await insert_many(tx, Attempt, [row])
        await tx.session.execute(delete(Attempt).where(col(Attempt.id) == row["id"]))
    del room.aside[: len(waiting)]
    room.is_lacking = False
    log.warning("disk_has_room", extra={"looks_kept": len(waiting)})
