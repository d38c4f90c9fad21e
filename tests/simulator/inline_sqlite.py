"""An agency's database inside the simulator: SQLite in memory, driven without threads, so that a seed always runs alike.

One connection a database: transactions follow one another, and an actor gives way only between them. An image is what a disk
would hold after the last commit; loading one is a restore.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from shared.kit import db
from shared.kit.clock import Clock, ManualClock
from shared.kit.db import Database, Transaction
from shared.kit.keystore import Keystore
from shared.kit.sealed import ATTRIBUTE


class _Cursor:
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def lastrowid(self) -> Any:
        return self._cursor.lastrowid

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    async def execute(self, *args: Any) -> None:
        self._cursor.execute(*args)

    async def executemany(self, *args: Any) -> None:
        self._cursor.executemany(*args)

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def close(self) -> None:
        self._cursor.close()


class _Connection:
    """What SQLAlchemy's dialect asks of an asynchronous connection, answered at once."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._conn = raw

    async def cursor(self) -> _Cursor:
        return _Cursor(self._conn.cursor())

    async def execute(self, *args: Any) -> Any:
        return self._conn.execute(*args)

    async def rollback(self) -> None:
        self._conn.rollback()

    async def commit(self) -> None:
        self._conn.commit()

    async def close(self) -> None:
        self._conn.close()

    async def create_function(self, *args: Any, **options: Any) -> None:
        self._conn.create_function(*args, **options)

    def stop(self) -> None:
        self._conn.close()


class InlineDatabase(Database):
    """`give_way` is awaited before each transaction: there another actor may go first.

    It serves one schedule after the other, because compiling SQLAlchemy's statements costs more than running them.
    """

    def __init__(self, give_way: Callable[[], Awaitable[None]]) -> None:
        self.clock, self.dialect, self.url, self._give_way = ManualClock(), "sqlite", "sqlite://", give_way
        self.room = db.Room()
        self._raw = sqlite3.connect(":memory:", isolation_level=None)
        self.engine = create_async_engine(
            "sqlite+aiosqlite://", async_creator=self._connect, poolclass=StaticPool, hide_parameters=True
        )
        event.listen(self.engine.sync_engine, "begin", db._sqlite_begin)
        self._new_keys()

    def _new_keys(self) -> None:
        self.keys = Keystore.in_memory()
        setattr(self.engine.dialect, ATTRIBUTE, self.keys)

    async def _connect(self) -> Any:
        return _Connection(self._raw)

    def begin(self, image: bytes, clock: Clock) -> None:
        """Another schedule begins, with keys of its own: ids come again with their seed, and what is destroyed stays so."""
        self._raw.rollback()
        self._new_keys()
        self.load(image)
        self.clock = clock

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What an onlooker outside every transaction sees."""
        return self._raw.execute(query, values).fetchall()

    def image(self) -> bytes:
        """What the disk holds."""
        return self._raw.serialize()

    def load(self, image: bytes) -> None:
        """The disk is replaced."""
        self._raw.deserialize(image)
        self._raw.execute("PRAGMA foreign_keys=ON")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        await self._give_way()
        async with super().read() as tx:
            yield tx

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        await self._give_way()
        async with super().write() as tx:
            yield tx
