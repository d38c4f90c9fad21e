"""Databases: one engine an agency, `read()` and `write()` transactions, on PostgreSQL and SQLite alike.

A transaction belongs to its edge (a request, a batch, a tick): code inside never commits.
"""

import contextlib
import hashlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import asyncpg
from pydantic_core import from_json
from sqlalchemy import AsyncAdaptedQueuePool, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlmodel import SQLModel

from shared.kit import sqlite
from shared.kit.clock import Clock, SystemClock
from shared.kit.errors import DatabaseAway, DatabaseFull, KeptRefusal, RefnetError
from shared.kit.i18n import mark as _
from shared.kit.keystore import Keystore, ValueNotOpened
from shared.kit.sealed import ATTRIBUTE, keystore_of

BUSY_TIMEOUT_S = 30  # SQLite: a writer waits this long for the one before it; longer than any batch
CONNECT_TIMEOUT_S = 10  # PostgreSQL: a server that is up answers within a second; ten covers a slow line
LOCK_TIMEOUT_S = 10  # PostgreSQL: a batch holds its rows for a second or two; whoever waits longer tries again
STATEMENT_TIMEOUT_S = 60  # PostgreSQL: the longest of ours takes seconds; longer is a fault, and keeps rows and a connection
IDLE_IN_TRANSACTION_S = 60  # PostgreSQL: between two statements lie milliseconds; a process that hangs here lets its locks go
POOL_SIZE = 10  # connections that a process keeps: a desk's requests take milliseconds each, and the worker has some ten loops
POOL_OVERFLOW = 10  # more at a peak, closed after it; two workers and two web processes (80) stay under PostgreSQL's default 100
POOL_TIMEOUT_S = 10  # a request waits this long for one, then answers 503 rather than queue for ever
SQLITE_POOL_SIZE = 5  # each has a thread and a cache of its own; one writes at a time, and reads take milliseconds
SQLITE_POOL_OVERFLOW = 10  # more at a peak: writers that wait for the one before them
SQLITE_POOL_TIMEOUT_S = BUSY_TIMEOUT_S  # what waits for a connection waits for a writer
# Conflicts and locks; the server stopping, full, read-only or out of something; a statement or session cut off; the line.
RETRYABLE_SQLSTATES = frozenset(
    ["40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "57P05", "25P03", "25006", "53100", "53200", "53300", "58030",
     "08000", "08003", "08006"]
)  # fmt: skip

FULL_SQLSTATE, SQLITE_FULL = "53100", "is full"  # no room on the database's disk
ASIDE_MAX = 10_000  # rows that wait in memory for room, 1 kB each: a busy desk looks at some hundred cases an hour
NO_ROOM = _(
    "The disk under the database is full: nothing was written. Tell whoever looks after this system; with room again it goes on."
)
URL_FORMS = "write postgresql://… or sqlite:///…"
SQLITE_PASSING = ("locked", "busy", "disk I/O", "unable to open", SQLITE_FULL, "readonly")  # words of SQLite errors that may pass

Dialect = Literal["postgresql", "sqlite"]

log = logging.getLogger(__name__)

# Who asks, as row-level security is told at the beginning of each transaction on PostgreSQL: settings `refnet.<name>`, which end
# with it. What no request began is the agency's own machinery: exchange, watcher, command line, migrations. A web application says
# for each request who asks, and that nobody does before it knows.
MACHINE: Mapping[str, str] = {"asks": "machine"}
NOBODY: Mapping[str, str] = {"asks": ""}
asking: ContextVar[Mapping[str, str]] = ContextVar("asking", default=MACHINE)


@contextlib.contextmanager
def machinery() -> Iterator[None]:
    """Within a request: the agency's own machinery works here, whoever set it going."""
    before = asking.set(MACHINE)
    try:
        yield
    finally:
        asking.reset(before)


# A request that only looks: what it keeps of that may wait where the database's disk has no room. A web application says so.
only_looks: ContextVar[bool] = ContextVar("only_looks", default=False)


@dataclass(slots=True)
class Room:
    """Whether the database's disk has room, as far as this process knows, and what waits for some: the rows of looks, each with its
    table, and when sessions were used last.

    `is_lacking` from a write that was refused for want of room until whoever tries again finds some.
    """

    is_lacking: bool = False
    aside: list[tuple[type[SQLModel], dict[str, Any]]] = field(default_factory=list)
    used: dict[UUID, datetime] = field(default_factory=dict)

    @property
    def puts_aside(self) -> bool:
        """Whether what this request keeps waits: none that does more than look."""
        return self.is_lacking and only_looks.get()

    def check(self, more: int) -> None:
        """Raises DatabaseFull where too many rows wait already for as many more to."""
        if len(self.aside) + more > ASIDE_MAX:
            raise DatabaseFull(NO_ROOM)


