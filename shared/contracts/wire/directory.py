"""An agency's directory of keys: lines under its offline root, each naming the one before: none can be changed or left out.

A line that is meant for one peer alone is told to the others as its digest. Nothing here is secret, and a line that is told in
full needs no other signature than the root's, so it may come from anybody and by any way. A digest that is new to the reader stands
where the agency itself has told it: on the direct line, or in a letter under the newest signing key of what the letter leaves. Who
has stolen that key may still hide what follows on it, until the agency tells its lines from the first on, as it does at each start
and whenever they change.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.contracts.wire.envelope import ENDED_MAX, KEY_ID_BYTES, SLOT_MAX, AgencyId
from shared.contracts.wire.merkle import HASH_BYTES

LINES_MAX = 10_000  # of one directory: two keys a month and a revocation for each peer are some hundreds in ten years
TOLD_MAX = 40  # lines in one letter, of at most a kilobyte and a half each
PUBLIC_BYTES_MAX = 2_048  # the hybrid key has 1,216
SIGNED_BYTES_MAX = 4_096
SIGNATURE_BYTES = 64
DOMAIN = b"refnet directory line 1\0"  # what a root signs is never anything else

KeyId = Annotated[bytes, Field(min_length=KEY_ID_BYTES, max_length=KEY_ID_BYTES)]
Digest = Annotated[bytes, Field(min_length=HASH_BYTES, max_length=HASH_BYTES)]
START = bytes(HASH_BYTES)  # what the first line names as the one before


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", defer_build=True)


class Use(StrEnum):
    """What a key is for."""

    SIGN = "sign"
    SEAL = "seal"


class Key(_Part):
    """A key that the agency uses from now on. `suite` is that of envelopes sealed to it; signing keys have none but Ed25519."""

    use: Use
    suite: Annotated[int, Field(ge=1, le=255)]
    public: Annotated[bytes, Field(min_length=32, max_length=PUBLIC_BYTES_MAX)]
    station: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = None


class Cut(_Part):
    """How far a stream goes under a key that is revoked: what stands in a slot above is not the agency's word."""

    incarnation: UUID
    upto: Annotated[int, Field(ge=0, le=SLOT_MAX)]


class Revocation(_Part):
    """A signing key is not the agency's any more. Places in a log say from where on, so that nobody's clock decides it."""

    key: KeyId
    cuts: Annotated[tuple[Cut, ...], Field(max_length=ENDED_MAX)] = ()


class Line(_Part):
    """One line; its `number` counts from 1, and `before` is the digest of the line before. `to` alone reads it in full."""

    agency: AgencyId
    number: Annotated[int, Field(ge=1, le=LINES_MAX)]
    before: Digest
    made_at: AwareDatetime
    to: AgencyId | None = None
    publishes: Key | None = None
    revokes: Revocation | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Line":
        if (self.publishes is None) == (self.revokes is None):
            raise ValueError("a line publishes a key or revokes one")
        if self.to is not None and self.revokes is None:
            raise ValueError("a key is published to everybody")
        return self


class Told(_Part):
    """A line as it is told: signed, or the digest of one that is meant for somebody else."""

    signed: Annotated[bytes, Field(min_length=SIGNATURE_BYTES + 1, max_length=SIGNED_BYTES_MAX)] | None = None
    digest: Digest | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Told":
        if (self.signed is None) == (self.digest is None):
            raise ValueError("a line is told in full, or as its digest")
        return self


class Lines(_Part):
    """Lines of one directory, without a gap, from number `first` on."""

    agency: AgencyId
    first: Annotated[int, Field(ge=1, le=LINES_MAX)]
    lines: Annotated[tuple[Told, ...], Field(max_length=TOLD_MAX)]

    def to_bytes(self) -> bytes:
        """The content of a letter."""
        return self.model_dump_json(exclude_none=True).encode()
