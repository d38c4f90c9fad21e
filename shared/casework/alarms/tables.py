"""Alarms: to a post at a facility, up its ladder until somebody takes it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, json_column
from shared.kit.sealed import Sealed


class Alarm(Row, table=True):
    """Something that a post must look at. `level` counts the ladder's steps from 0; `climbs_at` is the next one's time."""

    __tablename__ = "casework_alarms"
    __table_args__ = (
        Index(
            "uq_casework_alarms_open",
            "kind",
            "about",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index("ix_casework_alarms_list", "facility", "raised_at"),
    )
    id: UUID = Field(primary_key=True)
    kind: str
    about: UUID  # the referral, or what stands in for a peer's trouble
    case_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_cases.id")])
    facility: str
    post: str
    level: int = 0
    is_acute: bool = False
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=json_column)  # type: ignore[call-overload]
    raised_at: datetime = Field(sa_type=UtcDateTime)
    climbs_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    taken_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    taken_by: UUID | None = None
    resolved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    resolved_by: UUID | None = None
    resolution: str | None = Field(default=None, sa_type=Sealed("casework_alarms.resolution", "case_id"), nullable=True)
