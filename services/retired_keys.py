"""Private keys to seal to that another has replaced are destroyed, once nothing that is still to come can lie under them.

Whoever takes old disks of the broker's and, later, this machine, then opens nothing of them. A worker does it by itself where it
may write to its keys' folder; where it may not, `refnet keys destroy` is the keeper's, and `refnet doctor` says when.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.keys import KeyFolder
from shared.exchange.directory import key_id
from shared.exchange.retired import Replaced, replaced, waits_for
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway

LOOK_EVERY_S = 3_600.0  # for what is decided by days

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A replaced key whose private half is here, and why it is not destroyed yet, by peer; `is_due` where nothing speaks for it."""

    key: Replaced
    waits_for: dict[str, str]
    is_over: bool

    @property
    def is_due(self) -> bool:
        """Whether it may be destroyed."""
        return self.is_over and not self.waits_for

    @property
    def words(self) -> str:
        """What it waits for."""
        reasons = [] if self.is_over else [f"it is kept until {self.key.kept_until:%Y-%m-%d} at least"]
        reasons += [f"{peer}: {why}" for peer, why in sorted(self.waits_for.items())]
        return "; ".join(reasons) or "nothing of it is needed any more"


async def held(database: Database, folder: KeyFolder, peers: Sequence[str], now: datetime) -> list[Held]:
    """The agency's replaced keys that are still here, oldest first. Raises RefnetError or DatabaseAway."""
    here = {key_id(key.public) for key in folder.opening()}
    old = [key for key in replaced(folder.own()) if key.id in here]
    if not old:
        return []
    async with database.read() as tx:
        return [Held(key, await waits_for(tx, peers, key.line), key.kept_until <= now) for key in old]


async def destroy_retired(database: Database, folder: KeyFolder, peers: Sequence[str], now: datetime) -> list[Held]:
    """Destroys what is due and returns all that was looked at. Raises RefnetError or DatabaseAway, and OSError where it may not."""
    folder.finish_destroying()
    found = await held(database, folder, peers, now)
    for one in found:
        if one.is_due:
            folder.destroy(one.key.id, now)
            log.warning("key_destroyed", extra={"key": one.key.id.hex()})
    return found


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def keep_destroying(
    database: Database, folder: KeyFolder, peers: Sequence[str], anchored: asyncio.Event, stop: asyncio.Event
) -> None:
    """Looks every hour until `stop` is set; first once it is known whether this database is an older copy of itself (`anchored`):
    what such a one knows of its peers is of the past."""
    await _either(anchored, stop)
    while not stop.is_set():
        try:
            await destroy_retired(database, folder, peers, database.clock.real())
        except DatabaseAway:
            pass
        except Exception as error:  # whatever it was, the exchange beside this goes on, and the next look may do
            log.warning("keys_not_destroyed", extra={"because": type(error).__name__})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
