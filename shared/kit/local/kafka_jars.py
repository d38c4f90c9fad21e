"""Fetches Apache Kafka once per user with Maven, from a pinned pom, and prepares it to start fast.

Nothing is half there: everything is made beside its place and renamed into it, under a lock.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared.kit.local.cache import held
from shared.kit.local.errors import LocalServerError
from shared.kit.local.java import Java, find_java, find_maven

KAFKA_VERSION = "4.1.0"
POM = Path(__file__).with_name("pom.xml")
LOG_CONFIG = Path(__file__).with_name("log4j2.properties")
FETCH_DEADLINE_S = 300  # 45 MB; three seconds on a good line, minutes on a bad one
JARS_MIN = 30  # 46 today; a handful means that an interrupted fetch was taken for a whole one

# A node of one machine: C1 and the serial collector start in half the time and hold 50 MB less.
JVM_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")


@dataclass(frozen=True)
class KafkaJars:
    """Kafka on this machine: jars, the Java to run them, and the archive of loaded classes (made by the first node)."""

    directory: Path
    java: Java

    @property
    def archive(self) -> Path:
        """Saves half the start. It fits one Java build and one class path; `-Xshare:auto` ignores one that does not."""
        fits = hashlib.sha256(f"{self.java.version}{self.class_path}".encode()).hexdigest()[:12]
        return self.directory / f"classes-tls-{fits}.jsa"

    @property
    def class_path(self) -> str:
        return ":".join(str(jar) for jar in sorted((self.directory / "lib").glob("*.jar")))

    def command(self, main: str, *args: str, heap_mb: int, flags: tuple[str, ...] = ()) -> list[str]:
        """The command line of one of Kafka's main classes, without any of its shell scripts."""
        archive = (f"-XX:SharedArchiveFile={self.archive}", "-Xshare:auto") if self.archive.exists() else ()
        logs = f"-Dlog4j2.configurationFile={LOG_CONFIG}"
        jvm = (f"-Xmx{heap_mb}m", *JVM_FLAGS, *archive, *flags, logs, "-cp", self.class_path)
        return [self.java.executable, *jvm, main, *args]


def fetch_kafka(cache: Path, *, say: Callable[[str], None]) -> KafkaJars:
    """The jars, fetched unless they are there. Safe where several processes race. Raises LocalServerError."""
    java = find_java()
    pom_hash = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    directory = cache / f"kafka-{KAFKA_VERSION}-{pom_hash}"
    if _complete(directory):
        return KafkaJars(directory, java)
    maven = find_maven()
    try:
        with held(cache / "kafka.lock"):
            if not _complete(directory):
                say(f"Fetching Apache Kafka {KAFKA_VERSION}, once for this user (45 MB) ...")
                _fetch(maven, directory)
    except OSError as cause:
        raise LocalServerError(f"Kafka cannot be kept in {cache}: {cause}.") from cause
    return KafkaJars(directory, java)


def _complete(directory: Path) -> bool:
    return len(list((directory / "lib").glob("*.jar"))) >= JARS_MIN


def _fetch(maven: str, directory: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=directory.parent) as made_beside:
        fetched = Path(made_beside) / "kafka"
        argv = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        try:
            done = subprocess.run(
                [*argv, f"-DoutputDirectory={fetched / 'lib'}"],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=FETCH_DEADLINE_S,
                check=False,
            )
        except subprocess.TimeoutExpired as cause:
            raise LocalServerError(f"Maven did not fetch Kafka within {FETCH_DEADLINE_S} s.") from cause
        if done.returncode != 0 or not _complete(fetched):
            raise LocalServerError(f"Maven could not fetch Kafka: {_first_error(done.stdout + done.stderr)}")
        shutil.rmtree(directory, ignore_errors=True)
        fetched.rename(directory)


def _first_error(output: str) -> str:
    errors = [line for line in output.splitlines() if "ERROR" in line]
    return (errors or output.splitlines() or ["it gave no reason"])[0].strip()
