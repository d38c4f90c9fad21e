"""A real Apache Kafka node (KRaft, combined mode) on the loopback address, without Docker and without root.

It may be killed, restarted on the same ports and data, and wiped: those are the days that the exchange must survive.
"""

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.kit.local.cache import held
from shared.kit.local.errors import LocalServerError
from shared.kit.local.kafka_certificates import BrokerFiles, Operator
from shared.kit.local.kafka_jars import KafkaJars, fetch_kafka
from shared.kit.local.kafka_properties import CLUSTER_ID, server_properties
from shared.kit.local.ports import LOOPBACK, free_ports
from shared.kit.local.process import ServerProcess

READY_LINE = "Kafka Server started"
START_DEADLINE_S = 60  # 0.8 s when quiet, 4 s after a kill; the rest is for a machine that is busy with other things
STOP_DEADLINE_S = 20  # 0.4 s when quiet
FORMAT_DEADLINE_S = 60
PORT_RACES_MAX = 5
PORTS = 3  # for agencies, for certificates, for controllers
HEAP_MB = 256  # 32 starts, but only idle; this held under load


def quiet(_: str) -> None:
    """Says nothing: the default where nobody listens for progress."""


class KafkaNode:
    """One node in `directory`, which lets in agencies' users with SCRAM over TLS, and its operator with a certificate.

    `overrides` are server properties that win; `addresses` are further ones under which clients reach it, and `files` its
    certificates, where others share them. `ports` (for agencies, for certificates, for controllers) are chosen at the first start
    unless a cluster has agreed on them before.
    """

    def __init__(
        self,
        directory: Path,
        *,
        cache: Path,
        overrides: Mapping[str, str] | None = None,
        heap_mb: int = HEAP_MB,
        ports: Sequence[int] = (),
        addresses: Sequence[str] = (),
        files: BrokerFiles | None = None,
        say: Callable[[str], None] = quiet,
    ) -> None:
        self._directory = directory.absolute()
        self._cache = cache.absolute()
        self.files = files or BrokerFiles(self._directory / "tls")
        self._addresses = addresses
        self._overrides = dict(overrides or {})
        self._heap_mb = heap_mb
        self._say = say
        self._ports = list(ports)
        self._process: ServerProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Where agencies connect, each with its user and password."""
        return self._address(0)

    @property
    def operator(self) -> Operator:
        """How its operator connects."""
        return self.files.operator(self._address(1))

    def _address(self, which: int) -> str:
        if not self._ports:
            raise LocalServerError("The Kafka node has no address before its first start.")
        return f"{LOOPBACK}:{self._ports[which]}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    @property
    def lost_port_race(self) -> bool:
        """Whether the last start failed because another program took a port first."""
        return self._process is not None and any("Address already in use" in line for line in self._process.tail)

    @property
    def log(self) -> Path:
        return self._directory / "kafka.log"

    def start(self) -> None:
        """Returns when clients can connect. After the first start the ports stay. Raises LocalServerError."""
        if self.running:
            return
        jars = fetch_kafka(self._cache, say=self._say)
        with contextlib.suppress(OSError):  # a cache that we may only read: the start takes a second longer
            self._make_archive(jars)
        if self._ports:
            self._launch(jars)
        else:
            self._launch_on_free_ports(jars)

    def stop(self) -> None:
        """Ends the node cleanly. The data and the ports stay."""
        if self._process is not None:
            self._process.stop(deadline_s=STOP_DEADLINE_S)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()

    def restart(self) -> None:
        """Stops the node unless it is dead already, and starts it on the same ports and data."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """The broker forgets everything, as after a lost disk. The node must be down; the next start begins empty."""
        if self.running:
            raise LocalServerError("A running Kafka node cannot be wiped; stop or kill it first.")
        shutil.rmtree(self._directory / "data", ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _launch_on_free_ports(self, jars: KafkaJars) -> None:
        for attempt in range(1, PORT_RACES_MAX + 1):
            self._ports = free_ports(PORTS)
            try:
                self._launch(jars)
                break
            except LocalServerError:
                if attempt == PORT_RACES_MAX or not self.lost_port_race:
                    self._ports = []
                    raise

    def _launch(self, jars: KafkaJars, *, jvm_flags: tuple[str, ...] = ()) -> None:
        config = self._directory / "server.properties"
        self._directory.mkdir(parents=True, exist_ok=True)
        port, mutual_port, controller_port = self._ports
        self.files.make(self._addresses)
        text = server_properties(
            self._directory,
            port=port, mutual_port=mutual_port, controller_port=controller_port, files=self.files, overrides=self._overrides,
        )  # fmt: skip
        config.write_text(text)
        if not (self._directory / "data" / "meta.properties").exists():
            self._format(jars, config)
        argv = jars.command("kafka.Kafka", str(config), heap_mb=self._heap_mb, flags=jvm_flags)
        self._process = ServerProcess("Kafka", argv, ready_line=READY_LINE, log=self.log)
        self._process.start(deadline_s=START_DEADLINE_S)

    def _format(self, jars: KafkaJars, config: Path) -> None:
        argv = jars.command("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config), heap_mb=self._heap_mb)
        done = subprocess.run(
            argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=FORMAT_DEADLINE_S, check=False
        )
        if done.returncode != 0:
            last = ["no reason given", *(done.stderr + done.stdout).strip().splitlines()][-1]
            raise LocalServerError(f"Kafka could not format its data folder: {last}")

    def _make_archive(self, jars: KafkaJars) -> None:
        """Starts and stops a node once per Java build, to keep the classes that it loaded. Failing costs only speed."""
        if jars.archive.exists():
            return
        with held(jars.directory / "archive.lock"):
            if jars.archive.exists():
                return
            making = jars.directory / "making.jsa"
            practice = KafkaNode(jars.directory / "practice", cache=self._cache)
            practice.wipe()
            practice._ports = free_ports(PORTS)
            try:
                practice._launch(jars, jvm_flags=(f"-XX:ArchiveClassesAtExit={making}",))
                assert practice._process is not None
                practice._process.stop(deadline_s=START_DEADLINE_S, how=signal.SIGTERM)
            except LocalServerError:
                practice.kill()
            practice.wipe()
            if making.exists():
                making.rename(jars.archive)
