"""Statements: signed, unnumbered, never receipted. One form serves as receipt, heartbeat, re-request and answer.

A receipt says: I durably hold everything of your incarnation up to N, its root is R, and these ranges above N.
"""

from bisect import bisect_right
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.contracts.wire.envelope import SLOT_MAX, Inner, Kind, Unopenable
from shared.contracts.wire.merkle import HASH_BYTES, PROOF_MAX

RANGES_MAX = 64  # of a stream with more holes than this the lowest are told, and what came by the express lane
MISSING_MAX = 500  # one relay batch; the next statement asks for the rest
PARKED_MAX = 500  # slots that were asked for once more and still cannot be opened
ENQUIRIES_MAX = 200  # predecessors asked for by id in one statement
INCARNATIONS_MAX = 100  # streams of one pair; each restore opens one
RECALLS_MAX = 20  # stretches of its own words that a restored agency asks for in one statement
LOST_MAX = 500  # slots stated lost in one statement, as many as are asked for
CLEARED_MAX = 100  # slots of its own without words that a sender tells in one statement, as large
BARE_MAX = 100  # slots without words in one statement, of about 150 bytes each
INSIDE_MAX = 3  # lives of the inside log in one statement: this one and those before, for a peer that was away at a restore
SHOWN_BYTES_MAX = 16 * 1024  # an earlier statement that is shown to its signer; in base64 a third of what an envelope holds

