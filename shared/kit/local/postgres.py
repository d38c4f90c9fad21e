"""A throw-away PostgreSQL cluster on the loopback address: made in a temporary folder, gone with its owner."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.kit.local.errors import LocalServerError
from shared.kit.local.ports import LOOPBACK, free_ports
from shared.kit.local.postgres_binaries import PostgresBinaries, find_postgres, reachable_folder, server_user
from shared.kit.local.postgres_databases import SUPERUSER, PostgresDatabases
from shared.kit.local.process import ServerProcess, identity_of

READY_LINE = "database system is ready to accept connections"
INITDB_DEADLINE_S = 120  # 1 s when quiet
START_DEADLINE_S = 60  # 0.1 s when quiet, more where a killed server has much to recover
STOP_DEADLINE_S = 20
PORT_RACES_MAX = 5
MAX_CONNECTIONS = 200  # two workers of tests, each with three agencies and their pools
ACCESS = f"host all all {LOOPBACK}/32 trust\n"  # no password, and no way in but the loopback address


class PostgresCluster:
    """One server of its own. `fsync=False` is for tests that kill processes and never the machine; `settings` win over ours."""

    def __init__(self, *, fsync: bool = True, settings: Mapping[str, str] | None = None) -> None:
        self._fsync = fsync
        self._settings = dict(settings or {})
        self._folder: Path | None = None
        self._port = 0
        self._process: ServerProcess | None = None
        self._databases: PostgresDatabases | None = None

    @property
    def databases(self) -> PostgresDatabases:
        if self._databases is None:
            raise LocalServerError("The PostgreSQL cluster has not been started.")
        return self._databases

    @property
    def port(self) -> int:
        return self.databases.port

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def url(self, name: str) -> str:
        return self.databases.url(name)

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Its address, `postgresql://…`."""
        return self.databases.create_database(name, template=template)

    def fresh_database(self, template: str | None = None) -> str:
        """The address of a new database: empty, or a copy of `template`, which `template()` makes."""
        return self.databases.fresh_database(template)

    def drop_database(self, name: str) -> None:
        self.databases.drop_database(name)

    def template(self, name: str, build: Callable[[str], None]) -> str:
        return self.databases.template(name, build)

    def start(self) -> None:
        """Returns when clients can connect. Port and data stay after the first start. Raises LocalServerError."""
        if self.running:
            return
        programs = find_postgres()
        if self._folder is None:
            self._folder = self._initdb(programs)
        if self._port:
            self._launch(programs)
        else:
            self._launch_on_free_port(programs)
        self._databases = PostgresDatabases(self._port, programs.psql, self._folder)

    def stop(self) -> None:
        """Ends the server cleanly, throwing out whoever is connected; the data stays until `remove`."""
        if self._process is not None:
            self._process.stop(deadline_s=STOP_DEADLINE_S, how=signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL, as a power cut would; its sessions end by themselves when they miss it."""
        if self._process is not None:
            self._process.kill()

    def restart(self) -> None:
        """Stops the server unless it is dead already, and starts it on the same port and data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stops the server and deletes all its data."""
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove()

    def _initdb(self, programs: PostgresBinaries) -> Path:
        user = server_user()
        identity = identity_of(user)
        folder = Path(tempfile.mkdtemp(prefix="refnet-postgres-", dir=reachable_folder()))
        if identity.user is not None and identity.group is not None:
            os.chown(folder, identity.user, identity.group)
        argv = [str(programs.initdb), "-D", str(folder / "data"), "-U", SUPERUSER, "-A", "trust"]
        done = subprocess.run(
            [*argv, "--no-sync", "--no-locale", "-E", "UTF8"],
            capture_output=True,
            text=True,
            timeout=INITDB_DEADLINE_S,
            check=False,
            cwd=folder,
            user=identity.user,
            group=identity.group,
            extra_groups=identity.extra_groups,
        )
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            raise LocalServerError(f"PostgreSQL could not make a cluster: {done.stderr.strip()}")
        (folder / "data" / "pg_hba.conf").write_text(ACCESS)
        return folder

    def _launch_on_free_port(self, programs: PostgresBinaries) -> None:
        for attempt in range(1, PORT_RACES_MAX + 1):
            (self._port,) = free_ports(1)
            try:
                self._launch(programs)
                break
            except LocalServerError:
                lost_race = self._process is not None and any("Address already in use" in t for t in self._process.tail)
                if attempt == PORT_RACES_MAX or not lost_race:
                    self._port = 0
                    raise

    def _launch(self, programs: PostgresBinaries) -> None:
        assert self._folder is not None
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": str(MAX_CONNECTIONS),
            "fsync": "on" if self._fsync else "off",
            "lc_messages": "C",  # we read its ready line
            "logging_collector": "off",
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = ServerProcess(
            "PostgreSQL",
            [str(programs.postgres), "-D", str(self._folder / "data"), *options],
            ready_line=READY_LINE,
            log=self._folder / "postgres.log",
            user=server_user(),
            # Immediate shutdown: a killed postmaster would leave shared memory behind.
            orphan_signal=signal.SIGQUIT,
            remove_when_orphaned=[self._folder],
        )
        self._process.start(deadline_s=START_DEADLINE_S)
