"""Hearing what a station has numbered; and a station's own words that come home after a restore."""

from services.police.stations.commands import at_least
from services.police.stations.tables import Registration, StationEntry
from shared.casework import homecoming
from shared.casework.here import Here
from shared.contracts.casework import events
from shared.exchange.registry import Received, Returned
from shared.kit.db import Transaction


async def on_station_registered(received: Received, tx: Transaction, here: Here) -> None:
    """A station has given a number. One that came before in another word stays: two versions are two rows, and both are shown."""
    word: events.StationRegistered = received.data
    row = StationEntry(
        event_id=received.id, station=received.sender, number=word.number, what=word.what, occurred_at=received.occurred_at,
        recorded_at=received.recorded_at, received_at=tx.clock.now(),
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()


async def _came_home(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    """The number was given: it is not given again, and what it stood for is asked of the paper."""
    assert isinstance(fact, events.StationRegistered)
    if await tx.session.get(Registration, fact.number) is None:
        row = Registration(
            number=fact.number, what=fact.what, facility=next(iter(here.entry.facilities)), event_id=word.id,
            occurred_at=word.occurred_at, recorded_at=tx.clock.now(),
        )  # fmt: skip
        tx.session.add(row)
        await tx.session.flush()
    await at_least(tx, fact.number)
    return True


homecoming.comes_home(events.StationRegistered, _came_home)
