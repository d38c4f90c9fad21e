"""The exchange's tables: what was said (outbox, streams), what was heard (slots, inbox, heads), and what a screen follows.

Slots and leaves are kept for ever; content goes when it is erased or no longer needed. Nothing here names a person,
and what is said of one lies sealed under the key of her case (decision 24).
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    text,
)
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, json_column
from shared.kit.sealed import Sealed

BIG = BigInteger().with_variant(Integer, "sqlite")


class InboxState(StrEnum):
    """What became of a received event."""

    APPLIED = "applied"
    WITHHELD = "withheld"  # the sender blanked it before it left
    TOMBSTONED = "tombstoned"  # its consent was taken back: never opened into a record
    ERASED = "erased"  # its consent is over, or its key destroyed: its words are gone, and are asked for no more
    REFUSED = "refused"  # parked, then discarded by a person
    GONE = "gone"  # the sender stated that it never said it
    # The sender said it, and no longer keeps its words: asked for by a backup older than both ends keep them for.
    CLEARED = "cleared"
    WAITING = "waiting"  # for its predecessor
    PARKED = "parked"  # unappliable or unauthorised; a person decides


DONE = frozenset({"applied", "withheld", "tombstoned", "erased", "refused", "gone", "cleared"})  # a dependant may follow these
UNKNOWN = "unknown"  # the type of an event of which only its id, its slot and its leaf are known here
# Words that the sweep may clear one day, found by its index.
OUTBOX_WORDS = text('delivered_at IS NOT NULL AND "inner" IS NOT NULL')
WORDS_UNDER = text('consent_id IS NOT NULL AND "inner" IS NOT NULL')  # words that go with their consent
INBOX_WORDS = text("""state IN ('applied', 'refused') AND "inner" IS NOT NULL""")


class KeystoreOfThis(Row, table=True):
    """Which keystore has the keys of the sealed columns; one row."""

    __tablename__ = "exchange_keystore"
    id: int = Field(default=1, primary_key=True)
    keystore: UUID


class Incarnation(Row, table=True):
    """One life of this agency's database; a restore opens the next."""

    __tablename__ = "exchange_incarnations"
    id: UUID = Field(primary_key=True)
    opened_at: datetime = Field(sa_type=UtcDateTime)
    is_current: bool = True


class Subject(Row, table=True):
    """The row that whoever decides about a referral or case locks first, at either end."""

    __tablename__ = "exchange_subjects"
    id: UUID = Field(primary_key=True)