@dataclass(slots=True)
class Transaction:
    """An open transaction: the session for statements, the clock, and what to do once it is committed."""

    connection: AsyncConnection
    clock: Clock
    dialect: Dialect
    room: Room
    committed: list[Callable[[], None]] = field(default_factory=list)
    asks: Mapping[str, str] = field(default_factory=asking.get)  # who the database takes to be asking
    _session: AsyncSession | None = None

    @property
    def session(self) -> AsyncSession:
        """Made when it is first asked for: what works on the driver alone does not pay for one."""
        if self._session is None:
            self._session = AsyncSession(self.connection, expire_on_commit=False)
        return self._session

    @property
    def keys(self) -> Keystore:
        """The keystore of the sealed columns."""
        return keystore_of(self.connection.dialect)

    async def flush(self) -> None:
        """Writes what the session holds back, before the driver's own statements that must see it."""
        if self._session is not None:
            await self._session.flush()

    async def close(self) -> None:
        """Lets go of the session, if there was one; what was not committed is rolled back with the connection."""
        if self._session is not None:
            await self._session.close()

    def on_commit(self, action: Callable[[], None]) -> None:
        """Runs `action` after the commit and never after a rollback."""
        self.committed.append(action)

    async def in_turn(self, what: str) -> None:
        """Waits for every other transaction that has this name for what it does, and lets none begin before this one has ended: for
        what no row stands for. On SQLite a writer is alone already."""
        if self.dialect == "postgresql":
            await self.session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": turn_number(what)})

    async def tell(self, who: Mapping[str, str]) -> None:
        """From now on in this transaction somebody else asks. SQLite keeps no such rules."""
        self.asks = who
        if self.dialect == "postgresql":
            await (await self.driver()).execute(_settings(who))

    async def driver(self) -> Any:
        """The asyncpg connection beneath, inside this transaction, for the hot statements that have a PostgreSQL form."""
        adapted: Any = (await self.connection.get_raw_connection()).dbapi_connection
        driver: Any = adapted.driver_connection
        if not driver.is_in_transaction():  # SQLAlchemy begins with its first statement: before it, ours would commit by itself
            await adapted._start_transaction()  # noqa: SLF001 — as it does itself; a statement instead would be one more trip
        return driver


def turn_number(what: str) -> int:
    """The number of PostgreSQL's advisory lock for what has this name."""
    return int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], signed=True)


class Database:
    """One agency's database. `keys` are those of its sealed columns, which cannot be read or written without."""

    def __init__(self, url: str, clock: Clock | None = None, keys: Keystore | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.keys = keys
        self.room = Room()
        self.url = _async_url(url)
        self.dialect: Dialect = "sqlite" if self.url.startswith("sqlite") else "postgresql"
        self.engine: AsyncEngine = _engine(self.url)
        setattr(self.engine.dialect, ATTRIBUTE, keys)  # sealed columns find it there

    @property
    def file(self) -> Path | None:
        """Where an SQLite database lies; None of one that a server keeps, or that is in memory."""
        name = self.engine.url.database
        return Path(name) if self.dialect == "sqlite" and name and name != ":memory:" else None

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A transaction for looking only; it is rolled back at its end."""
        async with errors_named(), self.engine.connect() as connection:
            tx = Transaction(connection, self.clock, self.dialect, self.room)
            try:
                yield tx
            finally:
                await tx.close()

    async def glance(self, query: str) -> list[tuple[Any, ...]]:
        """What one statement that only looks finds, with no transaction around it: one trip on PostgreSQL, on the driver. Nobody is
        said to ask, so that it finds nothing in a table that row-level security guards."""
        async with errors_named(), self.engine.connect() as connection:
            if self.dialect == "postgresql":
                driver: Any = (await connection.get_raw_connection()).driver_connection
                return [tuple(row) for row in await driver.fetch(query)]
            return [tuple(row) for row in await connection.exec_driver_sql(query)]

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that commits when the block ends well and rolls back when it does not, but for what a refusal keeps."""
        try:
            async with self._alone() as tx:
                yield tx
        except KeptRefusal as refusal:
            async with self._alone() as tx:
                await refusal.keep(tx)
            raise

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[Transaction]:
        async with self._room_noticed(), errors_named():
            async with self.engine.connect() as connection:
                if self.dialect == "sqlite":
                    await connection.execution_options(write=True)
                await connection.begin()
                tx = Transaction(connection, self.clock, self.dialect, self.room)
                try:
                    yield tx
                    await tx.flush()
                    await connection.commit()
                finally:
                    await tx.close()
            for action in tx.committed:
                action()

    @contextlib.asynccontextmanager
    async def _room_noticed(self) -> AsyncIterator[None]:
        try:
            yield
        except DatabaseFull:
            if not self.room.is_lacking:
                log.error("disk_full", extra={"words": NO_ROOM})
            self.room.is_lacking = True
            raise

    async def close(self) -> None:
        """Gives every connection back."""
        await self.engine.dispose()


def _async_url(url: str) -> str:
    try:
        parsed = make_url(url)
    except Exception as error:
        raise RefnetError(f"REFNET_DATABASE_URL is not a database address; {URL_FORMS}.") from error
    drivers = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
    name = parsed.get_backend_name()
    if name not in drivers:
        raise RefnetError(f"REFNET_DATABASE_URL names the database kind '{name}'; {URL_FORMS}.")
    return parsed.set(drivername=drivers[name]).render_as_string(hide_password=False)


def _engine(url: str) -> AsyncEngine:
    if url.startswith("sqlite"):
        engine = create_async_engine(
            url,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=SQLITE_POOL_SIZE,
            max_overflow=SQLITE_POOL_OVERFLOW,
            pool_timeout=SQLITE_POOL_TIMEOUT_S,
            hide_parameters=True,
            json_deserializer=from_json,
            connect_args={"async_creator_fn": sqlite.connect, "isolation_level": None, "timeout": BUSY_TIMEOUT_S},
        )
        event.listen(engine.sync_engine, "connect", _sqlite_pragmas)
        event.listen(engine.sync_engine, "begin", _sqlite_begin)
        return engine
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=False,
        hide_parameters=True,  # an error's text never holds what a row says
        json_deserializer=from_json,  # a fifth of what Python's own takes, and half of a row's columns are JSON
        connect_args={
            "connection_class": _Telling,
            "timeout": CONNECT_TIMEOUT_S,
            "server_settings": {"timezone": "UTC", **_time_limits()},
        },
    )


