"""Hearings and verdicts. That there is one is a coded step of the case (`casework_progress`), said once; these rows say what only
justice keeps of it.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index
from sqlmodel import Field

from shared.exchange.tables import BIG
from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

CASE = "casework_cases.id"
STEP = "casework_progress.position"


class Hearing(Row, table=True):
    """One day in court, and what became of it."""

    __tablename__ = "justice_hearings"
    __table_args__ = (
        CheckConstraint("state IN ('set','held','put_off','cancelled')", name="ck_justice_hearings_state"),
        Index("ix_justice_hearings_on_date", "state", "on_date"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    facility: str
    position: int = Field(sa_column=Column(BIG, ForeignKey(STEP), nullable=False))
    on_date: date
    state: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_by: UUID | None = None


class Verdict(Row, table=True):
    """That a court has decided. What it decided lies sealed, and leaves on no path."""

    __tablename__ = "justice_verdicts"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    facility: str
    position: int = Field(sa_column=Column(BIG, ForeignKey(STEP), nullable=False))
    outcome: str | None = Field(default=None, sa_type=Sealed("justice_verdicts.outcome", "case_id"), nullable=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
