"""A desk and a clinic as whole exchange workers in this process, on real Kafka, with a courier's clock that a test moves on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from exchange_node import Node, new_subject
from kafka_line import until
from servers import Kafka

from shared.contracts.wire.topics import Direction
from shared.exchange.access import provision
from shared.exchange.anchor import Anchor
from shared.exchange.worker import ExchangeWorker
from shared.kit.clock import SystemClock


class FastClock(SystemClock):
    """The machine's clock, whose courier's time a test moves on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def real(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Pair:
    """A desk and a clinic as whole workers; the clock is the desk's and the clinic's."""

    def __init__(self, kafka: Kafka, police: Node, health: Node, clock: FastClock, folder: Path) -> None:
        self.police, self.health, self.clock = police, health, clock
        self.stop, self.folder = asyncio.Event(), folder
        self.workers = {
            node: ExchangeWorker(
                node.database, node.agency, [peer.agency], node.inbox, node, node.seal, kafka.operator, lambda _: b"x",
                Anchor(folder / f"{node.agency}.anchor"), instance=f"host.{node.agency}.0",
            )
            for node, peer in ((police, health), (health, police))
        }  # fmt: skip

    async def say(self, step: int) -> None:
        await self.police.say(self.health.agency, new_subject(), step)

    def heard(self) -> list[int]:
        return sorted(step for _, step in self.health.applied)

    async def looks(self, worker: ExchangeWorker, count: int = 1) -> None:
        """Until the watchdog has looked that often again."""
        looked = 0
        look = worker._watchdog.look

        async def counted(*arguments: Any) -> Any:
            nonlocal looked
            found = await look(*arguments)
            looked += 1
            return found

        worker._watchdog.look = counted  # type: ignore[assignment, method-assign]
        await until(lambda: looked >= count)
        worker._watchdog.look = look  # type: ignore[method-assign]


@asynccontextmanager
async def at_work(kafka: Kafka, unique: str, urls: Sequence[str]) -> AsyncIterator[Pair]:
    clock: Any = FastClock()
    police, health = [await Node.make(f"{name}_{unique}", url, clock) for name, url in zip(("police", "health"), urls, strict=True)]
    ways = (Direction(police.agency, health.agency), Direction(health.agency, police.agency))
    await provision(kafka.operator, tuple(topic for way in ways for topic in (way.topic, way.express_topic)), 1)
    folder = TemporaryDirectory()
    pair = Pair(kafka, police, health, clock, Path(folder.name))
    running = [asyncio.create_task(worker.run(pair.stop)) for worker in pair.workers.values()]
    try:
        await pair.say(0)
        await until(lambda: pair.heard() == [0] and len(police.sent_ids) == 1)  # the desk notes it once the broker has said so
        yield pair
    finally:
        pair.stop.set()
        await asyncio.gather(*running)
        await police.database.close()
        await health.database.close()
        folder.cleanup()
