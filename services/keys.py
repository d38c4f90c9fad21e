"""An agency's keys as files: private halves for this machine alone, the root for a drawer, and a directory that peers are given.

    <home>/keys/<agency>/root.pem            the root; taken off the machine, put back to sign a line
    <home>/keys/<agency>/<use>-<id>.json     one private key each, under the passphrase of the home where there is a lock.json
    <home>/keys/<agency>/seal-<id>.destroyed when a private key was destroyed, and nothing else of it
    <home>/directories/<agency>.json         what this machine knows of an agency's directory, its own and its peers'

None of it lies in a database or in a database's backup.
"""

import base64
import binascii
import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import ValidationError

from services.locks import lock_of
from shared.contracts.wire.directory import Key, Line, Lines, Revocation, Told, Use
from shared.exchange.directory import BadDirectory, Directory, fingerprint, key_id, sign_line
from shared.exchange.keyring import ED25519_SUITE, X25519, Keyring, SealKey
from shared.kit.errors import RefnetError
from shared.kit.files import EVERYBODY, sync_folder, write_whole
from shared.kit.local.cache import held

ROOT = "root.pem"
DESTROYED, DESTROYED_AT = ".destroyed", "destroyed_at"


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """Where one agency's keys lie on this machine."""

    home: Path
    agency: str

    @property
    def private(self) -> Path:
        """The folder of private keys."""
        return self.home / "keys" / self.agency

    def directory_file(self, agency: str) -> Path:
        """The directory of an agency, as this machine knows it."""
        return self.home / "directories" / f"{agency}.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Whoever changes the directory does it alone, from reading it to writing it: a second process of this machine waits."""
        with held(self.home / "directories" / f".{self.agency}.lock"):
            yield

    # --- the root ------------------------------------------------------------------------------------------------------

    def make_root(self, passphrase: bytes | None) -> Ed25519PrivateKey:
        """A new root, kept as PEM under a passphrase; raises RefnetError where there is one already."""
        if self.directory_file(self.agency).exists():
            raise RefnetError(f"{self.agency} has keys already; `refnet keys rotate {self.agency}` makes new ones.")
        root = Ed25519PrivateKey.generate()
        lock = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        write_whole(self.private / ROOT, root.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
        return root

    def root(self, file: Path | None, passphrase: bytes | None) -> Ed25519PrivateKey:
        """The root, from where it is kept; raises RefnetError."""
        where = file or self.private / ROOT
        try:
            root = load_pem_private_key(where.read_bytes(), passphrase)
        except OSError as error:
            raise RefnetError(f"The root of {self.agency} is not at {where}; bring it, or name it with --root.") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise RefnetError(f"{where} is not opened by this passphrase, or is no root; try again.") from error
        if not isinstance(root, Ed25519PrivateKey):
            raise RefnetError(f"{where} is no root of an agency: it is another kind of key.")
        return root

    # --- directories ---------------------------------------------------------------------------------------------------

    def read(self, agency: str) -> Directory | None:
        """An agency's directory from its file, each line verified under the root that it names; None where there is no file."""
        file = self.directory_file(agency)
        if not file.exists():
            return None
        try:
            said = json.loads(file.read_bytes())
            found = Directory(agency, base64.b64decode(said["root"], validate=True))
            found.take_whole([Told.model_validate(line) for line in said["lines"]])
        except (OSError, ValueError, KeyError, TypeError, binascii.Error, ValidationError, BadDirectory) as error:
            raise RefnetError(f"{file} is not the directory of {agency}; take it from its owner again.") from error
        return found

    def save(self, directory: Directory) -> None:
        """Writes a directory; nothing in it is secret."""
        said = {
            "agency": directory.agency, "root": base64.b64encode(directory.root).decode(),
            "lines": [line.model_dump(mode="json", exclude_none=True) for line in directory.lines],
        }  # fmt: skip
        write_whole(self.directory_file(directory.agency), json.dumps(said, indent=1).encode(), EVERYBODY)

    def own(self) -> Directory:
        """This agency's own directory; raises RefnetError."""
        found = self.read(self.agency)
        if found is None:
            raise RefnetError(f"{self.agency} has no keys on this machine; run `refnet keys new {self.agency}`.")
        return found

    def write_line(
        self, directory: Directory, root: Ed25519PrivateKey, now: datetime, *, to: str | None = None,
        publishes: Key | None = None, revokes: Revocation | None = None,
    ) -> None:  # fmt: skip
        """Adds one line under the root; raises RefnetError where it is not this directory's."""
        if root.public_key().public_bytes_raw() != directory.root:
            raise RefnetError(f"This is not the root of {self.agency}, whose fingerprint is {fingerprint(directory.root)}.")
        number, before = directory.next_line()
        line = Line(agency=self.agency, number=number, before=before, made_at=now, to=to, publishes=publishes, revokes=revokes)
        signed = Told(signed=sign_line(root, line))
        directory.take(Lines(agency=self.agency, first=number, lines=(signed,)))

    # --- private keys --------------------------------------------------------------------------------------------------

    def make_keys(self, root: Ed25519PrivateKey, now: datetime, suite: int, directory: Directory) -> None:
        """A new key to sign and one to seal to; both are on the disk before the directory names them."""
        signing, opening = Ed25519PrivateKey.generate(), SealKey.make(suite)
        public = signing.public_key().public_bytes_raw()
        self.write_line(directory, root, now, publishes=Key(use=Use.SIGN, suite=ED25519_SUITE, public=public))
        self.write_line(directory, root, now, publishes=Key(use=Use.SEAL, suite=suite, public=opening.public))
        try:
            self._keep(Use.SIGN, ED25519_SUITE, signing.private_bytes_raw(), public)
            self._keep(Use.SEAL, suite, opening.private, opening.public)
            self.save(directory)
        except OSError:  # a key that no directory names is nobody's
            for use, half in ((Use.SIGN, public), (Use.SEAL, opening.public)):
                self._file(use, half).unlink(missing_ok=True)
            raise

    def _file(self, use: Use, public: bytes) -> Path:
        return self.private / f"{use}-{key_id(public).hex()}.json"

    def _keep(self, use: Use, suite: int, private: bytes, public: bytes) -> None:
        said = {"suite": suite, "private": base64.b64encode(private).decode(), "public": base64.b64encode(public).decode()}
        write_whole(self._file(use, public), lock_of(self.home).close(json.dumps(said).encode()))

    def _private(self, use: Use) -> Iterable[Mapping[str, Any]]:
        lock = lock_of(self.home)
        for file in sorted(self.private.glob(f"{use}-*.json")):
            try:
                said = json.loads(lock.open(file.read_bytes()))
                if DESTROYED_AT in said:
                    continue  # a process died between two steps
                yield {
                    "suite": said["suite"],
                    **{name: base64.b64decode(said[name], validate=True) for name in ("private", "public")},
                }
            except FileNotFoundError:
                continue  # another process has just destroyed it
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise RefnetError(f"{file} is not a key, or cannot be read; restore it from the keys' own backup.") from error

    def destroy(self, id_: bytes, now: datetime) -> None:
        """Overwrites a private key to seal to where it lies and takes its file away; a mark says when. Raises OSError.

        A disk may keep what was overwritten elsewhere: only one that is encrypted as a whole forgets for certain.
        """
        file = self._seal_file(id_)
        mark = json.dumps({DESTROYED_AT: now.isoformat()}).encode()
        with contextlib.suppress(FileNotFoundError):  # another process of this machine was first
            with file.open("r+b") as handle:
                handle.write(mark.ljust(file.stat().st_size))
                handle.flush()
                os.fsync(handle.fileno())
            file.rename(file.with_suffix(DESTROYED))
        sync_folder(self.private)

    def finish_destroying(self) -> None:
        """Takes the second step where a process died between the two. Raises OSError."""
        for file in self.private.glob(f"{Use.SEAL}-*.json"):
            if _destroyed_at(file) is not None:
                with contextlib.suppress(FileNotFoundError):  # another process of this machine was first
                    file.rename(file.with_suffix(DESTROYED))
                sync_folder(self.private)

    def destroyed(self, id_: bytes) -> datetime | None:
        """When a private key to seal to was destroyed; None where it was not, or its file has been put back."""
        file = self._seal_file(id_)
        return _destroyed_at(file if file.exists() else file.with_suffix(DESTROYED))

    def _seal_file(self, id_: bytes) -> Path:
        return self.private / f"{Use.SEAL}-{id_.hex()}.json"

    def signing(self) -> list[Ed25519PrivateKey]:
        """The private keys to sign with; raises RefnetError."""
        return [Ed25519PrivateKey.from_private_bytes(found["private"]) for found in self._private(Use.SIGN)]

    def opening(self) -> list[SealKey]:
        """The private keys to open with; raises RefnetError."""
        return [SealKey(found["suite"], found["private"], found["public"]) for found in self._private(Use.SEAL)]


def _destroyed_at(file: Path) -> datetime | None:
    """When a key's file was written over; None where it was not."""
    try:
        return datetime.fromisoformat(json.loads(file.read_bytes())[DESTROYED_AT])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make_new(folder: KeyFolder, now: datetime, passphrase: bytes | None, suite: int = X25519) -> Directory:
    """A root and the first keys of an agency that has none; raises RefnetError."""
    with folder.locked():
        root = folder.make_root(passphrase)
        directory = Directory(folder.agency, root.public_key().public_bytes_raw())
        try:
            folder.make_keys(root, now, suite, directory)
        except OSError:
            (folder.private / ROOT).unlink()
            raise
    return directory


def make_missing(home: Path, agencies: Iterable[str], now: datetime) -> None:
    """Keys for the agencies of a made-up network that have none in this home; their roots stay here, without a passphrase."""
    home.mkdir(parents=True, exist_ok=True)
    with held(home / "keys.lock"):
        for agency in agencies:
            folder = KeyFolder(home, agency)
            if not folder.directory_file(agency).exists():
                make_new(folder, now, None)


class Keys:
    """An agency's keys as they lie on this machine now, and whether they have changed since they were last read."""

    def __init__(self, home: Path, agency: str, pins: Mapping[str, str | None]) -> None:
        self._home, self._agency, self._pins = home, agency, pins
        self._seen = self._stamp()

    def load(self) -> Keyring:
        """Raises RefnetError."""
        return load_keyring(self._home, self._agency, self._pins)

    def renewed(self) -> Keyring | None:
        """The keys where anything of them has changed, else None; raises RefnetError, and then they are looked at again."""
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        keys = self.load()
        self._seen = stamp
        return keys

    def _stamp(self) -> dict[str, int]:
        files = [*(self._home / "directories").glob("*.json"), *(self._home / "keys" / self._agency).glob("*.json")]
        stamps = {}
        for file in files:
            with contextlib.suppress(FileNotFoundError):  # another process has just destroyed it
                stamps[str(file)] = file.stat().st_mtime_ns
        return stamps


def load_keyring(home: Path, agency: str, pins: Mapping[str, str | None]) -> Keyring:
    """An agency's keys and its peers' directories; `pins` has the fingerprint of each agency's root. Raises RefnetError."""
    folder = KeyFolder(home, agency)
    directories = {agency: folder.own()} | {peer: found for peer in pins if peer != agency and (found := folder.read(peer))}
    for name, directory in directories.items():
        if pins[name] is not None and fingerprint(directory.root) != pins[name]:
            raise RefnetError(
                f"The directory of {name} here is not under the root that the network file pins;"
                f" compare its fingerprint, {fingerprint(directory.root)}, with {name} in person."
            )
    return Keyring(directories.pop(agency), directories, folder.signing(), folder.opening())
