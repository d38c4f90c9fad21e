"""What the migrations share that put sealed columns in the place of columns in the clear: row by row, under the keys of the keystore."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from shared.kit.errors import RefnetError
from shared.kit.keystore import CANNOT_OPEN, KeyDestroyed, Keystore
from shared.kit.sealed import ATTRIBUTE, NOBODY, Form, Sealed, Under

ROWS = 1_000  # read and written at once: a megabyte of the largest

# A row's key columns, then what its key is named after, then the columns to seal, each with its type and form.
Column = tuple[str, Any, Form]
NameOf = Callable[[Any], UUID | None]


def keystore() -> Keystore:
    """The keystore of the database under migration; raises RefnetError where there is none and rows must be sealed."""
    keys: Keystore | None = getattr(op.get_bind().dialect, ATTRIBUTE, None)
    if keys is None:
        raise RefnetError("The rows of this database must be sealed and its keystore is not here; run `refnet migrate`.")
    return keys


def seal(
    table: str, key: Sequence[tuple[str, Any]], columns: Sequence[Column], name: str, *, join: str = "", derive: NameOf | None = None,
    unchecked: Sequence[str] | None = None, beside: Sequence[tuple[str, Any]] = (),
) -> None:  # fmt: skip
    """Seals columns of every row. `name` is SQL for what the key of a row `t` is named after, `join` what that needs; `derive`, where
    SQL cannot say it, takes its value, with columns that stand `beside`. What lies under a destroyed key was erased, and is nothing
    from now on. Columns that are bytes already keep their place; others are replaced. `unchecked`: what a
    replaced column was under, so that SQLite must make the table anew, without these checks; on PostgreSQL it goes with its column."""
    replaced = [column for column, _, form in columns if form != "bytes"]
    for column in replaced:
        op.add_column(table, sa.Column(f"{column}_sealed", sa.LargeBinary(), nullable=True))
    _fill(table, key, columns, name, join, derive, beside)
    if unchecked is not None and op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table(table, recreate="always") as batch:
            for check in unchecked:
                batch.drop_constraint(check, type_="check")
            for column in replaced:
                batch.drop_column(column)
        for column in replaced:
            _rename(table, column)
        return
    for column in replaced:
        op.drop_column(table, column)
        _rename(table, column)


def _rename(table: str, column: str) -> None:
    op.execute(sa.text(f'ALTER TABLE {table} RENAME COLUMN "{column}_sealed" TO "{column}"'))


def _fill(
    table: str, key: Sequence[tuple[str, Any]], columns: Sequence[Column], name: str, join: str, derive: NameOf | None,
    beside: Sequence[tuple[str, Any]],
) -> None:  # fmt: skip
    connection = op.get_bind()
    what = ", ".join([*(f"t.{n}" for n, _ in [*key, *beside]), f"{name} AS key_name", *(f't."{c}"' for c, _, _ in columns)])
    kinds = {**dict(key), **dict(beside), **{c: kind for c, kind, _ in columns}, "key_name": sa.Uuid()}
    order = ", ".join(f"t.{n}" for n, _ in key)
    beyond = f"({order}) > ({', '.join(f':k{place}' for place in range(len(key)))})"
    last: Sequence[Any] | None = None
    while True:
        where = f"WHERE {beyond}" if last is not None else ""
        query = sa.text(f"SELECT {what} FROM {table} AS t {join} {where} ORDER BY {order} LIMIT {ROWS}").columns(**kinds)  # noqa: S608 — our own names
        bound = [sa.bindparam(f"k{place}", value, type_=key[place][1]) for place, value in enumerate(last or ())]
        rows = connection.execute(query.bindparams(*bound)).all()
        if not rows:
            return
        keys = keystore()
        full = [row for row in rows if any(getattr(row, c) is not None for c, _, _ in columns)]
        named = [(row, derive(row) if derive else row.key_name) for row in full]
        keys.give([one] for _, one in named if one is not None)
        target = sa.table(
            table, *(sa.column(n, t) for n, t in key), *(sa.column(_held(c, form), sa.LargeBinary) for c, _, form in columns)
        )
        update = sa.update(target).where(
            *(column == sa.bindparam(f"k_{column.name}", type_=column.type) for column in (target.c[n] for n, _ in key))
        )
        update = update.values({_held(c, form): sa.bindparam(f"v_{c}", type_=sa.LargeBinary) for c, _, form in columns})
        values = [
            {f"k_{n}": getattr(row, n) for n, _ in key}
            | {f"v_{c}": _sealed(Sealed(f"{table}.{c}", "", form), Under(one, getattr(row, c)), keys) for c, _, form in columns}
            for row, one in named
        ]
        if values:
            connection.execute(update, values)
        last = [getattr(rows[-1], n) for n, _ in key]


def _sealed(column: Sealed, value: Under, keys: Keystore) -> bytes | None:
    try:
        return column.seal(value, keys)
    except KeyDestroyed:
        return None


def _held(column: str, form: Form) -> str:
    return column if form == "bytes" else f"{column}_sealed"


def give_names(groups: Iterable[Sequence[UUID]]) -> None:
    """Gives each group of names a key of its own."""
    pending = list(groups)
    if pending:
        keystore().give(pending)


def bind(table: str, key: Sequence[tuple[str, Any]], of: str, *columns: str) -> None:
    """Binds what is sealed in columns of every row to what the row is about, which the column `of` says. What lies under a key that
    is destroyed, or not here, stays as it is, and does not open."""
    connection, count = op.get_bind(), len(key)
    of_key = [sa.column(name, type_) for name, type_ in key]
    held = [sa.column(name, sa.LargeBinary()) for name in columns]
    target = sa.table(table, *of_key, *held, *([sa.column(of, sa.Uuid())] if of not in dict(key) else []))
    place = sa.tuple_(*of_key)
    change = sa.update(target).where(*(column == sa.bindparam(f"k_{column.name}", type_=column.type) for column in of_key))
    change = change.values({name: sa.bindparam(f"v_{name}", type_=sa.LargeBinary()) for name in columns})
    last: Sequence[Any] | None = None
    while True:
        query = sa.select(*of_key, target.c[of].label("about"), *held).order_by(*of_key).limit(ROWS)
        rows = connection.execute(query if last is None else query.where(place > sa.tuple_(*last))).all()
        if not rows:
            return
        values = [
            {f"k_{name}": value for (name, _), value in zip(key, row, strict=False)}
            | {f"v_{name}": _bound(f"{table}.{name}", getattr(row, name), row.about or NOBODY) for name in columns}
            for row in rows
            if any(getattr(row, name) is not None for name in columns)
        ]
        if values:
            connection.execute(change, values)
        last = rows[-1][:count]


def _bound(label: str, held: bytes | None, of: UUID) -> bytes | None:
    if held is None:
        return None
    try:
        return keystore().bound(label, bytes(held), of)
    except CANNOT_OPEN:
        return bytes(held)
