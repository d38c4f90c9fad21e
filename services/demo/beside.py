"""How a shell reaches the demo: a file beside its databases that names them, and nothing secret."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from services.settings import BESIDE, TAKES
from shared.kit.files import EVERYBODY, write_whole

SAID = ("REFNET_HOME", "REFNET_NETWORK", "REFNET_PROGRAMME", "KAFKA_BOOTSTRAP_SERVERS")
OPERATORS = "REFNET_KAFKA_"  # how whoever runs a broker that is not ours reaches it: as the shell has it, never in a file


def write_env(home: Path, environment: Mapping[str, str]) -> str:
    """Writes the file; the line that makes `refnet` speak to this demo. Whatever else the shell says of another installation is
    taken back there."""
    said = [f"export {name}={shlex.quote(environment[name])}" for name in SAID if name in environment]
    others = [name for name in TAKES if not name.startswith(OPERATORS)]
    head = "# Read into a shell with a dot and a space before it: `refnet` speaks to this demo then."
    lines = [head, f"unset {' '.join(others)}", *said]
    write_whole(home / BESIDE, "\n".join([*lines, ""]).encode(), EVERYBODY)
    return f". {shlex.quote(_short(home / BESIDE))}"


def _short(file: Path) -> str:
    """As seen from here, where it lies below; `sh` looks for a name without a slash in PATH."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
