"""What travels: an event or statement, framed with its slot, signed, then sealed for one recipient.

Three layers, outermost first. Envelope: `suite (1 byte) | recipient key id (11 bytes) | sealed body`, nothing else visible; what is
sealed is padded to one of four sizes. Inner: `header length (4 bytes) | signature length (1 byte) | header | content | signature`,
the signature (64 bytes) over all before it. Content: the event or statement as JSON.
The bytes of the content are never written again by a reader: leaves and signatures are over what was sent.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.contracts.wire.merkle import HASH_BYTES, SALT_BYTES, leaf_of
from shared.contracts.wire.topics import AGENCY_ID

ENVELOPE_VERSION = b"1"
KEY_ID_BYTES = 11
OUTER_BYTES = 1 + KEY_ID_BYTES
PADDED_BYTES = (1024, 4 * 1024, 16 * 1024, 64 * 1024)  # what is sealed has one of these sizes: an event of codes always the first
LENGTH_BYTES = 4  # before what is padded
SIGNATURE_BYTES = 64  # Ed25519
VERSION_MAX = 2**31 - 1  # what a reader's integer column holds
SLOT_MAX = 2**63 - 1  # what a reader's column of slots holds
ENDED_MAX = 100  # incarnations of one pair; each restore ends one
HEADER_BYTES_MAX = 2 * 1024  # a header is about 300 bytes
INNER_BYTES_MAX = PADDED_BYTES[-1] - LENGTH_BYTES
CONTENT_BYTES_MAX = INNER_BYTES_MAX - 5 - HEADER_BYTES_MAX - SIGNATURE_BYTES  # an event is a few hundred bytes of codes
# Of one event's data, as JSON: beside it an event holds names, ids and times of bounded length, some 700 bytes at the most.
DATA_BYTES_MAX = CONTENT_BYTES_MAX - 1024
SIGNED_AS = b"refnet inner 1\0"  # what signs an inner form never signs anything else

AgencyId = Annotated[str, StringConstraints(pattern=rf"^{AGENCY_ID}$")]


class Unopenable(ValueError):
    """The bytes are not an envelope for us: no key, corrupt, or not ours. The message names the kind of fault only."""


class Kind(StrEnum):
    """What an inner form carries."""

    EVENT = "event"
    STATEMENT = "statement"
    DIRECTORY = "directory"  # lines of a directory of keys, which are the word of a root and not of whoever signs this form


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", defer_build=True)


class Header(_Wire):
    """Who says it to whom, and for an event its slot: (incarnation, seq) of the stream and the salt of its leaf.

    `signer` is the id of the key of the sender's under which it stands.
    """

    kind: Kind
    sender: AgencyId
    recipient: AgencyId
    incarnation: UUID
    signer: Annotated[bytes, Field(min_length=KEY_ID_BYTES, max_length=KEY_ID_BYTES)] | None = None
    seq: Annotated[int, Field(ge=1, le=SLOT_MAX)] | None = None
    salt: Annotated[bytes, Field(min_length=SALT_BYTES, max_length=SALT_BYTES)] | None = None


class Event(_Wire):
    """An event in CloudEvents 1.0 terms. `after` is the id of the event told before it to this recipient about this subject."""

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: AgencyId
    type: Annotated[str, StringConstraints(pattern=r"^[a-z_]+(\.[a-z_]+)+$", max_length=80)]
    dataversion: Annotated[int, Field(ge=1, le=VERSION_MAX)]
    subject: UUID
    time: AwareDatetime
    recordedtime: AwareDatetime
    after: UUID | None = None
    consentid: UUID | None = None
    circleversion: Annotated[int, Field(ge=0, le=VERSION_MAX)] | None = None
    traceparent: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")] | None = None
    withheld: bool = False
    data: dict[str, Any] | None = None

    def to_bytes(self) -> bytes:
        """The content bytes that leaf and signature are over."""
        return self.model_dump_json(exclude_none=True).encode()


class EndedStream(_Wire):
    """How far a stream of an ended incarnation went, as far as its sender knew when it opened the next one."""

    incarnation: UUID
    size: Annotated[int, Field(ge=0, le=SLOT_MAX)]
    root: Annotated[bytes, Field(min_length=HASH_BYTES, max_length=HASH_BYTES)]


class Reopened(_Wire):
    """The first leaf of a stream after a restore: what was abandoned, signed, so that an honest restore is not a fork."""

    TYPE: ClassVar[str] = "exchange.reopened"
    VERSION: ClassVar[int] = 1
    ended: Annotated[tuple[EndedStream, ...], Field(max_length=ENDED_MAX)]


@dataclass(frozen=True, slots=True)
class Inner:
    """The signed form, opened. `content` and `raw` are exactly the bytes that the sender signed and framed."""

    header: Header
    content: bytes
    signature: bytes
    raw: bytes

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        return SIGNED_AS + self.raw[: len(self.raw) - len(self.signature)]

    @property
    def leaf(self) -> bytes:
        """The leaf that this slot has in the sender's stream."""
        if self.header.salt is None:
            raise ValueError("only events have leaves")
        return leaf_of(self.content, self.header.salt)


