"""The processes of a pass: started, given orders by a line of JSON, looked at from outside, and ended by their own id."""

import asyncio
import contextlib
import json
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from shared.kit.errors import RefnetError

ANSWER_BYTES_MAX = 16 * 1024 * 1024  # a line of answer; the largest is a few hundred bytes
STOP_S = 30.0  # a worker finishes its batch within this, then it is killed
LAST_WORDS = 600  # characters of a dead child's log that an error repeats


class Unmeasured(RefnetError):
    """A pass did not do what it was to measure, so there is no figure; the message is one sentence."""


class Child:
    """One process of a pass; its log lies in the pass's folder. One that takes no orders writes all it says there."""

    def __init__(
        self, name: str, argv: Sequence[str], environment: Mapping[str, str], folder: Path, *, is_ordered: bool = False
    ) -> None:
        self._is_ordered = is_ordered
        self.name, self._argv, self._environment = name, argv, environment
        self._log = folder / f"{name}-{time.monotonic_ns()}.log"
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, env=dict(self._environment), stdin=PIPE if self._is_ordered else DEVNULL,
                stdout=PIPE if self._is_ordered else log, stderr=log, limit=ANSWER_BYTES_MAX,
            )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise Unmeasured(f"The process '{self.name}' has not been started.")
        return self._process.pid

    async def order(self, **what: Any) -> dict[str, Any]:
        """Gives an order and waits for the answer; raises Unmeasured where the child died or failed."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise Unmeasured(f"The process '{self.name}' has not been started.")
        with contextlib.suppress(ConnectionError):
            process.stdin.write(json.dumps(what).encode() + b"\n")
            await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            raise Unmeasured(f"The process '{self.name}' ended by itself: {self.last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def check(self) -> None:
        """Raises Unmeasured where it has ended by itself."""
        if self._process is not None and self._process.returncode is not None:
            raise Unmeasured(f"The process '{self.name}' ended with {self._process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of its log, in one line."""
        return " ".join(self._log.read_text(errors="replace")[-LAST_WORDS:].split()) or "it said nothing"

    def rss_mb(self, field: str = "VmRSS") -> float:
        """What it holds in memory now (`VmRSS`) or held at most (`VmHWM`), in MB."""
        return rss_mb(self.pid, field)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL after STOP_S."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def rss_mb(pid: int, field: str = "VmRSS") -> float:
    """The resident memory of a process in MB (1,000,000 bytes), as the kernel counts it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1_000_000
    raise Unmeasured(f"The kernel does not tell {field} of a process, so its memory is not known.")
