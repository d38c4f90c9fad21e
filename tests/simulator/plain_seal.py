"""The simulator's seal: no secrecy and no signature, because what is under test is what comes when and how often.

It names both ends as the real one does, and no two of its envelopes are alike, as none of the real one's are.
"""

from itertools import count
from uuid import UUID

from shared.contracts.wire.directory import Lines, Told
from shared.contracts.wire.envelope import KEY_ID_BYTES, Header, Inner, Unopenable, unframe, unsigned, unwrap, wrap

SUITE, KEY = 0, b"plain".ljust(KEY_ID_BYTES)
NONCE_BYTES = 8


class PlainSeal:
    """One agency's."""

    def __init__(self, agency: str) -> None:
        self._agency, self._sealed = agency, count()

    def refresh(self) -> None:
        """Nothing changes."""

    def knows(self, peer: str) -> int:
        """Nobody has keys."""
        return 0

    def is_known(self, peer: str, lines: int) -> None:
        """Nothing comes of it."""

    def lines_for(self, peer: str, known: int | None = None) -> Lines | None:
        return None

    def size(self) -> int:
        return 0

    def knows_in_full(self, peer: str) -> int:
        return 0

    def can_speak_to(self, peer: str) -> bool:
        return True

    def known_by_sealer(self, envelope: bytes) -> int | None:
        return None

    def given_up(self, peer: str) -> dict[bytes, dict[UUID, int]]:
        return {}

    def vouched(self, told: Lines, letter: Inner) -> Lines:
        return told

    def verified(self, told: Lines) -> list[Told]:
        return []

    def learn(self, told: Lines) -> int:
        return 0

    def sign(self, header: Header, content: bytes, known: int | None = None) -> bytes:
        return unsigned(header, content, 0)

    def seal(self, inner: bytes, recipient: str) -> bytes:
        return wrap(SUITE, KEY, next(self._sealed).to_bytes(NONCE_BYTES) + inner)

    def open(self, envelope: bytes, sender: str) -> Inner:
        suite, key, body = unwrap(envelope)
        if (suite, key) != (SUITE, KEY):
            raise Unopenable("its suite is not known here")
        inner = unframe(body[NONCE_BYTES:])
        if inner.header.sender == self._agency:
            return self.own(inner.raw, sender)
        if (inner.header.sender, inner.header.recipient) != (sender, self._agency):
            raise Unopenable("it is not a word of the one to the other")
        return inner

    def signed(self, raw: bytes, speaker: str, reader: str) -> Inner:
        return unframe(raw)

    def own(self, raw: bytes, recipient: str) -> Inner:
        inner = unframe(raw)
        if (inner.header.sender, inner.header.recipient) != (self._agency, recipient):
            raise Unopenable("it is not a word of the one to the other")
        return inner
