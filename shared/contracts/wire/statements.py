"""Statements: signed, unnumbered, never receipted. One form serves as receipt, heartbeat, re-request and answer.

A receipt says: I durably hold everything of your incarnation up to N, its root is R, and these ranges above N.
"""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.wire.envelope import SLOT_MAX
from shared.contracts.wire.merkle import HASH_BYTES

RANGES_MAX = 64  # a stream with more holes than this is told in pieces: the lowest first
MISSING_MAX = 500  # one relay batch; the next statement asks for the rest
PARKED_MAX = 500  # slots that were asked for once more and still cannot be opened
ENQUIRIES_MAX = 200  # predecessors asked for by id in one statement
INCARNATIONS_MAX = 100  # streams of one pair; each restore opens one

Root = Annotated[bytes, Field(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Count = Annotated[int, Field(ge=0, le=SLOT_MAX)]
Slot = Annotated[int, Field(ge=1, le=SLOT_MAX)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class Head(_Part):
    """How far the signer's own stream to the reader goes."""

    incarnation: UUID
    size: Count
    root: Root


class HeldRange(_Part):
    """Slots first..last, all held, above the receipt's N; `root` is the Merkle root of their leaves alone."""

    first: Slot
    last: Slot
    root: Root


class Receipt(_Part):
    """What the signer durably holds of the reader's stream `incarnation`."""

    incarnation: UUID
    upto: Count
    root: Root
    ranges: Annotated[tuple[HeldRange, ...], Field(max_length=RANGES_MAX)] = ()
    missing: Annotated[tuple[Slot, ...], Field(max_length=MISSING_MAX)] = ()
    parked: Annotated[tuple[Slot, ...], Field(max_length=PARKED_MAX)] = ()


class Statement(_Part):
    """Everything that one agency has to say to one other about their two streams."""

    made_at: AwareDatetime
    heads: Annotated[tuple[Head, ...], Field(max_length=INCARNATIONS_MAX)] = ()
    receipts: Annotated[tuple[Receipt, ...], Field(max_length=INCARNATIONS_MAX)] = ()
    enquiries: Annotated[tuple[UUID, ...], Field(max_length=ENQUIRIES_MAX)] = ()
    gone: Annotated[tuple[UUID, ...], Field(max_length=ENQUIRIES_MAX)] = ()

    def to_bytes(self) -> bytes:
        """The content bytes that the signature is over."""
        return self.model_dump_json(exclude_defaults=True).encode()
