"""Samples and the book of their custody. Lines of the book are never changed or deleted: the database refuses it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from shared.kit.columns import UtcDateTime
from shared.kit.sealed import Sealed


class Specimen(SQLModel, table=True):
    """One sample. What it is lies sealed; `code` is written on it, and is all that may be told of it."""

    __tablename__ = "health_specimens"
    __table_args__ = (Index("ix_health_specimens_state", "facility", "state"),)
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    facility: str
    code: str = Field(unique=True)
    kind: str | None = Field(default=None, sa_type=Sealed("health_specimens.kind", "case_id"), nullable=True)
    state: str
    has_gap: bool = False
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class CustodyEntry(SQLModel, table=True):
    """One line: who had it, who took it, under which seal. Numbered without gaps for each sample."""

    __tablename__ = "health_custody_entries"
    __table_args__ = (UniqueConstraint("specimen_id", "number", name="uq_health_custody_entries_number"),)
    id: UUID = Field(primary_key=True)
    specimen_id: UUID = Field(sa_column_args=[ForeignKey("health_specimens.id")])
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    number: int
    act: str
    said: dict[str, Any] = Field(default_factory=dict, sa_type=Sealed("health_custody_entries.said", "case_id"), nullable=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
