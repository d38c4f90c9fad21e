"""Signing, sealing and opening: sign-then-encrypt, so that the sender is hidden and the recipient can prove what it was told.

HPKE (RFC 9180) to one key of the recipient's, Ed25519 (RFC 8032) by one key of the sender's. Both ends are named in what is signed
and in what the seal is bound to, so nothing can be sealed again for somebody else, or laid in another's lane.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.contracts.wire.directory import Lines, Told, Use
from shared.contracts.wire.envelope import (
    SIGNATURE_BYTES,
    SIGNED_AS,
    Header,
    Inner,
    Kind,
    Unopenable,
    pad,
    unframe,
    unpad,
    unsigned,
    unwrap,
    wrap,
)
from shared.exchange.directory import BadDirectory, Directory
from shared.exchange.keyring import NOT_A_KEY, SUITES, KeyAway, Keyring

BOUND_TO = b"refnet envelope 1"
ANOTHERS = "it was sealed for another, by another, or is damaged"


class KeyGivenUp(Unopenable):
    """The signature is good, and its key does not reach the place where it stands: its owner has given it up."""

    def __init__(self) -> None:
        super().__init__("its signer's key is revoked")


class Seal(Protocol):
    """Signs what this agency says, seals it for one recipient, and opens what was sealed for this agency."""

    def sign(self, header: Header, content: bytes, known: int | None = None) -> bytes:
        """The inner form: header, content and this agency's signature, under a key that the recipient can look up: it knows so many
        lines of this agency's directory, or without a number as many as it last said."""
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

    def signed(self, raw: bytes, speaker: str, reader: str) -> Inner:
        """What is kept of a word of the one to the other, verified as evidence: a key that was given up later does not unsay it.
        Raises Unopenable; KeyGivenUp where it stands above what its key reaches."""
        ...

    def refresh(self) -> None:
        """Takes up keys that have changed meanwhile."""
        ...

    def knows(self, peer: str) -> int:
        """How many lines of a peer's directory are known here."""
        ...

    def is_known(self, peer: str, lines: int) -> None:
        """A peer has said how many lines of this agency's directory it knows."""
        ...

    def lines_for(self, peer: str, known: int | None = None) -> Lines | None:
        """What a peer that knows so many lines of this agency's directory is told next, without a number as many as it last said;
        None where it knows them all, or never said."""
        ...

    def can_speak_to(self, peer: str) -> bool:
        """Whether there is a key to sign with, and one of the peer's to seal to: what waits for one does not hang."""
        ...

    def size(self) -> int:
        """How many lines this agency's own directory has."""
        ...

    def knows_in_full(self, peer: str) -> int:
        """How many lines of a peer's directory are known here before the first that is known by its digest only."""
        ...

    def known_by_sealer(self, envelope: bytes) -> int | None:
        """How many lines of this agency's directory whoever sealed this must have known, where it is sealed to a key that another
        has replaced and that is no longer here; else None."""
        ...

    def given_up(self, peer: str) -> Mapping[bytes, Mapping[UUID, int]]:
        """The signing keys that a peer has given up, each with how far it reaches in the lives of the peer's stream to us."""
        ...

    def vouched(self, told: Lines, letter: Inner) -> Lines:
        """Of lines that a letter brings, those that may be taken from whoever brought it; raises Unopenable."""
        ...

    def verified(self, told: Lines) -> Sequence[Told]:
        """The same stretch of a peer's directory as these lines would leave it; raises Unopenable. Nothing is taken up."""
        ...

    def learn(self, told: Lines) -> int:
        """Takes lines of a peer's directory up and returns how many were new; raises Unopenable, and then none of them stands."""
        ...


