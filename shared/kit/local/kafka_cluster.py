"""Three Kafka nodes on the loopback address that keep every record twice or more: one may die and nothing stops or is lost.

Each node may be killed and started again on its own ports and data; the others go on meanwhile.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.kit.local.errors import LocalServerError
from shared.kit.local.kafka import PORT_RACES_MAX, PORTS, KafkaNode, quiet
from shared.kit.local.kafka_certificates import BrokerFiles, Operator
from shared.kit.local.kafka_properties import quorum_properties
from shared.kit.local.ports import free_ports

NODES = 3  # the fewest of which one may die while the other two still agree
HEAP_MB = 128  # a third of the load each: 450 MB resident in all three; 32 starts, but only idle


class KafkaCluster:
    """Nodes 1 to NODES below `directory`, under one authority. `overrides` are as for KafkaNode, and the same for each."""

    def __init__(
        self,
        directory: Path,
        *,
        cache: Path,
        overrides: Mapping[str, str] | None = None,
        heap_mb: int = HEAP_MB,
        say: Callable[[str], None] = quiet,
    ) -> None:
        self._directory = directory
        self._cache, self._overrides, self._heap_mb, self._say = cache, dict(overrides or {}), heap_mb, say
        self.files = BrokerFiles(directory.absolute() / "tls")
        self._nodes: dict[int, KafkaNode] = {}

    @property
    def bootstrap_servers(self) -> str:
        """All nodes' addresses for agencies, so that a client finds the cluster whichever of them is down."""
        return ",".join(node.bootstrap_servers for node in self._nodes.values())

    @property
    def operator(self) -> Operator:
        """How its operator connects, to any node as well."""
        return self.files.operator(",".join(node.operator.bootstrap_servers for node in self._nodes.values()))

    def node(self, number: int) -> KafkaNode:
        """One node, by the number that Kafka knows it under. Raises LocalServerError before the first start."""
        if number not in self._nodes:
            raise LocalServerError(
                f"The cluster has no node {number}; it has {sorted(self._nodes) or 'none before its first start'}."
            )
        return self._nodes[number]

    def start(self) -> None:
        """Returns when every node serves. After the first start the ports stay. Raises LocalServerError."""
        if self._nodes:
            self._start_all()
            return
        for attempt in range(1, PORT_RACES_MAX + 1):
            self._nodes = self._new_nodes()
            try:
                self._start_all()
                break
            except LocalServerError:
                lost_race = any(node.lost_port_race for node in self._nodes.values())
                if attempt == PORT_RACES_MAX or not lost_race:
                    self._nodes = {}
                    raise

    def stop(self) -> None:
        """Ends every node cleanly, all at once: the last of them alone could not hand over what it leads. The data stays."""
        with ThreadPoolExecutor(NODES) as threads:
            for node in self._nodes.values():
                threads.submit(node.stop)

    def kill(self, *numbers: int) -> None:
        """SIGKILL of these nodes, as when their machines lose power; of all where none is named."""
        for number in numbers or self._nodes:
            self.node(number).kill()

    def restart(self, number: int) -> None:
        """Starts one node again on the same ports and data; it catches up with the others by itself."""
        self.node(number).restart()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _new_nodes(self) -> dict[int, KafkaNode]:
        numbers = range(1, NODES + 1)
        self.files.make()  # once, before the nodes race for it
        free = free_ports(PORTS * NODES)  # all at once, so that none is given twice
        ports = [free[at : at + PORTS] for at in range(0, len(free), PORTS)]
        controllers = {number: own[-1] for number, own in zip(numbers, ports, strict=True)}
        return {
            number: KafkaNode(
                self._directory / f"node-{number}",
                cache=self._cache,
                overrides=quorum_properties(number, controllers) | self._overrides,
                heap_mb=self._heap_mb,
                ports=ports[number - 1],
                files=self.files,
                say=self._say,
            )
            for number in numbers
        }

    def _start_all(self) -> None:
        # Together: a node is not ready before a majority has met. One that fails takes the others down, which would wait for it.
        with ThreadPoolExecutor(NODES) as threads:
            starts = [threads.submit(node.start) for node in self._nodes.values()]
            done, waiting = wait(starts, return_when=FIRST_EXCEPTION)
            if waiting:
                for node in self._nodes.values():
                    node.kill()
        for start in done:
            start.result()
