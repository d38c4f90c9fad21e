"""Columns whose values lie sealed in the database and open when they are read: each under the key of what is forgotten together,
and bound to what its row is about, so that it opens nowhere else.

A value reaches such a column only with the name of its key, so that nothing is written in the clear by mistake. Records of the
session get the name from the column that `by` names, and what it is bound to from the column that `of` names; so do rows for
`shared.kit.bulk`; any other statement says `Under`. What is read brings along what its row is about, in the same value.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, cast
from uuid import UUID

from pydantic_core import from_json, to_json
from sqlalchemy import ColumnElement, Connection, Dialect, LargeBinary, event, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import flag_modified, instance_dict, instance_state
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from shared.kit.keystore import KeyDestroyed, Keystore, ValueNotOpened

Form = Literal["json", "time", "date", "bytes"]
ATTRIBUTE = "refnet_keystore"  # of an engine's dialect: what SQLAlchemy hands to a type
NOBODY = UUID(int=0)  # what a value is bound to whose row names nothing
OF_BYTES = 16  # of what a row is about, before its value
UNSAID = UUID(int=1)  # stands in `Under` until the row has said it


SHUT: dict[str, Any] = {}  # this very one, in place of a value whose key is not here: empty, whatever is looked for in it
_shows_shut: ContextVar[bool] = ContextVar("shows_shut", default=False)


@contextlib.contextmanager
def shut_shown() -> Iterator[None]:
    """Within a list of many things: what does not open, because its key is not in the keystore, reads as `SHUT`, so that one of
    them keeps none of the others from being shown. Nothing that was read so may be written back."""
    before = _shows_shut.set(True)
    try:
        yield
    finally:
        _shows_shut.reset(before)


def is_shut(record: Any) -> bool:
    """Whether anything of a record was read as `SHUT`."""
    return hasattr(record, "__table__") and any(instance_dict(record).get(name) is SHUT for name in sealed_columns(type(record)))


def as_shown(record: Any) -> dict[str, Any]:
    """A record's fields for a list of many things: `is_shut`, and None in place of what was read as `SHUT`."""
    here = instance_dict(record)
    shut = {name for name in sealed_columns(type(record)) if here.get(name) is SHUT}
    return {**record.model_dump(exclude=shut), **dict.fromkeys(shut), "is_shut": bool(shut)}


@dataclass(frozen=True, slots=True)
class Under:
    """A value for a sealed column, with the name of the key to seal it under, None for what is about nobody in particular; and with
    what its row is about, which whoever has the row adds."""

    name: UUID | None
    value: Any
    of: UUID = UNSAID


class _Brought(FunctionElement[Any]):
    """A sealed column together with what its row is about: 16 bytes, then the value; NULL where the value is."""

    inherit_cache = True
    name = "brought"


@compiles(_Brought, "postgresql")
def _brought_on_postgresql(element: _Brought, compiler: SQLCompiler, **options: Any) -> str:
    value, of = (compiler.process(one, **options) for one in element.clauses)
    return f"coalesce(uuid_send({of}), uuid_send('{NOBODY}')) || {value}"


@compiles(_Brought, "sqlite")
def _brought_on_sqlite(element: _Brought, compiler: SQLCompiler, **options: Any) -> str:
    value, of = (compiler.process(one, **options) for one in element.clauses)
    joined = f"CAST(coalesce({of}, '{NOBODY.hex}') || hex({value}) AS BLOB)"  # joined as they are, bytes end at the first nought
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE {joined} END"


