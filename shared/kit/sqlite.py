"""SQLite connections that end however they are let go of."""

import asyncio
import sqlite3
from typing import Any

import aiosqlite

ROWS_AT_ONCE = 64  # that a cursor fetches while it is walked, as aiosqlite's own connections do


class _Connection(aiosqlite.Connection):
    """One that is stopped once.

    A task that is cancelled while SQLAlchemy closes its connection stops the connection's thread, and leaves a `close` behind that
    asks the thread for the same once more. It has ended by then: `close` would wait for ever, and the process with it (aiosqlite
    0.22 under SQLAlchemy 2.0; wapiti's issue 802 is the same).
    """

    _ending: "asyncio.Future[Any] | None" = None

    def stop(self) -> "asyncio.Future[Any] | None":
        """The end of its thread, the same for everyone who asks."""
        if self._ending is None:
            self._ending = super().stop()
        return self._ending

    async def _connect(self) -> aiosqlite.Connection:
        """One that cannot be opened has ended when that is said: its thread would speak to a loop that is gone."""
        try:
            return await super()._connect()
        except sqlite3.Error:
            if self._ending is not None:
                await self._ending
            raise


def connect(file: str, **options: Any) -> _Connection:
    """A connection to await, as `aiosqlite.connect` makes it; `options` are sqlite3's."""
    connection = _Connection(lambda: sqlite3.connect(file, **options), ROWS_AT_ONCE)
    connection._thread.daemon = True  # noqa: SLF001 — as SQLAlchemy does: a connection that is left behind keeps no process
    return connection
