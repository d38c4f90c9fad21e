"""Returns to a family or a community: what was asked before, and what she said after that. Both lie sealed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

IS_OPEN = text("state NOT IN ('ended','not_agreed')")


class HomeReturn(Row, table=True):
    """One return, from what was asked before it to the end of being seen again after it; one of a case at a time."""

    __tablename__ = "social_welfare_returns"
    __table_args__ = (
        CheckConstraint("state IN ('assessed','agreed','not_agreed','returned','ended')", name="ck_social_welfare_returns_state"),
        Index("uq_social_welfare_returns_open", "case_id", unique=True, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    facility: str
    state: str
    asked: dict[str, Any] | None = Field(default=None, sa_type=Sealed("social_welfare_returns.asked", "case_id"), nullable=True)
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("social_welfare_returns.said", "case_id"), nullable=True)
    assessed_at: datetime = Field(sa_type=UtcDateTime)
    agreed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    returned_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ending: str | None = Field(default=None, sa_type=Sealed("social_welfare_returns.ending", "case_id"), nullable=True)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
