"""One broker of three is killed while agencies work: desks notice nothing, and every referral arrives once.

`make broker-dies` runs the short one and shows what it says.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from desks import in_step, issue, open_case
from processes import KINDS, Process, ProcessNetwork, everyone_is_ready, until
from records import ends, events_below
from schema import postgres_at_head
from servers import KafkaClusterFactory, kafka_of

from shared.kit.local.kafka_cluster import NODES, KafkaCluster
from shared.kit.local.postgres_databases import PostgresDatabases

DESKS = 3  # clerks who issue referrals all the time
REFERRALS_EACH = 6  # issued before a broker dies, while it is dead, and after its return
ROUNDS_LONG = 3  # each broker dies that often, in turn
PARTITIONS = 4  # so that several workers of an agency have something to do
AT_WORK = [("police", "web"), ("health", "web"), *[(kind, "worker") for kind in ("police", "health") for _ in range(2)]]


class Load:
    """Referrals from several clerks at once, for as long as it goes on."""

    def __init__(self, desk: Process) -> None:
        self.desk, self.slowest_s = desk, 0.0
        self._done = threading.Event()
        self._working: list[Future[None]] = []
        self.sent: list[str] = []

    def work(self, case: str) -> None:
        while not self._done.is_set():
            before = time.monotonic()
            self.sent.append(issue(self.desk, case))
            self.slowest_s = max(self.slowest_s, time.monotonic() - before)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        with ThreadPoolExecutor(DESKS) as clerks:
            self._working = [clerks.submit(self.work, open_case(self.desk)) for _ in range(DESKS)]
            try:
                yield
            finally:
                self._done.set()
            for one in self._working:
                one.result()

    def look(self) -> None:
        """A clerk who was refused fails the test at once."""
        for one in self._working:
            if one.done():
                one.result()


def arrived(network: ProcessNetwork) -> set[str]:
    return {str(UUID(str(row[0]))) for row in network.rows("health", "SELECT id FROM casework_referrals")}


def more_arrive(network: ProcessNetwork, load: Load) -> int:
    """Waits until some more referrals have arrived than had; what is issued now must cross now."""
    known = len(arrived(network))

    def enough() -> bool:
        load.look()
        return len(arrived(network)) >= known + REFERRALS_EACH

    until(enough, "referrals to arrive")
    return len(arrived(network)) - known


def kill_and_bring_back(cluster: KafkaCluster, number: int, network: ProcessNetwork, load: Load) -> None:
    print(f"Broker {number} of {NODES} is killed …")
    cluster.kill(number)
    print(f"  {more_arrive(network, load)} referrals went from desk to clinic while it was dead.")
    cluster.restart(number)
    print(f"  It is back, and {more_arrive(network, load)} more have arrived since.")


def check_nothing_lost_or_doubled(network: ProcessNetwork, sent: Sequence[str], everyone: Sequence[Process]) -> None:
    until(lambda: set(sent) <= arrived(network), "every referral to arrive")
    until(lambda: in_step(everyone[:2]), "everything to be signed for")
    assert sorted(arrived(network)) == sorted(sent)
    facts: Counter[Any] = Counter(network.rows("health", "SELECT referral_id, type FROM casework_referral_facts"))
    assert set(facts.values()) == {1}, "a fact was applied twice"
    assert len(facts) == len(sent)
    network.check_streams(("police", "health"))


def run(cluster: KafkaCluster, postgres: PostgresDatabases, unique: str, home: Path, victims: Sequence[int]) -> None:
    network = ProcessNetwork(
        home, kafka_of(cluster), unique, {kind: postgres_at_head(postgres, kind) for kind in KINDS}, partitions=PARTITIONS
    )
    asyncio.run(network.set_up())
    with network.started(*AT_WORK) as everyone:
        everyone_is_ready(everyone)
        load = Load(everyone[0])
        print(f"\nThree brokers, two agencies with two workers each, {DESKS} clerks who issue referrals all the time.")
        with load.going_on():
            more_arrive(network, load)
            for number in victims:
                kill_and_bring_back(cluster, number, network, load)
        check_nothing_lost_or_doubled(network, load.sent, everyone)
        lanes = asyncio.run(ends(network.kafka.operator, network.names["police"], network.names["health"]))
        again = Counter(Counter(asyncio.run(events_below(network.kafka.operator, lanes, network.seal))).values())
        print(f"{len(load.sent)} referrals were issued and {len(arrived(network))} arrived, each once, and are signed for.")
        print(f"  Records on the brokers by how often an event lies there: {dict(sorted(again.items()))} (repeats are recognised).")
        print(f"  The longest that a clerk waited for an answer was {load.slowest_s:.1f} s.")
        assert [process.stop() for process in everyone] == [0] * len(everyone)


@pytest.mark.timeout(600)  # a minute when quiet
def test_one_broker_of_three_dies_under_load_and_nothing_is_lost_or_doubled(
    kafka_cluster_factory: KafkaClusterFactory, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    run(kafka_cluster_factory(), postgres, unique, tmp_path, [1])


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_each_broker_of_three_dies_again_and_again_under_load(
    kafka_cluster_factory: KafkaClusterFactory, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    run(kafka_cluster_factory(), postgres, unique, tmp_path, [*range(1, NODES + 1)] * ROUNDS_LONG)
