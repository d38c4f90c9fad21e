"""Turns: of an agency's several workers one at a time relays to a recipient, so that none sends what another is just sending; and
each has a name in its consumer groups that no other has.

This only saves work: the stream head's lock is the fence. A turn ends with the process that has it, so another goes on at once.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.db import Database, errors_named
from shared.kit.errors import DatabaseAway

# Whoever keeps a turn for longer hangs, or is cut off where the server has not noticed: we go anyway.
PATIENCE = timedelta(seconds=5)
SPACE = 0x5245464E  # our corner of PostgreSQL's advisory locks
TAKE = "SELECT pg_try_advisory_lock($1, hashtext($2))"
STILL_HERE = "SELECT true OR $1 = hashtext($2)"
GIVE_BACK = "SELECT pg_advisory_unlock($1, hashtext($2))"


class Turns:
    """One worker's side, over one connection that it keeps. On SQLite, which serves one process, it is always our turn."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: AsyncConnection | None = None
        self._asking = asyncio.Lock()  # a connection does one thing at a time
        self._refused_at: dict[str, datetime] = {}
        self._kept: str | None = None

    @contextlib.asynccontextmanager
    async def of(self, recipient: str) -> AsyncIterator[bool]:
        """Whether it is our turn to relay to `recipient`, until the block ends; raises DatabaseAway."""
        if self._database.dialect == "sqlite":
            yield True
        elif await self._ask(TAKE, recipient):
            self._refused_at.pop(recipient, None)
            try:
                yield True
            finally:
                if self._connection is not None:
                    with contextlib.suppress(DatabaseAway):  # then the turn went with the connection
                        await self._ask(GIVE_BACK, recipient)
        else:
            yield self._has_been_patient(recipient)

    async def keep(self, what: str) -> bool:
        """Whether `what` is ours, from now on and until `end`. It goes with the connection, so it is asked for again and again.

        Raises DatabaseAway.
        """
        if self._database.dialect == "sqlite":
            return True
        if self._kept == what and self._connection is not None:
            return await self._ask(STILL_HERE, what)
        self._kept = what if await self._ask(TAKE, what) else None
        return self._kept is not None

    def _has_been_patient(self, recipient: str) -> bool:
        now = self._database.clock.real()
        if now - self._refused_at.setdefault(recipient, now) < PATIENCE:
            return False
        del self._refused_at[recipient]
        return True

    async def _ask(self, query: str, recipient: str) -> bool:
        async with self._asking, errors_named():
            try:
                return bool(await (await self._driver()).fetchval(query, SPACE, recipient))
            except BaseException:
                await self._hang_up()
                raise

    async def _driver(self) -> Any:
        # The driver's own connection: a turn outlasts transactions, and this one must hold none open.
        if self._connection is None:
            self._connection = await self._database.engine.connect()
        return (await self._connection.get_raw_connection()).driver_connection

    async def end(self) -> None:
        """Gives back whatever we have."""
        async with self._asking:
            await self._hang_up()

    async def _hang_up(self) -> None:
        # Never back into the pool: whoever got it next would have our turns.
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()
