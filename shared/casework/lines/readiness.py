"""Whether a process can do its work, for whoever looks after it: asked anew each time, and told in sentences.

It promises nothing that was not just tried: the database is asked, the exchange says what it saw when it last looked.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import asyncpg
from sqlalchemy.exc import DBAPIError

from shared.casework.lines.room import FULL
from shared.casework.migrate import is_migrated
from shared.exchange.own_keystore import trouble
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway

ANSWER_TIMEOUT_S = 3.0  # the database answers in milliseconds; whoever asks us gives up after four seconds


class ExchangeState(Protocol):
    """What an exchange at work says of itself."""

    words: str | None  # what is wrong with the broker
    stuck: str | None  # what hangs though the broker answers
    is_open: bool  # whether the broker was reached


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ready`; `degraded`: the work goes on and something waits; `not_ready`. `checks` say "ok" or what is wrong."""

    status: Literal["ready", "degraded", "not_ready"]
    checks: dict[str, str]

    @property
    def code(self) -> int:
        """The HTTP status for programs that read nothing else."""
        return 503 if self.status == "not_ready" else 200


async def readiness(database: Database, migrations: Path | None, exchange: ExchangeState | None, *, has_pages: bool) -> Readiness:
    """Whether this process can work. A process with pages works while the broker is away, or the database's disk is full: events
    wait, people read, and nobody is sent home. One without has nothing else to do. `exchange` is None in a process that does not
    speak to the broker."""
    trouble = await _database(database, migrations)
    is_full = database.room.is_lacking
    checks = {"database": trouble or "ok", "disk": FULL if is_full else "ok"}
    if exchange is None:
        return Readiness("not_ready" if trouble else "degraded" if is_full else "ready", checks)
    checks |= {"broker": exchange.words or "ok", "exchange": exchange.stuck or "ok"}
    if trouble or exchange.stuck or not (has_pages or (exchange.is_open and not is_full)):
        return Readiness("not_ready", checks)
    return Readiness("degraded" if exchange.words or is_full else "ready", checks)


async def _database(database: Database, migrations: Path | None) -> str | None:
    """What is wrong with the database, or None."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            if await is_migrated(database, migrations):
                async with database.read() as tx:
                    return await trouble(tx)
    except (DatabaseAway, TimeoutError):
        return "The database does not answer; nothing can be read or saved until it does."
    except (DBAPIError, asyncpg.PostgresError):
        return "The database refuses this process; `refnet doctor` says why."
    return "The database is not at this version's schema; run `refnet migrate`, or start the version that fits it."
