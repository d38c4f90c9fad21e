"""The network between simulated agencies: a broker that forgets, doubles, delays and reorders, and a direct line that breaks."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from actors import give_way

from shared.contracts.wire.topics import Direction
from shared.exchange.direct import LineAway
from shared.exchange.relay import BrokerAway, Outbound


@dataclass(eq=False, slots=True)
class Record:
    """A record as a consumer gets it."""

    topic: str
    offset: int
    value: bytes
    partition: int = 0


@dataclass(slots=True)
class Weather:
    """How likely each fault is, a record or a question; all zero is a fine day."""

    drop: float = 0.0
    double: float = 0.0
    reorder: float = 0.0
    refuse: float = 0.0  # the broker is away, and may have kept what it was given
    line_breaks: float = 0.0  # of the direct line, before or after the question was answered
    cut: set[tuple[str, str]] = field(default_factory=set)  # from and to: nothing goes this way, and what lies on the broker waits


@dataclass(slots=True)
class Broker:
    """Topics by name: what no consumer has committed yet."""

    chance: random.Random
    weather: Weather
    topics: dict[str, list[Record]] = field(default_factory=dict)
    offsets: "count[int]" = field(default_factory=count)

    async def put(self, topic: str, value: bytes) -> None:
        """Takes one record, as the weather is; raises BrokerAway."""
        if self.chance.random() < self.weather.refuse:
            if self.chance.random() < 0.5:
                self._keep(topic, value)
            raise BrokerAway("the weather")
        if self.chance.random() >= self.weather.drop:
            self._keep(topic, value)
        if self.chance.random() < self.weather.double:
            self._keep(topic, value)

    def _keep(self, topic: str, value: bytes) -> None:
        lying = self.topics.setdefault(topic, [])
        place = self.chance.randint(0, len(lying)) if self.chance.random() < self.weather.reorder else len(lying)
        lying.insert(place, Record(topic, next(self.offsets), value))

    def wipe(self) -> None:
        """Everything is forgotten."""
        self.topics.clear()

    def commit(self, records: Sequence[Record]) -> None:
        """A consumer has read these."""
        read = set(records)
        for topic in {r.topic for r in records}:
            self.topics[topic] = [r for r in self.topics.get(topic, []) if r not in read]

    async def send(self, agency: str, outbound: Sequence[Outbound]) -> None:
        """What a courier does: any part of a batch may have been kept when it fails."""
        await give_way()
        for one in outbound:
            way = Direction(agency, one.recipient)
            await self.put(way.express_topic if one.is_express else way.topic, one.envelope)
        await give_way()

    async def send_statement(self, agency: str, peer: str, envelope: bytes) -> None:
        """A letter on the express lane."""
        await give_way()
        await self.put(Direction(agency, peer).express_topic, envelope)


def break_line(chance: random.Random, weather: Weather, way: tuple[str, str]) -> None:
    """Raises LineAway as often as the weather is bad, and while this way is cut."""
    if chance.random() < weather.line_breaks or way in weather.cut:
        raise LineAway("the weather")
