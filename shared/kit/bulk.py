"""Many rows in one statement: arrays unnested on PostgreSQL's own driver, the portable form beside it.

A row costs PostgreSQL less than the round trip and the parameters that carry it, so the hot paths send columns, not rows.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import JSON, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

from shared.kit.db import Transaction

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


async def insert_many(
    tx: Transaction, table: type[SQLModel], rows: Sequence[Mapping[str, Any]], *, absent_only: bool = False
) -> None:
    """Inserts rows that all have the same keys; with `absent_only` those that are there stay as they are.

    None in a JSON column is JSON's null, as the portable form has it.
    """
    if not rows:
        return
    names = tuple(rows[0])
    if tx.dialect == "postgresql":
        await tx.flush()
        await (await tx.driver()).execute(_unnested(table, names, absent_only), *columns_of(table, names, rows))
    elif absent_only:
        await tx.session.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))
    else:
        await tx.session.execute(insert(table), list(rows))


def columns_of(table: type[SQLModel], names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """The rows as the driver takes them: one array a column, JSON as text."""
    is_json = _json_names(table)
    return [[json.dumps(row[n]) for row in rows] if n in is_json else [row[n] for row in rows] for n in names]


@cache
def _json_names(table: Any) -> frozenset[str]:
    return frozenset(column.name for column in table.__table__.c if isinstance(column.type, JSON))


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
