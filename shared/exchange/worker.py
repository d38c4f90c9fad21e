"""The exchange of one agency at work: relay, receivers, herald, feed and sweep as background tasks, in a web process or a worker.

Nothing here fails because the broker is away: rows stay due, `words` says what is wrong, and everything flows when it returns.
What hangs while broker and database answer is replaced, loudly, and `stuck` says so until things move again.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from faststream.kafka import KafkaBroker

from shared.contracts.wire.envelope import Unopenable
from shared.contracts.wire.topics import Direction
from shared.exchange import bell
from shared.exchange.access import Access, BrokerUnreachable, partitions_of
from shared.exchange.anchor import Anchor, AnchorAway, check_anchor, is_replaced
from shared.exchange.broker import Courier, Receiver
from shared.exchange.clearing import run_clearing
from shared.exchange.directories import recall_lines
from shared.exchange.feed import run_feed
from shared.exchange.given_up import GivenUp
from shared.exchange.herald import Herald
from shared.exchange.inbox import Inbox
from shared.exchange.inside import Source, run_inside
from shared.exchange.keyring import KeyAway
from shared.exchange.letters import Letters
from shared.exchange.reconcile import BYPASSED_AFTER, Line, Reconciler, run_reconciler
from shared.exchange.registry import Hooks
from shared.exchange.relay import BrokerAway, Outbound, Relay
from shared.exchange.seal import Seal
from shared.exchange.turns import Turns
from shared.exchange.watchdog import Hang, Watchdog
from shared.kit.db import Database
from shared.kit.errors import DatabaseAway, RefnetError

LOOK_S = 5.0  # how often the line is looked at while it works: an outage shows on the page within this
RECONNECT_S = 1.0  # how often while it does not
SWEEP_S = 2.0  # a waiter that nothing wakes is tried again this often; the inbox itself wakes most
START_TIMEOUT_S = 30.0  # a start of consumers that takes longer hangs: it is given up and tried again
WATCH_TIMEOUT_S = 30.0  # the watchdog's own questions; whoever takes longer to answer is as good as away
BATCH_TIMEOUT_S = 10.0  # a batch in flight is finished within this; it takes well under a second
STOP_TIMEOUT_S = 15.0  # the batch, and what the relay has in hand, which waits for the broker; the rest stays due
KEYS_LOOK_S = 10.0  # a key that was made or revoked is taken up within this, by every process
LET_GO_S = 2.0  # whatever is cut off, the farewell to the peers, a producer that has nothing in hand any more: each within this

REPLACED = (
    "This process works on an older copy of the agency's database: another process has opened a newer life on another one. It"
    " sends and receives nothing any more; stop it, and start it on the database that is current."
)
NO_LINE = (
    "This station has no line: what is said waits for a stick (`refnet carry export`), or until KAFKA_BOOTSTRAP_SERVERS names a"
    " broker."
)
ASK_OPERATOR = "its operator runs `refnet provision`."
LACKING = f"its topics do not exist, or the broker gives no right to them; {ASK_OPERATOR}"
NAMESAKE = (
    "Another process of this agency is called {name} too, so this one works without a lasting name: give each machine a host name"
    " of its own."
)

# "Cluster" is what the broker says to a producer that may write nothing at all.
NO_RIGHTS = (ClusterAuthorizationFailedError, GroupAuthorizationFailedError, TopicAuthorizationFailedError)

Loop = Callable[[asyncio.Event], Coroutine[Any, Any, None]]

log = logging.getLogger(__name__)


class ExchangeWorker:
    """One agency's exchange in one process.

    `words` is what is wrong with the broker, or None; `is_open` whether it was reached when last looked at; `stuck` what hangs here
    though broker and database answer, or None.
    """

    def __init__(
        self, database: Database, agency: str, peers: Sequence[str], inbox: Inbox, hooks: Hooks, seal: Seal, access: Access,
        lane_secret: Callable[[str], bytes], anchor: Anchor, line: Line | None = None, instance: str | None = None,
        logged: Sequence[Source] = (),
    ) -> None:  # fmt: skip
        self._instance, self._logged = instance, logged
        self._database, self._agency, self._peers, self._access, self._seal = database, agency, peers, access, seal
        self._names = Turns(database)
        self._listens_as: str | None = None  # the lasting name under which consumers were begun, None for none
        self._secrets = {peer: lane_secret(peer) for peer in peers}
        self._courier: Courier | None = None
        self._consumers: KafkaBroker | None = None
        self._listened = 0  # how often consumers were begun in this process
        self._heard: dict[str, int] = {}  # topics that are listened to, with how many partitions each has
        self._lacking: frozenset[str] = frozenset(topic for peer in peers for topic in self._topics_to(peer))
        self._inbox, self._hooks, self._acts_first, self._held = inbox, hooks, hooks.acts_first, hooks.held
        self._anchor = anchor
        self._letters = Letters(database, agency, peers, seal, inbox, hooks)
        self.reconciler = Reconciler(database, agency, seal, inbox, self._letters, anchor, self._is_brought)
        self._line = line
        self._herald = Herald(database, peers, self._letters, self._send_statement)
        self._relay = Relay(database, agency, seal, self._send, hooks, anchor)
        self._receiver = Receiver(database, inbox, seal, hooks, self._letters)
        self._given_up = GivenUp(database, seal, hooks, peers)
        self._relaying: asyncio.Task[None] | None = None
        self._watchdog = Watchdog(database, access)
        self.words: str | None = "The broker has not answered yet." if access.bootstrap_servers else NO_LINE
        self.stuck: str | None = None
        self.is_open = False
        self._open_since: datetime | None = None
        self.anchored = asyncio.Event()  # it is known whether this database is an older copy of itself

    def _topics_to(self, peer: str) -> tuple[str, str]:
        way = Direction(self._agency, peer)
        return way.topic, way.express_topic

    def _topics_from(self, peer: str) -> tuple[str, str]:
        way = Direction(peer, self._agency)
        return way.topic, way.express_topic

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set. Then the batch in flight is finished and committed, what the relay has in hand is sent and
        marked, the peers hear what was applied last, and it returns: within STOP_TIMEOUT_S + 4 LET_GO_S, whatever hangs."""
        await self._begin_where_it_ended(stop)
        finishing = [self._begin(loop, stop) for loop in (self._relay_or_another, self._look_after_line)]
        loops = [self._herald.run, self._feed, self._sweep, self._clear, self._bell, self._look_at_keys, self._log_inside]
        loops += [self._reconcile] if self._line is not None else []
        cut_off = [self._begin(loop, stop) for loop in loops]  # they lose nothing by it
        try:
            await stop.wait()
            await _cancel(cut_off)
            await asyncio.wait(finishing, timeout=STOP_TIMEOUT_S)
            await self._say_farewell()
        finally:
            await _cancel([*cut_off, *finishing])
            await self._disconnect()
            with contextlib.suppress(DatabaseAway):
                await self._names.end()

    def _begin(self, loop: Loop, stop: asyncio.Event) -> asyncio.Task[None]:
        return asyncio.create_task(_kept_alive(loop, stop, self._database))

    async def _relay_or_another(self, stop: asyncio.Event) -> None:
        """The relay; where the watchdog ended one, another follows at once. It keeps nothing that a restart would lose."""
        while not stop.is_set():
            self._relaying = asyncio.create_task(self._relay.run(stop))
            try:
                await asyncio.wait({self._relaying})
            finally:
                await _cancel([self._relaying])
            if not self._relaying.cancelled():
                self._relaying.result()

    async def _say_farewell(self) -> None:
        """A last statement to each peer: what was applied a moment ago is signed for now and not at the next start."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LET_GO_S):
                for peer in self._peers if self.is_open else ():
                    with contextlib.suppress(DatabaseAway, BrokerAway, KeyAway):
                        await self._herald.state(peer)

    async def _begin_where_it_ended(self, stop: asyncio.Event) -> None:
        """Before anything is numbered: whether this database is an older copy of itself. Before anything is sealed: the peers' keys
        that letters have told, because those in the files may be destroyed."""
        while not stop.is_set():
            try:
                await self.reconciler.recall_keys()
                because = await check_anchor(self._database, self._anchor, tuple(self._peers), self._hooks)
            except DatabaseAway:
                await self._database.clock.sleep(RECONNECT_S)
            except AnchorAway as error:
                self._say(str(error))
                await self._database.clock.sleep(RECONNECT_S)
            else:
                if because is not None:
                    log.warning("new_incarnation", extra={"because": because})
                self.anchored.set()
                return

    async def _feed(self, stop: asyncio.Event) -> None:
        await run_feed(self._database, stop)

    async def _reconcile(self, stop: asyncio.Event) -> None:
        assert self._line is not None
        await run_reconciler(self.reconciler, self._line, self._peers, stop)

    async def _look_at_keys(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), KEYS_LOOK_S)
            try:
                self._seal.refresh()
                await recall_lines(self._database, self._seal)  # what other processes of this agency have heard
                await self._given_up.look()
            except DatabaseAway:
                pass
            except (RefnetError, Unopenable) as error:
                log.error("keys_not_renewed", extra={"words": str(error)})

    async def _bell(self, stop: asyncio.Event) -> None:
        await bell.listen(self._database, stop)

    async def _sweep(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(DatabaseAway):
                await self._inbox.sweep()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SWEEP_S)

    async def _clear(self, stop: asyncio.Event) -> None:
        await run_clearing(self._database, self._acts_first, self._held, stop)

    async def _log_inside(self, stop: asyncio.Event) -> None:
        await self.anchored.wait()  # what an older copy of the database does is logged in a life of its own
        await run_inside(self._database, self._logged, stop)

    async def _look_after_line(self, stop: asyncio.Event) -> None:
        if not self._access.bootstrap_servers:
            self._not_open(NO_LINE)
            await stop.wait()
            return
        try:
            while not stop.is_set():
                try:
                    if await self._is_replaced():
                        await self._disconnect()
                        self._not_open(None)
                        self.stuck = REPLACED
                    else:
                        await self._connect()
                        self.is_open = True
                        self._open_since = self._open_since or self._database.clock.real()
                        await self._watch()
                except BrokerUnreachable as error:
                    self._not_open(str(error))
                except NO_RIGHTS as error:
                    self._not_open(f"The broker gives this agency no right to its work ({type(error).__name__}); {ASK_OPERATOR}")
                except (KafkaError, TimeoutError) as error:
                    self._not_open(f"The broker answers and refuses the work ({type(error).__name__}); see `refnet doctor`.")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RECONNECT_S if self.words or self.stuck else LOOK_S)
        finally:
            await self._stop_listening()
            if not stop.is_set():  # at the end the producer outlives the relay, which may have something in hand
                await self._disconnect()

    def _not_open(self, words: str | None) -> None:
        """What waits for the broker does not hang."""
        self._say(words)
        self._watchdog.pause()
        self.is_open, self.stuck, self._open_since = False, None, None

    def _is_brought(self) -> bool:
        """Whether the broker has answered here for so long that whoever was cut off with us speaks to it again as well."""
        since = self._open_since
        return since is not None and self.words is None and self._database.clock.real() - since >= BYPASSED_AFTER

    async def _watch(self) -> None:
        """Replaces what hangs, by what the watchdog sees."""
        reachable = [
            peer for peer in self._peers if self._seal.can_speak_to(peer) and not self._lacking.intersection(self._topics_to(peer))
        ]
        try:
            async with asyncio.timeout(WATCH_TIMEOUT_S):
                hangs = await self._watchdog.look(reachable, _groups(self._agency, self._heard), self._given())
        except (DatabaseAway, KafkaError, TimeoutError):  # told differently, and nothing that waits for it hangs
            self._watchdog.pause()
            hangs = []
        if away := self._relay.anchor_away:  # no other sender could send either
            hangs = [hang for hang in hangs if hang.what != "sending" or not hang.peers <= away.keys()]
        self.stuck = " ".join([*sorted({*away.values()}), *(hang.words for hang in hangs)]) or None
        for hang in hangs:
            if hang.is_due:
                await self._replace_what(hang)

    def _given(self) -> frozenset[TopicPartition]:
        """The partitions that the broker has given to this process."""
        consumers = [getattr(one, "consumer", None) for one in self._consumers.subscribers] if self._consumers else []
        return frozenset(partition for one in consumers if one is not None for partition in one.assignment())

    async def _replace_what(self, hang: Hang) -> None:
        log.error("nothing_moves_and_is_replaced", extra={"what": hang.what, "peers": sorted(hang.peers), "words": hang.words})
        if hang.what == "receiving":
            await self._stop_listening()
            return
        courier, self._courier = self._courier, None
        await _let_go(courier)
        if self._relaying is not None:
            self._relaying.cancel()

    async def _is_replaced(self) -> bool:
        """Keeps still, and says so, while another copy of the database has this one's place."""
        try:
            found = await is_replaced(self._database, self._anchor)
        except (DatabaseAway, AnchorAway):
            return self._letters.is_still  # who cannot look goes on as before
        if found != self._letters.is_still:
            log.error("replaced", extra={"words": REPLACED}) if found else log.info("in_place_again")
        self._letters.is_still = found
        return found

    async def _name(self) -> str | None:
        """The lasting name that this process has to itself, None where another has it: under one name two would take each other's
        place for ever. Raises nothing."""
        if self._instance is None:
            return None
        try:
            return self._instance if await self._names.keep(f"name {self._instance}") else None
        except DatabaseAway:
            return self._listens_as

    async def _connect(self) -> None:
        partitions = await partitions_of(self._access)
        seen = frozenset(partitions)
        written = frozenset(t for peer in self._peers for t in self._topics_to(peer))
        self._lacking = written - seen
        if self._courier is None and written & seen:  # who may write nothing is given no producer
            self._courier = await self._new_courier()
        heard = {t: partitions[t] for peer in self._peers for t in self._topics_from(peer) if t in partitions}
        name = await self._name()
        if heard != self._heard or name != self._listens_as:
            await self._listen(heard, name)
        absent = [p for p in self._peers if not {*self._topics_to(p), *self._topics_from(p)} <= seen]
        troubles = [f"Not connected to {', '.join(absent)}: {LACKING}"] if absent else []
        troubles += [NAMESAKE.format(name=self._instance)] if self._instance is not None and name is None else []
        self._say(" ".join(troubles) or None)

    async def _new_courier(self) -> Courier:
        courier = Courier(self._agency, self._access, self._secrets)
        try:
            await courier.start()
        except BaseException:
            with contextlib.suppress(Exception):
                await courier.stop()
            raise
        return courier

    async def _listen(self, topics: dict[str, int], name: str | None) -> None:
        await self._stop_listening()
        broker = KafkaBroker(
            self._access.servers, security=self._access.faststream(), allow_auto_create_topics=False,
            graceful_timeout=BATCH_TIMEOUT_S, logger=None,
        )  # fmt: skip
        for group, lanes in _groups(self._agency, topics).items():
            if lanes:
                self._receiver.subscribe(broker, sorted(lanes), group, instance=_instance(name, lanes, self._listened))
        self._listened += 1
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await broker.start()
        except BaseException:
            await broker.stop()
            raise
        self._consumers, self._heard, self._listens_as = broker, topics, name

    async def _stop_listening(self) -> None:
        if self._consumers is not None:
            consumers, self._consumers, self._heard = self._consumers, None, {}
            with contextlib.suppress(TimeoutError):  # what hangs is left behind; the broker gives its partitions to others
                async with asyncio.timeout(STOP_TIMEOUT_S):
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
            async with asyncio.timeout(LET_GO_S):
                await courier.stop()


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    """What does not end by itself then is left behind."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=LET_GO_S)


def _groups(agency: str, topics: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The agency's consumer groups, each with its topics and how many partitions they have."""
    express = {t: n for t, n in topics.items() if ".express." in t}
    return {f"{agency}.express": express, f"{agency}.exchange": {t: n for t, n in topics.items() if t not in express}}


def _instance(name: str | None, topics: Mapping[str, int], listened: int) -> str | None:
    """A process's lasting name in a group, for what it listens to: with other topics under the same name the broker would hand
    the old assignment back, and the new topics would be heard by nobody.

    Whatever it listened to before in this life, it takes another name: after a wipe the broker may know the first one with only
    those topics that were there already, and consumers that hung are to be given their lanes afresh.
    """
    if name is None:
        return None
    again = f".{listened}" if listened else ""
    return f"{name}.{hashlib.sha256(repr(sorted(topics.items())).encode()).hexdigest()[:12]}{again}"


async def _kept_alive(loop: Loop, stop: asyncio.Event, database: Database) -> None:
    """A loop that fails for a reason nobody thought of is begun again, loudly; it keeps nothing that a restart would lose."""
    while not stop.is_set():
        try:
            await loop(stop)
        except Exception as error:
            log.error("loop_failed", extra={"loop": loop.__name__, "because": type(error).__name__})
            await database.clock.sleep(RECONNECT_S)
