"""Keys apart from the database whose columns they seal: one for whatever is forgotten together, each wrapped under another.

A file of its own for all processes of one machine. A key is on the disk before anything is sealed with it; what is destroyed is
written over and never made again. Reads are looked up in memory, or take some microseconds of the file that the kernel holds.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.exc import DontWrapMixin

from shared.kit.errors import DatabaseAway, RefnetError
from shared.kit.files import sync_file, sync_folder, write_over, write_whole
from shared.kit.lock import OPEN, Lock

KEY_BYTES = 32  # AES-256
NONCE_BYTES = 12  # drawn at random, as GCM has them
KEYS_HELD_MAX = (
    20_000  # opened keys in memory, some 300 bytes each: those of every case that is open at once, which the watcher reads
)
NAMES_HELD_MAX = 40_000  # names in memory: a case has two, and each of its referrals one
HELD_S = 10.0  # what another process destroyed is forgotten here within this
BUSY_S = 30.0  # a writer waits this long for the one before it: a commit takes milliseconds, wrapping a million keys anew a minute
REWRAP_BATCH = 1_000  # keys wrapped anew in one transaction: some 20 ms, so that a desk's new case waits no longer
VERSION = b"\x01"  # of a sealed value: version, key, nonce, ciphertext with its tag
VERSION_OF = b"\x02"  # the same, bound to what its row is about as well
KEY_AT, NONCE_AT, SEALED_AT = 1, 17, 17 + NONCE_BYTES
SEALED_MIN = SEALED_AT + 16  # with the tag of nothing

Named = TypeVar("Named")
Value = TypeVar("Value")

OWN = UUID(int=0)  # the name of the key for what is about nobody in particular
INDEX = UUID(int=1)  # and of the one under which values are compared without being opened

TABLES = """
    CREATE TABLE IF NOT EXISTS store (id BLOB PRIMARY KEY, destroyed INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS keys (id BLOB PRIMARY KEY, wrapped BLOB, destroyed_at TEXT) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS names (name BLOB PRIMARY KEY, key BLOB NOT NULL REFERENCES keys) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS names_of_key ON names (key);
"""


KEY_OF_NAME = "SELECT key FROM names WHERE name = ?"
NOT_UNDER = """
    SELECT id, wrapped FROM keys WHERE id > ? AND wrapped IS NOT NULL AND substr(wrapped, 1, 8) <> ? ORDER BY id LIMIT ?
"""


HELD = "CREATE TABLE IF NOT EXISTS held (hold BLOB, name BLOB, PRIMARY KEY (hold, name)) WITHOUT ROWID"
# What is destroyed is held no more: a hold that comes back with an older database finds it so.
IS_HELD = """
    SELECT 1 FROM held AS h JOIN names AS n ON n.name = h.name JOIN keys AS k ON k.id = n.key
    WHERE n.key = ? AND k.wrapped IS NOT NULL LIMIT 1
"""
LIVING = "SELECT n.name FROM names AS n JOIN keys AS k ON k.id = n.key WHERE k.wrapped IS NOT NULL AND n.name IN ({})"
DESTROYED = "SELECT n.name, k.destroyed_at FROM names AS n JOIN keys AS k ON k.id = n.key WHERE k.destroyed_at IS NOT NULL"
GONE = "SELECT n.name FROM names AS n JOIN keys AS k ON k.id = n.key WHERE k.wrapped IS NULL"


# Raised while a statement is put together, they go up as they are: wrapped by SQLAlchemy, nobody would know them.
def id_of_copy(file: Path) -> UUID:
    """Of which keystore a file is the backup; raises RefnetError."""
    if not file.is_file():
        raise RefnetError(f"There is no backup {file}; name one that `refnet backup --keys` wrote.")
    try:
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
            return UUID(bytes=copy.execute("SELECT id FROM store").fetchone()[0])
    except (sqlite3.DatabaseError, TypeError, ValueError) as error:
        raise RefnetError(f"{file} is no sound backup of a keystore; take another.") from error


class KeystoreAway(DontWrapMixin, DatabaseAway):
    """The keystore cannot be read or written just now, or lacks what the database needs: nothing is lost, and nothing is done."""


class ValueNotOpened(KeystoreAway):
    """What lies in a sealed column is not what was sealed for it, or its key is not here."""


class KeyDestroyed(DontWrapMixin, RefnetError):
    """What this key sealed is erased."""

    def __init__(self) -> None:
        super().__init__("This was erased: its key is destroyed, and nothing opens it any more.")


class KeyHeld(DontWrapMixin, RefnetError):
    """A court has forbidden to destroy what this key sealed."""

    def __init__(self) -> None:
        super().__init__("By order of a court nothing of this case is destroyed; lift the hold first, when the court allows it.")


CANNOT_OPEN = (KeyDestroyed, ValueNotOpened)  # of one value, whatever becomes of others: it was erased, or its key is not here


# --- what wraps the keys -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WrappingKeys:
    """The keys under which those of the keystore lie: `<id>.json` each, in a folder apart; the newest wraps, every one opens."""

    folder: Path
    lock: Lock = OPEN  # under which each lies, where there is a passphrase

    def make(self, now: datetime) -> bytes:
        """A new one, on the disk when this returns; its id. It is the newest, also where the clock was set back."""
        last = max((made_at for made_at, _ in self._held()), default=None)
        made_at = now if last is None else max(now, last + timedelta(microseconds=1))
        key = AESGCM.generate_key(KEY_BYTES * 8)
        said = {"made_at": made_at.isoformat(), "key": base64.b64encode(key).decode()}
        write_whole(self._file(_wrapping_id(key)), self.lock.close(json.dumps(said).encode()))
        sync_folder(self.folder)
        return _wrapping_id(key)

    def oldest(self) -> datetime | None:
        """When the oldest of those that are here was made: none of them opens what was wrapped before. Raises KeystoreAway."""
        return min((made_at for made_at, _ in self._held()), default=None)

    def read(self) -> dict[bytes, bytes]:
        """Every one by its id, the newest last; raises KeystoreAway."""
        return {_wrapping_id(key): key for _, key in sorted(self._held())}

    def _held(self) -> list[tuple[datetime, bytes]]:
        found = []
        for file in self.folder.glob("*.json"):
            try:
                raw = file.read_bytes()
                if raw.isspace():
                    continue  # written over, and a power cut came before it was taken away
                said = json.loads(self.lock.open(raw))
                found.append((datetime.fromisoformat(said["made_at"]), base64.b64decode(said["key"], validate=True)))
            except FileNotFoundError:
                continue  # another process has just destroyed it
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise KeystoreAway(
                    f"{file} is no wrapping key, or cannot be read; restore it from the keys' own backup."
                ) from error
        return found

    def destroy(self, id_: bytes) -> None:
        """Writes one over where it lies and takes its file away. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            write_over(self._file(id_))
        sync_folder(self.folder)

    def _file(self, id_: bytes) -> Path:
        return self.folder / f"{id_.hex()}.json"


def _wrapping_id(key: bytes) -> bytes:
    return hashlib.sha256(b"refnet.wrapping-key.v1|" + key).digest()[:8]


# --- the keystore ------------------------------------------------------------------------------------------------------


class Keystore:
    """The keys of one agency. `file` None: in memory, for a database that is in memory too, or for tests.

    A key has names, UUIDs of what it seals; it is made when something is first sealed under a name that has none.
    """

    def __init__(self, file: Path | None, wrapping: Callable[[], dict[bytes, bytes]], tick: Callable[[], float] = time.monotonic):
        self.file = file
        self._wrapping, self._tick = wrapping, tick
        self._lock = threading.RLock()  # event loop and threads that write
        self._connection: sqlite3.Connection | None = None
        self._place: tuple[int, int] | None = None
        self._known: dict[bytes, bytes] = {}
        self._id: bytes | None = None
        self._keys: OrderedDict[bytes, bytes] = OrderedDict()  # a cipher is made in a microsecond, and holds 2.6 KB
        self._names: OrderedDict[UUID, bytes] = OrderedDict()
        self._looked_at, self._destroyed = tick(), 0
        self._gone: tuple[int, frozenset[UUID]] = (0, frozenset())
        if file is None:
            self.make()

    @classmethod
    def in_memory(cls) -> "Keystore":
        """One of its own, which ends with its process."""
        key = AESGCM.generate_key(KEY_BYTES * 8)
        return cls(None, lambda: {_wrapping_id(key): key})

    def make(self) -> None:
        """Makes an empty one where there is none; raises KeystoreAway."""
        with self._lock, _named(self.file):
            if self.file is not None:
                self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))
            connection = self._open()
            connection.executescript(f"BEGIN IMMEDIATE; {TABLES}")
            connection.execute("INSERT INTO store SELECT ?, 0 WHERE NOT EXISTS (SELECT 1 FROM store)", (secrets.token_bytes(16),))
            connection.execute("COMMIT")
            if self.file is not None:
                sync_folder(self.file.parent)

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            if self._connection is not None and self.file is not None:
                self._connection.close()
                self._connection = None

    @property
    def id(self) -> UUID:
        """What tells this keystore from any other; raises KeystoreAway."""
        with self._lock:
            if self._id is None:
                row = self._one("SELECT id FROM store")
                if row is None:
                    raise KeystoreAway(f"{self.file} is no keystore; restore it from the keystore's own backup.")
                self._id = row[0]
            return UUID(bytes=self._id)

    # --- sealing and opening ---

    def seal(self, name: UUID | None, label: str, plain: bytes, of: UUID | None = None) -> bytes:
        """Seals a value of the column `label` under the key of `name`, for rows about `of` alone where that is given. Raises
        KeystoreAway; KeyDestroyed where that one is gone."""
        return self._sealed(self._key_of(name or OWN), label, plain, of)

    def _sealed(self, id_: bytes, label: str, plain: bytes, of: UUID | None) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._key(id_)).encrypt(nonce, plain, _bound(label, of))
        return b"".join((VERSION if of is None else VERSION_OF, id_, nonce, sealed))

    def bound(self, label: str, sealed: bytes, of: UUID) -> bytes:
        """A value of before, under the same key, for rows about `of` alone from now on. Raises as `open`."""
        return self._sealed(bytes(sealed[KEY_AT:NONCE_AT]), label, self.open(label, sealed), of)

    def open(self, label: str, sealed: bytes, of: UUID | None = None) -> bytes:
        """What was sealed for this column, and for rows about `of`. Raises KeystoreAway; ValueNotOpened where its key is not here,
        or it was sealed for another column or another row."""
        if len(sealed) < SEALED_MIN or sealed[:1] not in (VERSION, VERSION_OF):
            raise ValueNotOpened(f"A value of {label} is not sealed; run `refnet migrate`.")
        aead = AESGCM(self._key(bytes(sealed[KEY_AT:NONCE_AT])))
        if sealed[:1] != (VERSION if of is None else VERSION_OF):  # whose key is destroyed reads as erased, whatever it is
            raise ValueNotOpened(f"A value of {label} is not bound to what its row is about; run `refnet migrate`.")
        try:
            return aead.decrypt(sealed[NONCE_AT:SEALED_AT], sealed[SEALED_AT:], _bound(label, of))
        except InvalidTag as error:
            raise ValueNotOpened(
                f"A value of {label} was changed or moved in the database; `refnet verify` says what else was."
            ) from error

    def index(self, label: str, value: str) -> bytes:
        """What is the same for the same value of this column and tells nothing else of it: for finding and for uniqueness."""
        key = self._raw(self._key_of(INDEX))
        return hmac.digest(key, f"{label}|{value}".encode(), "sha256")

    def knows(self, sealed: bytes) -> bool:
        """Whether the key of a sealed value is here, or was and is destroyed."""
        return self._one("SELECT 1 FROM keys WHERE id = ?", bytes(sealed[KEY_AT:NONCE_AT])) is not None

    # --- giving ---

    def give(self, groups: Iterable[Collection[UUID]]) -> None:
        """Gives each group of names one key: the one that any of them has, or a new one. On the disk when this returns."""
        wanted = [names for names in groups if any(name not in self._names for name in names)]
        if not wanted:
            return
        keys, given = dict[bytes, bytes](), dict[UUID, bytes]()
        with self._lock:
            with self._writing() as connection:
                known_wrapping = self._wrapping()  # read in here: a writer before this one may have made a newer
                for names in wanted:
                    known = {name: row[0] for name in names if (row := self._one(KEY_OF_NAME, name.bytes))}
                    id_ = next(iter(known.values()), None)
                    if id_ is None:
                        id_, key = self._new(connection, known_wrapping)
                        keys[id_] = key
                    given |= dict.fromkeys(names, id_) | known
                    rows = [(name.bytes, id_) for name in names]
                    connection.executemany("INSERT INTO names (name, key) VALUES (?, ?) ON CONFLICT DO NOTHING", rows)
            # What is given is sealed under next: nobody looks for it again.
            self._keep(self._keys, keys, KEYS_HELD_MAX)
            self._keep(self._names, given, NAMES_HELD_MAX)

    async def given(self, groups: Iterable[Collection[UUID]]) -> None:
        """The same, off the loop: a commit waits for the disk."""
        wanted = [names for names in groups if any(name not in self._names for name in names)]
        if wanted and self.file is None:
            self.give(wanted)
        elif wanted:
            await asyncio.to_thread(self.give, wanted)

    def destroy(self, names: Iterable[UUID], now: datetime) -> int:
        """Destroys the keys behind these names, for good; how many there were. What they sealed is erased wherever it lies.

        Raises KeyHeld where any of them is held, and then none is destroyed.
        """
        with self._lock, self._writing() as connection:
            count = 0
            for name in names:
                row = self._one(KEY_OF_NAME, name.bytes)
                if row and self._one(IS_HELD, row[0]):
                    raise KeyHeld
                # A name that has no key gets a destroyed one: what comes late must not be sealed under a new key.
                id_ = row[0] if row else self._new(connection, self._wrapping())[0]
                connection.execute("INSERT INTO names (name, key) VALUES (?, ?) ON CONFLICT DO NOTHING", (name.bytes, id_))
                connection.execute("UPDATE store SET destroyed = destroyed + 1")
                gone = "UPDATE keys SET wrapped = NULL, destroyed_at = ? WHERE id = ? AND wrapped IS NOT NULL"
                count += connection.execute(gone, (now.isoformat(), id_)).rowcount
            self._keys.clear()
        return count

    async def destroyed(self, names: Collection[UUID], now: datetime) -> int:
        """The same, off the loop: a commit waits for the disk."""
        return self.destroy(names, now) if self.file is None else await asyncio.to_thread(self.destroy, names, now)

    def destroy_all(self, now: datetime) -> int:
        """Destroys every key, held ones too: whoever takes this machine by force reads nothing. How many there were."""
        with self._lock, self._writing() as connection:
            count = connection.execute(
                "UPDATE keys SET wrapped = NULL, destroyed_at = ? WHERE wrapped IS NOT NULL", (now.isoformat(),)
            )
            connection.execute("UPDATE store SET destroyed = destroyed + 1")
            self._keys.clear()
            return count.rowcount

    def hold(self, hold: UUID, names: Iterable[UUID]) -> None:
        """Nobody destroys the keys behind these names until the hold is let go; more may be added to it."""
        with self._lock, self._writing() as connection:
            rows = [(hold.bytes, name.bytes) for name in names]
            connection.executemany("INSERT INTO held (hold, name) VALUES (?, ?) ON CONFLICT DO NOTHING", rows)

    def let_go(self, hold: UUID) -> None:
        """The hold is over; what another one holds stays."""
        with self._lock, self._writing() as connection:
            connection.execute("DELETE FROM held WHERE hold = ?", (hold.bytes,))

    def holds(self) -> dict[UUID, set[UUID]]:
        """The holds that are known here, each with the names that it holds."""
        found: dict[UUID, set[UUID]] = {}
        with self._lock, _named(self.file):
            for hold, name in self._open().execute("SELECT hold, name FROM held"):
                found.setdefault(UUID(bytes=hold), set()).add(UUID(bytes=name))
        return found

    def held(self, names: Iterable[UUID]) -> frozenset[UUID]:
        """Those of the names whose key is here and may not be destroyed, whatever the database knows of it."""
        with self._lock:
            keys = {name: self._one(KEY_OF_NAME, name.bytes) for name in names}
            return frozenset(name for name, row in keys.items() if row and self._one(IS_HELD, row[0]))

    def reveal(self, names: Iterable[UUID]) -> dict[bytes, bytes]:
        """The keys behind these names, by their ids, for an escrow: never for a file of this machine's. Raises KeystoreAway."""
        ids = {bytes(row[0]) for name in names if (row := self._one(KEY_OF_NAME, name.bytes))}
        found = {id_: self._one("SELECT wrapped FROM keys WHERE id = ? AND wrapped IS NOT NULL", id_) for id_ in ids}
        return {id_: self._unwrap(id_, row[0]) for id_, row in found.items() if row is not None}

    def gone(self, names: Collection[UUID]) -> frozenset[UUID]:
        """Those of the names whose key is destroyed: nothing is ever kept under them again. Raises KeystoreAway."""
        if not names:
            return frozenset()
        with self._lock, _named(self.file):
            count = int((self._one("SELECT destroyed FROM store") or (0,))[0])
            if count != self._gone[0]:
                rows = self._open().execute(GONE).fetchall()
                self._gone = (count, frozenset(UUID(bytes=name) for (name,) in rows))
            return self._gone[1].intersection(names)

    def last_destroyed(self, names: Collection[UUID]) -> datetime | None:
        """When the last of the keys behind these names was destroyed; None where none was. Raises KeystoreAway."""
        with self._lock, _named(self.file):
            rows = self._open().execute(f"{DESTROYED} ORDER BY k.destroyed_at DESC")
            return next((datetime.fromisoformat(at) for name, at in rows if UUID(bytes=name) in names), None)

    def living(self, names: Iterable[UUID]) -> set[UUID]:
        """Those of the names that have a key which is not destroyed. Raises KeystoreAway."""
        wanted = [name.bytes for name in names]
        with self._lock, _named(self.file):
            rows = self._open().execute(LIVING.format(",".join("?" * len(wanted))), wanted).fetchall()
        return {UUID(bytes=name) for (name,) in rows}

    def rewrap(self) -> int:
        """Wraps every key anew that does not lie under the newest wrapping key; how many. It may be run again at any time."""
        wrapping = self._wrapping()
        newest = list(wrapping)[-1]
        count, after = 0, b""
        while True:
            with self._lock, self._writing() as connection:
                rows = connection.execute(NOT_UNDER, (after, newest, REWRAP_BATCH)).fetchall()
                anew = [(self._wrap(wrapping, id_, self._unwrap(id_, wrapped)), id_) for id_, wrapped in rows]
                connection.executemany("UPDATE keys SET wrapped = ? WHERE id = ?", anew)
            if not rows:
                return count
            count, after = count + len(rows), rows[-1][0]

    def wrapped_under(self) -> set[bytes]:
        """The ids of the wrapping keys that anything here needs."""
        with self._lock, _named(self.file):
            rows = self._open().execute("SELECT DISTINCT substr(wrapped, 1, 8) FROM keys WHERE wrapped IS NOT NULL").fetchall()
        return {bytes(row[0]) for row in rows}

    # --- copies ---

    def back_up(self, file: Path) -> int:
        """Writes a copy, whole or not at all; how many keys are in it. Raises KeystoreAway, and RefnetError where it cannot be
        written."""
        part = file.with_name(f".{file.name}.part")
        part.unlink(missing_ok=True)
        try:
            os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            with self._lock:
                with _named(self.file):
                    connection = self._open()
                with contextlib.closing(sqlite3.connect(part)) as copy:
                    connection.backup(copy)
                    count = int(copy.execute("SELECT count(*) FROM keys").fetchone()[0])
            sync_file(part)
            part.replace(file)
        except (sqlite3.Error, OSError) as error:
            raise RefnetError(f"{file} could not be written ({error}); look after its disk, or name another place.") from error
        finally:
            for left in ("", "-journal"):
                Path(f"{part}{left}").unlink(missing_ok=True)
        sync_folder(file.parent)
        return count

    def take(self, file: Path) -> int:
        """Takes over what a copy has and this does not; how many keys. What was destroyed here stays so. Raises KeystoreAway."""
        id_of_copy(file)
        try:
            with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
                store = copy.execute("SELECT id FROM store").fetchone()
                keys = copy.execute("SELECT id, wrapped, destroyed_at FROM keys").fetchall()
                names = copy.execute("SELECT name, key FROM names").fetchall()
        except sqlite3.DatabaseError as error:
            raise RefnetError(f"{file} is no sound backup of a keystore; take another.") from error
        is_new = self.file is not None and not self.file.exists()
        if is_new:
            self.make()
        with self._lock, self._writing() as connection:
            mine = connection.execute("SELECT id FROM store").fetchone()
            if mine != store and not is_new and self._one("SELECT 1 FROM keys LIMIT 1") is not None:
                raise RefnetError(
                    f"{file} is the backup of another keystore; take {self.file} away first, if it is to be replaced."
                )
            before = connection.execute("SELECT count(*) FROM keys").fetchone()[0]
            connection.execute("UPDATE store SET id = ?, destroyed = destroyed + 1", store)
            connection.executemany("INSERT INTO keys VALUES (?, ?, ?) ON CONFLICT DO NOTHING", keys)
            gone = [(at, id_) for id_, wrapped, at in keys if wrapped is None]
            connection.executemany("UPDATE keys SET wrapped = NULL, destroyed_at = coalesce(destroyed_at, ?) WHERE id = ?", gone)
            connection.executemany("INSERT INTO names VALUES (?, ?) ON CONFLICT DO NOTHING", names)
            count = int(connection.execute("SELECT count(*) FROM keys").fetchone()[0]) - int(before)
            self._id = None
            self._keys.clear()
            self._names.clear()
        return count

    # --- inside ---

    def _key_of(self, name: UUID) -> bytes:
        self._look()
        held = self._names.get(name)
        if held is not None:
            return held
        with self._lock:
            row = self._one(KEY_OF_NAME, name.bytes)
            if row is None:
                self.give([[name]])
                row = self._one(KEY_OF_NAME, name.bytes)
                assert row is not None
            self._keep(self._names, {name: row[0]}, NAMES_HELD_MAX)
            return bytes(row[0])

    def _key(self, id_: bytes) -> bytes:
        self._look()
        held = self._keys.get(id_)
        if held is None:
            with self._lock:
                held = self._raw(id_)
                self._keep(self._keys, {id_: held}, KEYS_HELD_MAX)
        return held

    @staticmethod
    def _keep(here: OrderedDict[Named, Value], more: Mapping[Named, Value], at_most: int) -> None:
        """Keeps more in memory; what was there longest goes."""
        here.update(more)
        while len(here) > at_most:
            here.popitem(last=False)

    def _look(self) -> None:
        """Forgets what is held where another process has destroyed anything since."""
        now = self._tick()
        if now - self._looked_at < HELD_S:
            return
        with self._lock:
            row = self._one("SELECT destroyed FROM store")
            self._looked_at = now
            if row is not None and row[0] != self._destroyed:
                self._destroyed = row[0]
                self._keys.clear()
                self._names.clear()

    def _raw(self, id_: bytes) -> bytes:
        row = self._one("SELECT wrapped, destroyed_at FROM keys WHERE id = ?", id_)
        if row is None:
            raise ValueNotOpened(
                f"The keystore {self.file} lacks a key that the database needs; restore a newer backup of it with --keys."
            )
        if row[0] is None:
            raise KeyDestroyed
        return self._unwrap(id_, row[0])

    def _new(self, connection: sqlite3.Connection, wrapping: dict[bytes, bytes]) -> tuple[bytes, bytes]:
        id_, key = secrets.token_bytes(16), AESGCM.generate_key(KEY_BYTES * 8)
        connection.execute("INSERT INTO keys (id, wrapped) VALUES (?, ?)", (id_, self._wrap(wrapping, id_, key)))
        return id_, key

    def _wrap(self, known: dict[bytes, bytes], id_: bytes, key: bytes) -> bytes:
        if not known:
            raise KeystoreAway("The wrapping key of the keystore is not here; restore it from the keys' own backup.")
        newest = list(known)[-1]
        nonce = os.urandom(NONCE_BYTES)
        return newest + nonce + AESGCM(known[newest]).encrypt(nonce, key, b"refnet.wrapped-key.v1|" + id_)

    def _unwrap(self, id_: bytes, wrapped: bytes) -> bytes:
        if wrapped[:8] not in self._known:
            self._known = self._wrapping()
        if wrapped[:8] not in self._known:
            raise KeystoreAway(
                f"The wrapping key {wrapped[:8].hex()} of the keystore is not here; restore it from the keys' own backup."
            )
        nonce, sealed = wrapped[8 : 8 + NONCE_BYTES], wrapped[8 + NONCE_BYTES :]
        try:
            return AESGCM(self._known[wrapped[:8]]).decrypt(nonce, sealed, b"refnet.wrapped-key.v1|" + id_)
        except InvalidTag as error:
            raise KeystoreAway(f"The keystore {self.file} is damaged; restore it from its own backup with --keys.") from error

    def _one(self, query: str, *values: bytes) -> tuple[Any, ...] | None:
        with self._lock, _named(self.file):
            row: tuple[Any, ...] | None = self._open().execute(query, values).fetchone()
            return row

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _named(self.file):
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self.file is not None and _place(self.file) != self._place:
            self._connection.close()  # another file lies there now, or none: what is written must not go into one that is gone
            self._connection, self._id = None, None
        if self._connection is None:
            if self.file is not None:
                self._place = _place(self.file)
            where = ":memory:" if self.file is None else f"{self.file.resolve().as_uri()}?mode=rw"
            connection = sqlite3.connect(
                where, uri=self.file is not None, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            # EXTRA: a key survives a power cut before anything is sealed with it. What is deleted or replaced is written over.
            for pragma in ("synchronous=EXTRA", "secure_delete=ON", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute(HELD)  # a keystore that was made before there were holds has none
            self._connection = connection
        return self._connection


def opened_with(keys: Mapping[bytes, bytes], label: str, sealed: bytes, of: UUID | None) -> bytes | None:
    """What was sealed for a column, and for rows about `of`, under one of these keys, which are not of a keystore any more; None
    where it was another's, or was moved. What was not bound yet when its key went is read as it was."""
    key = keys.get(sealed[KEY_AT:NONCE_AT]) if len(sealed) >= SEALED_MIN else None
    if key is None:
        return None
    with contextlib.suppress(InvalidTag):
        bound = _bound(label, of if sealed[:1] == VERSION_OF else None)
        return AESGCM(key).decrypt(sealed[NONCE_AT:SEALED_AT], sealed[SEALED_AT:], bound)
    return None


def _place(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino


def _bound(label: str, of: UUID | None) -> bytes:
    return b"refnet.sealed.v1|" + label.encode() if of is None else b"refnet.sealed.v2|" + label.encode() + b"|" + of.bytes


@contextlib.contextmanager
def _named(file: Path | None) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if file is not None and not file.exists():
            words = f"There is no keystore at {file}; restore it from its own backup with `refnet restore --keys`."
        else:
            words = f"The keystore {file} cannot be used just now; look after its disk and its rights, then try again."
        raise KeystoreAway(words) from error