Root = Annotated[bytes, Field(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Count = Annotated[int, Field(ge=0, le=SLOT_MAX)]
Slot = Annotated[int, Field(ge=1, le=SLOT_MAX)]


class _Part(BaseModel):
    # What a newer version adds is passed over: no field of a statement is about a person, none changes what another means
    # (decision 7), and the signed bytes are kept and shown as they came.
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64", defer_build=True)


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


class LostRange(_Part):
    """Slots first..last of an ended incarnation that their sender has stated lost: in no root and not held."""

    first: Slot
    last: Slot


class Receipt(_Part):
    """What the signer durably holds of the reader's stream `incarnation`; what is `lost` is left out of `root`."""

    incarnation: UUID
    upto: Count
    root: Root
    ranges: Annotated[tuple[HeldRange, ...], Field(max_length=RANGES_MAX)] = ()
    missing: Annotated[tuple[Slot, ...], Field(max_length=MISSING_MAX)] = ()
    parked: Annotated[tuple[Slot, ...], Field(max_length=PARKED_MAX)] = ()
    lost: Annotated[tuple[LostRange, ...], Field(max_length=RANGES_MAX)] = ()

    @model_validator(mode="after")
    def _ranges_lie_in_order_above(self) -> "Receipt":
        # Whoever reads it looks at each slot once: what is said twice would be work without end for a few bytes.
        last = self.upto
        for part in self.ranges:
            if not last < part.first <= part.last:
                raise ValueError("its ranges overlap, or lie below what is held without a hole")
            last = part.last
        return self

    def covers(self, older: "Receipt") -> bool:
        """Whether whatever an older receipt of the same stream signs for is signed for here, and it asks for nothing."""
        firsts = [part.first for part in self.ranges]

        def is_here(part: HeldRange) -> bool:
            below = bisect_right(firsts, part.first) - 1
            return part.last <= self.upto or (below >= 0 and part.last <= self.ranges[below].last)

        return not older.missing and older.upto <= self.upto and all(map(is_here, older.ranges))


class Recall(_Part):
    """Slots first..last of the signer's own stream: the reader holds them, and the signer, restored, wants its words back."""

    incarnation: UUID
    first: Slot
    last: Slot


class Lost(_Part):
    """Slots of an ended incarnation of the signer's that nobody has any more, as far as the signer knows."""

    incarnation: UUID
    slots: Annotated[tuple[Slot, ...], Field(min_length=1, max_length=LOST_MAX)]


class Bare(_Part):
    """A slot of the reader's that the signer holds without its words: they were erased, or never opened into a record."""

    incarnation: UUID
    seq: Slot
    leaf: Root
    event_id: UUID


class Cleared(_Part):
    """A slot of the signer's that was asked for, and whose words the signer no longer keeps: it counts as held by its leaf.
    `is_erased`: they went with their consent, and nobody is to look for them."""

    incarnation: UUID
    seq: Slot
    leaf: Root
    event_id: UUID
    is_erased: bool = False


class InsideHead(_Part):
    """How far the log of what the signer does inside goes; `proof` shows that it begins as the one of `since` leaves, which the
    reader signed last, as the signer knows (0 for none)."""

    incarnation: UUID
    size: Count
    root: Root
    since: Count = 0
    proof: Annotated[tuple[Root, ...], Field(max_length=PROOF_MAX)] = ()


class Cosigned(_Part):
    """The newest head of the reader's inside log that extends what the signer signed before; it has read nothing of the log."""

    incarnation: UUID
    size: Count
    root: Root


class Statement(_Part):
    """Everything that one agency has to say to one other about their two streams.

    `knows` is the reader's incarnation that the signer last heard from: a restored reader tells an answer from an old letter
    by it. `knows_lines` is how many lines of the reader's directory of keys it knows. `summary` alone is the short form: one hash
    over both directions, equal at both ends where they are in step. `shown` is a statement that the reader signed earlier, held
    against it where it now claims to hold less.
    """

    made_at: AwareDatetime
    knows: UUID | None = None
    knows_lines: Count = 0
    summary: Root | None = None
    heads: Annotated[tuple[Head, ...], Field(max_length=INCARNATIONS_MAX)] = ()
    receipts: Annotated[tuple[Receipt, ...], Field(max_length=INCARNATIONS_MAX)] = ()
    enquiries: Annotated[tuple[UUID, ...], Field(max_length=ENQUIRIES_MAX)] = ()
    gone: Annotated[tuple[UUID, ...], Field(max_length=ENQUIRIES_MAX)] = ()
    recalls: Annotated[tuple[Recall, ...], Field(max_length=RECALLS_MAX)] = ()
    lost: Annotated[tuple[Lost, ...], Field(max_length=INCARNATIONS_MAX)] = ()
    bare: Annotated[tuple[Bare, ...], Field(max_length=BARE_MAX)] = ()
    cleared: Annotated[tuple[Cleared, ...], Field(max_length=CLEARED_MAX)] = ()
    shown: Annotated[bytes, Field(max_length=SHOWN_BYTES_MAX)] | None = None
    inside: Annotated[tuple[InsideHead, ...], Field(max_length=INSIDE_MAX)] = ()
    cosigned: Annotated[tuple[Cosigned, ...], Field(max_length=INSIDE_MAX)] = ()

    @model_validator(mode="after")
    def _one_receipt_a_life(self) -> "Statement":
        if len({receipt.incarnation for receipt in self.receipts}) < len(self.receipts):
            raise ValueError("it has two receipts for one incarnation")
        return self

    @classmethod
    def of(cls, inner: Inner) -> "Statement":
        """Reads it out of an opened inner form; raises Unopenable."""
        if inner.header.kind is not Kind.STATEMENT:
            raise Unopenable("it is no statement")
        try:
            return cls.model_validate_json(inner.content)
        except ValidationError as error:
            raise Unopenable("its content is not a statement") from error

    def says_anew(self, older: "Statement") -> bool:
        """Whether all that matters of an older one of the same life stands here too, so that it need not be taken: what it asks,
        and each stretch that it signs for. Slots that it misses are asked for once a minute, and its answers are said once."""
        if self.summary is not None or older.made_at >= self.made_at:
            return False
        if older.gone or older.lost or older.bare or older.cleared or older.shown:
            return False
        if not set(older.enquiries) <= set(self.enquiries) or not all(recall in self.recalls for recall in older.recalls):
            return False
        held = {receipt.incarnation: receipt for receipt in self.receipts}
        return all(one.incarnation in held and held[one.incarnation].covers(one) for one in older.receipts)

    def to_bytes(self) -> bytes:
        """The content bytes that the signature is over."""
        return self.model_dump_json(exclude_defaults=True).encode()