class OutboxRow(Row, table=True):
    """One event told to one recipient. `seq` is given by the relay; until then the row may be blanked, never deleted.

    `data` and `inner` are its words: cleared once nobody can need them any more. Of a numbered row without `inner` only the slot
    and the leaf are known.
    """

    __tablename__ = "exchange_outbox"
    __table_args__ = (
        # A slot has one row; a second one is kept as evidence that a restored database numbered it again before it knew better.
        Index(
            "uq_exchange_outbox_slot",
            "recipient",
            "incarnation",
            "seq",
            unique=True,
            sqlite_where=text("is_forked = 0"),
            postgresql_where=text("NOT is_forked"),
        ),
        # Not unique: what was said again after a restore keeps its id.
        Index("ix_exchange_outbox_event", "event_id"),
        CheckConstraint("(seq IS NULL) = (leaf IS NULL)", name="ck_exchange_outbox_numbered_whole"),
        Index(
            "ix_exchange_outbox_unnumbered",
            "recipient",
            "position",
            sqlite_where=text("seq IS NULL"),
            postgresql_where=text("seq IS NULL"),
        ),
        Index(  # the constant column first: without it SQLite would rather read the whole index of slots
            "ix_exchange_outbox_undelivered",
            "delivered_at",
            "recipient",
            sqlite_where=text("delivered_at IS NULL AND is_forked = 0"),
            postgresql_where=text("delivered_at IS NULL AND NOT is_forked"),
        ),
        Index("ix_exchange_outbox_words", "recipient", "delivered_at", sqlite_where=OUTBOX_WORDS, postgresql_where=OUTBOX_WORDS),
        Index("ix_exchange_outbox_due", "recipient", "seq", sqlite_where=text("is_due"), postgresql_where=text("is_due")),
        Index("ix_exchange_outbox_told", "subject", "recipient", "position"),
        Index("ix_exchange_outbox_returned", "recipient", sqlite_where=text("is_home = 0"), postgresql_where=text("NOT is_home")),
        Index(
            "ix_exchange_outbox_consent",
            "consent_id",
            sqlite_where=text("seq IS NULL"),
            postgresql_where=text("seq IS NULL"),
        ),
        Index("ix_exchange_outbox_told_under", "consent_id", sqlite_where=WORDS_UNDER, postgresql_where=WORDS_UNDER),
    )
    position: int | None = Field(default=None, sa_column=Column(BIG, Identity(), primary_key=True))
    event_id: UUID
    recipient: str
    type: str
    dataversion: int
    subject: UUID
    lane_key: UUID
    after: UUID | None = None
    consent_id: UUID | None = None
    circle_version: int | None = None
    is_express: bool = False
    is_acute: bool = False
    is_withheld: bool = False
    is_forked: bool = False
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    traceparent: str | None = None
    data: dict[str, Any] | None = Field(
        default=None, sa_type=Sealed("exchange_outbox.data", "lane_key", of="event_id"), nullable=True
    )
    incarnation: UUID | None = None
    seq: int | None = Field(default=None, sa_type=BigInteger)
    leaf: bytes | None = Field(default=None, sa_type=LargeBinary)
    root_after: bytes | None = Field(default=None, sa_type=LargeBinary)
    inner: bytes | None = Field(default=None, sa_type=Sealed("exchange_outbox.inner", "lane_key", "bytes", of=""), nullable=True)
    is_due: bool = False
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    returned_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # our own word, given back by its recipient
    erased_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # its consent was taken back: nobody is told it again
    is_home: bool = True  # False until a returned word has been applied to our own records


class Stream(Row, table=True):
    """The head of what this agency has said to one recipient in one incarnation.

    `held` counts the leaves in `frontier`: as many as `size` while the incarnation lives; of an ended one what is here of it.
    """

    __tablename__ = "exchange_streams"
    recipient: str = Field(primary_key=True)
    incarnation: UUID = Field(primary_key=True)
    size: int = Field(default=0, sa_type=BigInteger)
    held: int = Field(default=0, sa_type=BigInteger)
    frontier: bytes = Field(default=b"", sa_type=LargeBinary)


class HeldReceipt(Row, table=True):
    """The highest receipt that a recipient's incarnation has signed for one of our streams."""

    __tablename__ = "exchange_receipts"
    peer: str = Field(primary_key=True)
    peer_incarnation: UUID = Field(primary_key=True)
    incarnation: UUID = Field(primary_key=True)
    upto: int = Field(sa_type=BigInteger)
    root: bytes = Field(sa_type=LargeBinary)
    made_at: datetime = Field(sa_type=UtcDateTime)
    parked: list[int] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]
    signed: bytes = Field(sa_type=LargeBinary)


class ReceivedSlot(Row, table=True):
    """One slot of a sender's stream, held for ever. `is_express`: it came by the express lane, or past the broker, and so past
    whatever was before it. `is_bypassed`: it was fetched past a broker that answered and has not brought it since.
    """

    __tablename__ = "exchange_slots"
    __table_args__ = (
        Index("ix_exchange_slots_event", "event_id"),
        Index(
            "ix_exchange_slots_express",
            "sender",
            "incarnation",
            "seq",
            sqlite_where=text("is_express = 1"),
            postgresql_where=text("is_express"),
        ),
        Index(
            "ix_exchange_slots_bypassed",
            "sender",
            "received_at",
            sqlite_where=text("is_bypassed = 1"),
            postgresql_where=text("is_bypassed"),
        ),
    )
    sender: str = Field(primary_key=True)
    incarnation: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    leaf: bytes = Field(sa_type=LargeBinary)
    event_id: UUID
    received_at: datetime = Field(sa_type=UtcDateTime)
    is_express: bool = False
    is_bypassed: bool = False


