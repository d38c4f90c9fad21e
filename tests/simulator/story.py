"""The plot of most schedules: agencies tell each other steps of stories and withhold some; only the exchange is under test."""

from pathlib import Path
from uuid import UUID

from oracle import judge
from world import Agency, World

from shared.kit import ids

SUBJECTS_MAX = 4
NAMES = ("police", "health", "welfare")


class Story:
    """What a schedule has begun: subjects by who tells whom, each with its next step."""

    pauses: tuple[int, ...] = (1, 3, 11, 61)
    backups_below = 0.96
    may_restore: tuple[int, ...] = (0, 0, 1, 2)

    def __init__(self, seed: int, image: bytes, folder: Path) -> None:
        self.world, self.restores = World(seed, NAMES[: 2 if seed % 3 else 3], image, folder), 0
        self._subjects: dict[tuple[str, str], list[tuple[UUID, int]]] = {}

    async def say(self, agency: Agency) -> None:
        world = self.world
        chance, peer = world.chance, world.chance.choice(agency.peers)
        mine = self._subjects.setdefault((agency.name, peer), [])
        if len(mine) < SUBJECTS_MAX and (not mine or chance.random() < 0.4):
            mine.append((ids.new_id(), 0))
        cursed = {world.ledger.said[event_id].subject for event_id in world.cursed}
        open_places = [place for place, (subject, _) in enumerate(mine) if subject not in cursed]
        if not open_places:
            return
        place = chance.choice(open_places)
        subject, step = mine[place]
        mine[place] = (subject, step + 1)
        saying = world.say(agency, peer, subject, step, begins=step == 0, express=chance.random() < 0.25)
        actor = world.begin(agency.process(), saying)
        # What begins a subject is told first, as an issued referral is; the others are said while somebody else is at work.
        if step == 0 or chance.random() < 0.7:
            await world.at_once(actor)

    async def take_back(self, agency: Agency) -> None:
        mine = [event_id for event_id, event in self.world.ledger.said.items() if event.sender == agency.name]
        if mine:
            await self.world.withhold(agency, self.world.chance.choice(mine[-3:]))

    def curse(self) -> bool:
        """One event that nothing was told after can never be opened: a hole that stays."""
        world = self.world
        told = [event_id for event_id, event in world.ledger.said.items() if event.step == 0]
        subjects = [event.subject for event in world.ledger.said.values()]
        alone = [event_id for event_id in told if subjects.count(world.ledger.said[event_id].subject) == 1]
        if alone and not any(world.ever_held(name) & set(alone) for name in world.agencies):
            world.cursed.add(world.chance.choice(alone))
        return bool(world.cursed)

    async def watch(self) -> None: ...

    def close(self) -> None: ...

    def judge(self) -> list[str]:
        return judge(self.world)
