"""Examinations. What is found stands on paper and nowhere here; the order's number lies sealed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed


class Examination(Row, table=True):
    """One examination, and how its order stands."""

    __tablename__ = "justice_examinations"
    __table_args__ = (
        CheckConstraint(
            "order_state IN ('not_needed','there','awaited','asked','came')", name="ck_justice_examinations_order_state"
        ),
        Index("ix_justice_examinations_order_state", "order_state", "order_due_at"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    facility: str
    post: str
    begun_at: datetime = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    order_state: str
    order_number: str | None = Field(
        default=None, sa_type=Sealed("justice_examinations.order_number", "case_id"), nullable=True
    )  # fmt: skip
    order_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    order_asked_of: str | None = None
    order_asked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    order_came_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
