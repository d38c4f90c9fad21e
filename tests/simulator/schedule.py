"""One schedule: a seed draws what happens, then the weather turns fine, everything is said, and the oracle judges."""

import random
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from unittest import mock
from uuid import UUID

from casefiles import Casefiles
from story import Story
from world import Agency, World

from shared.exchange import clearing
from shared.kit import crash, ids

ROUNDS_MAX = 60  # of fine weather until everything is in step; a restore at both ends takes about ten
ACTORS_MAX = 5
CLEARING_EVERY, CLEARING_AT = 16, 3  # seeds of this remainder clear words, after a window that is as short as a schedule
SHORT_WINDOW = timedelta(seconds=5)  # half of the backups that a schedule puts back are older
PARTS_EVERY, PARTS_AT = (
    10,
    6,
)  # seeds of this remainder, of the exchange alone, cut pairs apart and put several databases back at once
CASEWORK_PARTS_EVERY, CASEWORK_PARTS_AT = 52, 49  # and of these with casework
CASEWORK_EVERY, CASEWORK_AT = 4, 1  # seeds of this remainder run the agencies' real casework, the others the exchange alone
BROKER_ONLY, LINE_ONLY = 0.4, 0.15  # of schedules end with the direct line shut, and with a broker that swallows everything


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a schedule ended."""

    seed: int
    faults: tuple[str, ...]
    said: int
    restores: int


class Plot(Protocol):
    """What agencies have to say to each other in a schedule, and how its end is judged."""

    world: World
    pauses: tuple[int, ...]  # seconds that may pass at once
    backups_below: float  # of the draw of what happens next: restores lie between this and 0.985
    may_restore: tuple[int, ...]  # how many restores a schedule may hold, each as likely
    restores: int  # so far

    async def say(self, agency: Agency) -> None:
        """Somebody at an agency does something that others are told."""

    async def take_back(self, agency: Agency) -> None:
        """Something that was said, or is about to be, is taken back."""

    def curse(self) -> bool:
        """Makes one event one that can never be opened, where there is one to choose; True where no more is to be cursed."""

    async def watch(self) -> None:
        """Time has passed: whoever looks at clocks does."""

    def close(self) -> None:
        """The schedule is over."""

    def judge(self) -> list[str]:
        """Every breach in words; empty where all is well."""


class SeededIds:
    """UUIDv7 whose time and randomness come from the schedule."""

    def __init__(self, world: World) -> None:
        self._world, self._count = world, 0

    def uuid7(self) -> UUID:
        self._count += 1
        base = next(iter(self._world.agencies.values())).clock.now().timestamp()
        moment = int(base * 1000) + self._count  # ids sort in the order in which they were made
        return UUID(int=(moment & (2**48 - 1)) << 80 | 7 << 76 | self._world.chance.getrandbits(12) << 64 | 2 << 62
                    | self._world.chance.getrandbits(62))  # fmt: skip


def is_casework(seed: int) -> bool:
    """Whether a seed's schedule runs the agencies' casework."""
    return seed % CASEWORK_EVERY == CASEWORK_AT


async def run(seed: int, image: bytes, folder: Path, rule: AbstractContextManager[Any] | None = None) -> Verdict:
    """Runs one schedule; `rule` switches one rule of the exchange off for its length, and casework with it."""
    clears = seed % CLEARING_EVERY == CLEARING_AT and rule is None
    window = mock.patch.object(clearing, "BACKUP_WINDOW", SHORT_WINDOW) if clears else nullcontext()
    with rule or nullcontext(), window, mock.patch.object(ids, "compat") as drawn:
        plot: Plot = Casefiles(seed, image, folder) if is_casework(seed) and rule is None else Story(seed, image, folder)
        world = plot.world
        if clears:
            world.clear_words()
        if seed % PARTS_EVERY == PARTS_AT or seed % CASEWORK_PARTS_EVERY == CASEWORK_PARTS_AT:
            world.parting = random.Random(seed)
        drawn.uuid7 = SeededIds(world).uuid7
        crash.watch(world.passing)
        try:
            await world.open()
            await _weather_and_work(world, plot)
            await _fine_day(world, plot)
            return Verdict(seed, tuple(plot.judge()), len(world.ledger.said), plot.restores)
        finally:
            plot.close()
            crash.watch(None)
            for process, _ in list(world.actors):
                await world.kill(process)


async def _weather_and_work(world: World, plot: Plot) -> None:
    chance, weather = world.chance, world.weather
    weather.drop, weather.double, weather.reorder = chance.choice((0, 0.1, 0.3)), chance.choice((0, 0.2)), chance.choice((0, 0.3))
    weather.refuse, weather.line_breaks = chance.choice((0, 0.1)), chance.choice((0, 0.3, 1.0))
    restores = chance.choice(plot.may_restore)
    curse = chance.random() < 0.2
    for _ in range(chance.randint(30, 90)):
        world.part()
        await _happen(world, plot, restores)
        if curse and len(world.ledger.said) > 3 and not world.actors:
            curse = not plot.curse()
        await _go_on(world, chance.randint(0, 6))


async def _happen(world: World, plot: Plot, restores: int) -> None:
    chance = world.chance
    agency = chance.choice(list(world.agencies.values()))
    draw = chance.random()
    if draw < 0.35:
        await plot.say(agency)
    elif draw < 0.38:
        await plot.take_back(agency)
    elif draw < 0.90:
        _work(world, agency)
    elif draw < 0.92:
        await world.restart(agency.process())
    elif draw < 0.93:
        world.broker.wipe()
    elif draw < plot.backups_below:
        agency.back_up()
    elif draw < 0.985 and plot.restores < restores and agency.backups:
        plot.restores += 1
        backup = agency.backups[0] if world.clears else chance.choice(agency.backups)  # where words are cleared, the oldest
        await agency.restore(backup, chance.choice(("kept", "kept", "missing", "rolled_back")))
        for other, anchor in world.also_restored(agency):
            await other.restore(other.backups[0], anchor)
    else:
        world.later(timedelta(seconds=chance.choice(plot.pauses)))
        await plot.watch()


def _work(world: World, agency: Agency) -> None:
    chance = world.chance
    if len(world.actors) >= ACTORS_MAX:
        return
    process = agency.process()
    topics = [t for t in world.broker.topics if f".to.{agency.name}." in t and world.broker.topics[t]]
    kinds = ["relay"] * 4 + ["read"] * (5 if topics else 0) + ["letters"] * 2 + ["sweep", "heartbeat", "reconcile"]
    kind = chance.choice(kinds)
    works: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "relay": process.relay.cycle,
        "read": lambda: process.read(chance.choice(topics), chance.randint(1, 5)),
        "letters": lambda: process.heartbeat(to_all=False),
        "heartbeat": lambda: process.heartbeat(to_all=True),
        "sweep": process.sweep,
        "reconcile": lambda: process.reconcile(chance.choice(agency.peers)),
    }
    world.begin(process, works[kind](), chance.randint(1, 6) if chance.random() < 0.08 else None)


async def _go_on(world: World, steps: int) -> None:
    for _ in range(steps):
        if world.actors:
            await world.step(world.chance.randrange(len(world.actors)))


async def _fine_day(world: World, plot: Plot) -> None:
    """No more faults but one way that stays shut, or none; all under way ends, then agencies work in rounds until the oracle has
    nothing to say."""
    weather, way = world.weather, world.chance.random()
    weather.double = weather.reorder = weather.refuse = 0.0
    weather.line_breaks = 1.0 if way < BROKER_ONLY else 0.0
    weather.drop = 1.0 if way > 1 - LINE_ONLY else 0.0
    weather.cut.clear()
    world.dying.clear()
    while world.actors:
        await world.step(0)
    for number in range(ROUNDS_MAX):
        for agency in world.agencies.values():
            await _round(world, agency)
        world.later(timedelta(seconds=11) if number < ROUNDS_MAX // 2 else timedelta(hours=2))
        await plot.watch()
        if not plot.judge():
            return


async def _round(world: World, agency: Agency) -> None:
    process = agency.process()
    while await process.relay.cycle():
        pass
    for topic in [t for t in world.broker.topics if f".to.{agency.name}." in t]:
        while world.broker.topics.get(topic):
            await process.read(topic, 50)
    await process.heartbeat(to_all=True)
    await process.sweep()
    if world.weather.line_breaks < 1.0:
        await process.reconcile(world.chance.choice(agency.peers))
