"""Columns whose values lie sealed in the database and open when they are read: each under the key of what is forgotten together.

A value reaches such a column only with the name of its key, so that nothing is written in the clear by mistake. Records of the
session get the name from the column that `by` names, and so do rows for `shared.kit.bulk`; any other statement says `Under`.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, Dialect, LargeBinary, event, type_coerce
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import flag_modified, instance_dict, instance_state
from sqlalchemy.types import NullType, TypeDecorator

from shared.kit.keystore import KeyDestroyed, Keystore, ValueNotOpened

Form = Literal["json", "time", "date", "bytes"]
ATTRIBUTE = "refnet_keystore"  # of an engine's dialect: what SQLAlchemy hands to a type


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
    """A value for a sealed column, with the name of the key to seal it under; None for what is about nobody in particular."""

    name: UUID | None
    value: Any


class Sealed(TypeDecorator[Any]):
    """One sealed column: `label` is table.column, `by` the column that has the name of a row's key ('' where the caller says it).

    NULL is NULL: that nothing is there shows. A JSON value, a time, a date or bytes, as `form` says. What was erased by destroying
    its key reads as `erased`, wherever a copy of its row still lies.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, label: str, by: str, form: Form = "json", *, erased: str | None = None) -> None:
        super().__init__()
        self.label, self.by, self.form, self.erased = label, by, form, erased

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        return self.seal(value, keystore_of(dialect)) if value is not None else None

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        return self.read(value, keystore_of(dialect))

    def seal(self, value: Any, keys: Keystore) -> bytes | None:
        """What the column holds of a value; raises TypeError where it does not say under which key."""
        if value is None:
            return None
        if not isinstance(value, Under):
            raise TypeError(f"a value for {self.label} came without the name of its key")
        if value.value is None:
            return None
        return keys.seal(value.name, self.label, _plain(self.form, value.value))

    def open(self, held: bytes | None, keys: Keystore) -> Any:
        """The value of what the column holds. Raises KeystoreAway, ValueNotOpened, KeyDestroyed."""
        if held is None:
            return None
        plain = keys.open(self.label, held)
        if self.form == "json":
            return from_json(plain)
        if self.form == "bytes":
            return plain
        return (date if self.form == "date" else datetime).fromisoformat(plain.decode())

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


def as_it_lies(column: Any) -> Any:
    """A sealed column unopened: one value that does not open is to be seen as that, and fails no others."""
    return type_coerce(column, NullType()).label(column.key)


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
    if value is None or isinstance(value, Under) or not column.by:
        return value
    return Under(row[column.by], value)


def opened(table: Any, row: Mapping[str, Any], keys: Keystore) -> dict[str, Any]:
    """A row that PostgreSQL gave as JSON, where bytes are hexadecimal after a `\\x`, with its sealed values opened."""
    found = sealed_columns(table)
    return {
        name: found[name].open(value and bytes.fromhex(value[2:]), keys) if name in found else value for name, value in row.items()
    }


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
