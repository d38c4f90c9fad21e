"""Keys made up for tests: a root, one key to sign and one to seal for each agency, and what their peers know of them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.contracts.wire.directory import Cut, Key, Line, Lines, Revocation, Told, Use
from shared.exchange.directory import Directory, key_id, revocation, sign_line
from shared.exchange.keyring import ED25519_SUITE, X25519, Keyring, SealKey
from shared.exchange.seal import KeyedSeal

MADE_AT = datetime(2026, 1, 5, tzinfo=UTC)


class Holder:
    """Whoever holds an agency's root: makes keys and writes its directory."""

    def __init__(self, agency: str, suite: int = X25519) -> None:
        self.agency, self.suite = agency, suite
        self.root = Ed25519PrivateKey.generate()
        self.directory = Directory(agency, self.root.public_key().public_bytes_raw())
        self.signing: list[Ed25519PrivateKey] = []
        self.opening: list[SealKey] = []
        self.new_signer()
        self.new_seal(suite)

    def write(self, publishes: Key | None = None, revokes: Revocation | None = None, to: str | None = None) -> bytes:
        """Adds a line; returns it as signed."""
        number, before = self.directory.next_line()
        line = Line(agency=self.agency, number=number, before=before, made_at=MADE_AT, to=to, publishes=publishes, revokes=revokes)
        signed = sign_line(self.root, line)
        self.directory.take(Lines(agency=self.agency, first=number, lines=(Told(signed=signed),)))
        return signed

    def new_signer(self) -> bytes:
        """A new signing key; returns its id."""
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes_raw()
        self.signing.append(key)
        self.write(Key(use=Use.SIGN, suite=ED25519_SUITE, public=public))
        return key_id(public)

    def new_seal(self, suite: int) -> bytes:
        """A new key to seal to; returns its id."""
        key = SealKey.make(suite)
        self.opening.append(key)
        self.write(Key(use=Use.SEAL, suite=suite, public=key.public))
        return key_id(key.public)

    def revoke(self, id_: bytes, cuts: dict[str, dict[UUID, int]]) -> None:
        """Gives a key up: each reader is told how far its stream goes under it."""
        told = {reader: tuple(Cut(incarnation=life, upto=upto) for life, upto in one.items()) for reader, one in cuts.items()}
        for to, revokes in revocation(id_, told):
            self.write(revokes=revokes, to=to)

    def as_read_by(self, reader: str) -> Directory:
        """This directory as a peer has it."""
        read = Directory(self.agency, self.directory.root)
        while read.size < self.directory.size:
            read.take(self.directory.told_to(reader, read.size + 1))
        return read


def ring(own: Holder, peers: Iterable[Holder]) -> Keyring:
    """One agency's keys, and what it knows of others' now."""
    return Keyring(own.directory, {peer.agency: peer.as_read_by(own.agency) for peer in peers}, own.signing, own.opening)


HOLDERS: dict[str, Holder] = {}  # by agency: a test's agencies of one process keep theirs, as real ones would


def holder_of(agency: str) -> Holder:
    """The one who holds the keys of an agency of that name in this process."""
    if agency not in HOLDERS:
        HOLDERS[agency] = Holder(agency)
    return HOLDERS[agency]


class Everyone(dict[str, Directory]):
    """The directories of whoever is asked for, as one agency reads them."""

    def __init__(self, reader: str) -> None:
        super().__init__()
        self._reader = reader

    def get(self, agency: str, _: object = None) -> Directory:
        if agency not in self:
            self[agency] = holder_of(agency).as_read_by(self._reader)
        return self[agency]


def seal_of(agency: str) -> KeyedSeal:
    """The seal of an agency of this process, which knows every other."""
    own = holder_of(agency)
    return KeyedSeal(Keyring(own.directory, Everyone(agency), own.signing, own.opening))
