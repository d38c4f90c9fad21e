"""Whether the keys in a home are locked, and the passphrase that opens them: of the environment, or typed at the start."""

import os
import sys
from functools import cache
from getpass import getpass
from pathlib import Path

from shared.kit.lock import OPEN, Lock, Locked, unlock

PASSPHRASE = "REFNET_STATION_PASSPHRASE"  # noqa: S105 — the name of a variable
LOCK = "lock.json"


def lock_of(home: Path) -> Lock:
    """The lock of a home, which leaves files as they are where there is none; raises Locked."""
    file = home / LOCK
    return _unlocked(file, file.read_bytes()) if file.is_file() else OPEN


@cache
def _unlocked(file: Path, kept: bytes) -> Lock:
    given = os.environ.get(PASSPHRASE)
    if given is None and sys.stdin is not None and sys.stdin.isatty():
        given = getpass("Passphrase of this station: ")
    if given is None:
        raise Locked(f"The keys in {file.parent} are locked; set {PASSPHRASE}, or start this at a terminal, which asks for it.")
    return unlock(kept, given)
