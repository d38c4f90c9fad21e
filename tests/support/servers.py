"""The servers of one whole test run: each started once, by the process that leads the run, when a test first asks.

Under xdist the workers ask the leader over a loopback connection, so that a server outlives the worker that wanted it.
A server that cannot be had fails the tests that need it; nothing is ever skipped.
"""

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from services.settings import load_settings
from shared.exchange.access import Access
from shared.kit.local.broker import Broker, start_broker
from shared.kit.local.errors import LocalServerError
from shared.kit.local.kafka import KafkaNode
from shared.kit.local.kafka_cluster import KafkaCluster
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_databases import PostgresDatabases

What: TypeAlias = Literal["kafka", "postgres"]
Entry: TypeAlias = tuple[tuple[str, int], bytes]  # where the leader listens, and the word that lets a worker in

KAFKA_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"


@dataclass(frozen=True, slots=True)
class Kafka:
    """A broker that lets in agencies at `bootstrap_servers`, each with a user that its operator has made; the operator may do
    everything, and so do tests that look or tamper."""

    bootstrap_servers: str
    operator: Access


Address: TypeAlias = Kafka | PostgresDatabases


def kafka_of(started: KafkaNode | KafkaCluster | Broker) -> Kafka:
    """A broker that we have started, as tests reach it."""
    assert started.operator is not None
    return Kafka(started.bootstrap_servers, Access(**asdict(started.operator)))


class KafkaNodeFactory(Protocol):
    """Starts a node of the test's own; the options are KafkaNode's: overrides, heap_mb."""

    def __call__(self, **options: object) -> KafkaNode: ...


class KafkaClusterFactory(Protocol):
    """Starts a cluster of the test's own; the options are KafkaCluster's: overrides, heap_mb."""

    def __call__(self, **options: object) -> KafkaCluster: ...


class Servers:
    """Owned by the leader. Each server has its own lock, so that both can start at the same time."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="refnet-tests-"))
        self._locks: dict[What, threading.Lock] = {"kafka": threading.Lock(), "postgres": threading.Lock()}
        self._answers: dict[What, Address | LocalServerError] = {}
        self._stops: list[Callable[[], None]] = []

    def address(self, what: What) -> Address:
        """Starts the server the first time. Raises LocalServerError, the same one each time."""
        with self._locks[what]:
            if what not in self._answers:
                try:
                    self._answers[what] = self._start_kafka() if what == "kafka" else self._start_postgres()
                except LocalServerError as cause:
                    self._answers[what] = cause
            answer = self._answers[what]
        if isinstance(answer, LocalServerError):
            raise answer
        return answer

    def stop(self) -> None:
        while self._stops:
            self._stops.pop()()
        shutil.rmtree(self.home, ignore_errors=True)

    def _start_kafka(self) -> Kafka:
        broker = start_broker("auto", bootstrap_servers=os.environ.get(KAFKA_VARIABLE), home=self.home)
        self._stops.append(broker.stop)
        if broker.kind == "given":  # whoever gives one says in the environment who its operator is there
            return Kafka(broker.bootstrap_servers, load_settings().access())
        return kafka_of(_real(broker))

    def _start_postgres(self) -> PostgresDatabases:
        # Tests kill processes, never the machine: what the kernel holds is safe without fsync, and much faster.
        cluster = PostgresCluster(fsync=False)
        self._stops.append(cluster.remove)
        cluster.start()
        return cluster.databases


class Desk:
    """Answers the workers' questions, each in a thread of its own."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._word = secrets.token_bytes(16)
        self._listener = Listener(("127.0.0.1", 0), authkey=self._word)
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def access(self) -> Entry:
        host, port = self._listener.address
        return (str(host), int(port)), self._word

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                caller = self._listener.accept()
            except OSError:
                return  # closed: the run is over
            threading.Thread(target=self._answer, args=(caller,), daemon=True).start()

    def _answer(self, caller: Connection) -> None:
        with caller:
            try:
                caller.send(self._servers.address(caller.recv()))
            except LocalServerError as cause:
                caller.send(cause)


def ask(access: Entry, what: What) -> Address:
    """A worker's side of the desk. Raises the leader's LocalServerError."""
    where, word = access
    with Client(where, authkey=word) as desk:
        desk.send(what)
        answer: Address | LocalServerError = desk.recv()
    if isinstance(answer, LocalServerError):
        raise answer
    return answer


def _real(broker: Broker) -> Broker:
    if broker.forgets:
        broker.stop()
        raise LocalServerError("Tests need a real Kafka. " + " ".join(broker.reasons))
    return broker
