"""What travels: an event or statement, framed with its slot, signed, then sealed for one recipient.

Three layers, outermost first. Envelope: `suite (1 byte) | recipient key id (11 bytes) | sealed body`, nothing else visible.
Inner: `header length (4 bytes) | header | content | signature (0 or 64 bytes)`. Content: the event or statement as JSON.
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
CONTENT_BYTES_MAX = 64 * 1024  # the largest padding class; an event is a few hundred bytes of codes
VERSION_MAX = 2**31 - 1  # what a reader's integer column holds
SLOT_MAX = 2**63 - 1  # what a reader's column of slots holds
ENDED_MAX = 100  # incarnations of one pair; each restore ends one
HEADER_BYTES_MAX = 2 * 1024  # a header is about 300 bytes
INNER_BYTES_MAX = 4 + HEADER_BYTES_MAX + CONTENT_BYTES_MAX + 64

AgencyId = Annotated[str, StringConstraints(pattern=rf"^{AGENCY_ID}$")]


class Unopenable(ValueError):
    """The bytes are not an envelope for us: no key, corrupt, or not ours. The message names the kind of fault only."""


class Kind(StrEnum):
    """What an inner form carries."""

    EVENT = "event"
    STATEMENT = "statement"


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class Header(_Wire):
    """Who says it to whom, and for an event its slot: (incarnation, seq) of the stream and the salt of its leaf."""

    kind: Kind
    sender: AgencyId
    recipient: AgencyId
    incarnation: UUID
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
    def leaf(self) -> bytes:
        """The leaf that this slot has in the sender's stream."""
        if self.header.salt is None:
            raise ValueError("only events have leaves")
        return leaf_of(self.content, self.header.salt)


def frame(header: Header, content: bytes, signature: bytes) -> bytes:
    """The inner bytes; ValueError where the content is larger than an envelope may hold."""
    if len(content) > CONTENT_BYTES_MAX:
        raise ValueError(f"an event of {len(content)} bytes is over the limit of {CONTENT_BYTES_MAX}")
    head = header.model_dump_json(exclude_none=True).encode()
    return struct.pack(">IB", len(head), len(signature)) + head + content + signature


def unframe(raw: bytes) -> Inner:
    """Reads inner bytes; raises Unopenable."""
    if not 5 <= len(raw) <= INNER_BYTES_MAX + 1:
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


def wrap(suite: int, key_id: bytes, body: bytes) -> bytes:
    """The envelope as it lies on the broker."""
    return bytes([suite]) + key_id.ljust(KEY_ID_BYTES, b"\0") + body


def unwrap(envelope: bytes) -> tuple[int, bytes, bytes]:
    """(suite, recipient key id, sealed body); raises Unopenable."""
    if len(envelope) <= OUTER_BYTES:
        raise Unopenable("it is too short to be an envelope")
    return envelope[0], envelope[1:OUTER_BYTES].rstrip(b"\0"), envelope[OUTER_BYTES:]
