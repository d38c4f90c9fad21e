"""Named crash points: places between two durable steps where a test may kill the process, as a power cut would.

Nothing happens unless `arm` was called at start, which settings allow only where the network's purpose is `test`.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable

_armed: dict[str, int] = {}
_passed: Counter[str] = Counter()
_watch: Callable[[str], None] | None = None


def arm(spec: str) -> None:
    """`NAME[:NTH]`, comma-separated: the process kills itself with SIGKILL when it passes NAME for the NTH time."""
    for part in filter(None, spec.split(",")):
        name, _, nth = part.partition(":")
        _armed[name] = int(nth or 1)


def watch(passing: Callable[[str], None] | None) -> None:
    """A simulator in this process is told of every moment, and raises where its process is to die."""
    global _watch  # noqa: PLW0603 — one simulator a process
    _watch = passing


def crash_point(name: str) -> None:
    """Marks the moment `name`."""
    if _watch is not None:
        _watch(name)
    if not _armed or name not in _armed:
        return
    _passed[name] += 1
    if _passed[name] == _armed[name]:
        os.kill(os.getpid(), signal.SIGKILL)
