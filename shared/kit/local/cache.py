"""Where downloads are kept between clones, and the lock that lets racing processes make them only once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def default_cache(home: Path) -> Path:
    """The user's own cache, so that a fresh clone fetches nothing again; below `home` where that cannot be written."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    candidate = Path(base).expanduser() / "refnet"
    try:
        candidate.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # read-only, or no home directory at all
        return home / "cache"
    return candidate if os.access(candidate, os.W_OK) else home / "cache"


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Holds a lock file across processes and threads. The kernel lets go of it when the holder dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
