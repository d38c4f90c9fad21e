"""A backup from before an upgrade is put in the place of the database that was upgraded: that is when one is needed."""

import asyncio
from pathlib import Path

import pytest
from alembic import command
from schema import postgres_at_head
from sqlalchemy import inspect, text

from services import backup
from services.backup import _in_place_of, back_up
from services.police.main import PARTS
from shared.casework.migrate import config_on, is_migrated, migrate
from shared.kit.db import Database
from shared.kit.errors import RefnetError
from shared.kit.local.postgres_databases import PostgresDatabases

OWN = (PARTS.migrations, f"{PARTS.kind}_")
BEFORE = "0030_protocols"
NEWER = "casework_conference_invitations"  # of the step after it; points at cases, which are older


async def tables(database: Database) -> list[str]:
    async with database.read() as tx:
        return await (await tx.session.connection()).run_sync(lambda c: inspect(c).get_table_names())


async def backed_up_before_an_upgrade(database: Database, url: str, copy: Path) -> None:
    async with database.engine.connect() as connection:
        await connection.execution_options(write=True)
        await connection.run_sync(lambda c: command.upgrade(config_on(c, *OWN), BEFORE))
        if database.dialect == "postgresql":  # what a copy has beside the agency's own takes its place too
            await connection.execute(text("CREATE SCHEMA elsewhere"))
            await connection.execute(text("CREATE TABLE elsewhere.notes (id int PRIMARY KEY)"))
        await connection.commit()
    assert NEWER not in await tables(database)
    back_up(url, copy)
    await migrate(database, *OWN)
    assert NEWER in await tables(database)
    await database.close()


async def test_an_older_versions_backup_takes_the_newer_databases_place_and_is_brought_up_to_date(
    database_url: str, tmp_path: Path
) -> None:
    database = Database(database_url)
    await backed_up_before_an_upgrade(database, database_url, tmp_path / "before")
    with _in_place_of(database_url, tmp_path / "before"):
        assert NEWER not in await tables(database)
        await migrate(database, *OWN)
        assert await is_migrated(database, PARTS.migrations)
    await database.close()


async def test_a_backup_that_waits_for_a_table_too_long_is_ended_and_says_so(
    postgres: PostgresDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await asyncio.to_thread(postgres_at_head, postgres, PARTS.kind)
    database = Database(url)
    monkeypatch.setattr(backup, "PROGRAM_DEADLINE_S", 1)
    async with database.write() as tx:  # as VACUUM FULL holds it
        await tx.session.execute(text("LOCK TABLE casework_cases IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(RefnetError, match="pg_dump did not do its part: it was ended after"):
            await asyncio.to_thread(back_up, url, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []
    await database.close()


async def test_a_restore_that_fails_on_its_way_leaves_the_database_as_it_was(postgres: PostgresDatabases, tmp_path: Path) -> None:
    url = await asyncio.to_thread(postgres_at_head, postgres, PARTS.kind)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    database = Database(url)
    back_up(url, whole)
    cut.write_bytes(whole.read_bytes()[:-2_000])
    async with database.write() as tx:
        await tx.session.execute(text("CREATE TABLE casework_newer (id int PRIMARY KEY)"))
    await database.close()
    await check_fails(url, cut)
    async with database.write() as tx:  # something that is not the agency's stands on what would go
        await tx.session.execute(text("CREATE FUNCTION refnet_in_the_way() RETURNS int LANGUAGE sql AS 'SELECT 1'"))
        await tx.session.execute(text("CREATE SCHEMA elsewhere"))
        await tx.session.execute(text("CREATE VIEW elsewhere.uses AS SELECT refnet_in_the_way() AS one"))
    await database.close()
    await check_fails(url, whole)
    postgres.drop_database(url.rpartition("/")[2])


async def check_fails(url: str, copy: Path) -> None:
    with pytest.raises(RefnetError, match="did not do its part: .*(error|ERROR)"), _in_place_of(url, copy):
        pytest.fail("it was said to be restored")
    database = Database(url)
    assert "casework_newer" in await tables(database)
    assert await is_migrated(database, PARTS.migrations)
    await database.close()
