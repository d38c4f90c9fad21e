"""Databases at the newest schema for tests: migrated once, copied for each. The migrations themselves have tests of their own."""

import asyncio
import tempfile
import threading
from functools import cache
from pathlib import Path

from services.kinds import parts_of
from shared.casework.migrate import migrate
from shared.contracts.casework.codes import AgencyKind
from shared.kit.db import Database
from shared.kit.local.postgres_databases import PostgresDatabases

EXCHANGE = "exchange"  # the shared branch alone


def bring_to_head(url: str, kind: str = EXCHANGE) -> None:
    """Migrates, in a thread of its own: a caller's loop may run in this one."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(_migrate(url, kind))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


async def _migrate(url: str, kind: str) -> None:
    database = Database(url)
    parts = parts_of(AgencyKind(kind)) if kind != EXCHANGE else None
    await (migrate(database, parts.migrations, f"{parts.kind}_") if parts else migrate(database))
    await database.close()


@cache
def _image(kind: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "head.db"
        bring_to_head(f"sqlite:///{file}", kind)
        return file.read_bytes()


def sqlite_at_head(file: Path, kind: str = EXCHANGE) -> str:
    """The address of a new file at the newest schema."""
    file.write_bytes(_image(kind))
    return f"sqlite:///{file}"


def postgres_at_head(server: PostgresDatabases, kind: str = EXCHANGE) -> str:
    """The address of a new database at the newest schema."""
    return server.fresh_database(server.template(f"{kind}_head", lambda url: bring_to_head(url, kind)))
