"""Many rows in one statement: arrays unnested on PostgreSQL's own driver, the portable form beside it.

A row costs PostgreSQL less than the round trip and the parameters that carry it, so the hot paths send columns, not rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from pydantic_core import to_json
from sqlalchemy import ARRAY, JSON, ColumnElement, any_, insert, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import class_mapper, make_transient_to_detached
from sqlmodel import SQLModel

from shared.kit.db import Transaction
from shared.kit.sealed import Under, named, sealed_columns

Record = TypeVar("Record", bound=SQLModel)

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
        await (await tx.driver()).execute(_unnested(table, names, absent_only), *columns_of(tx, table, names, rows))
    elif absent_only:
        await tx.session.execute(sqlite.insert(table).on_conflict_do_nothing(), [dict(named(table, row)) for row in rows])
    else:
        await tx.session.execute(insert(table), [dict(named(table, row)) for row in rows])


async def keep_looks(tx: Transaction, table: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows that say who looked at what. Where the database's disk has no room they wait for some, and people go on reading
    (decision 46): what is shown is answered for from the commit on."""
    if tx.room.puts_aside:
        tx.room.check(len(rows))
        tx.on_commit(lambda: tx.room.aside.extend((table, row) for row in rows))
    else:
        await insert_many(tx, table, rows)


async def insert_together(tx: Transaction, batches: Sequence[tuple[type[SQLModel], Sequence[Mapping[str, Any]]]]) -> None:
    """Inserts rows of several tables, what is pointed at before what points there: one trip on PostgreSQL."""
    filled = [(table, rows) for table, rows in batches if rows]
    if tx.dialect != "postgresql":
        for table, rows in filled:
            await tx.session.execute(insert(table), [dict(named(table, row)) for row in rows])
    elif filled:
        await tx.flush()
        filling = tuple((table, tuple(rows[0])) for table, rows in filled)
        values = [column for table, rows in filled for column in columns_of(tx, table, tuple(rows[0]), rows)]
        await (await tx.driver()).execute(_together(filling), *values)


@cache
def _together(filling: tuple[tuple[Any, tuple[str, ...]], ...]) -> str:
    parts, first = [], 1
    for table, names in filling:
        parts.append(_unnested(table, names, False, first))
        first += len(names)
    before = ", ".join(f"part{number} AS ({part})" for number, part in enumerate(parts[:-1]))
    return f"WITH {before} {parts[-1]}" if before else parts[-1]


def among(tx: Transaction, column: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    """`column` is one of the values: on PostgreSQL one array, so that the statement is the same for any number of them."""
    if tx.dialect == "postgresql":
        return cast(ColumnElement[bool], column == any_(literal(list(values), ARRAY(column.type))))
    return cast(ColumnElement[bool], column.in_(list(values)))


def as_read(tx: Transaction, table: type[Record], row: Mapping[str, Any]) -> Record:
    """A record of a row that was just inserted, in the session as if it had been read; what the row leaves out is NULL there."""
    mapper = class_mapper(table)
    record: Record = mapper.class_manager.new_instance()
    plain = {name: value.value if isinstance(value, Under) else value for name, value in row.items()}
    record.__dict__.update({**dict.fromkeys(mapper.column_attrs.keys()), **plain})
    make_transient_to_detached(record)
    tx.session.add(record)
    return record


def columns_of(tx: Transaction, table: type[SQLModel], names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """The rows as the driver takes them: one array a column, JSON as text, what is sealed as bytes."""
    is_json, sealed = _json_names(table), sealed_columns(table)
    if sealed:
        keys, rows = tx.keys, [named(table, row) for row in rows]
    columns: list[list[Any]] = []
    for n in names:
        if n in sealed:
            columns.append([sealed[n].seal(row[n], keys) for row in rows])
        else:
            columns.append([to_json(row[n]).decode() for row in rows] if n in is_json else [row[n] for row in rows])
    return columns


@cache
def _json_names(table: Any) -> frozenset[str]:
    return frozenset(column.name for column in table.__table__.c if isinstance(column.type, JSON))


@cache
def _unnested(table: Any, names: tuple[str, ...], absent_only: bool, first: int = 1) -> str:
    columns = table.__table__.c
    arrays = ", ".join(f"${number}::{array_type(columns[name])}" for number, name in enumerate(names, start=first))
    columns_named = ", ".join(f'"{name}"' for name in names)  # quoted: `inner` is a word of SQL's own
    end = " ON CONFLICT DO NOTHING" if absent_only else ""
    return f"INSERT INTO {table.__tablename__} ({columns_named}) SELECT * FROM unnest({arrays}){end}"  # noqa: S608 — our own names


def array_type(column: Any) -> str:
    """The PostgreSQL array type of a column, for a parameter that carries many of its values."""
    return f"{column.type.compile(dialect=POSTGRESQL)}[]"
