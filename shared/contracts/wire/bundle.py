"""A case's custody bundle: one file by which somebody without any database can check what was said about a case, by whom and when.

Everything in it is signed by whoever said it; the whole is signed by the agency that exports it. The file is the canonical JSON of
`Sealed`: one byte more, less or other is another file.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.wire.directory import LINES_MAX, SIGNATURE_BYTES, KeyId, Told
from shared.contracts.wire.envelope import INNER_BYTES_MAX, SLOT_MAX, AgencyId
from shared.contracts.wire.merkle import HASH_BYTES, PROOF_MAX

WORDS_MAX = 10_000  # of one case: a busy one has some hundreds in ten years
DOMAIN = b"refnet bundle 1\0"  # what signs a bundle never signs anything else

Hash = Annotated[bytes, Field(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Slot = Annotated[int, Field(ge=1, le=SLOT_MAX)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", defer_build=True)


class Roots(_Part):
    """An agency's directory of keys under its root. Lines that were meant for agencies that are not in the bundle are digests."""

    agency: AgencyId
    root: Annotated[bytes, Field(min_length=32, max_length=32)]
    lines: Annotated[tuple[Told, ...], Field(max_length=LINES_MAX)]


class StreamHead(_Part):
    """How far a stream went, in a statement of one of its two ends: `signed` is the statement as that end signed it."""

    sender: AgencyId
    recipient: AgencyId
    incarnation: UUID
    signer: AgencyId
    size: Slot
    root: Hash
    signed: Annotated[bytes, Field(max_length=INNER_BYTES_MAX)]


class Word(_Part):
    """A slot of a stream: the event as its sender signed it, salt included; or, where its words are cleared or erased, its leaf.

    `head` is the place, among the bundle's heads, of one that the proof leads to; None where nobody had signed for it yet. `became`
    is what the exporter made of a message that it heard; files of before it was told have none.
    """

    sender: AgencyId
    recipient: AgencyId
    incarnation: UUID
    seq: Slot
    signed: Annotated[bytes, Field(max_length=INNER_BYTES_MAX)] | None = None
    leaf: Hash | None = None
    head: Annotated[int, Field(ge=0, le=WORDS_MAX)] | None = None
    proof: Annotated[tuple[Hash, ...], Field(max_length=PROOF_MAX)] = ()
    became: Annotated[str, Field(pattern="^[a-z]{1,20}$")] | None = Field(default=None, exclude_if=lambda it: it is None)


class Body(_Part):
    """What the exporting agency signs."""

    version: Literal[1] = 1
    agency: AgencyId
    case: UUID
    made_at: AwareDatetime
    roots: Annotated[tuple[Roots, ...], Field(max_length=1_000)]
    heads: Annotated[tuple[StreamHead, ...], Field(max_length=WORDS_MAX)]
    words: Annotated[tuple[Word, ...], Field(max_length=WORDS_MAX)]

    def to_bytes(self) -> bytes:
        """What the signature is over."""
        return DOMAIN + self.model_dump_json(exclude_defaults=False).encode()


class Sealed(_Part):
    """The file."""

    body: Body
    signer: KeyId
    signature: Annotated[bytes, Field(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        return self.model_dump_json().encode() + b"\n"


# --- evidence: what other agencies signed, and not about one case ----------------------------------------------------------------

EVIDENCE_DOMAIN = b"refnet evidence 1\0"


class Item(_Part):
    """What `speaker` signed and did not fit: `signed`; and `beside`, what it had signed before that contradicts it, where that is
    kept. `log` and `place` say where, `why` in the exporter's words why it was not used."""

    kind: Literal["head", "slot", "word"]
    log: Literal["stream", "inside"] = "stream"
    speaker: AgencyId
    incarnation: UUID
    place: Annotated[int, Field(ge=0, le=SLOT_MAX)]
    signed: Annotated[bytes, Field(max_length=INNER_BYTES_MAX)]
    beside: Annotated[bytes, Field(max_length=INNER_BYTES_MAX)] | None = None
    why: str = ""


class EvidenceBody(_Part):
    """What the exporting agency signs."""

    version: Literal[1] = 1
    agency: AgencyId
    made_at: AwareDatetime
    roots: Annotated[tuple[Roots, ...], Field(max_length=1_000)]
    items: Annotated[tuple[Item, ...], Field(max_length=WORDS_MAX)]

    def to_bytes(self) -> bytes:
        """What the signature is over."""
        return EVIDENCE_DOMAIN + self.model_dump_json(exclude_defaults=False).encode()


class SealedEvidence(_Part):
    """The file."""

    body: EvidenceBody
    signer: KeyId
    signature: Annotated[bytes, Field(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        return self.model_dump_json().encode() + b"\n"
