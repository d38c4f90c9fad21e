"""Protocols as documents: what a text's digest is taken of, which version stands, and who may confirm it."""

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Protocol as Shape
from typing import TypeVar

ADOPT_WITHIN = timedelta(days=30)  # of the day from which it holds: each post has had its turn on the roster. An assumption
TEXT_CHARACTERS_MAX = 200_000  # of a protocol: some sixty pages


class Versioned(Shape):
    """A version of a protocol."""

    @property
    def topic(self) -> str:
        """What it is about."""

    @property
    def version(self) -> int:
        """Which one it is."""


V = TypeVar("V", bound=Versioned)


def plain(text: str) -> str:
    """A document as its digest is taken of it: lines ended by one line feed each, nothing at their ends, one at the end of it.
    Browsers send other line ends than files have."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")]
    return "\n".join(lines) + "\n"


def digest_of(text: str) -> str:
    """The SHA-256 of a document, hexadecimal."""
    return hashlib.sha256(plain(text).encode()).hexdigest()


def adopt_by(published_on: date, from_on: date) -> date:
    """The last day on which a place confirms a version in time."""
    return max(published_on, from_on) + ADOPT_WITHIN


def newest(versions: Iterable[V]) -> list[V]:
    """The newest version of each protocol, by topic: an older one is confirmed by nobody any more."""
    found: dict[str, V] = {}
    for one in sorted(versions, key=lambda one: one.version):
        found[str(one.topic)] = one
    return [found[topic] for topic in sorted(found)]
