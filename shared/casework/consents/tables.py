"""Consents: one recipient, one purpose, item by item, with how it was given. Taken back is permanent for its id."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, json_column, unlogged
from shared.kit.sealed import Sealed

UNSIGNED = text("outcome IS NULL")
HAS_AN_END = text("expires_at IS NOT NULL AND taken_back_at IS NULL")


class Consent(Row, table=True):
    """What the survivor said yes to, for one recipient."""

    __tablename__ = "casework_consents"
    __table_args__ = (
        CheckConstraint("basis <> 'legal_basis' OR legal_duty IS NOT NULL", name="ck_casework_consents_duty"),
        CheckConstraint("version >= 1", name="ck_casework_consents_version"),
        Index("ix_casework_consents_ends", "expires_at", sqlite_where=HAS_AN_END, postgresql_where=HAS_AN_END),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    recipient: str
    purpose: str
    items: list[str] = Field(sa_type=json_column)  # type: ignore[call-overload]
    basis: str
    legal_duty: str | None = None
    how: str
    language: str = Field(sa_type=Sealed("casework_consents.language", "case_id"), nullable=True)
    interpreter: bool = False
    explained_by: UUID
    given_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    taken_back_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    prolonged_by: UUID | None = None  # her last yes, where it covers all of this one, which does not end while that stands
    version: int = 1


class Refusal(Row, table=True):
    """What the survivor said no to: one recipient. It stays here, and stands until she says yes."""

    __tablename__ = "casework_refusals"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    recipient: str
    how: str
    language: str = Field(sa_type=Sealed("casework_refusals.language", "case_id"), nullable=True)
    interpreter: bool = False
    explained_by: UUID
    said_at: datetime = Field(sa_type=UtcDateTime)


class Erasure(Row, table=True):
    """That an agency was told to destroy what it had received under a consent of ours, at once where she took it back and else as
    soon as nothing under it is open there; and what it has signed about it since."""

    __tablename__ = "casework_erasures"
    __table_args__ = (
        Index("ix_casework_erasures_open", "told_at", sqlite_where=UNSIGNED, postgresql_where=UNSIGNED),
        Index("ix_casework_erasures_case", "case_id"),
    )
    consent_id: UUID = Field(primary_key=True)
    recipient: str = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")])
    told_at: datetime = Field(sa_type=UtcDateTime)
    outcome: str | None = None  # as it has signed last: destroyed, or held by order of a court
    signed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    event_id: UUID | None = None  # the signed word, whose proof `refnet verify` and a custody bundle show


class EndedConsent(Row, table=True):
    """A peer's consent whose day has passed while something that rests on it is open here: once nothing is, what was received under
    it is destroyed, and this row goes with it."""

    __tablename__ = "casework_ended_consents"
    sender: str = Field(primary_key=True)
    consent_id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    circle: UUID
    ended_at: datetime = Field(sa_type=UtcDateTime)


class ConsentEvent(Row, table=True):
    """What was done about a consent, version by version; never changed once it is written, and under the log whose heads peers sign
    unread: what the law or her life asked for instead of an answer stands here beside her own answers."""

    __tablename__ = "casework_consent_events"
    __table_args__ = (
        Index("ix_casework_consent_events_consent", "consent_id", "version"),
        unlogged("casework_consent_events"),
    )
    id: UUID = Field(primary_key=True)
    consent_id: UUID
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")])
    version: int
    kind: str  # recorded, taken_back, refused
    recipient: str
    purpose: str | None = None
    items: list[str] = Field(sa_type=json_column)  # type: ignore[call-overload]
    basis: str | None = None
    legal_duty: str | None = None
    how: str
    interpreter: bool
    explained_by: UUID
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
    inside_seq: int | None = Field(default=None, sa_type=BigInteger)


COMMITTED = (
    "id", "consent_id", "case_id", "version", "kind", "recipient", "purpose", "items", "basis", "legal_duty", "how", "interpreter",
    "explained_by", "expires_at", "occurred_at", "recorded_by",
)  # fmt: skip  # to which the event's leaf commits; the language it was asked in lies sealed with the consent
