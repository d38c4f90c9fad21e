"""Things that are kept for somebody, and the book of who had them. What a thing is, and who signed, lie sealed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

CASE = "casework_cases.id"


class Property(Row, table=True):
    """One thing, numbered within its case. `asked_at`, `returned_at` follow from its entries; `breached_at`: since when it is one
    that she has not got it."""

    __tablename__ = "police_property"
    __table_args__ = (
        UniqueConstraint("case_id", "number", name="uq_police_property_number"),
        Index("ix_police_property_asked_at", "asked_at"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    facility: str
    number: int
    kind: str | None = Field(default=None, sa_type=Sealed("police_property.kind", "case_id"), nullable=True)
    note: str | None = Field(default=None, sa_type=Sealed("police_property.note", "case_id"), nullable=True)
    asked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    returned_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    breached_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class PropertyEntry(Row, table=True):
    """One line of its book."""

    __tablename__ = "police_property_entries"
    id: UUID = Field(primary_key=True)
    property_id: UUID = Field(sa_column_args=[ForeignKey("police_property.id")], index=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    act: str
    said: dict[str, Any] = Field(default_factory=dict, sa_type=Sealed("police_property_entries.said", "case_id"), nullable=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
