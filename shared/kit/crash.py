"""Named crash points: places between two durable steps where a test may kill the process, as a power cut would.

Nothing happens unless `arm` was called at start, which settings allow only where the network's purpose is `test`.
"""

import os
import signal
from collections import Counter

_armed: dict[str, int] = {}
_passed: Counter[str] = Counter()


def arm(spec: str) -> None:
    """`NAME[:NTH]`, comma-separated: the process kills itself with SIGKILL when it passes NAME for the NTH time."""
    for part in filter(None, spec.split(",")):
        name, _, nth = part.partition(":")
        _armed[name] = int(nth or 1)


def crash_point(name: str) -> None:
    """Marks the moment `name`."""
    if not _armed or name not in _armed:
        return
    _passed[name] += 1
    if _passed[name] == _armed[name]:
        os.kill(os.getpid(), signal.SIGKILL)
