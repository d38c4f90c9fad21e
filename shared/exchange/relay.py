"""The relay: numbers what handlers said, sends it, and marks it sent. Any number may run; the stream head's lock is the fence.

It never publishes inside a handler's transaction, and a crash between sending and marking only sends twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.exchange import streams
from shared.exchange.anchor import Anchor, AnchorAway
from shared.exchange.keyring import KeyAway
from shared.exchange.outbox import on_new_rows
from shared.exchange.registry import Hooks
from shared.exchange.seal import Seal
from shared.exchange.turns import Turns
from shared.kit.crash import crash_point
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway

log = logging.getLogger(__name__)

POLL_S = 0.2  # beneath every wake-up: what an idle relay may overlook for at most this long
# A batch costs both ends some 10 ms, whatever it carries: where many are said a second, the next one waits until more are there.
GATHERED_FROM = 8  # records in one batch: at fifty referrals a second there are two or three
GATHER_S = 0.03  # longer than a batch takes, and no eye sees the difference
BATCHES_A_TURN = 8  # of a backlog before anything else of its recipient is looked at: a second or two
SHUT_AGAIN = timedelta(minutes=1)  # between tries of what does not open: its key may have been brought
BACK_OFF_S = 1.0  # between tries while the database or the broker is away


# From recipient to recipient along the partial indexes: DISTINCT would read a whole backlog each time.
LYING = """
    WITH RECURSIVE waiting(recipient) AS (
        SELECT min(recipient) FROM exchange_outbox WHERE seq IS NULL
        UNION ALL
        SELECT (SELECT min(o.recipient) FROM exchange_outbox AS o WHERE o.seq IS NULL AND o.recipient > w.recipient)
        FROM waiting AS w WHERE w.recipient IS NOT NULL
    ), numbered(recipient) AS (
        SELECT min(recipient) FROM exchange_outbox WHERE is_due
        UNION ALL
        SELECT (SELECT min(o.recipient) FROM exchange_outbox AS o WHERE o.is_due AND o.recipient > n.recipient)
        FROM numbered AS n WHERE n.recipient IS NOT NULL
    )
    SELECT recipient, 'new' FROM waiting WHERE recipient IS NOT NULL
    UNION ALL
    SELECT recipient, 'due' FROM numbered WHERE recipient IS NOT NULL
