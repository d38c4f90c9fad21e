"""Apache Kafka in a container, through testcontainers, where a Docker engine answers at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from shared.kit.local.errors import LocalServerError
from shared.kit.local.kafka_jars import KAFKA_VERSION
from shared.kit.local.ports import LOOPBACK, free_ports

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGE = f"apache/kafka:{KAFKA_VERSION}"
CLIENT_PORT = 9092
CONTROLLER_PORT = 9093
ENGINE_DEADLINE_S = 2  # an engine on this machine answers in milliseconds; a dead address must not hold up a demo
READY_LINE = "Kafka Server started"
READY_DEADLINE_S = 120


class DockerKafka:
    """One node in a container. testcontainers' reaper removes it if this program dies."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self._say = say
        self._container: DockerContainer | None = None
        self._port = 0

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Raises LocalServerError where no engine answers, or the image cannot be had."""
        check_engine()
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        self._say(f"Starting {IMAGE} in Docker ...")
        (self._port,) = free_ports(1)
        ready = LogMessageWaitStrategy(READY_LINE).with_startup_timeout(READY_DEADLINE_S)
        container = DockerContainer(IMAGE).with_envs(**node_environment(self._port)).waiting_for(ready)
        # The Docker client takes an address and a port; testcontainers declares only the port.
        cast("dict[str, object]", container.ports)[f"{CLIENT_PORT}/tcp"] = (LOOPBACK, self._port)
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


def node_environment(port: int) -> dict[str, str]:
    """The image takes either no setting at all or all of them; `port` is the one that clients outside see."""
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"CLIENT://:{CLIENT_PORT},CONTROLLER://:{CONTROLLER_PORT}",
        "KAFKA_ADVERTISED_LISTENERS": f"CLIENT://{LOOPBACK}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "CLIENT",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@localhost:{CONTROLLER_PORT}",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
