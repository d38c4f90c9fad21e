"""Letters on their way by the broker: one for a whole stretch of a stream soon after it was heard, and a heartbeat beneath.

A statement is never stored and never receipted: what a crash swallows, the next heartbeat says again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from shared.exchange.keyring import KeyAway
from shared.exchange.letters import Letters
from shared.exchange.relay import BrokerAway
from shared.kit.crash import crash_point
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway

HEARTBEAT_S = 5.0  # every peer hears from us at least this often: an outage shows within a few of them
GATHER_S = 0.05  # a receipt waits this long for the next batch, so that a backlog is receipted in stretches
STRETCH_S = 0.5  # between receipts of a stream that goes on: a statement costs both ends more than the event that it covers
BACK_OFF_S = 1.0  # after a failure; the peers stay marked

SendStatement = Callable[[str, bytes], Awaitable[None]]


class Herald:
    """The one that sends an agency's letters by the broker."""

    def __init__(self, database: Database, peers: Sequence[str], letters: Letters, send: SendStatement) -> None:
        self._database, self._peers, self._letters, self._send = database, peers, letters, send

    async def state(self, peer: str) -> None:
        """Writes and sends what a peer is owed; raises DatabaseAway, BrokerAway or KeyAway, and then it is still due."""
        letters = [*await self._letters.write_lines(peer), *await self._letters.write(peer)]
        crash_point("statement.before_send")
        for letter in letters:
            await self._send(peer, letter)
        crash_point("statement.after_send")
        await self._letters.note_stated(peer)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set."""
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + HEARTBEAT_S  # whatever one peer's letters do meanwhile, no other waits for its own
        while not stop.is_set():
            if loop.time() >= beat_at:
                self._letters.due.update(self._peers)
                beat_at = loop.time() + HEARTBEAT_S
            self._letters.woken.clear()  # before looking: what comes meanwhile wakes the next round
            stated_at = loop.time()
            try:
                await self.state_all()
            except (DatabaseAway, BrokerAway, KeyAway):
                await self._database.clock.sleep(BACK_OFF_S)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._letters.woken.wait(), max(0.0, beat_at - loop.time()))
                await self._database.clock.sleep(max(GATHER_S, stated_at + STRETCH_S - loop.time()))

    async def state_all(self) -> None:
        """Every peer that waits for a letter is sent one; raises at the end what kept one from being sent, which is still due."""
        away: DatabaseAway | BrokerAway | KeyAway | None = None
        for peer in sorted(self._letters.due):
            self._letters.due.discard(peer)
            try:
                await self.state(peer)
            except (DatabaseAway, BrokerAway, KeyAway) as error:
                self._letters.due.add(peer)
                away = error
        if away is not None:
            raise away
