"""Breaches of the protocol, as this agency wrote them down. They are told to no other agency."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed


class Breach(Row, table=True):
    """What was done or demanded against the protocol, and from whose side. No person, no place of another agency."""

    __tablename__ = "casework_breaches"
    __table_args__ = (Index("ix_casework_breaches_occurred_at", "occurred_at"),)
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    code: str | None = Field(default=None, sa_type=Sealed("casework_breaches.code", "case_id"), nullable=True)
    by_whom: str | None = Field(default=None, sa_type=Sealed("casework_breaches.by_whom", "case_id"), nullable=True)
    facility: str
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
