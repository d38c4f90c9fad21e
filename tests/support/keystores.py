"""The keystore of each test database: in memory, and the same for as many as open it, as all processes of an agency share one."""

from collections import defaultdict

from shared.kit.clock import Clock
from shared.kit.db import Database
from shared.kit.keystore import Keystore

_of: defaultdict[str, Keystore] = defaultdict(Keystore.in_memory)


def keystore_at(url: str) -> Keystore:
    """The keystore of the database at an address."""
    return _of[url]


def with_keys(url: str, clock: Clock | None = None) -> Database:
    """A database with its keystore."""
    return Database(url, clock, keystore_at(url))