def unsigned(header: Header, content: bytes, signature_length: int) -> bytes:
    """The inner bytes before the signature; ValueError where the content is larger than an envelope may hold."""
    if len(content) > CONTENT_BYTES_MAX:
        raise ValueError(f"an event of {len(content)} bytes is over the limit of {CONTENT_BYTES_MAX}")
    head = header.model_dump_json(exclude_none=True).encode()
    return struct.pack(">IB", len(head), signature_length) + head + content


def unframe(raw: bytes) -> Inner:
    """Reads inner bytes without verifying their signature; raises Unopenable."""
    if not 5 <= len(raw) <= INNER_BYTES_MAX:
        raise Unopenable("its length is outside the limits")
    head_length, signature_length = struct.unpack_from(">IB", raw)
    end = len(raw) - signature_length
    if head_length > HEADER_BYTES_MAX or 5 + head_length > end:
        raise Unopenable("its frame is broken")
    try:
        header = Header.model_validate_json(raw[5 : 5 + head_length])
    except ValidationError as error:
        raise Unopenable("its header is not one of ours") from error
    if header.kind is Kind.EVENT and (header.seq is None or header.salt is None):
        raise Unopenable("its header names no slot")
    return Inner(header, raw[5 + head_length : end], raw[end:], raw)


def pad(inner: bytes) -> bytes:
    """The inner bytes at the smallest of the sizes that holds them, so that a length tells nothing of what is said."""
    size = next(size for size in PADDED_BYTES if len(inner) + LENGTH_BYTES <= size)
    return (struct.pack(">I", len(inner)) + inner).ljust(size, b"\0")


def unpad(padded: bytes) -> bytes:
    """What was padded; raises Unopenable where it is not one of the sizes or anything but zeros was filled in."""
    if len(padded) not in PADDED_BYTES:
        raise Unopenable("its length is not one of the sizes")
    (length,) = struct.unpack_from(">I", padded)
    inner, filled = padded[LENGTH_BYTES : LENGTH_BYTES + length], padded[LENGTH_BYTES + length :]
    if length > len(padded) - LENGTH_BYTES or filled.strip(b"\0"):
        raise Unopenable("its padding is broken")
    return inner


def wrap(suite: int, key_id: bytes, body: bytes) -> bytes:
    """The envelope as it lies on the broker."""
    assert len(key_id) == KEY_ID_BYTES, "a key's id has one length"
    return bytes([suite]) + key_id + body


def unwrap(envelope: bytes) -> tuple[int, bytes, bytes]:
    """(suite, recipient key id, sealed body); raises Unopenable."""
    if len(envelope) <= OUTER_BYTES:
        raise Unopenable("it is too short to be an envelope")
    return envelope[0], envelope[1:OUTER_BYTES], envelope[OUTER_BYTES:]
