"""The exchange of one agency at work: relay, receivers, herald, feed and sweep as background tasks, in a web process or a worker.

Nothing here fails because the broker is away: rows stay due, `words` says what is wrong, and everything flows when it returns.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from shared.contracts.wire.topics import Direction
from shared.exchange import bell
from shared.exchange.access import Access, BrokerUnreachable, partitions_of
from shared.exchange.broker import Courier, Receiver
from shared.exchange.feed import run_feed
from shared.exchange.herald import Herald
from shared.exchange.inbox import Inbox
from shared.exchange.registry import Hooks
from shared.exchange.relay import BrokerAway, Outbound, Relay
from shared.exchange.seal import Seal
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway

LOOK_S = 5.0  # how often the line is looked at while it works: an outage shows on the page within this
RECONNECT_S = 1.0  # how often while it does not
SWEEP_S = 2.0  # a waiter that nothing wakes is tried again this often; the inbox itself wakes most
START_TIMEOUT_S = 30.0  # a start of consumers that takes longer hangs: it is given up and tried again
STOP_TIMEOUT_S = 15.0  # a batch in flight is finished within this

log = logging.getLogger(__name__)


class ExchangeWorker:
    """One agency's exchange in one process. `words` is what is wrong with the broker, or None."""

    def __init__(
        self, database: Database, agency: str, peers: Sequence[str], inbox: Inbox, hooks: Hooks, seal: Seal, access: Access,
        lane_secret: Callable[[str], bytes], instance: str | None = None,
    ) -> None:  # fmt: skip
        self._instance = instance
        self._database, self._agency, self._peers, self._access = database, agency, peers, access
        self._secrets = {peer: lane_secret(peer) for peer in peers}
        self._courier: Courier | None = None
        self._consumers: KafkaBroker | None = None
        self._heard: dict[str, int] = {}  # topics that are listened to, with how many partitions each has
        self._lacking: frozenset[str] = frozenset(topic for peer in peers for topic in self._topics_to(peer))
        self._inbox = inbox
        self._herald = Herald(database, agency, peers, seal, self._send_statement)
        self._relay = Relay(database, agency, seal, self._send, hooks)
        self._receiver = Receiver(database, inbox, seal, hooks, self._herald)
        self.words: str | None = "The broker has not answered yet."

    def _topics_to(self, peer: str) -> tuple[str, str]:
        way = Direction(self._agency, peer)
        return way.topic, way.express_topic

    def _topics_from(self, peer: str) -> tuple[str, str]:
        way = Direction(peer, self._agency)
        return way.topic, way.express_topic

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; then the batch in flight is finished and committed."""
        loops: list[Callable[[asyncio.Event], Coroutine[Any, Any, None]]] = [
            self._relay.run,
            self._herald.run,
            self._feed,
            self._sweep,
            self._bell,
        ]
        async with asyncio.TaskGroup() as tasks:
            for loop in (*loops, self._look_after_line):
                tasks.create_task(_kept_alive(loop, stop, self._database))

    async def _feed(self, stop: asyncio.Event) -> None:
        await run_feed(self._database, stop)

    async def _bell(self, stop: asyncio.Event) -> None:
        await bell.listen(self._database, stop)

    async def _sweep(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(DatabaseAway):
                await self._inbox.sweep()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SWEEP_S)

    async def _look_after_line(self, stop: asyncio.Event) -> None:
        try:
            while not stop.is_set():
                try:
                    await self._connect()
                except BrokerUnreachable as error:
                    self._say(str(error))
                except (KafkaError, TimeoutError) as error:
                    self._say(f"The broker answers and refuses the work ({type(error).__name__}); see `refnet doctor`.")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_S if self.words is None else RECONNECT_S)
        finally:
            await self._disconnect()

    async def _connect(self) -> None:
        partitions = await partitions_of(self._access)
        seen = frozenset(partitions)
        self._lacking = frozenset(t for peer in self._peers for t in self._topics_to(peer)) - seen
        if self._courier is None:
            self._courier = await self._new_courier()
        heard = {t: partitions[t] for peer in self._peers for t in self._topics_from(peer) if t in partitions}
        if heard != self._heard:
            await self._listen(heard)
        absent = [p for p in self._peers if not {*self._topics_to(p), *self._topics_from(p)} <= seen]
        self._say(f"Not connected to {', '.join(absent)}: its topics do not exist; run `refnet provision`." if absent else None)

    async def _new_courier(self) -> Courier:
        courier = Courier(self._agency, self._access, self._secrets)
        try:
            await courier.start()
        except BaseException:
            with contextlib.suppress(Exception):
                await courier.stop()
            raise
        return courier

    async def _listen(self, topics: dict[str, int]) -> None:
        await self._stop_listening()
        broker = KafkaBroker(
            self._access.bootstrap_servers, security=self._access.faststream(), allow_auto_create_topics=False,
            graceful_timeout=STOP_TIMEOUT_S, logger=None,
        )  # fmt: skip
        express = sorted(t for t in topics if ".express." in t)
        normal = sorted(t for t in topics if ".express." not in t)
        for name, lanes in (("express", express), ("exchange", normal)):
            if lanes:
                instance = _instance(self._instance, {t: topics[t] for t in lanes})
                self._receiver.subscribe(broker, lanes, f"{self._agency}.{name}", instance=instance)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await broker.start()
        except BaseException:
            await broker.stop()
            raise
        self._consumers, self._heard = broker, topics

    async def _stop_listening(self) -> None:
        if self._consumers is not None:
            consumers, self._consumers, self._heard = self._consumers, None, {}
            await consumers.stop()

    async def _disconnect(self) -> None:
        await self._stop_listening()
        courier, self._courier = self._courier, None
        await _let_go(courier)

    def _say(self, words: str | None) -> None:
        if words != self.words:
            log.warning("line_trouble", extra={"words": words}) if words else log.info("line_open")
        self.words = words

    async def _send(self, outbound: Sequence[Outbound]) -> None:
        courier = self._courier
        if courier is None or any(self._lacking.intersection(self._topics_to(one.recipient)) for one in outbound):
            raise BrokerAway("the line is not open")
        try:
            await courier.send(outbound)
        except BrokerAway as error:
            await self._replace(courier, error)
            raise

    async def _send_statement(self, recipient: str, envelope: bytes) -> None:
        courier = self._courier
        if courier is None or self._lacking.intersection(self._topics_to(recipient)):
            raise BrokerAway("the line is not open")
        try:
            await courier.send_statement(recipient, envelope)
        except BrokerAway as error:
            await self._replace(courier, error)
            raise

    async def _replace(self, courier: Courier, error: BrokerAway) -> None:
        """A producer that the broker has refused keeps a gap in its numbers and is refused for ever: a new one takes its place."""
        if error.passes or self._courier is not courier:
            return
        self._courier = None
        self._say(f"The broker answers and refuses the work ({error}); see `refnet doctor`.")
        await _let_go(courier)


async def _let_go(courier: Courier | None) -> None:
    if courier is not None:
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await courier.stop()


def _instance(name: str | None, topics: dict[str, int]) -> str | None:
    """A process's lasting name in a group, for what it listens to: with other topics under the same name the broker would hand
    the old assignment back, and the new topics would be heard by nobody."""
    if name is None:
        return None
    return f"{name}.{hashlib.sha256(repr(sorted(topics.items())).encode()).hexdigest()[:12]}"


async def _kept_alive(loop: Callable[[asyncio.Event], Coroutine[Any, Any, None]], stop: asyncio.Event, database: Database) -> None:
    """A loop that fails for a reason nobody thought of is begun again, loudly; it keeps nothing that a restart would lose."""
    while not stop.is_set():
        try:
            await loop(stop)
        except Exception as error:
            log.error("loop_failed", extra={"loop": loop.__name__, "because": type(error).__name__})
            await database.clock.sleep(RECONNECT_S)
