"""Finds the programs of PostgreSQL on this machine, and the user to run them as: they refuse root."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shared.kit.local.errors import LocalServerError

MAJOR_MIN = 14
DEBIAN_ROOT = Path("/usr/lib/postgresql")
SYSTEM_TEMPORARY = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108 (only ever the parent of a mkdtemp)
UNPRIVILEGED = ("postgres", "nobody")
VERSION_DEADLINE_S = 10


@dataclass(frozen=True)
class PostgresBinaries:
    """Paths of the three programs that a throw-away cluster needs."""

    initdb: Path
    postgres: Path
    psql: Path


def find_postgres(root: Path = DEBIAN_ROOT) -> PostgresBinaries:
    """The newest PostgreSQL of Debian's folders, else of PATH. Raises LocalServerError."""
    folders = [*_debian_folders(root), *_path_folders()]
    for folder in folders:
        psql = folder / "psql" if (folder / "psql").exists() else Path(shutil.which("psql") or "")
        programs = PostgresBinaries(folder / "initdb", folder / "postgres", psql)
        if programs.initdb.exists() and programs.postgres.exists() and psql.name and _major(programs) >= MAJOR_MIN:
            return programs
    raise LocalServerError(f"PostgreSQL {MAJOR_MIN} or newer is not installed; install it, or run scripts/install-test-servers.")


def server_user() -> str | None:
    """Whom to run the server as: nobody special, unless we are root. Raises LocalServerError."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in known:
            return name
    raise LocalServerError("PostgreSQL refuses to run as root, and there is no user 'postgres' or 'nobody'.")


def reachable_folder() -> Path:
    """A temporary folder's parent into which any user may descend: root's own is often closed to all others."""
    for base in (Path(tempfile.gettempdir()), *SYSTEM_TEMPORARY):
        if base.is_dir() and all(p.stat().st_mode & 0o001 for p in (base, *base.parents)):
            return base
    raise LocalServerError("No temporary folder is open to other users; set TMPDIR to one that is.")


def _debian_folders(root: Path) -> list[Path]:
    versions = sorted((int(p.name) for p in root.glob("[0-9]*") if p.name.isdigit()), reverse=True)
    return [root / str(version) / "bin" for version in versions]


def _path_folders() -> list[Path]:
    found = shutil.which("initdb")
    return [Path(found).resolve().parent] if found else []


def _major(programs: PostgresBinaries) -> int:
    try:
        done = subprocess.run(
            [programs.postgres, "--version"], capture_output=True, text=True, timeout=VERSION_DEADLINE_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"(\d+)", done.stdout)
    return int(found.group(1)) if found else 0
