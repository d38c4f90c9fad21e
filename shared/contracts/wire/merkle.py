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
        return completed(self, leaf)[0]

    def root(self) -> bytes:
        """The tree head's root."""
        return joined(self.peaks) if self.peaks else EMPTY_ROOT

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


# --- proofs: that a leaf is in a tree, and that one tree begins as another (RFC 6962 §2.1.1, §2.1.2) ----------------------------

Span = tuple[int, int]  # leaves first..end - 1, counted from 0
PROOF_MAX = 2 * 64  # hashes of a proof about a stream of SLOT_MAX leaves: at most two a level


def _split(size: int) -> int:
    """The largest power of two below a size of two or more: how many leaves are in the left half."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The stretches whose roots prove that leaf `index` is in a tree of `size` leaves, lowest first."""
    assert 0 <= index < size, "a leaf that is proved lies in the tree"
    first, end, spans = 0, size, list[Span]()
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((first, middle))
            first = middle
    return spans[::-1]


def consistency_spans(earlier: int, size: int) -> list[Span]:
    """The stretches whose roots prove that a tree of `size` leaves begins with the one of `earlier` leaves, lowest first."""
    assert 0 <= earlier <= size, "a tree does not begin with a larger one"
    if earlier in (0, size):
        return []
    first, end, spans = 0, size, list[Span]()
    while end != earlier:
        middle = first + _split(end - first)
        if earlier <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((first, middle))
            first = middle
    return [*([(first, end)] if first else []), *spans[::-1]]


def perfect_parts(span: Span) -> list[Span]:
    """The perfect subtrees that a stretch of one of the functions above is made of, largest first."""
    first, end = span
    parts = list[Span]()
    while first < end:
        size = 1 << (end - first).bit_length() - 1
        parts.append((first, first + size))
        first += size
    return parts


def joined(parts: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees that lie beside each other, largest first."""
    root = parts[-1]
    for part in reversed(parts[:-1]):
        root = node(part, root)
    return root


def completed(frontier: Frontier, leaf: bytes) -> tuple[Frontier, list[tuple[Span, bytes]]]:
    """The tree with one more leaf, and the perfect subtrees that it completes, the leaf first: stretches with their roots."""
    end, size, carry, width, peaks = frontier.size + 1, frontier.size, leaf, 1, list(frontier.peaks)
    made = [((frontier.size, end), leaf)]
    while size & 1:
        carry, size, width = node(peaks.pop(), carry), size >> 1, width * 2
        made.append(((end - width, end), carry))
    return Frontier(end, (*peaks, carry)), made


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof shows that `leaf` is leaf `index` of the tree of that size and root."""
    if not 0 <= index < size:
        return False
    spans = inclusion_spans(index, size)
    if len(spans) != len(proof):
        return False
    found = leaf
    for (first, _), part in zip(spans, proof, strict=True):
        found = node(found, part) if first > index else node(part, found)
    return found == root


def is_extended(earlier: int, earlier_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that the tree of `size` leaves and that root begins with the earlier one."""
    if not 0 <= earlier <= size:
        return False
    spans = consistency_spans(earlier, size)
    if len(spans) != len(proof):
        return False
    if earlier == 0:
        return earlier_root == EMPTY_ROOT
    if earlier == size:
        return earlier_root == root
    parts = list(zip(spans, proof, strict=True))
    # The lowest part ends where the earlier tree does; where that is all of it, its root is known and not told.
    first, low = parts.pop(0) if parts[0][0][1] == earlier else ((0, earlier), earlier_root)
    before = after = low
    for (start, _), part in parts:
        if start >= earlier:
            after = node(after, part)
        else:
            before, after = node(part, before), node(part, after)
    assert first[1] == earlier, "what both trees share ends with the earlier one"
    return (before, after) == (earlier_root, root)
