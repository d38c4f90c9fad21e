"""Brings a database to the newest schema. Alembic is imported only here, because it costs memory that a server does not need."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from shared.exchange import tables as _exchange_tables  # noqa: F401 — fills SQLModel.metadata
from shared.kit.db import Database

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent / "migrations"


async def migrate(database: Database) -> None:
    """Runs what has not been run yet; a second call changes nothing."""
    async with database.engine.connect() as connection:
        await connection.execution_options(write=True)
        await connection.run_sync(_upgrade)
        await connection.commit()


def _upgrade(connection: Connection) -> None:
    from alembic import command

    command.upgrade(config_on(connection), "heads")


def config_on(connection: Connection) -> "Config":
    """Alembic's settings for work on an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(HERE / "versions"))
    config.attributes["connection"] = connection
    return config
