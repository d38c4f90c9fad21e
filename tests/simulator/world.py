"""A simulated world: agencies with the project's own relay, inbox, letters and reconciler, on databases and a network of its own.

Everything that happens is drawn from one seed; nothing waits for real time.
"""

import random
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from actors import CURRENT, Actor, Died, give_way
from inline_sqlite import InlineDatabase
from network import Broker, Record, Weather, break_line
from plain_seal import PlainSeal
from pydantic import BaseModel

from shared.contracts.wire.envelope import Inner, Unopenable
from shared.contracts.wire.topics import direction_of
from shared.exchange import clearing, feed, outbox
from shared.exchange.anchor import Anchor, check_anchor
from shared.exchange.broker import Receiver
from shared.exchange.clearing import clear
from shared.exchange.direct import StreamName
from shared.exchange.herald import Herald
from shared.exchange.inbox import Inbox
from shared.exchange.letters import Letters
from shared.exchange.reconcile import Reconciler
from shared.exchange.registry import Received, Registry, Returned, Subscription, of_itself
from shared.exchange.relay import BrokerAway, Outbound, Relay
from shared.kit.clock import ManualClock
from shared.kit.db import Transaction
from shared.kit.errors import DatabaseAway
from shared.kit.ids import new_id

STORY, BEGUN = "story.told", "story.begun"
START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
LINE_TAKES = timedelta(milliseconds=1)  # a question by the direct line: what comes back was seen after it was asked for


class Step(BaseModel):
    """The data of a simulated event."""

    step: int


@dataclass(slots=True)
class Event:
    """What the ledger knows of an event that was committed: who said it to whom, and after which other."""

    sender: str
    recipient: str
    subject: UUID
    step: int
    is_withheld: bool = False
    may_be_lost: bool = False  # at some moment neither database held it


@dataclass(slots=True)
class Ledger:
    """What really happened, outside every database."""

    said: dict[UUID, Event] = field(default_factory=dict)
    applied: dict[str, set[UUID]] = field(default_factory=dict)  # ever committed as applied, by agency
    faults: list[str] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)

    def fault(self, words: str) -> None:
        self.faults.append(words)


class App:
    """What the exchange tells an agency; effects are lines of its diary, so a restore takes them along."""

    acts_first: frozenset[str] = frozenset()

    def __init__(self, agency: "Agency") -> None:
        self._agency = agency

    def subscriptions(self) -> list[Subscription]:
        """The agency's table of contents."""
        return [
            Subscription(STORY, 1, Step, of_itself, self.on_story),
            Subscription(BEGUN, 1, Step, of_itself, self.on_story, waits=False),
        ]

    def note_said(self) -> None:
        """Puts into the ledger what the agency has said and only its database knows of; called before a restore."""

    async def on_story(self, received: Received, tx: Transaction) -> None:
        await feed.record(tx, feed.Line("heard", received.subject, received.sender, False, tx.clock.now(), event_id=received.id))
        ledger, name, about = self._agency.world.ledger, self._agency.name, received.id
        tx.on_commit(lambda: ledger.applied.setdefault(name, set()).add(about))

    async def held(self, tx: Transaction) -> set[UUID]:
        """No court has forbidden anything here."""
        return set()

    async def delivered(self, event_ids: list[UUID], at: datetime, tx: Transaction) -> None:
        world, name = self._agency.world, self._agency.name
        # By its own outbox, and not by the ledger: of casework that is written only once a schedule is over.
        told = "SELECT recipient, type FROM exchange_outbox WHERE event_id = ?"
        for event_id in event_ids:
            for recipient, kind in self._agency.database.rows(told, event_id.hex):
                if kind not in {"unknown", "exchange.reopened"} and event_id not in world.ever_held(recipient):
                    world.ledger.fault(f"{name}: {event_id} counts as delivered, and {recipient} never held it")

    async def sent(self, event_ids: list[UUID], at: datetime, tx: Transaction) -> None: ...

    async def withheld(self, sender: str, event_id: UUID, subject: UUID, tx: Transaction) -> None: ...

    async def related(self, subjects: list[UUID], tx: Transaction) -> list[UUID]:
        return []

    async def came_home(self, recipient: str, words: list[Returned], tx: Transaction) -> frozenset[UUID]:
        for word in words:
            line = feed.Line("home", word.subject, self._agency.name, True, tx.clock.now(), event_id=word.id)
            await feed.record(tx, line)
        return frozenset()

    async def is_older(self, tx: Transaction) -> None:
        """Nobody is signed in here."""

    async def never_told(self, recipient: str, event_ids: list[UUID], tx: Transaction) -> None:
        for event_id in event_ids:
            await feed.record(tx, feed.Line("never told", event_id, self._agency.name, True, tx.clock.now(), event_id=event_id))

    async def trouble(self, kind: str, peer: str, detail: dict[str, Any], tx: Transaction) -> None:
        ledger, name = self._agency.world.ledger, self._agency.name
        tx.on_commit(lambda: ledger.troubles.append((name, kind)))


