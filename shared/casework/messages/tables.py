"""Coded messages to a survivor, passed on by the agency that sent her: contact itself never crosses."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed


class Message(Row, table=True):
    """One message. `direction` is 'out' where this agency asks, 'in' where it is asked to pass it on."""

    __tablename__ = "casework_messages"
    __table_args__ = (
        CheckConstraint("direction IN ('in','out')", name="ck_casework_messages_direction"),
        Index("ix_casework_messages_open", "direction", "answer"),
    )
    id: UUID = Field(primary_key=True)
    referral_id: UUID = Field(sa_column_args=[ForeignKey("casework_referrals.id")], index=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")])
    direction: str
    code: str = Field(sa_type=Sealed("casework_messages.code", "case_id"), nullable=True)
    on_at: datetime | None = Field(default=None, sa_type=Sealed("casework_messages.on_at", "case_id", "time"), nullable=True)
    asked_at: datetime = Field(sa_type=UtcDateTime)
    answer: str | None = None
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
