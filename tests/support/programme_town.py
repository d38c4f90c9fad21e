"""A programme's agencies in this process, each at work on a real Kafka and a PostgreSQL database of its own: the network that its
profile makes, one clock on all walls that only a story moves, and watchers that look when a story says so.

What a story waits for is a condition with a deadline; the time of deadlines is the clock's, so that nothing waits for hours.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agencies import SECRET, Desk, TestAgency, World, database_at
from kafka_line import until
from schema import as_application, postgres_at_head, sqlite_at_head
from servers import kafka_of

from services.kinds import MODULES, parts_of
from shared.casework.accounts.commands import TOKEN_LIFE
from shared.casework.directory.network import Network, parse_network
from shared.casework.directory.of_programme import network_of
from shared.casework.here import Here
from shared.contracts.casework.codes import AgencyKind, Role
from shared.exchange.access import Access, provision
from shared.exchange.anchor import Anchor
from shared.exchange.worker import ExchangeWorker
from shared.kit.clock import ManualClock
from shared.kit.local.cache import default_cache
from shared.kit.local.kafka import KafkaNode
from shared.kit.local.postgres_databases import PostgresDatabases
from shared.programmes.profile import load_programme


class WallClock(ManualClock):
    """The time on all walls, as a story moves it; the courier's waits are the machine's."""

    def real(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ProgrammeTown(World):
    """The agencies by their ids, which are the words for their kinds in both programmes."""

    def __init__(self, agencies: dict[str, TestAgency], clock: ManualClock, node: KafkaNode, folder: Path) -> None:
        super().__init__(agencies, clock)
        self.node, self.folder = node, folder
        self._at_line: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = {}
        self._numbers = itertools.count(1)
        self._all: dict[str, tuple[datetime, Desk]] = {}

    async def at_work(self, agency: str, facility: str | None, role: Role | None = None) -> Desk:
        """A new account at a place."""
        return await self[agency].sign_in(self.name(), role, facility)

    def name(self) -> str:
        """A name that no other account of these agencies has."""
        return f"account-{next(self._numbers)}"

    async def whole(self, agency: str) -> Desk:
        """The account of an agency that sees all its places. It signs in again long before its token ends: stories of one module,
        in whatever order, take more than a token's life together."""
        made = self._all.get(agency)
        if made is None or self.clock.now() - made[0] > TOKEN_LIFE / 2:
            made = self._all[agency] = (self.clock.now(), await self.at_work(agency, None, Role.SUPERVISOR))
        return made[1]

    async def pass_by(self, **time: float) -> None:
        """Time passes, and then every watcher looks."""
        self.clock.advance(timedelta(**time))
        await self.watch()

    async def watch(self) -> None:
        """Every watcher looks once."""
        for agency in self.agencies.values():
            await agency.watcher.tick()

    async def comes_online(self, *agencies: str) -> None:
        """These have a line to the broker from now on."""
        access = kafka_of(self.node).operator
        workers = {agency: _worker(self[agency], access, self.folder) for agency in agencies}
        for agency, worker in workers.items():
            stop = asyncio.Event()
            self._at_line[agency] = (stop, asyncio.create_task(worker.run(stop)))
        await until(lambda: all(worker.is_open for worker in workers.values()))

    async def goes_offline(self, *agencies: str) -> None:
        """And these have none, with all that they still have to say kept."""
        lines = [self._at_line.pop(agency) for agency in agencies if agency in self._at_line]
        for stop, _working in lines:
            stop.set()
        await asyncio.gather(*(working for _stop, working in lines))

    async def broker_dies(self) -> None:
        """The broker is away from now on."""
        await asyncio.to_thread(self.node.kill)

    async def broker_returns(self) -> None:
        """It is there again, with what it had."""
        await asyncio.to_thread(self.node.restart)

    async def settle(self) -> None:
        """Until everything that was said is heard, applied and signed for, between all agencies. Asked twice: whoever was asked
        first may have heard, before the last was, what it has to tell a third; that third tells nobody of it in turn."""

        async def in_step() -> bool:
            lines = [line for agency in [*self.agencies] * 2 for line in (await (await self.whole(agency)).get("/peers"))["items"]]
            return all(line["undelivered"] == 0 and line["waiting_here"] == 0 for line in lines)

        await until(in_step)

    async def stands(self, desk: Desk, referral: Any, status: str) -> Any:
        """The referral as this desk's own agency has it, as soon as it stands so there."""
        found: dict[str, Any] = {}

        async def is_so() -> bool:
            answer = await desk.ask("GET", f"/referrals/{referral['id']}")
            found.update(answer.json())
            return answer.status_code == 200 and found["status"] == status

        await until(is_so)
        return found