class CursedSeal(PlainSeal):
    """One that can never open what is cursed: a key that is gone, or a sender that seals it wrong each time."""

    def __init__(self, agency: "Agency") -> None:
        super().__init__(agency.name)
        self._cursed = agency.world.cursed

    def open(self, envelope: bytes, sender: str) -> Inner:
        inner = super().open(envelope, sender)
        if inner.header.sender == sender and any(f'"id":"{one}"'.encode() in inner.content for one in self._cursed):
            raise Unopenable("it is cursed")
        return inner


class Process:
    """One process of an agency: what it keeps in memory is gone when it dies."""

    def __init__(self, agency: "Agency") -> None:
        self.agency, self.actors = agency, list[Actor]()
        database, name, peers, seal, app = agency.database, agency.name, agency.peers, agency.seal, agency.app
        self.inbox = Inbox(database, Registry(app.subscriptions()), app)
        self.letters = Letters(database, name, peers, seal, self.inbox, app)
        self.relay = Relay(database, name, seal, self._send, app, Anchor(agency.anchor_path))
        self.herald = Herald(database, peers, self.letters, self._send_statement)
        self.receiver = Receiver(database, self.inbox, seal, app, self.letters)
        self.reconciler = Reconciler(database, name, seal, self.inbox, self.letters)
        self.is_up = False

    async def start(self) -> None:
        """What a process does before anything else."""
        await check_anchor(self.agency.database, Anchor(self.agency.anchor_path), self.agency.peers)
        self.is_up = True

    async def _send(self, outbound: Sequence[Outbound]) -> None:
        await self.agency.world.broker.send(self.agency.name, outbound)

    async def _send_statement(self, peer: str, envelope: bytes) -> None:
        await self.agency.world.broker.send_statement(self.agency.name, peer, envelope)

    async def read(self, topic: str, count: int) -> None:
        """One batch of a topic, then its offsets."""
        broker, way = self.agency.world.broker, direction_of(topic)
        if (way.sender, way.recipient) in self.agency.world.weather.cut:
            return
        batch: list[Record] = broker.topics.get(topic, [])[:count]
        await self.receiver.receive(batch)
        await give_way()
        broker.commit(batch)

    async def sweep(self) -> None:
        await self.inbox.sweep()
        await self._clear()
        await feed.number_feed(self.agency.database)

    async def _clear(self) -> None:
        if self.agency.world.clears:
            await clear(self.agency.database, self.agency.app.acts_first)

    async def heartbeat(self, *, to_all: bool) -> None:
        if to_all:
            self.letters.due.update(self.agency.peers)
        await self.herald.state_all()
        await self._clear()

    async def reconcile(self, peer: str) -> None:
        await self.reconciler.reconcile(peer, DirectLine(self.agency))


class DirectLine:
    """The direct line of one agency to the others."""

    def __init__(self, agency: "Agency") -> None:
        self._agency, self._world = agency, agency.world

    async def state(self, peer: str, envelope: bytes) -> bytes:
        answer = await self._ask(lambda p: p.reconciler.take_statement(self._agency.name, envelope), peer)
        assert isinstance(answer, bytes)
        return answer

    async def events(self, peer: str, stream: StreamName, first: int, last: int) -> list[bytes]:
        found = await self._ask(lambda p: p.reconciler.events(self._agency.name, stream, first, last), peer)
        assert isinstance(found, list)
        return found

    async def directory(self, peer: str, known: int) -> bytes:
        return self._world.agencies[peer].process().reconciler.directory(self._agency.name, known)

    async def _ask(self, question: Callable[[Process], Coroutine[Any, Any, Any]], peer: str) -> bytes | list[bytes]:
        break_line(self._world.chance, self._world.weather, (self._agency.name, peer))
        self._world.later(LINE_TAKES)
        process = self._world.agencies[peer].process()
        answer: bytes | list[bytes] = await question(process)
        break_line(self._world.chance, self._world.weather, (peer, self._agency.name))
        return answer


