"""The migrated schema is the schema that the code means, on both databases."""

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from shared.casework.migrate import config_on, migrate
from shared.kit.db import Database


def _check(connection: Connection) -> None:
    command.check(config_on(connection))  # raises where a table and its model differ


def _tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


async def test_migrating_twice_is_migrating_once_and_leaves_nothing_to_add(database_url: str) -> None:
    database = Database(database_url)
    await migrate(database)
    await migrate(database)
    async with database.engine.connect() as connection:
        tables = await connection.run_sync(_tables)
        await connection.run_sync(_check)
    assert "exchange_outbox" in tables
    await database.close()


async def test_the_shared_branch_has_one_head(database_url: str) -> None:
    database = Database(database_url)
    async with database.engine.connect() as connection:
        heads = await connection.run_sync(lambda c: ScriptDirectory.from_config(config_on(c)).get_heads())
    assert heads == ["0001_exchange"]
    await database.close()