class LostSlot(Row, table=True):
    """A slot of an ended incarnation that its sender has stated lost: passed over, until a copy turns up and takes it."""

    __tablename__ = "exchange_lost_slots"
    sender: str = Field(primary_key=True)
    incarnation: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    stated_at: datetime = Field(sa_type=UtcDateTime)


class InboxRow(Row, table=True):
    """One received event, by the sender's id for it: applied once, whatever slots it came in. `inner` is the signed form, until
    it is cleared."""

    __tablename__ = "exchange_inbox"
    __table_args__ = (
        Index(
            "ix_exchange_inbox_waiting",
            "sender",
            "after",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_exchange_inbox_subject",
            "subject",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_exchange_inbox_withheld",
            "subject",
            sqlite_where=text("state = 'withheld'"),
            postgresql_where=text("state = 'withheld'"),
        ),
        Index("ix_exchange_inbox_words", "sender", "settled_at", sqlite_where=INBOX_WORDS, postgresql_where=INBOX_WORDS),
        Index(
            "ix_exchange_inbox_parked",
            "sender",
            "received_at",
            sqlite_where=text("state = 'parked'"),
            postgresql_where=text("state = 'parked'"),
        ),
        Index("ix_exchange_inbox_told_under", "consent_id", sqlite_where=WORDS_UNDER, postgresql_where=WORDS_UNDER),
    )
    sender: str = Field(primary_key=True)
    event_id: UUID = Field(primary_key=True)
    state: str
    type: str
    dataversion: int
    subject: UUID | None = None
    after: UUID | None = None
    consent_id: UUID | None = None
    inner: bytes | None = Field(default=None, sa_type=Sealed("exchange_inbox.inner", "subject", "bytes", of=""), nullable=True)
    received_at: datetime = Field(sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reason: str | None = None
    reason_said: str | None = None  # the same with its codes apart, as JSON, for a page in another language


class ReceivedHead(Row, table=True):
    """How far a sender's stream is held without a hole, and how far the sender says it goes.

    `held` counts the leaves in `frontier`: as many as `upto`, less what was stated lost. `heard_at`: when a slot of it was last
    taken in its turn, neither by the express lane nor past the broker.
    """

    __tablename__ = "exchange_heads"
    sender: str = Field(primary_key=True)
    incarnation: UUID = Field(primary_key=True)
    upto: int = Field(default=0, sa_type=BigInteger)
    held: int = Field(default=0, sa_type=BigInteger)
    frontier: bytes = Field(default=b"", sa_type=LargeBinary)
    highest: int = Field(default=0, sa_type=BigInteger)
    announced: int = Field(default=0, sa_type=BigInteger)
    announced_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    heard_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class MissingSlot(Row, table=True):
    """A slot that was asked for again: when, how often, and whether it is given up as unopenable."""

    __tablename__ = "exchange_missing"
    sender: str = Field(primary_key=True)
    incarnation: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    asked_at: datetime = Field(sa_type=UtcDateTime)
    asked_count: int = 1
    is_parked: bool = False


class Fork(Row, table=True):
    """Another leaf for a slot that is taken: evidence, kept unapplied. `inner` is what its sender signed: the event, or a statement
    that names the slot."""

    __tablename__ = "exchange_forks"
    __table_args__ = (Index("ix_exchange_forks_sender", "sender"),)
    id: UUID = Field(primary_key=True)
    sender: str
    incarnation: UUID
    seq: int = Field(sa_type=BigInteger)
    leaf: bytes = Field(sa_type=LargeBinary)
    inner: bytes = Field(sa_type=Sealed("exchange_forks.inner", "", "bytes"), nullable=True)
    received_at: datetime = Field(sa_type=UtcDateTime)


class HeadState(StrEnum):
    """What is known of a head that a peer has signed."""

    WAITING = "waiting"  # its leaves are not all here yet
    GOOD = "good"  # it extends what this agency signed before; the newest of its life
    REFUSED = "refused"  # it does not: evidence, beside the one that it contradicts


class Log(StrEnum):
    """Which of a peer's logs a head is of: what it says to us, or what it does inside, which we sign unread."""

    STREAM = "stream"
    INSIDE = "inside"


class SignedHead(Row, table=True):
    """A head as a peer has signed it: `signed` is its statement, empty for what the first word of a life says of the one before.

    `frontier` is that of our own leaves at a good head of a stream: the next is compared from there. `against` is the statement
    with the good head that a refused one does not extend.
    """

    __tablename__ = "exchange_signed_heads"
    __table_args__ = (Index("ix_exchange_signed_heads_state", "sender", "log", "state"),)
    sender: str = Field(primary_key=True)
    log: str = Field(primary_key=True)
    incarnation: UUID = Field(primary_key=True)
    size: int = Field(primary_key=True, sa_type=BigInteger)
    root: bytes = Field(primary_key=True, sa_type=LargeBinary)
    state: str
    frontier: bytes = Field(default=b"", sa_type=LargeBinary)
    signed: bytes = Field(sa_type=LargeBinary)
    against: bytes | None = Field(default=None, sa_type=LargeBinary)
    heard_at: datetime = Field(sa_type=UtcDateTime)


class InsideRow(Row, table=True):
    """A leaf of what this agency does inside: which row of which table it commits to, and its salt.

    `nodes` are the roots of the perfect subtrees that the leaf completes, smallest first: a proof reads a few rows, not all.
    """

    __tablename__ = "exchange_inside"
    incarnation: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    source: str
    row_key: str
    salt: bytes = Field(sa_type=LargeBinary)
    leaf: bytes = Field(sa_type=LargeBinary)
    nodes: bytes = Field(default=b"", sa_type=LargeBinary)
    logged_at: datetime = Field(sa_type=UtcDateTime)


class InsideHead(Row, table=True):
    """How far the log of what this agency does inside goes, in one life of its database."""

    __tablename__ = "exchange_inside_heads"
    incarnation: UUID = Field(primary_key=True)
    size: int = Field(default=0, sa_type=BigInteger)
    frontier: bytes = Field(default=b"", sa_type=LargeBinary)


class InsideSignature(Row, table=True):
    """The highest head of that log which a life of a peer's has signed unread; `said_size` is the one that it named last."""

    __tablename__ = "exchange_inside_signatures"
    peer: str = Field(primary_key=True)
    peer_incarnation: UUID = Field(primary_key=True)
    incarnation: UUID = Field(primary_key=True)
    size: int = Field(sa_type=BigInteger)
    root: bytes = Field(sa_type=LargeBinary)
    said_size: int = Field(sa_type=BigInteger)
    made_at: datetime = Field(sa_type=UtcDateTime)
    signed: bytes = Field(sa_type=LargeBinary)


class UnopenableRecord(Row, table=True):
    """A record that could not be opened: where it lay and why, by digest."""

    __tablename__ = "exchange_unopenable"
    __table_args__ = (Index("ix_exchange_unopenable_sender", "sender", "last_seen_at"),)
    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    sender: str
    topic: str
    kafka_partition: int
    kafka_offset: int = Field(sa_type=BigInteger)
    reason: str
    seen_count: int = 1
    first_seen_at: datetime = Field(sa_type=UtcDateTime)
    last_seen_at: datetime = Field(sa_type=UtcDateTime)
    is_settled: bool = False


class Tombstone(Row, table=True):
    """A consent that was taken back: whatever arrives under it later is never opened into a record."""

    __tablename__ = "exchange_tombstones"
    sender: str = Field(primary_key=True)
    consent_id: UUID = Field(primary_key=True)
    laid_at: datetime = Field(sa_type=UtcDateTime)


class DirectoryLine(Row, table=True):
    """A line of a peer's directory of keys that came by a letter: signed, or the digest of one that is meant for another."""

    __tablename__ = "exchange_directory_lines"
    agency: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    signed: bytes | None = Field(default=None, sa_type=LargeBinary)
    digest: bytes | None = Field(default=None, sa_type=LargeBinary)
    heard_at: datetime = Field(sa_type=UtcDateTime)


class Peer(Row, table=True):
    """What is known of the line to one other agency."""

    __tablename__ = "exchange_peers"
    peer: str = Field(primary_key=True)
    incarnation: UUID | None = None  # the life of its database that it last spoke from
    spoke_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # its newest word on where it stands, by the earlier clock
    whole_since: datetime | None = Field(default=None, sa_type=UtcDateTime)  # in this life it has asked for nothing it once held
    knows_lines: int = 0  # of our directory of keys, as it last said in a life
    knows_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    forks_beyond: int = 0  # other leaves for taken slots, beyond those that are kept whole
    traces_beyond: int = 0  # records that could not be opened, whose traces are no longer kept
    in_step_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    behind_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_heard_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_stated_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    trouble: str | None = None
    trouble_since: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Reopening(Row, table=True):
    """What a peer signed as the first word of a new incarnation: which earlier ones it abandoned, and where."""

    __tablename__ = "exchange_reopenings"
    sender: str = Field(primary_key=True)
    incarnation: UUID = Field(primary_key=True)  # the ended one
    opened: UUID = Field(primary_key=True)  # the one that says so
    size: int = Field(sa_type=BigInteger)
    root: bytes = Field(sa_type=LargeBinary)
    heard_at: datetime = Field(sa_type=UtcDateTime)


class Recovery(Row, table=True):
    """After a restore: whether a peer has given back what it holds of ours, and told us again what it had said."""

    __tablename__ = "exchange_recoveries"
    peer: str = Field(primary_key=True)
    incarnation: UUID
    ended: UUID | None = None  # the life before
    said_before: int = Field(default=0, sa_type=BigInteger)  # how far the anchor says that its stream to this peer went
    because: str
    opened_at: datetime = Field(sa_type=UtcDateTime)
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Activity(Row, table=True):
    """One line of the agency's own diary. A screen follows `feed_seq`, which the relay gives after the commit."""

    __tablename__ = "exchange_activity"
    __table_args__ = (
        Index(
            "ix_exchange_activity_unfed",
            "position",
            sqlite_where=text("feed_seq IS NULL"),
            postgresql_where=text("feed_seq IS NULL"),
        ),
        Index("ix_exchange_activity_opened", "kind", "feed_seq"),
        Index("ix_exchange_activity_recorded", "recorded_at"),
        Index("ix_exchange_activity_case", "case_id", "feed_seq"),
        Index("ix_exchange_activity_subject", "subject", "feed_seq"),
    )
    position: int | None = Field(default=None, sa_column=Column(BIG, Identity(), primary_key=True))
    feed_seq: int | None = Field(default=None, unique=True, sa_type=BigInteger)
    kind: str
    subject: UUID
    case_id: UUID | None = None
    facility: str | None = None
    agency: str
    is_own: bool
    event_id: UUID | None = None
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    detail: dict[str, Any] = Field(
        default_factory=dict, sa_type=Sealed("exchange_activity.detail", "case_id", erased="{}"), nullable=True
    )


class Feed(Row, table=True):
    """The last feed_seq given; one row."""

    __tablename__ = "exchange_feed"
    id: int = Field(default=1, primary_key=True)
    last: int = Field(default=0, sa_type=BigInteger)