class Sealed(TypeDecorator[Any]):
    """One sealed column: `label` is table.column, `by` the column that has the name of a row's key ('' where the caller says it).

    `of` is the column that says what a row is about, `by` where it is left out: a value opens in rows about the same alone. '' for
    what says itself where it belongs, or is about nobody.

    NULL is NULL: that nothing is there shows. A JSON value, a time, a date or bytes, as `form` says. What was erased by destroying
    its key reads as `erased`, wherever a copy of its row still lies.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, label: str, by: str, form: Form = "json", *, of: str | None = None, erased: str | None = None) -> None:
        super().__init__()
        self.label, self.by, self.form, self.erased = label, by, form, erased
        self.of = by if of is None else of

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        return self.seal(value, keystore_of(dialect)) if value is not None else None

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return self.brought(column, self)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        return self.read(self.as_brought(value, dialect), keystore_of(dialect))

    def brought(self, column: Any, type_: Any) -> ColumnElement[Any]:
        """The column as it is read, with what its row is about."""
        if not self.of:
            return type_coerce(column, type_)
        element: Any = _Brought(column, column.table.c[self.of])
        element.type = type_
        return cast(ColumnElement[Any], element)

    def as_brought(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """What a statement found, as bytes: SQLite joins them as hexadecimal."""
        return bytes.fromhex(value.decode()) if value is not None and self.of and dialect.name == "sqlite" else value

    def seal(self, value: Any, keys: Keystore) -> bytes | None:
        """What the column holds of a value; raises TypeError where it does not say under which key."""
        if value is None:
            return None
        if not isinstance(value, Under):
            raise TypeError(f"a value for {self.label} came without the name of its key")
        if value.value is None:
            return None
        if self.of and value.of == UNSAID:
            raise TypeError(f"a value for {self.label} came without what its row is about")
        return keys.seal(value.name, self.label, _plain(self.form, value.value), value.of if self.of else None)

    def open(self, held: bytes | None, keys: Keystore) -> Any:
        """The value of what the column holds, as `as_it_lies` reads it. Raises KeystoreAway, ValueNotOpened, KeyDestroyed."""
        if held is None:
            return None
        plain = keys.open(self.label, *self.parts(held))
        if self.form == "json":
            return from_json(plain)
        if self.form == "bytes":
            return plain
        return (date if self.form == "date" else datetime).fromisoformat(plain.decode())

    def parts(self, held: bytes) -> tuple[bytes, UUID | None]:
        """What was read, apart: the sealed value, and what its row is about."""
        return (held[OF_BYTES:], UUID(bytes=held[:OF_BYTES])) if self.of and len(held) >= OF_BYTES else (held, None)

    def read(self, held: bytes | None, keys: Keystore) -> Any:
        """The same, and `erased` where its key is destroyed. Raises KeystoreAway; ValueNotOpened, unless `shut_shown`."""
        try:
            return self.open(held, keys)
        except KeyDestroyed:
            return None if self.erased is None else from_json(self.erased)
        except ValueNotOpened:
            if _shows_shut.get():
                return SHUT
            raise


def _plain(form: Form, value: Any) -> bytes:
    if form == "json":
        return to_json(value)
    return bytes(value) if form == "bytes" else value.isoformat().encode()


def keystore_of(dialect: Dialect) -> Keystore:
    """The keystore of the database that an engine's dialect belongs to."""
    keys: Keystore | None = getattr(dialect, ATTRIBUTE, None)
    if keys is None:
        raise LookupError("this database was opened without its keystore")
    return keys


class _AsItLies(TypeDecorator[bytes]):
    """What a sealed column holds, unopened."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, sealed: Sealed) -> None:
        super().__init__()
        self.sealed = sealed

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return self.sealed.as_brought(value, dialect)


def as_it_lies(column: Any) -> Any:
    """A sealed column unopened, with what its row is about: one that does not open is to be seen as that, and fails no others."""
    plain = column.__clause_element__() if hasattr(column, "__clause_element__") else column
    return plain.type.brought(plain, _AsItLies(plain.type)).label(column.key)


_found: dict[Any, Mapping[str, Sealed]] = {}


def sealed_columns(table: Any) -> Mapping[str, Sealed]:
    """The sealed columns of a table's class, by name."""
    if table not in _found:
        _found[table] = {column.name: column.type for column in table.__table__.c if isinstance(column.type, Sealed)}
    return _found[table]


def blank(record: Any, *names: str) -> None:
    """Sets columns of a record to nothing. What lies under a destroyed key reads as nothing already: it is written over all the
    same, or the row would keep it."""
    for name in names:
        setattr(record, name, None)
        flag_modified(record, name)


def named(table: Any, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row for a statement, its values for sealed columns with the name of their key from the column that says it."""
    found = sealed_columns(table)
    if not found:
        return row
    return {name: _under(found[name], row, value) if name in found else value for name, value in row.items()}


def _under(column: Sealed, row: Mapping[str, Any], value: Any) -> Any:
    if value is None:
        return None
    one = value if isinstance(value, Under) else Under(row[column.by], value) if column.by else value
    return Under(one.name, one.value, row[column.of] or NOBODY) if column.of and isinstance(one, Under) else one


def opened(table: Any, row: Mapping[str, Any], keys: Keystore) -> dict[str, Any]:
    """A row that PostgreSQL gave as JSON, where bytes are hexadecimal after a `\\x`, with its sealed values opened."""
    found = sealed_columns(table)
    return {name: _open_in(row, found[name], value, keys) if name in found else value for name, value in row.items()}


def _open_in(row: Mapping[str, Any], column: Sealed, value: str | None, keys: Keystore) -> Any:
    if value is None:
        return None
    of = UUID(row[column.of]).bytes if column.of and row[column.of] else NOBODY.bytes if column.of else b""
    return column.open(of + bytes.fromhex(value[2:]), keys)


# --- records of a session ----------------------------------------------------------------------------------------------


def _wrap(_mapper: Mapper[Any], _connection: Connection, record: Any) -> None:
    here = instance_dict(record)
    for name, column in sealed_columns(type(record)).items():
        # Of what was only read nothing is written; what was not read is not there.
        if here.get(name) is not None and (instance_state(record).key is None or name in instance_state(record).committed_state):
            here[name] = _under(column, here, here[name])


def _unwrap(_mapper: Mapper[Any], _connection: Connection, record: Any) -> None:
    here = instance_dict(record)
    for name in sealed_columns(type(record)):
        value = here.get(name)
        if isinstance(value, Under):
            here[name] = value.value


for _moment in ("insert", "update"):
    event.listen(Mapper, f"before_{_moment}", _wrap)
    event.listen(Mapper, f"after_{_moment}", _unwrap)
