"""SQLite connections that end however they are let go of."""

import asyncio
import sqlite3
from threading import Thread
from typing import Any

import aiosqlite
from aiosqlite.core import _connection_worker_thread, _TxQueue

ROWS_AT_ONCE = 64  # that a cursor fetches while it is walked, as aiosqlite's own connections do


class _Ending(sqlite3.Connection):
    """One whose transaction ends with it.

    SQLite puts off the end of a connection until its last statement is gone, and one that was cancelled lies in its traceback until
    Python's collector comes by. Till then the write lock would be held by nobody, and every writer wait.
    """

    def close(self) -> None:
        """Rolls back what is open; a second time does nothing."""
        try:
            if self.in_transaction:
                self.rollback()
        except sqlite3.ProgrammingError:  # it has been closed
            pass
        finally:
            super().close()


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


def _work(asked: _TxQueue) -> None:
    """What a connection's thread does, until it is stopped. Nothing but an answer for a loop that has been closed raises here, as
    where a connection is let go of while its process ends: nobody is left to be told, and the thread has nothing more to do."""
    try:
        _connection_worker_thread(asked)
    except RuntimeError as error:
        if "loop is closed" not in str(error):
            raise


def connect(file: str, **options: Any) -> _Connection:
    """A connection to await, as `aiosqlite.connect` makes it; `options` are sqlite3's."""
    connection = _Connection(lambda: sqlite3.connect(file, factory=_Ending, **options), ROWS_AT_ONCE)
    # As SQLAlchemy does: a connection that is left behind keeps no process.
    connection._thread = Thread(target=_work, args=(connection._tx,), daemon=True)  # noqa: SLF001
    return connection
