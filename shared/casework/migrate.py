"""Brings a database to the newest schema: the shared branch, and the agency's own where one is named.

Alembic is imported only here and only to migrate: it costs 9 MB that a server does not need to see whether it was done.
"""

import os
import re
from ast import literal_eval
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.casework.accounts import tables as _accounts  # noqa: F401 — each fills SQLModel.metadata
from shared.casework.alarms import tables as _alarms  # noqa: F401
from shared.casework.breaches import tables as _breaches  # noqa: F401
from shared.casework.cases import tables as _cases  # noqa: F401
from shared.casework.circles import tables as _circles  # noqa: F401
from shared.casework.conferences import tables as _conferences  # noqa: F401
from shared.casework.consents import tables as _consents  # noqa: F401
from shared.casework.directory import tables as _directory  # noqa: F401
from shared.casework.exports import tables as _exports  # noqa: F401
from shared.casework.eyes import tables as _eyes  # noqa: F401
from shared.casework.figures import tables as _figures  # noqa: F401
from shared.casework.following import tables as _following  # noqa: F401
from shared.casework.holds import tables as _holds  # noqa: F401
from shared.casework.messages import tables as _messages  # noqa: F401
from shared.casework.paper import tables as _paper  # noqa: F401
from shared.casework.protocols import tables as _protocols  # noqa: F401
from shared.casework.referrals import tables as _referrals  # noqa: F401
from shared.casework.registers import tables as _registers  # noqa: F401
from shared.casework.reports import tables as _reports  # noqa: F401
from shared.exchange import tables as _exchange  # noqa: F401
from shared.exchange.tables import KeystoreOfThis
from shared.kit.db import Database
from shared.kit.errors import RefnetError
from shared.kit.keystore import Keystore

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent / "migrations"
SHARED_PREFIXES = ("exchange_", "casework_")
VERSIONS = Table("alembic_version", MetaData(), Column("version_num", String(32)))
STANDS_ON = re.compile(r"^(revision|down_revision|depends_on) = ([^#\n]+)", re.MULTILINE)


async def migrate(database: Database, own: Path | None = None, own_prefix: str | None = None) -> None:
    """Runs what has not been run yet; a second call changes nothing. `own` is the agency's migrations folder, `own_prefix` its
    tables' prefix."""
    async with database.engine.connect() as connection:
        await connection.execution_options(write=True)
        # SQLite makes a table anew where a check must go: what points at it is looked at afterwards.
        driver = await _sqlite_driver(connection) if database.dialect == "sqlite" else None
        if driver is not None:
            await driver.execute("PRAGMA foreign_keys=OFF")
        try:
            before = await connection.run_sync(_upgrade, own, own_prefix, database.keys)
            if driver is not None and await driver.execute_fetchall("PRAGMA foreign_key_check"):
                raise RefnetError("The migration would leave rows that point nowhere; nothing was changed, report this.")
            await connection.commit()
        finally:
            if driver is not None:
                await driver.rollback()
                await driver.execute("PRAGMA foreign_keys=ON")
        if driver is not None and before:
            # Pages that hold what lay in the clear are written over; on PostgreSQL that is the operator's (docs/operating.md).
            await driver.execute("VACUUM")
            await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _sqlite_driver(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection


async def is_migrated(database: Database, own: Path | None = None) -> bool:
    """Whether the database is at this version's schema; one that this version does not know is not. Raises DatabaseAway."""
    async with database.read() as tx:
        return bool(await (await tx.session.connection()).run_sync(_is_current, own))


def _upgrade(connection: Connection, own: Path | None, own_prefix: str | None, keys: Keystore | None) -> bool:
    """Whether rows were there and a step was run, so that what they were before may still lie in the file."""
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    before = MigrationContext.configure(connection).get_current_heads()
    known = {one.revision for one in ScriptDirectory.from_config(config_on(connection, own, own_prefix)).walk_revisions()}
    if foreign := set(before) - known:
        raise RefnetError(
            f"The database is of a newer version, or of an agency of another kind: it has the step '{min(foreign)}', which is not"
            " known here. Install that version, or correct REFNET_DATABASE_URL; nothing was changed."
        )
    command.upgrade(config_on(connection, own, own_prefix), "heads")
    if keys is not None:
        mine = {"id": 1, "keystore": keys.id}
        table = KeystoreOfThis.__table__  # type: ignore[attr-defined]
        if connection.execute(table.select()).first() is None:
            connection.execute(table.insert(), mine)
    return bool(before) and before != MigrationContext.configure(connection).get_current_heads()


def unknown_steps(applied: Iterable[str], own: Path | None) -> set[str]:
    """Of steps at which a database stands, those that this version, or this kind of agency, does not have."""
    return set(applied) - _steps(own).keys()


def _is_current(connection: Connection, own: Path | None) -> bool:
    there = inspect(connection).has_table(VERSIONS.name)
    heads = set(connection.execute(VERSIONS.select()).scalars()) if there else set()
    # `depends_on` leaves the shared head out of the table until it moves, so what is applied is followed down from its heads.
    steps, applied = _steps(own), set[str]()
    while heads:
        step = heads.pop()
        if step not in steps:  # a newer version's
            return False
        applied.add(step)
        heads |= steps[step] - applied
    return steps.keys() <= applied


@cache
def _steps(own: Path | None) -> Mapping[str, set[str]]:
    """Every step and what it stands on, as its file says it; read once, because readiness asks every few seconds."""
    steps = {}
    for file in (file for place in _places(own) for file in place.glob("[0-9]*.py")):
        said = {name: literal_eval(value) for name, value in STANDS_ON.findall(file.read_text())}
        below = (said["down_revision"], said.get("depends_on"))
        steps[said["revision"]] = {one for part in below for one in ([part] if isinstance(part, str) else part or ())}
    return steps


def config_on(connection: Connection, own: Path | None = None, own_prefix: str | None = None) -> "Config":
    """Alembic's settings for work on an open connection."""
    config = _config(own)
    config.attributes["connection"] = connection
    config.attributes["prefixes"] = (*SHARED_PREFIXES, *([own_prefix] if own_prefix else []))
    return config


def _config(own: Path | None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(map(str, _places(own))))
    return config


def _places(own: Path | None) -> list[Path]:
    return [HERE / "versions", *([own] if own is not None else [])]
