"""Follow-up visits. What one is for tells what was given, and lies sealed."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed


class FollowUp(Row, table=True):
    """One visit. `is_told`: its day was recorded as the next clinic date, which a social worker hears if she agreed to that."""

    __tablename__ = "health_follow_ups"
    __table_args__ = (
        CheckConstraint("state IN ('made','kept','missed','called_off')", name="ck_health_follow_ups_state"),
        Index("ix_health_follow_ups_due_on", "state", "due_on"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    facility: str
    which: str | None = Field(default=None, sa_type=Sealed("health_follow_ups.which", "case_id"), nullable=True)
    due_on: date
    state: str
    is_told: bool = False
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_by: UUID | None = None
