"""Finds the Java and the Maven that Kafka needs, and says in one sentence what is missing."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from shared.kit.local.errors import LocalServerError

JAVA_MAJOR_MIN = 17  # Kafka 4 brokers run on nothing older
VERSION_DEADLINE_S = 20  # a cold JVM on a busy machine answers in one or two


@dataclass(frozen=True)
class Java:
    """A runtime that is new enough."""

    executable: str
    version: str  # the whole answer of `java -version`: archives of loaded classes fit exactly one build


def find_java() -> Java:
    """The Java of JAVA_HOME, else of PATH. Raises LocalServerError."""
    home = os.environ.get("JAVA_HOME")
    at_home = Path(home) / "bin" / "java" if home else None
    executable = str(at_home) if at_home is not None and at_home.exists() else shutil.which("java")
    if executable is None:
        raise LocalServerError(f"Java {JAVA_MAJOR_MIN} or newer is not installed; install a JRE to run Kafka here.")
    java = _ask(executable)
    major = java_major(java.version)
    if major < JAVA_MAJOR_MIN:
        raise LocalServerError(f"Java {major} is too old for Kafka 4; install Java {JAVA_MAJOR_MIN} or newer.")
    return java


def find_maven() -> str:
    """The path of mvn. Raises LocalServerError."""
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalServerError("Maven (mvn) is not installed; install it so that Kafka can be fetched.")
    return maven


def java_major(version: str) -> int:
    """17 for `openjdk version "17.0.15"`, 8 for `java version "1.8.0_402"`, 0 for what cannot be read."""
    found = re.search(r'version "(?:1\.)?(\d+)', version)
    return int(found.group(1)) if found else 0


@lru_cache(maxsize=4)
def _ask(executable: str) -> Java:
    try:
        done = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=VERSION_DEADLINE_S, check=True)
    except (OSError, subprocess.SubprocessError) as cause:
        raise LocalServerError(f"{executable} does not run: {cause}.") from cause
    return Java(executable, done.stderr + done.stdout)
