"""Wakes the relay of another process: a web process rings after its commits, never inside them, and a worker listens.

On PostgreSQL only; beneath lies the relay's own poll, so a bell that is not heard costs a fifth of a second and nothing else.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from shared.exchange.outbox import on_new_rows, wake
from shared.kit.db import Database, errors_named
from shared.kit.errors import DatabaseAway

CHANNEL = "exchange_new_rows"
# Between two rings of one process: a ring costs a commit and a look of the relay, which under load gathers for longer.
GAP_S = 0.01
LOOK_S = 1.0  # how soon a listener notices that its connection is gone
BACK_OFF_S = 1.0  # while the database is away
# Not durable on purpose: nothing is lost with it, and a commit that waits for the disk would hold up the next ring.
RING = f"START TRANSACTION; SET LOCAL synchronous_commit TO off; NOTIFY {CHANNEL}; COMMIT"


async def ring(database: Database, stop: asyncio.Event) -> None:
    """Rings after commits of this process that added rows, until `stop` is set. One ring stands for all commits before it."""
    rung = asyncio.Event()
    forget = on_new_rows(rung.set)
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            with contextlib.suppress(DatabaseAway):
                async with _apart(database) as driver:
                    while driver is not None and await _first(rung, stopping):
                        rung.clear()
                        await driver.execute(RING)
                        await database.clock.sleep(GAP_S)
            await asyncio.wait({stopping}, timeout=BACK_OFF_S if database.dialect == "postgresql" else None)
    finally:
        forget()
        stopping.cancel()


async def listen(database: Database, stop: asyncio.Event) -> None:
    """Wakes this process's relay and feed when another process rings, until `stop` is set."""
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            with contextlib.suppress(DatabaseAway):
                async with _apart(database) as driver:
                    if driver is not None:
                        await driver.add_listener(CHANNEL, lambda *_: wake())
                        wake()  # what was rung before we listened
                        while not stop.is_set() and not driver.is_closed():
                            await asyncio.wait({stopping}, timeout=LOOK_S)
            await asyncio.wait({stopping}, timeout=BACK_OFF_S if database.dialect == "postgresql" else None)
    finally:
        stopping.cancel()


async def _first(rung: asyncio.Event, stopping: asyncio.Task[Any]) -> bool:
    """Waits for a ring; False where the end came first."""
    waiting = asyncio.create_task(rung.wait())
    try:
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    return not stopping.done()


@contextlib.asynccontextmanager
async def _apart(database: Database) -> AsyncIterator[Any]:
    """A driver connection that is used outside transactions and thrown away afterwards; None where there is no PostgreSQL."""
    if database.dialect != "postgresql":
        yield None
        return
    async with errors_named(), database.engine.connect() as connection:
        try:
            yield (await connection.get_raw_connection()).driver_connection
        finally:
            await connection.invalidate()
