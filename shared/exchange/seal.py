"""The place of sealing and signing, with one plain implementation: readable, unsigned, and named so.

Everything else in the exchange goes through a `Seal`, so that the real one (HPKE and Ed25519) takes this one's place.
"""

from typing import Protocol

from shared.contracts.wire.envelope import Header, Inner, Unopenable, frame, unframe, unwrap, wrap

PLAIN_SUITE = 0


class Seal(Protocol):
    """Signs what this agency says, seals it for one recipient, and opens what was sealed for this agency."""

    def sign(self, header: Header, content: bytes) -> bytes:
        """The inner form: header, content and this agency's signature."""
        ...

    def seal(self, inner: bytes, recipient: str) -> bytes:
        """The envelope that only the recipient can open."""
        ...

    def open(self, envelope: bytes, sender: str) -> Inner:
        """The verified inner form that `sender` sealed for this agency; raises Unopenable.

        It is the sender's own word, or a word of this agency's to the sender, given back.
        """
        ...

    def own(self, raw: bytes, recipient: str) -> Inner:
        """The verified inner form that this agency made for `recipient`; raises Unopenable."""
        ...


class PlainSeal:
    """No secrecy and no signature: for the time before keys, and never for real people."""

    def __init__(self, agency: str) -> None:
        self._agency = agency

    def sign(self, header: Header, content: bytes) -> bytes:
        return frame(header, content, b"")

    def seal(self, inner: bytes, recipient: str) -> bytes:
        return wrap(PLAIN_SUITE, b"plain", inner)

    def open(self, envelope: bytes, sender: str) -> Inner:
        suite, key_id, body = unwrap(envelope)
        if suite != PLAIN_SUITE or key_id != b"plain":
            raise Unopenable("its suite is not known here")
        inner = unframe(body)
        if inner.header.sender == self._agency:
            return self.own(body, sender)
        if inner.header.recipient != self._agency:
            raise Unopenable("it was made for another agency")
        if inner.header.sender != sender:
            raise Unopenable("it does not come from the agency whose lane it lies in")
        return inner

    def own(self, raw: bytes, recipient: str) -> Inner:
        inner = unframe(raw)
        if (inner.header.sender, inner.header.recipient) != (self._agency, recipient):
            raise Unopenable("it is not a word of this agency's to the one that gives it back")
        return inner