class KeyedSeal:
    """The seal under an agency's keys. `renewed` gives them anew where they have changed since it was last asked."""

    def __init__(self, keys: Keyring, renewed: Callable[[], Keyring | None] = lambda: None) -> None:
        self._keys, self._renewed = keys, renewed
        self._known: dict[str, int] = {}  # lines of our directory, by peer, as each last said

    def refresh(self) -> None:
        """Takes up keys that have changed, its own or a peer's; raises RefnetError, and then the former stand.

        What letters have told of a peer's is in no file: it is taken over, so that nothing is sealed meanwhile to an older key.
        """
        renewed = self._renewed()
        if renewed is None:
            return
        for peer, former in self._keys.peers.items():
            if peer in renewed.peers:
                renewed.peers[peer].catch_up(former)
        self._keys = renewed

    def knows(self, peer: str) -> int:
        directory = self._keys.peers.get(peer)
        return directory.size if directory is not None else 0

    def is_known(self, peer: str, lines: int) -> None:
        self._known[peer] = lines

    def lines_for(self, peer: str, known: int | None = None) -> Lines | None:
        known = self._known.get(peer, self._keys.own.size) if known is None else known
        return self._keys.own.told_to(peer, known + 1) if known < self._keys.own.size else None

    def size(self) -> int:
        return self._keys.own.size

    def knows_in_full(self, peer: str) -> int:
        directory = self._keys.peers.get(peer)
        lines = directory.lines if directory is not None else []
        return next((n for n, one in enumerate(lines) if one.signed is None), len(lines))

    def can_speak_to(self, peer: str) -> bool:
        try:
            self._keys.signer()
            self._keys.seals_to(peer)
        except KeyAway:
            return False
        return True

    def known_by_sealer(self, envelope: bytes) -> int | None:
        try:
            _, id_, _ = unwrap(envelope)
        except Unopenable:
            return None
        return None if self._keys.holds(id_) else self._keys.own.replaced_at(id_)

    def given_up(self, peer: str) -> Mapping[bytes, Mapping[UUID, int]]:
        directory = self._keys.peers.get(peer)
        return directory.given_up(self._keys.agency) if directory is not None else {}

    def vouched(self, told: Lines, letter: Inner) -> Lines:
        # A root vouches for what a line says, and for no choice of what is told as a digest only: whoever has seen the lines could
        # hide a key, or that one is revoked. Under the newest key that the lines leave it is the agency's choice, or that of
        # whoever has stolen just this key: what he hides comes in full with the agency's own letter (`Letters.write_lines`).
        known = self._directory(told.agency)
        new = [n for n, one in enumerate(told.lines) if one.signed is None and told.first + n > known.size]
        if not new:
            return told
        after = Directory(known.agency, known.root)
        after.catch_up(known)
        with _a_piece_of_it():
            after.take(told)
        newest = after.newest(Use.SIGN)
        key = after.key(newest, Use.SIGN) if newest is not None and newest == letter.header.signer else None
        if key is not None and _is_signed(letter, key.public):
            return told
        return told.model_copy(update={"lines": told.lines[: new[0]]})

    def verified(self, told: Lines) -> Sequence[Told]:
        with _a_piece_of_it():
            return self._directory(told.agency).with_lines(told)

    def learn(self, told: Lines) -> int:
        with _a_piece_of_it():
            return self._directory(told.agency).take(told)

    def _directory(self, peer: str) -> Directory:
        directory = self._keys.peers.get(peer)
        if directory is None:
            raise Unopenable("no root is known that these keys could be under")
        return directory

    def sign(self, header: Header, content: bytes, known: int | None = None) -> bytes:
        signer, key = self._keys.signer(self._known.get(header.recipient) if known is None else known)
        said = unsigned(header.model_copy(update={"signer": signer}), content, SIGNATURE_BYTES)
        return said + key.sign(SIGNED_AS + said)

    def seal(self, inner: bytes, recipient: str) -> bytes:
        if self._keys.own.has_revoked:
            inner = self.standing(inner, recipient)
        suite, id_, key = self._keys.seals_to(recipient)
        bound_to = _bound_to(suite, id_, self._keys.agency, recipient)
        try:
            return wrap(suite, id_, SUITES[suite].encrypt(pad(inner), key, bound_to))
        except ValueError as error:  # a point from which no secret can be made
            raise KeyAway(NOT_A_KEY, peer=recipient) from error

    def open(self, envelope: bytes, sender: str) -> Inner:
        suite, id_, body = unwrap(envelope)
        if suite not in SUITES:
            raise Unopenable("its suite is not known here")
        key = self._keys.opens(id_, suite)
        try:
            padded = SUITES[suite].decrypt(body, key, _bound_to(suite, id_, sender, self._keys.agency))
        except (InvalidTag, ValueError) as error:
            raise Unopenable(ANOTHERS) from error
        inner = unframe(unpad(padded))
        if inner.header.sender == self._keys.agency:
            return self._verified(inner, self._keys.agency, sender)
        return self._verified(inner, sender, self._keys.agency)

    def own(self, raw: bytes, recipient: str) -> Inner:
        return self._verified(unframe(raw), self._keys.agency, recipient)

    def signed(self, raw: bytes, speaker: str, reader: str) -> Inner:
        inner = unframe(raw)
        self._check_signature(inner, speaker, reader)
        header = inner.header
        # What an own relay numbered under a key a moment too late is signed again on its way out; what a peer said so never is.
        is_a_peers_event = speaker != self._keys.agency and header.kind is Kind.EVENT
        if is_a_peers_event and not self._reaches(speaker, header, reader):
            raise KeyGivenUp
        return inner

    def addressee(self, envelope: bytes) -> str | None:
        """Whom an envelope is sealed to, by the keys that are known here; None where none of them is."""
        try:
            _, id_, _ = unwrap(envelope)
        except Unopenable:
            return None
        directories = (self._keys.own, *self._keys.peers.values())
        return next((one.agency for one in directories if one.key(id_, Use.SEAL) is not None), None)

    @property
    def agency(self) -> str:
        """Whose seal it is."""
        return self._keys.agency

    def directory_of(self, agency: str) -> Directory:
        """An agency's directory of keys as it is known here; raises Unopenable."""
        return self._keys.own if agency == self._keys.agency else self._directory(agency)

    def reaches(self, inner: Inner) -> bool:
        """Whether the key of an event may stand in its place."""
        header = inner.header
        return header.signer is not None and self._reaches(header.sender, header, header.recipient)

    def sign_bundle(self, said: bytes) -> tuple[bytes, bytes]:
        """The id of the key, and its signature over a bundle; raises KeyAway."""
        signer, key = self._keys.signer()
        return signer, key.sign(said)

    def verify_bundle(self, speaker: str, signer: bytes, signature: bytes, said: bytes) -> None:
        """Raises Unopenable or InvalidSignature where it is not the speaker's under that key."""
        self._keys.verifies(speaker, signer).verify(signature, said)

    def standing(self, raw: bytes, recipient: str) -> bytes:
        """What was signed with a key that no longer reaches its place is signed again: leaf and slot stay as they are."""
        inner = unframe(raw)
        header = inner.header
        if header.sender != self._keys.agency or header.signer is None:
            return raw
        if self._reaches(self._keys.agency, header, recipient):
            return raw
        return self.sign(header, inner.content)

    def _verified(self, inner: Inner, speaker: str, reader: str) -> Inner:
        header = inner.header
        if header.kind is Kind.DIRECTORY and (header.sender, header.recipient) == (speaker, reader):
            return inner  # its lines are under a root, whoever brings them; see `vouched`
        self._check_signature(inner, speaker, reader)
        if not self._reaches(speaker, header, reader):
            raise KeyGivenUp
        return inner

    def _check_signature(self, inner: Inner, speaker: str, reader: str) -> None:
        header = inner.header
        if (header.sender, header.recipient) != (speaker, reader):
            raise Unopenable("it is not a word of the one to the other")
        if header.signer is None:
            raise Unopenable("it is not signed")
        try:
            self._keys.verifies(speaker, header.signer).verify(inner.signature, inner.signed)
        except InvalidSignature as error:
            raise Unopenable("its signature is not good") from error

    def _reaches(self, speaker: str, header: Header, reader: str) -> bool:
        assert header.signer is not None, "what is not signed reaches nowhere"
        seq = header.seq if header.kind is Kind.EVENT else None  # nothing else has a slot, whatever it says
        return self._keys.reaches(speaker, header.signer, reader, header.incarnation, seq)


def _is_signed(letter: Inner, public: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(letter.signature, letter.signed)
    except (InvalidSignature, ValueError):
        return False
    return True


@contextlib.contextmanager
def _a_piece_of_it() -> Iterator[None]:
    try:
        yield
    except BadDirectory as error:
        raise Unopenable("it is not a piece of its sender's directory") from error


def _bound_to(suite: int, id_: bytes, sender: str, recipient: str) -> bytes:
    # No name of an agency holds a zero byte, and a key's id has one length.
    return BOUND_TO + bytes([suite]) + id_ + sender.encode() + b"\0" + recipient.encode()
