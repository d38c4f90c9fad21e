"""The keystore of each test database: in memory, and the same for as many as open it, as all processes of an agency share one."""

from collections import defaultdict
from pathlib import Path
from uuid import UUID

from shared.kit.clock import Clock
from shared.kit.db import Database
from shared.kit.keystore import Keystore

_of: defaultdict[str, Keystore] = defaultdict(Keystore.in_memory)


def keystore_at(url: str) -> Keystore:
    """The keystore of the database at an address."""
    return _of[url]


def forget(url: str) -> None:
    """The database at an address is another test's now, and so is its keystore."""
    _of.pop(url, None)


def lose(keys: Keystore, name: UUID, copy: Path) -> None:
    """What `name` lies under is not in the keystore any more, as in one that is older than the database; `copy` still has it."""
    keys.back_up(copy)
    with keys._writing() as connection:
        (id_,) = connection.execute("SELECT key FROM names WHERE name = ?", (name.bytes,)).fetchone()
        connection.execute("DELETE FROM names WHERE key = ?", (id_,))
        connection.execute("DELETE FROM keys WHERE id = ?", (id_,))
    keys._keys.clear()
    keys._names.clear()
    keys._gone = (-1, frozenset())


def with_keys(url: str, clock: Clock | None = None) -> Database:
    """A database with its keystore."""
    return Database(url, clock, keystore_at(url))