@dataclass(slots=True)
class Backup:
    """An image of a database, and the anchor as it stood beside it."""

    image: bytes
    anchor: str | None
    taken_at: datetime


@cache
def _database(name: str) -> InlineDatabase:
    return InlineDatabase(give_way)


class Agency:
    """One simulated agency: its database, its anchor, its clock and its processes."""

    def __init__(self, world: "World", name: str, peers: tuple[str, ...], image: bytes, folder: Path, skew: timedelta) -> None:
        self.world, self.name, self.peers = world, name, peers
        self.clock = ManualClock(START + skew)
        self.database = _database(name)
        self.database.begin(image, self.clock)
        self.seal = CursedSeal(self)
        self.app = world.app(self)
        self.anchor_path = folder / f"{name}.anchor"
        self.backups: list[Backup] = []
        self.processes: list[Process] = []
        self.was_restored = False
        self.was_rolled_back = False  # with its anchor: then, and only then, a number may be given twice

    def process(self) -> Process:
        """One that is up, drawn by chance."""
        up = [p for p in self.processes if p.is_up]
        return self.world.chance.choice(up)

    def back_up(self) -> None:
        """Takes an image; older ones stay restorable."""
        anchor = self.anchor_path.read_text() if self.anchor_path.exists() else None
        self.backups.append(Backup(self.database.image(), anchor, self.clock.now()))

    async def restore(self, backup: Backup, anchor: str) -> None:
        """Every process dies, the database is an older one. The anchor is `kept`, `missing`, or `rolled_back` with it."""
        for process in self.processes:
            await self.world.kill(process)
        self.app.note_said()
        self.was_restored = True
        if self.world.clears and backup.taken_at < self.clock.now() - clearing.BACKUP_WINDOW:
            self.world.was_too_old = True
        self.world.ever_held(self.name)
        self.database.load(backup.image)
        if anchor == "missing":
            self.anchor_path.unlink(missing_ok=True)
        elif anchor == "rolled_back" and backup.anchor is not None:
            self.anchor_path.write_text(backup.anchor)
            self.was_rolled_back = True
        self.world.note_losses()
        await self.start_all()

    async def start_all(self) -> None:
        count = len(self.processes) or self.world.chance.choice((1, 1, 2))
        self.processes = [Process(self) for _ in range(count)]
        for process in self.processes:
            await process.start()

    def event_ids(self, table: str) -> set[UUID]:
        """Every event id that the outbox or the inbox holds."""
        return {UUID(event_id) for (event_id,) in self.database.rows(f"SELECT event_id FROM exchange_{table}")}


