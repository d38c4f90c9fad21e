"""Statements on their way: one for a whole stretch of a stream soon after it was heard, and a heartbeat to every peer beneath.

A statement is never stored and never receipted: what a crash swallows, the next heartbeat says again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col

from shared.contracts.wire.envelope import Header, Kind
from shared.contracts.wire.statements import ENQUIRIES_MAX
from shared.exchange import streams
from shared.exchange.outbox import insert_if_absent
from shared.exchange.receipts import make_statement
from shared.exchange.relay import BrokerAway
from shared.exchange.seal import Seal
from shared.exchange.tables import Peer
from shared.kit.crash import crash_point
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway

HEARTBEAT_S = 5.0  # every peer hears from us at least this often: an outage shows within a few of them
GATHER_S = 0.05  # a receipt waits this long for the next batch, so that a backlog is receipted in stretches
BACK_OFF_S = 1.0  # after a failure; the peers stay marked

SendStatement = Callable[[str, bytes], Awaitable[None]]


class Herald:
    """The one that makes and sends an agency's statements."""

    def __init__(self, database: Database, agency: str, peers: Sequence[str], seal: Seal, send: SendStatement) -> None:
        self._database, self._agency, self._peers, self._seal, self._send = database, agency, peers, seal, send
        self._due: set[str] = set(peers)  # at start everybody is told where we stand
        self._gone: dict[str, set[UUID]] = {}
        self._woken = asyncio.Event()

    def heard_from(self, peer: str, gone: Sequence[UUID] = ()) -> None:
        """Something of this peer's is held now, or it asked for what was never said."""
        self._due.add(peer)
        self._gone.setdefault(peer, set()).update(gone)
        self._woken.set()

    async def state(self, peer: str) -> None:
        """Makes and sends one statement; raises DatabaseAway or BrokerAway, and then it is still due."""
        gone = tuple(sorted(self._gone.get(peer, ())))[:ENQUIRIES_MAX]
        async with self._database.write() as tx:
            incarnation = await streams.current_incarnation(tx)
            statement = (await make_statement(tx, peer)).model_copy(update={"gone": gone})
        header = Header(kind=Kind.STATEMENT, sender=self._agency, recipient=peer, incarnation=incarnation)
        crash_point("statement.before_send")
        await self._send(peer, self._seal.seal(self._seal.sign(header, statement.to_bytes()), peer))
        crash_point("statement.after_send")
        self._gone.get(peer, set()).difference_update(gone)
        async with self._database.write() as tx:
            await tx.session.execute(insert_if_absent(tx, Peer), [{"peer": peer}])
            await tx.session.execute(update(Peer).where(col(Peer.peer) == peer).values(last_stated_at=tx.clock.now()))

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set."""
        while not stop.is_set():
            self._woken.clear()  # before looking: what comes meanwhile wakes the next round
            try:
                await self._state_all()
            except (DatabaseAway, BrokerAway):
                await self._database.clock.sleep(BACK_OFF_S)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), HEARTBEAT_S)
                await self._database.clock.sleep(GATHER_S)
                continue
            self._due.update(self._peers)

    async def _state_all(self) -> None:
        for peer in sorted(self._due):
            self._due.discard(peer)
            try:
                await self.state(peer)
            except (DatabaseAway, BrokerAway):
                self._due.add(peer)
                raise
