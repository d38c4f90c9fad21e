"""Whole tables as one line each, so that a test may say that nothing of a database has changed but what it names."""

import hashlib
from collections.abc import Collection

from sqlalchemy import Connection, inspect, text

from shared.kit.db import Database


async def contents(database: Database, but: Collection[str] = ()) -> dict[str, str]:
    """By table: how many rows it has, and a digest over all of them, whatever their order. `but`: tables, and table.column."""
    async with database.read() as tx:
        connection = await tx.session.connection()
        found = {}
        for table in sorted(set(await connection.run_sync(_tables)) - {"alembic_version", *but}):
            result = await connection.execute(text(f"SELECT * FROM {table}"))
            looked_at = [place for place, column in enumerate(result.keys()) if f"{table}.{column}" not in but]
            rows = sorted(repr([row[place] for place in looked_at]) for row in result.all())
            found[table] = f"{len(rows)} {hashlib.sha256(repr(rows).encode()).hexdigest()}"
    return found


def _tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()