class World:
    """Everything of one schedule."""

    def __init__(self, seed: int, names: tuple[str, ...], image: bytes, folder: Path, app: "Callable[[Agency], App]" = App) -> None:
        self.chance, self.app = random.Random(seed), app
        self.weather = Weather()
        self.broker = Broker(self.chance, self.weather)
        self.ledger = Ledger()
        self.cursed: set[UUID] = set()
        self.actors: list[tuple[Process, Actor]] = []
        self.dying: dict[Actor, int] = {}
        self.parting: random.Random | None = None  # draws what is cut, where anything is; apart, so that no other schedule changes
        self.clears = False  # whether words are cleared, after clearing.BACKUP_WINDOW
        self.was_too_old = False  # a backup that was put back: what was said before it may be without its words
        skews = {name: timedelta(seconds=self.chance.choice((0, 0, 0, -86_400, 86_400, 37))) for name in names}
        self.agencies = {
            name: Agency(self, name, tuple(n for n in names if n != name), image, folder, skews[name]) for name in names
        }

    def clear_words(self) -> None:
        """Words are cleared in this schedule. Clocks that are apart by more than its window would be another story."""
        self.clears = True
        for agency in self.agencies.values():
            agency.clock.advance(START - agency.clock.now())

    async def open(self) -> None:
        for agency in self.agencies.values():
            await agency.start_all()

    def part(self) -> None:
        """One way, or a pair's both, is cut; or whatever was is whole again."""
        if self.parting is None:
            return
        draw = self.parting.random()
        if draw < 0.12:
            one, other = self.parting.sample(sorted(self.agencies), 2)
            self.weather.cut |= {(one, other), (other, one)} if self.parting.random() < 0.5 else {(one, other)}
        elif draw < 0.20:
            self.weather.cut.clear()

    def also_restored(self, first: Agency) -> list[tuple[Agency, str]]:
        """Who is put back at the same moment, where several are, and what became of the anchor."""
        draw = self.parting
        if draw is None:
            return []
        others = [one for one in self.agencies.values() if one is not first and one.backups and draw.random() < 0.4]
        return [(one, draw.choice(("kept", "kept", "missing", "rolled_back"))) for one in others]

    def later(self, by: timedelta) -> None:
        """Time passes for everybody."""
        for agency in self.agencies.values():
            agency.clock.advance(by)

    def passing(self, _name: str) -> None:
        """A moment between two durable steps: whoever is to die here does."""
        actor = CURRENT.get()
        if actor is None or actor not in self.dying:
            return
        self.dying[actor] -= 1
        if self.dying[actor] <= 0:
            raise Died

    def begin(self, process: Process, work: Coroutine[Any, Any, Any], dies_in: int | None = None) -> Actor:
        """Starts a piece of work of a process."""
        actor = Actor(work, forgiven=(BrokerAway, DatabaseAway))
        self.actors.append((process, actor))
        if dies_in is not None:
            self.dying[actor] = dies_in
        return actor

    async def step(self, place: int) -> None:
        """One actor goes on; where it dies its process dies with it."""
        process, actor = self.actors[place]
        over = await actor.step()
        if over:
            self.actors = [(p, a) for p, a in self.actors if a is not actor]
            if self.dying.pop(actor, 1) <= 0:
                await self.restart(process)

    async def kill(self, process: Process) -> None:
        """SIGKILL."""
        process.is_up = False
        mine = [a for p, a in self.actors if p is process]
        self.actors = [(p, a) for p, a in self.actors if p is not process]
        for actor in mine:
            self.dying.pop(actor, None)
            await actor.kill()

    async def restart(self, process: Process) -> None:
        """A process is killed and another takes its place."""
        await self.kill(process)
        agency = process.agency
        fresh = Process(agency)
        agency.processes[agency.processes.index(process)] = fresh
        await fresh.start()

    def ever_held(self, agency: str) -> set[UUID]:
        """What this agency's inbox has ever held."""
        held = self.ledger.applied.setdefault(f"{agency}:held", set())
        held |= self.agencies[agency].event_ids("inbox")
        return held

    def note_losses(self) -> None:
        """An event that neither database holds at this moment may be lost; everything else must be whole in the end."""
        said = {name: agency.event_ids("outbox") for name, agency in self.agencies.items()}
        held = {name: agency.event_ids("inbox") for name, agency in self.agencies.items()}
        for event_id, event in self.ledger.said.items():
            if event_id not in said[event.sender] and event_id not in held[event.recipient]:
                event.may_be_lost = True

    async def at_once(self, actor: Actor) -> None:
        """Lets one actor go on to its end, or to its process's, while the others stand."""
        while any(one is actor for _, one in self.actors):
            await self.step(next(place for place, (_, one) in enumerate(self.actors) if one is actor))

    async def say(self, agency: Agency, recipient: str, subject: UUID, step: int, *, begins: bool, express: bool) -> None:
        """A handler says something. Its id is drawn before it has the lock, as any handler's may be."""
        event_id = new_id()
        async with agency.database.write() as tx:
            await outbox.lock_subjects(tx, [subject])
            await outbox.add(
                tx,
                outbox.Outgoing(
                    recipient=recipient, type=BEGUN if begins else STORY, dataversion=1, subject=subject, lane_key=subject,
                    data={"step": step}, occurred_at=tx.clock.now(), is_express=express, is_acute=express, event_id=event_id,
                ),
            )  # fmt: skip
            told = Event(agency.name, recipient, subject, step)
            tx.on_commit(lambda: self.ledger.said.update({event_id: told}))

    async def withhold(self, agency: Agency, event_id: UUID) -> None:
        """A handler takes something back that has not been numbered."""
        async with agency.database.write() as tx:
            if await outbox.withhold_event(tx, event_id):
                tx.on_commit(lambda: setattr(self.ledger.said[event_id], "is_withheld", True))


def folder() -> tempfile.TemporaryDirectory[str]:
    """Where anchors lie: in memory where the machine has such a place."""
    shared_memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="refnet-sim-", dir=shared_memory if shared_memory.is_dir() else None)
