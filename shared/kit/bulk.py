"""Many rows in one statement: arrays unnested on PostgreSQL's own driver, the portable form beside it.

A row costs PostgreSQL less than the round trip and the parameters that carry it, so the hot paths send columns, not rows.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

from shared.kit.db import Transaction

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


async def insert_many(
    tx: Transaction, table: type[SQLModel], rows: Sequence[Mapping[str, Any]], *, absent_only: bool = False
) -> None:
    """Inserts rows that all have the same keys, no JSON among them; with `absent_only` those that are there stay as they are."""
    if not rows:
        return
    names = tuple(rows[0])
    if tx.dialect == "postgresql":
        await (await tx.driver()).execute(_unnested(table, names, absent_only), *([row[n] for row in rows] for n in names))
    elif absent_only:
        await tx.session.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))
    else:
        await tx.session.execute(insert(table), list(rows))


@cache
def _unnested(table: Any, names: tuple[str, ...], absent_only: bool) -> str:
    columns = table.__table__.c
    arrays = ", ".join(f"${number}::{array_type(columns[name])}" for number, name in enumerate(names, start=1))
    columns_named = ", ".join(f'"{name}"' for name in names)  # quoted: `inner` is a word of SQL's own
    end = " ON CONFLICT DO NOTHING" if absent_only else ""
    return f"INSERT INTO {table.__tablename__} ({columns_named}) SELECT * FROM unnest({arrays}){end}"  # noqa: S608 — our own names


def array_type(column: Any) -> str:
    """The PostgreSQL array type of a column, for a parameter that carries many of its values."""
    return f"{column.type.compile(dialect=POSTGRESQL)}[]"
