"""A passphrase over small files: what lies on a disk that is stolen opens for nobody who does not know it.

The key is drawn by Argon2id (RFC 9106) from the passphrase and a salt; files are sealed by AES-256-GCM. Nothing of it is kept but
the salt, the cost, and a sealed word by which a wrong passphrase is known.
"""

import base64
import json
import os
from dataclasses import dataclass
from typing import Any

from argon2.low_level import Type, hash_secret_raw
from argon2.profiles import RFC_9106_LOW_MEMORY
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.kit.errors import RefnetError

KEY_BYTES = 32  # AES-256
NONCE_BYTES = 12  # drawn at random; a station seals some tens of files in its life
SALT_BYTES = 16
PASSPHRASE_CHARACTERS_MIN = 16  # of a machine that anybody may carry away: four words
MARK = b"refnet locked 1\0"  # before what is sealed; no JSON begins so
CHECK = b"the right passphrase"
COST = {
    "time": RFC_9106_LOW_MEMORY.time_cost,
    "memory_kib": RFC_9106_LOW_MEMORY.memory_cost,
    "lanes": RFC_9106_LOW_MEMORY.parallelism,
}
COST_MAX = {"time": 64, "memory_kib": 2 * 1024**2, "lanes": 64}  # a file that asks for more is none of ours


class Locked(RefnetError):
    """The passphrase is missing or wrong, or a file is not what was sealed."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Closes and opens files. Without a key it leaves them as they are, and opens nothing that is closed."""

    key: bytes | None = None

    def close(self, plain: bytes) -> bytes:
        """What is written to the disk."""
        if self.key is None:
            return plain
        nonce = os.urandom(NONCE_BYTES)
        return MARK + nonce + AESGCM(self.key).encrypt(nonce, plain, MARK)

    def open(self, written: bytes) -> bytes:
        """What was closed, or what was never closed; raises Locked."""
        if not written.startswith(MARK):
            return written
        if self.key is None:
            raise Locked("The keys of this station are locked, and its passphrase is not known to this process.")
        nonce, sealed = written[len(MARK) : len(MARK) + NONCE_BYTES], written[len(MARK) + NONCE_BYTES :]
        try:
            return AESGCM(self.key).decrypt(nonce, sealed, MARK)
        except (InvalidTag, ValueError) as error:
            raise Locked("A locked file is damaged, or was locked under another passphrase; restore it from its backup.") from error


OPEN = Lock()  # of a home without a passphrase


def make_lock(passphrase: str, cost: dict[str, int] | None = None) -> tuple[bytes, Lock]:
    """A new lock, and what is kept of it; raises Locked where the passphrase is too short."""
    if len(passphrase) < PASSPHRASE_CHARACTERS_MIN:
        raise Locked(f"A station's passphrase has {PASSPHRASE_CHARACTERS_MIN} or more characters; take four words.")
    salt, cost = os.urandom(SALT_BYTES), cost or COST
    lock = Lock(_key(passphrase, salt, cost))
    said = {"salt": _text(salt), "cost": cost, "check": _text(lock.close(CHECK))}
    return json.dumps(said).encode(), lock


def unlock(kept: bytes, passphrase: str) -> Lock:
    """The lock of what was kept; raises Locked where this is not its passphrase, or what was kept is none."""
    try:
        said: dict[str, Any] = json.loads(kept)
        salt, check = base64.b64decode(said["salt"], validate=True), base64.b64decode(said["check"], validate=True)
        cost = {name: int(said["cost"][name]) for name in COST}
        if not all(1 <= cost[name] <= most for name, most in COST_MAX.items()):
            raise ValueError("its cost is outside the limits")
    except (ValueError, KeyError, TypeError) as error:
        raise Locked("lock.json is damaged; restore it from the keys' own backup.") from error
    lock = Lock(_key(passphrase, salt, cost))
    try:
        lock.open(check)
    except Locked as error:
        raise Locked("This is not the passphrase of this station; type it again.") from error
    return lock


def _key(passphrase: str, salt: bytes, cost: dict[str, int]) -> bytes:
    return hash_secret_raw(
        passphrase.encode(), salt, time_cost=cost["time"], memory_cost=cost["memory_kib"], parallelism=cost["lanes"],
        hash_len=KEY_BYTES, type=Type.ID,
    )  # fmt: skip


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
