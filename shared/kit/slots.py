"""A process's own small number, 0, 1, 2 …, free again the moment it dies: the kernel lets go of the lock, however it ended."""

import fcntl
import os
from pathlib import Path

SLOTS_MAX = 1_000  # processes of one kind on one machine


class Slot:
    """Held as long as this object lives."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(SLOTS_MAX):
            handle = os.open(folder / f"{name}.{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                continue
            self.number, self._handle = number, handle
            return
        raise OSError(f"more than {SLOTS_MAX} processes hold a slot of '{name}'")

    def release(self) -> None:
        """Gives the number back."""
        os.close(self._handle)
