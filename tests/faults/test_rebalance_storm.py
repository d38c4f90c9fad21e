"""Readers join the clinic's consumer groups and leave them all the time: partitions change hands, nothing is lost or doubled."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from desks import in_step, issue, open_case
from processes import Process, ProcessNetwork, everyone_is_ready, until
from schema import desk_and_clinic
from servers import Kafka

from shared.contracts.wire.topics import Direction
from shared.kit.local.postgres_databases import PostgresDatabases

SHORT, LONG = 3, 60  # times that somebody joined both groups and left them again
STAYS_S = 2.0  # each: partitions that it is given meanwhile are read by nobody
pytestmark = pytest.mark.timeout(900)  # a quarter of a minute when quiet


class Storm:
    """Somebody who joins both of an agency's groups, reads nothing, and leaves, over and over."""

    def __init__(self, network: ProcessNetwork, times: int) -> None:
        way, health = Direction(network.names["police"], network.names["health"]), network.names["health"]
        self._groups = {f"{health}.exchange": way.topic, f"{health}.express": way.express_topic}
        self._access, self._times = network.settings("health").access(health), times
        self.joined = 0

    async def _blow(self) -> None:
        for _ in range(self._times):
            async with contextlib.AsyncExitStack() as stack:
                for group, topic in self._groups.items():
                    consumer = AIOKafkaConsumer(
                        topic, group_id=group, enable_auto_commit=False, heartbeat_interval_ms=500, **self._access.options()
                    )
                    await stack.enter_async_context(consumer)
                self.joined += 1
                await asyncio.sleep(STAYS_S)  # the storm itself, not a wait for something

    @contextlib.contextmanager
    def blowing(self) -> Iterator[threading.Thread]:
        thread = threading.Thread(target=lambda: asyncio.run(self._blow()))
        thread.start()
        try:
            yield thread
        finally:
            thread.join()


@pytest.mark.long
@pytest.mark.parametrize("times", [SHORT, LONG])
def test_partitions_that_change_hands_all_the_time_lose_and_double_nothing(
    times: int, kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    urls = desk_and_clinic(postgres, tmp_path)
    network = ProcessNetwork(tmp_path, kafka, unique, urls, partitions=4)
    asyncio.run(network.set_up())
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        cases = [open_case(desk) for _ in range(4)]
        sent: list[str] = []
        storm = Storm(network, times)
        with storm.blowing() as thread:
            while thread.is_alive():
                sent.append(issue(desk, cases[len(sent) % len(cases)]))
                told(desk, sent[-1])
        assert storm.joined == times
        until(lambda: in_step([desk, clinic]), "everything to be signed for")
        assert network.rows("health", "SELECT count(*) FROM casework_referrals") == [(len(sent),)]
        for referral in sent:
            assert network.facts_of("health", referral) == ["issued", "set_out"]
        network.check_streams(("police", "health"))


def told(desk: Process, referral: str) -> None:
    desk.post(f"/referrals/{referral}/set-out", {"mode": "car", "escort": "officer"})
