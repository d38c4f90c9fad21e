"""Apache Kafka in a container, through testcontainers, where a Docker engine answers at once."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from shared.kit.local.errors import LocalServerError
from shared.kit.local.kafka_certificates import BrokerFiles, Operator
from shared.kit.local.kafka_jars import KAFKA_VERSION
from shared.kit.local.kafka_properties import secured
from shared.kit.local.ports import LOOPBACK, free_ports

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGE = f"apache/kafka:{KAFKA_VERSION}"
CLIENT_PORT, MUTUAL_PORT, CONTROLLER_PORT = 9092, 9093, 9094
INSIDE = "/etc/refnet"  # where the container finds its certificate
ENGINE_DEADLINE_S = 2  # an engine on this machine answers in milliseconds; a dead address must not hold up a demo
READY_LINE = "Kafka Server started"
READY_DEADLINE_S = 120


class DockerKafka:
    """One node in a container, secured as KafkaNode is. testcontainers' reaper removes it if this program dies."""

    def __init__(self, directory: Path, *, say: Callable[[str], None]) -> None:
        self.files = BrokerFiles(directory.absolute() / "tls")
        self._say = say
        self._container: DockerContainer | None = None
        self._port = self._mutual_port = 0

    @property
    def bootstrap_servers(self) -> str:
        """Where agencies connect, each with its user and password."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def operator(self) -> Operator:
        """How its operator connects."""
        return self.files.operator(f"{LOOPBACK}:{self._mutual_port}")

    def start(self) -> None:
        """Raises LocalServerError where no engine answers, or the image cannot be had."""
        check_engine()
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        self._say(f"Starting {IMAGE} in Docker ...")
        self._port, self._mutual_port = free_ports(2)
        self.files.make(for_container=True)
        ready = LogMessageWaitStrategy(READY_LINE).with_startup_timeout(READY_DEADLINE_S)
        container = DockerContainer(IMAGE).with_envs(**node_environment(self._port, self._mutual_port)).waiting_for(ready)
        container.with_volume_mapping(self.files.broker.parent, INSIDE, "ro")
        # The Docker client takes an address and a port; testcontainers declares only the port.
        ports = cast("dict[str, object]", container.ports)
        ports[f"{CLIENT_PORT}/tcp"] = (LOOPBACK, self._port)
        ports[f"{MUTUAL_PORT}/tcp"] = (LOOPBACK, self._mutual_port)
        try:
            container.start()
        except Exception as cause:  # docker, requests and testcontainers each have their own families of errors
            container.stop()
            raise LocalServerError(f"Docker could not start {IMAGE}: {_first_line(cause)}.") from cause
        self._container = container

    def stop(self) -> None:
        if self._container is not None:
            self._container.stop()
            self._container = None


def check_engine() -> None:
    """Raises LocalServerError unless a Docker engine answers within two seconds."""
    import docker

    try:
        client = docker.from_env(timeout=ENGINE_DEADLINE_S)
        try:
            client.ping()
        finally:
            client.close()
    except Exception as cause:  # a missing socket, a bad DOCKER_HOST and a slow engine all mean the same here
        raise LocalServerError("No Docker engine answers on this machine.") from cause


def node_environment(port: int, mutual_port: int) -> dict[str, str]:
    """The image takes either no setting at all or all of them; the ports are those that clients outside see."""
    properties = {
        "node.id": "1",
        "process.roles": "broker,controller",
        "listeners": f"CLIENT://:{CLIENT_PORT},MUTUAL://:{MUTUAL_PORT},CONTROLLER://localhost:{CONTROLLER_PORT}",
        "advertised.listeners": f"CLIENT://{LOOPBACK}:{port},MUTUAL://{LOOPBACK}:{mutual_port}",
        "controller.quorum.voters": f"1@localhost:{CONTROLLER_PORT}",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        **secured(f"{INSIDE}/broker.pem", f"{INSIDE}/ca.pem"),
    }
    return {variable_of(name): value for name, value in properties.items()}


def variable_of(name: str) -> str:
    """How the image is told a server property: its names' dots are underscores, and their hyphens three of them."""
    return "KAFKA_" + name.replace("-", "___").replace(".", "_").upper()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
