"""The keys of one agency: its own, private halves included, and the directories of its peers.

Kept in memory by every process. Private keys come from files that belong to no database and to no backup of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey, Suite

from shared.contracts.wire.directory import Use
from shared.contracts.wire.envelope import Unopenable
from shared.exchange.directory import Directory, key_id
from shared.kit.errors import RefnetError

# RFC 9180 base mode. The second adds ML-KEM-768, so that what is recorded today stays shut when X25519 falls.
X25519, HYBRID = 1, 2
SUITES = {
    X25519: Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
    HYBRID: Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
}
X25519_BYTES = 32
ED25519_SUITE = 1  # signing keys have one suite

# A root may publish what is no key: that agency's line is then shut, and nobody else's.
NOT_A_KEY = "What %(peer)s has published to seal to is no key; its owner makes another (`refnet keys rotate %(peer)s`)."

Opening = X25519PrivateKey | MLKEM768X25519PrivateKey
Sealing = X25519PublicKey | MLKEM768X25519PublicKey


@dataclass(frozen=True, slots=True)
class SealKey:
    """A pair to seal to: raw bytes, the post-quantum part before the other."""

    suite: int
    private: bytes
    public: bytes

    @classmethod
    def make(cls, suite: int) -> "SealKey":
        """A new pair."""
        curve = X25519PrivateKey.generate()
        if suite == X25519:
            return cls(suite, curve.private_bytes_raw(), curve.public_key().public_bytes_raw())
        lattice = MLKEM768PrivateKey.generate()
        return cls(
            suite,
            lattice.private_bytes_raw() + curve.private_bytes_raw(),
            lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw(),
        )

    def __repr__(self) -> str:
        return f"SealKey({self.suite}, …)"  # a key is never printed


def opening_key(suite: int, private: bytes) -> Opening:
    """The private key that opens; ValueError where the bytes are none."""
    curve = X25519PrivateKey.from_private_bytes(private[-X25519_BYTES:])
    if suite == X25519:
        return curve
    return MLKEM768X25519PrivateKey(MLKEM768PrivateKey.from_seed_bytes(private[:-X25519_BYTES]), curve)


def sealing_key(suite: int, public: bytes) -> Sealing:
    """The public key that seals; ValueError where the bytes are none."""
    if suite == X25519:
        return X25519PublicKey.from_public_bytes(public)
    curve = X25519PublicKey.from_public_bytes(public[-X25519_BYTES:])
    return MLKEM768X25519PublicKey(MLKEM768PublicKey.from_public_bytes(public[:-X25519_BYTES]), curve)


class KeyAway(RefnetError):
    """There is no key to sign with, or to seal to; what waits for it stays due."""


class Keyring:
    """One agency's keys. `peers` are directories by agency; what this process does not hold the private half of, it cannot use."""

    def __init__(
        self, own: Directory, peers: Mapping[str, Directory], signing: Sequence[Ed25519PrivateKey], opening: Sequence[SealKey]
    ) -> None:
        self.own, self.peers = own, peers
        self._signing = {key_id(key.public_key().public_bytes_raw()): key for key in signing}
        self._opening = {key_id(key.public): (key.suite, opening_key(key.suite, key.private)) for key in opening}
        self._sealing: dict[bytes, Sealing] = {}
        self._verifying: dict[bytes, Ed25519PublicKey] = {}

    @property
    def agency(self) -> str:
        """Whose they are."""
        return self.own.agency

    def signer(self, known: int | None = None) -> tuple[bytes, Ed25519PrivateKey]:
        """The key under which this agency speaks now; raises KeyAway where it has none left.

        To a reader that knows so many lines of its directory it is one that the reader can look up, while such a one stands.
        """
        newest = self.own.newest(Use.SIGN, self._signing, upto=known) or self.own.newest(Use.SIGN, self._signing)
        if newest is None:
            raise KeyAway(
                f"{self.agency} has no signing key here that is not revoked;"
                f" bring its keys back, or run `refnet keys rotate {self.agency}`."
            )
        return newest, self._signing[newest]

    def seals_to(self, peer: str) -> tuple[int, bytes, Sealing]:
        """(suite, key id, key) that a peer opens with; raises KeyAway where its directory names none."""
        directory = self.peers.get(peer)
        newest = directory.newest(Use.SEAL, suites=tuple(SUITES)) if directory is not None else None
        key = directory.key(newest, Use.SEAL) if directory is not None and newest is not None else None
        if newest is None or key is None:
            raise KeyAway(f"No key of {peer} is known here to seal to; take its directories/{peer}.json from its owner.")
        if newest not in self._sealing:
            try:
                self._sealing[newest] = sealing_key(key.suite, key.public)
            except ValueError as error:
                raise KeyAway(NOT_A_KEY, peer=peer) from error
        return key.suite, newest, self._sealing[newest]

    def opens(self, id_: bytes, suite: int) -> Opening:
        """The private key of that id; raises Unopenable."""
        held, key = self._opening.get(id_, (0, None))
        if key is None:
            raise Unopenable("the key that it is sealed to is not here")
        if held != suite:
            raise Unopenable("its suite is not that of its key")
        return key

    def holds(self, id_: bytes) -> bool:
        """Whether the private key of that id is here."""
        return id_ in self._opening

    def verifies(self, speaker: str, id_: bytes) -> Ed25519PublicKey:
        """The key of that id in the directory of who speaks; raises Unopenable. A station's speaks for nobody yet."""
        directory = self._directory(speaker)
        key = directory.key(id_, Use.SIGN) if directory is not None else None
        if key is None or key.station is not None:
            raise Unopenable("its signer is not known")
        if id_ not in self._verifying:
            try:
                self._verifying[id_] = Ed25519PublicKey.from_public_bytes(key.public)
            except ValueError as error:
                raise Unopenable("its signer's key is none") from error
        return self._verifying[id_]

    def reaches(self, speaker: str, id_: bytes, reader: str, incarnation: UUID, seq: int | None) -> bool:
        """Whether what stands there may be the speaker's word under this key; without a slot, only while it is not revoked."""
        directory = self._directory(speaker)
        if directory is None:
            return False
        return not directory.is_revoked(id_) if seq is None else directory.reaches(id_, reader, incarnation, seq)

    def _directory(self, agency: str) -> Directory | None:
        return self.own if agency == self.agency else self.peers.get(agency)
