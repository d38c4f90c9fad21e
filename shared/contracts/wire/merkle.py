"""The Merkle tree of a stream (RFC 6962 §2.1): leaves, roots, and a frontier that grows one leaf at a time.

A leaf commits to an event through a salt, so that a proof still stands after the event and its salt are erased.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

HASH_BYTES = 32
SALT_BYTES = 16
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_of(event: bytes, salt: bytes) -> bytes:
    """RFC 6962 leaf hash of the salted commitment to an event's bytes: 32 bytes."""
    commitment = hashlib.sha256(salt + hashlib.sha256(event).digest()).digest()
    return hashlib.sha256(b"\x00" + commitment).digest()


def node(left: bytes, right: bytes) -> bytes:
    """RFC 6962 interior hash."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree reduced to the roots of its perfect subtrees, largest first: enough to append and to give the root."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Frontier":
        """The tree with one more leaf."""
        peaks = list(self.peaks)
        carry, size = leaf, self.size
        while size & 1:
            carry = node(peaks.pop(), carry)
            size >>= 1
        return Frontier(self.size + 1, (*peaks, carry))

    def root(self) -> bytes:
        """The tree head's root."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node(peak, root)
        return root

    def to_bytes(self) -> bytes:
        """The peaks, for a database column."""
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, stored: bytes) -> "Frontier":
        """Reads what `to_bytes` wrote; raises ValueError where the column does not fit the size."""
        if len(stored) != HASH_BYTES * size.bit_count():
            raise ValueError(f"a frontier of {size} leaves holds {size.bit_count()} hashes, not {len(stored)} bytes")
        return cls(size, tuple(stored[i : i + HASH_BYTES] for i in range(0, len(stored), HASH_BYTES)))


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier.root()