class _Telling(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """Tells who asks in the trip that begins the transaction: no request waits for one more."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """As the driver does it."""
        if not args and query.startswith("BEGIN"):
            query = f"{query} {_settings(asking.get())}"
        return str(await super().execute(query, *args, timeout=timeout))


def _settings(who: Mapping[str, str]) -> str:
    """Statements without parameters, because they go along with BEGIN; none is a query, so that what is said of the transaction
    itself may still follow."""
    quoted = {name: value.replace("'", "''") for name, value in who.items()}
    return " ".join(f"SET LOCAL refnet.{name} = '{value}';" for name, value in quoted.items())


def _time_limits() -> dict[str, str]:
    """What the server itself cuts off, so that nothing waits for whoever has stopped, and a process that hangs holds nobody up."""
    limits = {
        "lock_timeout": LOCK_TIMEOUT_S, "statement_timeout": STATEMENT_TIMEOUT_S,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_S,
    }  # fmt: skip
    return {name: str(round(seconds * 1000)) for name, seconds in limits.items()}


def _sqlite_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # FULL: a referral that was answered "issued" survives a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_S * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Any) -> None:
    # A deferred transaction that turns into a writer fails at once when another writes; IMMEDIATE waits its turn.
    write = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextlib.asynccontextmanager
async def errors_named() -> AsyncIterator[None]:
    """Makes a DatabaseAway of whatever may pass; everything else goes up as it is."""
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if _is_full(error):
            raise DatabaseFull(NO_ROOM) from error
        if is_transient(error):
            raise DatabaseAway("The database does not answer just now; nothing was written, try again.") from error
        raise


def _is_full(error: BaseException) -> bool:
    original = error.orig if isinstance(error, DBAPIError) else error
    is_sqlites = isinstance(original, sqlite3.OperationalError) and SQLITE_FULL in str(original)
    return is_sqlites or FULL_SQLSTATE in (getattr(original, "sqlstate", None), getattr(original, "pgcode", None))


def is_transient(error: BaseException) -> bool:
    """True where the same call may succeed later: server away, deadlock, serialisation failure, lock timeout; named as such already
    (DatabaseAway) or not yet, as inside a transaction. Whoever sets something aside because it failed asks this first."""
    if isinstance(error, ValueNotOpened):
        return False  # one value, until somebody brings its key: what is about others goes on
    if isinstance(error, DatabaseAway | PoolTimeout | OSError):  # TimeoutError and ConnectionError are OSErrors
        return True
    if isinstance(error, asyncpg.PostgresError):  # while connecting, and from the driver's own statements: nobody wraps it
        return error.sqlstate in RETRYABLE_SQLSTATES
    if isinstance(error, asyncpg.InterfaceError):  # the connection went away beneath us
        return "connection" in str(error)
    if not isinstance(error, DBAPIError):
        return False
    original = error.orig
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if error.connection_invalidated or state in RETRYABLE_SQLSTATES:
        return True
    if isinstance(original, sqlite3.OperationalError):
        return any(words in str(original) for words in SQLITE_PASSING)
    return isinstance(error, InterfaceError | OperationalError) and state is None
