"""A backup from before an upgrade is put in the place of the database that was upgraded: that is when one is needed."""

from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import inspect, text

from services.backup import _in_place_of, back_up
from services.police.main import PARTS
from shared.casework.migrate import config_on, is_migrated, migrate
from shared.kit.db import Database
from shared.kit.errors import RefnetError

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


@pytest.mark.parametrize("broken", ["the file ends early", "the server refuses a part of it"])
async def test_a_restore_that_fails_on_its_way_leaves_the_database_as_it_was(
    postgres_url: str, tmp_path: Path, broken: str
) -> None:
    database, copy = Database(postgres_url), tmp_path / "before"
    await backed_up_before_an_upgrade(database, postgres_url, copy)
    if broken == "the file ends early":
        copy.write_bytes(copy.read_bytes()[:-2_000])
    else:  # another owner's, which this one may not take away
        async with database.write() as tx:
            await tx.session.execute(text("CREATE FUNCTION refnet_in_the_way() RETURNS int LANGUAGE sql AS 'SELECT 1'"))
            await tx.session.execute(text("CREATE SCHEMA elsewhere"))
            await tx.session.execute(text("CREATE VIEW elsewhere.uses AS SELECT refnet_in_the_way() AS one"))
        await database.close()
    with pytest.raises(RefnetError, match="did not do its part: .*(error|ERROR)"), _in_place_of(postgres_url, copy):
        pytest.fail("it was said to be restored")
    assert NEWER in await tables(database)
    assert await is_migrated(database, PARTS.migrations)
    await database.close()
