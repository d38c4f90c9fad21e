"""The migrated schema is the schema that the code means, on both databases, for the shared part and for every agency."""

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from services.agency import AgencyParts
from services.kinds import MODULES, parts_of
from shared.casework.migrate import SHARED_PREFIXES, config_on, is_migrated, migrate
from shared.kit.db import Database

EACH_KIND = pytest.mark.parametrize("kind", list(MODULES))


def _tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


@EACH_KIND
async def test_migrating_twice_is_migrating_once_and_leaves_nothing_to_add(database_url: str, kind: str) -> None:
    parts = parts_of(kind)  # type: ignore[arg-type]
    database, own = Database(database_url), (parts.migrations, f"{parts.kind}_")
    assert not await is_migrated(database, own[0])
    await migrate(database, *own)
    await migrate(database, *own)
    assert await is_migrated(database, own[0])
    async with database.engine.connect() as connection:
        tables = await connection.run_sync(_tables)
        # raises where a table and its model differ
        await connection.run_sync(lambda c: command.check(config_on(c, *own)))
    assert set(_names(parts)) <= set(tables)
    assert {t for t in tables if not t.startswith((*SHARED_PREFIXES, f"{parts.kind}_"))} <= {"alembic_version"}
    await database.close()


def _names(parts: AgencyParts) -> list[str]:
    return [str(table.__tablename__) for table in parts.tables]


@EACH_KIND
def test_an_agencys_own_tables_carry_its_prefix(kind: str) -> None:
    parts = parts_of(kind)  # type: ignore[arg-type]
    assert _names(parts)
    assert all(name.startswith(f"{parts.kind}_") for name in _names(parts))


@EACH_KIND
async def test_a_database_short_of_one_step_or_past_the_last_is_not_migrated(database_url: str, kind: str) -> None:
    parts = parts_of(kind)  # type: ignore[arg-type]
    database, own = Database(database_url), (parts.migrations, f"{parts.kind}_")
    await migrate(database, *own)
    async with database.engine.connect() as connection:
        scripts = await connection.run_sync(lambda c: ScriptDirectory.from_config(config_on(c, *own)))
    for head in scripts.get_heads():
        there = [step for step in scripts.get_heads() if step != head]
        before = scripts.get_revision(head)
        assert before is not None
        below = before.down_revision if isinstance(before.down_revision, str) else next(iter(before.down_revision or ()), None)
        for stand in ([below] if below is not None else []) + ["9999_of_a_newer_version"]:
            await _stand_at(database, [*there, stand])
            assert not await is_migrated(database, parts.migrations), stand
    await _stand_at(database, list(scripts.get_heads()))
    assert await is_migrated(database, parts.migrations)
    await database.close()


async def _stand_at(database: Database, heads: list[str]) -> None:
    async with database.write() as tx:
        await tx.session.execute(text("DELETE FROM alembic_version"))
        for head in heads:
            await tx.session.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": head})


async def test_the_shared_branch_has_one_head(database_url: str) -> None:
    database = Database(database_url)
    async with database.engine.connect() as connection:
        heads = await connection.run_sync(lambda c: ScriptDirectory.from_config(config_on(c)).get_heads())
    assert len(heads) == 1
    await database.close()
