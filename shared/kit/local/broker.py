"""Gets a broker on any machine: one that was given, else Docker, else Apache Kafka on Java, else the trial courier.

Each step that cannot be taken leaves its reason, so that people can be told why they got what they got.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from shared.kit.local.cache import default_cache
from shared.kit.local.docker import IMAGE, DockerKafka
from shared.kit.local.errors import LocalServerError
from shared.kit.local.kafka import KafkaNode, quiet
from shared.kit.local.kafka_certificates import Operator
from shared.kit.local.kafka_jars import KAFKA_VERSION
from shared.kit.local.trial import TrialCluster

Choice = Literal["auto", "kafka", "docker", "trial"]
Kind = Literal["given", "docker", "kafka", "trial"]
Say = Callable[[str], None]


def _nothing_to_stop() -> None:
    pass


@dataclass
class Broker:
    """A broker that can be used now. `label` is for people; `reasons` says why each better step was not taken. `operator` is how
    whoever may change it gets in: None where it runs without us, or lets everybody do everything."""

    bootstrap_servers: str
    kind: Kind
    label: str
    forgets: bool = False
    reasons: list[str] = field(default_factory=list)
    operator: Operator | None = None
    _stop: Callable[[], None] = field(default=_nothing_to_stop, repr=False)

    def stop(self) -> None:
        """Ends what we started; a broker that was given is left alone."""
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def start_broker(
    choice: Choice,
    *,
    bootstrap_servers: str | None,
    home: Path,
    cache: Path | None = None,
    say: Say = quiet,
) -> Broker:
    """Starts what was chosen; `auto` takes what was given, else the first that works here, and never fails.

    `home` keeps the data of a Kafka that we start, `cache` its jars. An explicit choice wins over what was given, and
    raises LocalServerError where it is impossible.
    """
    if choice == "auto" and bootstrap_servers:
        return Broker(bootstrap_servers, "given", f"Kafka at {bootstrap_servers}, which runs without us")
    starters: dict[Choice, Callable[[], Broker]] = {
        "docker": lambda: _docker(home, say),
        "kafka": lambda: _kafka(home, cache or default_cache(home), say),
        "trial": _trial,
    }
    if choice != "auto":
        return starters[choice]()
    return _first_that_starts([starters["docker"], starters["kafka"]], last=starters["trial"])


def _first_that_starts(better: list[Callable[[], Broker]], *, last: Callable[[], Broker]) -> Broker:
    reasons: list[str] = []
    for starter in better:
        try:
            broker = starter()
        except LocalServerError as cause:
            reasons.append(str(cause))
        else:
            broker.reasons = reasons
            return broker
    broker = last()
    broker.reasons = reasons
    return broker


def _docker(home: Path, say: Say) -> Broker:
    node = DockerKafka(home / "kafka-docker", say=say)
    node.start()
    return Broker(node.bootstrap_servers, "docker", f"Kafka in Docker ({IMAGE})", operator=node.operator, _stop=node.stop)


def _kafka(home: Path, cache: Path, say: Say) -> Broker:
    node = KafkaNode(home / "kafka", cache=cache, say=say)
    node.start()
    label = f"Apache Kafka {KAFKA_VERSION} on this machine"
    return Broker(node.bootstrap_servers, "kafka", label, operator=node.operator, _stop=node.stop)


def _trial() -> Broker:
    cluster = TrialCluster()
    cluster.start()
    return Broker(cluster.bootstrap_servers, "trial", cluster.label, forgets=True, _stop=cluster.stop)
