"""Files that must be whole or not there, and some that only their owner may read."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from shared.kit.errors import RefnetError

OWNER_ONLY = 0o600
EVERYBODY = 0o644


def check_new(file: Path) -> None:
    """What a command will write is looked at before it does anything: the folder is there and takes a file, and nothing has the
    name. No folder is made: where a stick or disk should be and is not, the file would lie on this machine's own.

    Raises RefnetError.
    """
    if os.path.lexists(file):
        raise RefnetError(f"{file} exists already; name a file that does not.")
    if not file.parent.is_dir():
        raise RefnetError(f"There is no folder {file.parent}; make it, or bring the disk or stick that it is on.")
    trial = file.with_name(f".{file.name}.trial")
    try:
        os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
        trial.unlink()
    except OSError as error:
        raise RefnetError(f"{file} cannot be written ({error.strerror}); name another place.") from error


def write_whole(file: Path, content: bytes, mode: int = OWNER_ONLY) -> None:
    """Writes a file so that a reader finds the former one or this, and after a power cut too; its folder is the owner's alone."""
    write_together({file: content}, mode)


def write_together(files: Mapping[Path, bytes], mode: int = OWNER_ONLY) -> None:
    """Writes files that are of use together only: none of them is replaced before there is room for all. Raises OSError."""
    beside = {file: file.with_name(f".{file.name}.new") for file in files}
    try:
        for file, content in files.items():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside[file].unlink(missing_ok=True)
            with os.fdopen(os.open(beside[file], os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
        for file, new in beside.items():
            new.replace(file)
    except OSError:
        for new in beside.values():
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
        raise


def write_new(file: Path, content: bytes) -> None:
    """Writes a file that nothing is in the place of, for its owner alone, whole or not at all. Raises OSError."""
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    try:
        with os.fdopen(opened, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
    except OSError:
        file.unlink()
        raise


def write_over(file: Path) -> None:
    """Writes a file over where it lies, on the disk when this returns, and takes it away. Raises OSError."""
    with file.open("r+b") as handle:
        handle.write(b" " * file.stat().st_size)
        handle.flush()
        os.fsync(handle.fileno())
    file.unlink()


def sync_file(file: Path) -> None:
    """What another program wrote there is on the disk when this returns. Raises OSError."""
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """What was renamed or taken away in a folder stays so after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
