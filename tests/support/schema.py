"""Databases at the newest schema for tests: migrated once, copied for each. The migrations themselves have tests of their own.

Migrating runs on a loop of its own, so that a caller that has one running asks from a thread (`asyncio.to_thread`).
"""

import asyncio
import tempfile
from functools import cache
from pathlib import Path

import asyncpg

from services.kinds import parts_of
from shared.casework.migrate import migrate
from shared.contracts.casework.codes import AgencyKind
from shared.kit.db import Database
from shared.kit.local.postgres_databases import PostgresDatabases


async def _migrate(url: str, kind: str | None) -> None:
    database = Database(url)
    if kind is None:
        await migrate(database)
    else:
        parts = parts_of(AgencyKind(kind))
        await migrate(database, parts.migrations, f"{parts.kind}_")
    await database.close()


@cache
def _image(kind: str | None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "head.db"
        asyncio.run(_migrate(f"sqlite:///{file}", kind))
        return file.read_bytes()


def sqlite_at_head(file: Path, kind: str | None) -> str:
    """The address of a new file at the newest schema of a kind of agency; of none, what all kinds share."""
    file.write_bytes(_image(kind))
    return f"sqlite:///{file}"


def postgres_at_head(server: PostgresDatabases, kind: str) -> str:
    """The address of a new database at an agency's newest schema, as its superuser: no row-level security binds whoever asks."""
    return server.fresh_database(server.template(f"{kind}_head", lambda url: asyncio.run(_made(url, kind))))


def desk_and_clinic(server: PostgresDatabases, home: Path) -> dict[str, str]:
    """The addresses of a desk and a clinic that are at work, at the newest schema, and of an office that is not, in a file."""
    at_work = {kind: postgres_at_head(server, kind) for kind in ("police", "health")}
    return at_work | {"social_welfare": f"sqlite:///{home / 'w.db'}"}


def shared_postgres_at_head(server: PostgresDatabases) -> str:
    """The address of a new database at the newest schema that all kinds share, as its superuser who owns it."""
    return server.fresh_database(server.template("shared_head", lambda url: asyncio.run(_migrate(url, None))))


def as_application(url: str) -> str:
    """The same database for whoever owns nothing in it, as web and worker of an agency connect (deploy/postgres/10-roles.sh)."""
    return url.replace("//postgres@", f"//{APPLICATION}@")


def as_superuser(url: str) -> str:
    """The other way round: for what only an owner may do, as counting a table anew for the planner."""
    return url.replace(f"//{APPLICATION}@", "//postgres@")


OWNER, APPLICATION = "refnet_owner", "refnet_app"
ROLES = f"""
DO $$ BEGIN CREATE ROLE {OWNER} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE {APPLICATION} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
GRANT USAGE, CREATE ON SCHEMA public TO {OWNER};
GRANT USAGE ON SCHEMA public TO {APPLICATION};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APPLICATION};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {APPLICATION};
"""


async def _made(url: str, kind: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(ROLES)
    await connection.close()
    await _migrate(url.replace("//postgres@", f"//{OWNER}@"), kind)


# Small tables, up to 16 pages, are deleted from, with no trigger asked: a truncated one costs new files for itself and each index.
EMPTY = """
DO $$ DECLARE one record; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT oid::regclass AS name, pg_relation_size(oid) AS size FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version' LOOP
        CONTINUE WHEN one.size = 0;
        EXECUTE CASE WHEN one.size > 131072 THEN 'TRUNCATE ' || one.name || ' CASCADE' ELSE 'DELETE FROM ' || one.name END;
    END LOOP;
    PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence;
END $$
"""
# Whoever was told to go is waited for: `pg_terminate_backend` itself would look ten times a second, at each test's end three times.
THROW_OUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
GONE_WITHIN_S = 10


async def empty(url: str) -> None:
    """A database as `postgres_at_head` made it, at a fifth of the cost of a new one; whoever is still connected is thrown out."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(GONE_WITHIN_S):
            while await connection.fetchval(THROW_OUT):
                await asyncio.sleep(0)
        await connection.execute(EMPTY)
    finally:
        await connection.close()
