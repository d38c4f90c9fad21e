"""What deploy/postgres/10-roles.sh promises, on a real PostgreSQL: the application reads and writes rows and owns nothing."""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.casework.migrate import migrate
from shared.kit.db import Database
from shared.kit.local.postgres import PostgresCluster

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


async def test_the_application_may_use_every_table_and_own_none(application: asyncpg.Connection) -> None:
    usable = "has_table_privilege(format('public.%I', tablename), 'SELECT, INSERT, UPDATE, DELETE')"
    rows = await application.fetch(f"SELECT tableowner, {usable} AS usable FROM pg_tables WHERE schemaname = 'public'")
    assert {(row["tableowner"], row["usable"]) for row in rows} == {("refnet_owner", True)}
    for forbidden in ("CREATE TABLE planted (n int)", "DROP TABLE alembic_version", "TRUNCATE alembic_version"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(forbidden)
    assert await application.fetchval("SELECT bool_or(rolsuper OR rolbypassrls) FROM pg_roles WHERE rolname ~ '^refnet'") is False
