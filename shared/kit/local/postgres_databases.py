"""Makes and drops databases on a PostgreSQL that somebody else started: fresh ones for each test, from templates."""

import re
import secrets
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared.kit.local.cache import held
from shared.kit.local.errors import LocalServerError
from shared.kit.local.ports import LOOPBACK

SUPERUSER = "postgres"
COMMAND_DEADLINE_S = 60
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")  # names go into SQL text, so nothing else is let through


@dataclass(frozen=True)
class PostgresDatabases:
    """The databases of one server. It may be copied to other processes: it holds an address, not a connection."""

    port: int
    psql: Path
    folder: Path  # goes when the server goes; holds the locks of templates being built

    def url(self, name: str) -> str:
        return f"postgresql://{SUPERUSER}@{LOOPBACK}:{self.port}/{name}"

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Its address, `postgresql://…`. Raises LocalServerError, also where it exists already."""
        source = f" TEMPLATE {_checked(template)}" if template else ""
        self.execute(f"CREATE DATABASE {_checked(name)}{source}")
        return self.url(name)

    def fresh_database(self, template: str | None = None) -> str:
        """The address of a new database under a name that nobody else uses: empty, or a copy of `template`."""
        return self.create_database(f"fresh_{secrets.token_hex(8)}", template=template)

    def drop_database(self, name: str) -> None:
        """Drops it, whoever is still connected; nothing happens where it is gone already."""
        self.execute(f"DROP DATABASE IF EXISTS {_checked(name)} WITH (FORCE)")

    def template(self, name: str, build: Callable[[str], None]) -> str:
        """The name of a template, built by the first of all processes to ask: `build(address)` migrates it, say.

        A test then takes `fresh_database(postgres.template("police_head", migrate))`: a copy costs a tenth of a second,
        migrating to head several. `build` must close its connections, or nothing can be copied.
        """
        with held(self.folder / f"template-{_checked(name)}.lock"):
            if not self._exists(name):
                unfinished = f"{name}_unfinished"
                self.drop_database(unfinished)
                build(self.create_database(unfinished))
                self.execute(f"ALTER DATABASE {_checked(unfinished)} RENAME TO {_checked(name)}")
        return name

    def execute(self, statement: str, *, database: str = SUPERUSER) -> str:
        """Runs one statement as the superuser; its rows as text. Raises LocalServerError."""
        argv = [str(self.psql), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=COMMAND_DEADLINE_S, check=False)
        except (OSError, subprocess.SubprocessError) as cause:
            raise LocalServerError(f"psql did not run: {cause}.") from cause
        if done.returncode != 0:
            raise LocalServerError(f"PostgreSQL refused: {done.stderr.strip()}")
        return done.stdout.strip()

    def _exists(self, name: str) -> bool:
        return _checked(name) in self.execute("SELECT datname FROM pg_database").splitlines()


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise LocalServerError(f"{name!r} cannot name a database: lower-case letters, digits and _ only, 63 at most.")
    return name
