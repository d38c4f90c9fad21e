"""Packages from npm for tests, installed once from a committed lock file; a machine without npm fails."""

import os
import shutil
import subprocess
from pathlib import Path

from shared.kit.local.cache import default_cache, held

INSTALL_TIMEOUT_S = 100


def installed(name: str, folder: Path, *names: str, scripts: bool = False) -> Path:
    """A copy of the named files of a folder with its packages beside them; `scripts` lets packages run their own installers."""
    assert shutil.which("npm"), "npm is missing; run `make servers`"
    home = default_cache(Path.home()) / name
    with held(home.with_suffix(".lock")):
        lock = (folder / "package-lock.json").read_bytes()
        done = home / "installed"
        if not done.exists() or done.read_bytes() != lock:
            home.mkdir(parents=True, exist_ok=True)
            for file in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(folder / file, home / file)
            command = ["npm", "ci", "--no-audit", "--no-fund", *([] if scripts else ["--ignore-scripts"])]
            environment = {**os.environ, "CI": "1"}
            subprocess.run(command, cwd=home, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S, env=environment)
            done.write_bytes(lock)
        for file in names:
            if (folder / file).is_dir():
                shutil.copytree(folder / file, home / file, dirs_exist_ok=True)
            else:
                shutil.copy(folder / file, home / file)
    return home
