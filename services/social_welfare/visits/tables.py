"""Visits and what she said about being visited. What a visit is for, how it may be made and how it went lie sealed."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

CASE = "casework_cases.id"
IS_OUT = text("set_out_at IS NOT NULL AND back_at IS NULL")


class SafeWord(Row, table=True):
    """What she said about being visited: whether it is safe, how, and when. Never changed; the last that
    she said counts."""

    __tablename__ = "social_welfare_safe_words"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("social_welfare_safe_words.said", "case_id"), nullable=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class Visit(Row, table=True):
    """One visit. Of one that a worker goes out for: `goes` is she, `second` the worker who goes along, `knows` the post that knows
    where she is; `back_by` is when she says at the latest that she is back."""

    __tablename__ = "social_welfare_visits"
    __table_args__ = (
        CheckConstraint("state IN ('made','kept','missed','called_off')", name="ck_social_welfare_visits_state"),
        CheckConstraint("kind IN ('office','home','elsewhere')", name="ck_social_welfare_visits_kind"),
        Index("ix_social_welfare_visits_due_on", "state", "due_on"),
        Index("ix_social_welfare_visits_out", "back_by", sqlite_where=IS_OUT, postgresql_where=IS_OUT),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    facility: str
    kind: str
    which: str | None = Field(default=None, sa_type=Sealed("social_welfare_visits.which", "case_id"), nullable=True)
    due_on: date
    part: str | None = Field(default=None, sa_type=Sealed("social_welfare_visits.part", "case_id"), nullable=True)
    state: str
    goes: UUID | None = None
    second: UUID | None = None
    knows: str | None = None
    back_by: datetime | None = Field(default=None, sa_type=UtcDateTime)
    set_out_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    back_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: dict[str, Any] | None = Field(default=None, sa_type=Sealed("social_welfare_visits.outcome", "case_id"), nullable=True)
    return_id: UUID | None = None
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_by: UUID | None = None
