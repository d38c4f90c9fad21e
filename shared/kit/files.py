"""Files that must be whole or not there, and some that only their owner may read."""

import os
from pathlib import Path

OWNER_ONLY = 0o600
EVERYBODY = 0o644


def write_whole(file: Path, content: bytes, mode: int = OWNER_ONLY) -> None:
    """Writes a file so that a reader finds the former one or this, and after a power cut too; its folder is the owner's alone."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    new.replace(file)


def write_over(file: Path) -> None:
    """Writes a file over where it lies, on the disk when this returns, and takes it away. Raises OSError."""
    with file.open("r+b") as handle:
        handle.write(b" " * file.stat().st_size)
        handle.flush()
        os.fsync(handle.fileno())
    file.unlink()


def sync_folder(folder: Path) -> None:
    """What was renamed or taken away in a folder stays so after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