def network_on_paper(network: Network, on_paper: dict[str, dict[str, str]]) -> Network:
    """The same network in which these places have no computer: facility → its mode and the hub that writes for it."""
    content = network.model_dump(mode="json")
    for agency in content["agencies"].values():
        for id_, how in on_paper.items():
            if id_ in agency["facilities"]:
                agency["facilities"][id_] |= how
    return parse_network(content, "this test's")


def network_without(network: Network, left_out: Collection[str]) -> Network:
    """The same network without these agencies, which nobody else's pairs or ways need."""
    content = network.model_dump(mode="json")
    content["agencies"] = {id_: one for id_, one in content["agencies"].items() if id_ not in left_out}
    content["pairs"] = [pair for pair in content["pairs"] if not set(pair) & set(left_out)]
    return parse_network(content, "this test's")


@asynccontextmanager
async def programme_town(
    programme_id: str,
    postgres: PostgresDatabases,
    folder: Path,
    on_paper: dict[str, dict[str, str]] | None = None,
    only: Collection[AgencyKind] = tuple(MODULES),
    left_out: Collection[str] = (),
    offline: Collection[str] = (),
) -> AsyncIterator[ProgrammeTown]:
    """The agencies of these kinds at work, but for those that a story needs not; `offline` have no line yet. Everything ends with
    it."""
    programme, clock = load_programme(programme_id), WallClock()
    network = network_on_paper(network_without(network_of(programme, "test", only), left_out), on_paper or {})
    node = KafkaNode(folder / "kafka", cache=default_cache(folder))
    urls = {}
    for id_, one in network.agencies.items():
        if one.mother is None:
            urls[id_] = await asyncio.to_thread(postgres_at_head, postgres, str(one.kind))
        else:  # a station that is usually offline has a file of its own, and no server
            urls[id_] = await asyncio.to_thread(sqlite_at_head, folder / f"{id_}.db", str(one.kind))
    await asyncio.to_thread(node.start)
    agencies = {}
    for id_, url in urls.items():
        here = Here(id_, network, programme, SECRET)
        agencies[id_] = TestAgency(here, parts_of(here.kind), database_at(as_application(url), clock))
    town = ProgrammeTown(agencies, clock, node, folder)
    try:
        access = kafka_of(node).operator
        await provision(access, network.topics(), network.partitions)
        await town.comes_online(*(id_ for id_ in agencies if id_ not in offline))
        yield town
    finally:
        await town.goes_offline(*agencies)
        await town.close()
        await asyncio.to_thread(node.stop)
        for url in (url for id_, url in urls.items() if network.agencies[id_].mother is None):
            await asyncio.to_thread(postgres.drop_database, url.rpartition("/")[2])


def _worker(agency: TestAgency, access: Access, folder: Path) -> ExchangeWorker:
    here = agency.here
    return ExchangeWorker(
        agency.database, here.agency, here.peers, agency.inbox, agency.hooks, agency.seal, access, here.lane_secret,
        Anchor(folder / f"{here.agency}.anchor"), instance=f"town.{here.agency}.0",
    )  # fmt: skip
