"""What deploy/postgres/10-roles.sh promises, on a real PostgreSQL: the application reads and writes rows and owns nothing."""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.backup import back_up
from shared.casework.migrate import migrate
from shared.kit.db import Database
from shared.kit.local.postgres import PostgresCluster
from shared.kit.local.postgres_binaries import find_postgres

SCRIPT = Path(__file__).parents[2] / "deploy" / "postgres" / "10-roles.sh"
OWNER, APP = 'owner\'s "word"', "app-word"


@pytest.fixture
async def application(postgres_cluster: PostgresCluster) -> AsyncIterator[asyncpg.Connection]:
    """The application's connection to a database that has been made and migrated as deploy/ does it."""
    server = urlsplit(postgres_cluster.create_database("social_welfare"))
    assert server.hostname
    assert server.username
    postgres = {"POSTGRES_USER": server.username, "POSTGRES_DB": "social_welfare"}
    where = {"PGHOST": server.hostname, "PGPORT": str(server.port)}
    words = {"REFNET_OWNER_PASSWORD": OWNER, "REFNET_APP_PASSWORD": APP}
    subprocess.run([str(SCRIPT)], env={**os.environ, **postgres, **where, **words}, check=True)
    owner = Database(f"postgresql://refnet_owner@{server.hostname}:{server.port}/social_welfare")
    await migrate(owner)
    await owner.close()
    connection = await asyncpg.connect(
        host=server.hostname, port=server.port, user="refnet_app", password=APP, database="social_welfare"
    )
    yield connection
    await connection.close()


SEEN = "SELECT count(*) FROM casework_cases"
AS_MACHINE = "SELECT set_config('refnet.asks', 'machine', true)"
OFFICER = """SELECT set_config('refnet.asks', 'account', true), set_config('refnet.account', gen_random_uuid()::text, true),
    set_config('refnet.desks', '{here}', true)"""
CASE = """INSERT INTO casework_cases (id, number, circle, circle_version, facility, is_received, told_under, opened_at)
    VALUES (gen_random_uuid(), $1, gen_random_uuid(), 1, 'here', false, '{}', now())"""


async def test_whoever_does_not_say_who_asks_is_shown_nothing_not_even_the_owner(
    application: asyncpg.Connection, postgres_cluster: PostgresCluster, tmp_path: Path
) -> None:
    async with application.transaction():
        await application.execute(AS_MACHINE)
        await application.execute(CASE, "S-2026-00001")
        assert await application.fetchval(SEEN) == 1
    assert await application.fetchval(SEEN) == 0  # what was told ended with its transaction
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute(CASE, "S-2026-00002")
    for desk, count in (("here", 1), ("there", 0)):
        async with application.transaction():
            await application.execute(OFFICER.replace("here", desk))
            assert await application.fetchval(SEEN) == count
    server = urlsplit(postgres_cluster.create_database("elsewhere"))
    owner = await asyncpg.connect(host=server.hostname, port=server.port, user="refnet_owner", database="social_welfare")
    assert await owner.fetchval(SEEN) == 0
    await owner.close()
    # A backup that the application's user makes has all rows all the same.
    copy = tmp_path / "copy"
    back_up(f"postgresql://refnet_app:{APP}@{server.hostname}:{server.port}/social_welfare", copy)
    program = find_postgres().psql.with_name("pg_restore")
    said = [str(program), "--data-only", "--table=casework_cases", "--file=-", str(copy)]
    read = subprocess.run(said, capture_output=True, text=True, check=True)
    assert "S-2026-00001" in read.stdout


async def test_the_application_may_use_every_table_and_own_none(application: asyncpg.Connection) -> None:
    usable = "has_table_privilege(format('public.%I', tablename), 'SELECT, INSERT, UPDATE, DELETE')"
    rows = await application.fetch(f"SELECT tableowner, {usable} AS usable FROM pg_tables WHERE schemaname = 'public'")
    assert {(row["tableowner"], row["usable"]) for row in rows} == {("refnet_owner", True)}
    for forbidden in ("CREATE TABLE planted (n int)", "DROP TABLE alembic_version", "TRUNCATE alembic_version"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(forbidden)
    assert await application.fetchval("SELECT bool_or(rolsuper OR rolbypassrls) FROM pg_roles WHERE rolname ~ '^refnet'") is False
