"""Holds, and what they keep of received copies whose consent was taken back meanwhile: read by nobody here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

IN_FORCE = text("lifted_at IS NULL")


class Hold(Row, table=True):
    """A court has forbidden to destroy anything of a case. `order` is what the paper says: its court, number and date."""

    __tablename__ = "casework_holds"
    __table_args__ = (Index("ix_casework_holds_in_force", "case_id", sqlite_where=IN_FORCE, postgresql_where=IN_FORCE),)
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")])
    order: str = Field(sa_type=Sealed("casework_holds.order", "case_id"), nullable=True)
    placed_at: datetime = Field(sa_type=UtcDateTime)
    placed_by: UUID
    lifted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    lifted_by: UUID | None = None


class HeldCopy(Row, table=True):
    """What another agency had told under a consent that was taken back while the case was held, read or waiting here; or what was
    written here under one of ours and had not left: kept for the court, under the key that goes with the consent, on no page."""

    __tablename__ = "casework_held_copies"
    sender: str = Field(primary_key=True)
    consent_id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    circle: UUID
    taken_back_at: datetime = Field(sa_type=UtcDateTime)
    kept: dict[str, Any] = Field(sa_type=Sealed("casework_held_copies.kept", "", of="case_id", erased="{}"), nullable=True)