"""


class BrokerAway(Exception):
    """The broker did not take the records; they stay due. `passes` is False where it refused them and will again."""

    def __init__(self, why: str, *, passes: bool = True) -> None:
        super().__init__(why)
        self.passes = passes


@dataclass(frozen=True, slots=True)
class Outbound:
    """One envelope on its way to the broker."""

    position: int
    recipient: str
    is_express: bool
    lane_key: UUID
    envelope: bytes


Send = Callable[[Sequence[Outbound]], Awaitable[None]]


def cover(anchor: Anchor | None, recipient: str, rows: Sequence[streams.Numbered]) -> None:
    """Moves the anchor before anything of these leaves; raises AnchorAway."""
    if anchor is not None:
        for incarnation in {r.incarnation for r in rows}:
            anchor.cover(incarnation, recipient, max(r.seq for r in rows if r.incarnation == incarnation))


class Relay:
    """One relay of one agency. `anchor_away`: to whom nothing is sent because the anchor cannot be moved, with the sentence."""

    def __init__(self, database: Database, agency: str, seal: Seal, send: Send, hooks: Hooks, anchor: Anchor | None = None) -> None:
        self._database, self._agency, self._seal, self._send, self._hooks = database, agency, seal, send, hooks
        self._anchor = anchor
        self._turns = Turns(database)
        self.anchor_away: dict[str, str] = {}
        self._shut: dict[str, tuple[datetime, dict[int, UUID]]] = {}
        self._woken = asyncio.Event()

    async def cycle(self) -> int:
        """Numbers and sends one batch for each recipient, what is due first; returns how many records were sent.

        A recipient whose lane does not take them holds nobody else up; raises BrokerAway at the end where there was one.
        """
        sent = 0
        away: BrokerAway | None = None
        for recipient, lying in sorted((await self._lying()).items()):
            try:
                sent += await self._serve(recipient, lying)
            except BrokerAway as error:
                away = error
        if away is not None and not sent:
            raise away
        return sent

    async def _lying(self) -> dict[str, set[str]]:
        """What lies in the outbox by recipient: rows that are `new`, rows that are `due`."""
        found: dict[str, set[str]] = {}
        for recipient, what in await self._database.glance(LYING):
            found.setdefault(recipient, set()).add(what)
        return found

    async def _serve(self, recipient: str, lying: set[str]) -> int:
        sent = 0
        shut = self._shut_to(recipient)
        known = set(shut)
        if "due" in lying:
            sent += await self._ship(recipient, await streams.due(self._database, recipient, shut))
        if "new" in lying:
            sent += await self._ship(recipient, await streams.number(self._database, self._agency, recipient, self._seal, shut))
        if shut.keys() - known:
            await self._tell_shut(recipient, [event_id for position, event_id in shut.items() if position not in known])
        return sent

    def _shut_to(self, recipient: str) -> dict[int, UUID]:
        """What was passed over because it does not open, tried again from time to time: somebody may have brought its key."""
        now = self._database.clock.real()
        since, shut = self._shut.get(recipient, (now, {}))
        if now - since >= SHUT_AGAIN:
            since, shut = now, {}
        self._shut[recipient] = (since, shut)
        return shut

    async def _tell_shut(self, recipient: str, event_ids: Sequence[UUID]) -> None:
        async with self._database.write() as tx:
            for event_id in event_ids:
                await self._hooks.trouble("key_lost", recipient, {"event_id": str(event_id)}, tx)

    async def _serve_while_full(self, recipient: str, lying: set[str]) -> int:
        """As `_serve`; a backlog goes on in the same turn, and what was asked for again gets its place after some batches."""
        sent = await self._serve(recipient, lying)
        for _ in range(BATCHES_A_TURN - 1):
            if sent % streams.NUMBER_BATCH or not sent:
                break
            more = await self._serve(recipient, {"new"})
            sent += more
            if not more:
                break
        return sent

    async def _ship(self, recipient: str, rows: Sequence[streams.Numbered]) -> int:
        if not rows:
            return 0
        cover(self._anchor, recipient, rows)
        outbound = [Outbound(r.position, recipient, r.is_express, r.lane_key, self._seal.seal(r.inner, recipient)) for r in rows]
        crash_point("relay.before_send")
        await self._send(outbound)
        crash_point("relay.after_send")
        async with self._database.write() as tx:
            now = tx.clock.now()
            await streams.mark_sent(tx, [r.position for r in rows], now)
            await self._hooks.sent([r.event_id for r in rows if not r.is_withheld], now, tx)
        crash_point("relay.after_mark")
        return len(rows)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set: woken by commits of this process, and by a poll beneath.

        Each recipient is served by itself: one whose lane is slow, away or broken keeps nobody else waiting.
        """
        forget = on_new_rows(self._woken.set)
        serving: dict[str, asyncio.Task[None]] = {}
        try:
            while not stop.is_set():
                self._woken.clear()
                try:
                    wanted = await self._lying()
                except DatabaseAway:
                    await self._database.clock.sleep(BACK_OFF_S)
                    continue
                self.anchor_away = {recipient: words for recipient, words in self.anchor_away.items() if recipient in wanted}
                for recipient, lying in sorted(wanted.items()):
                    if recipient not in serving:
                        serving[recipient] = asyncio.create_task(self._serve_or_wait(recipient, lying))
                await self._wait(set(serving.values()))
                for recipient in [r for r, task in serving.items() if task.done()]:
                    serving.pop(recipient)
        except asyncio.CancelledError:
            for task in serving.values():
                task.cancel()
            raise
        finally:
            forget()
            try:
                await asyncio.gather(*serving.values(), return_exceptions=True)
            finally:  # cut off too: at a stop that took too long
                await self._turns.end()

    async def _serve_or_wait(self, recipient: str, lying: set[str]) -> None:
        try:
            async with self._turns.of(recipient) as is_ours:
                sent = await self._serve_while_full(recipient, lying) if is_ours else 0
            self.anchor_away.pop(recipient, None)
            if not sent:
                await self._database.clock.sleep(POLL_S)  # another relay is at it
            elif GATHERED_FROM <= sent < streams.NUMBER_BATCH:  # else nothing to gather, or a backlog
                await self._database.clock.sleep(GATHER_S)  # the turn given back: who is refused it for long goes unasked
        except (DatabaseAway, BrokerAway, KeyAway):
            await self._database.clock.sleep(BACK_OFF_S)
        except AnchorAway as error:
            log.error("anchor_away", extra={"words": str(error)})
            self.anchor_away[recipient] = str(error)
            await self._database.clock.sleep(BACK_OFF_S)
        except Exception as error:
            # A row that cannot be sent is its own recipient's trouble only.
            log.error("recipient_not_served", extra={"recipient": recipient, "because": type(error).__name__})
            await self._database.clock.sleep(BACK_OFF_S)

    async def _wait(self, serving: set[asyncio.Task[None]]) -> None:
        woken = asyncio.create_task(self._woken.wait())
        try:
            await asyncio.wait({woken, *serving}, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
