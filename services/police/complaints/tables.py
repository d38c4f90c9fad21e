"""The complaint register and what is written down beside it. Milestones themselves are the coded steps of the case
(`casework_progress`), so that each is said once; these tables say what only the police keep of them, sealed under the case's key.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary
from sqlmodel import Field

from shared.exchange.tables import BIG
from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

CASE = "casework_cases.id"
STEP = "casework_progress.position"


class Complaint(Row, table=True):
    """One complaint: of a case, or of one of its incidents. Its own number (First Information Report) never leaves the station."""

    __tablename__ = "police_complaints"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    incident_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_incidents.id")])
    number: str | None = Field(default=None, sa_type=Sealed("police_complaints.number", "case_id"), nullable=True)
    number_index: bytes | None = Field(default=None, unique=True, sa_type=LargeBinary)  # a keyed digest, as of dockets
    facility: str
    entered_at: datetime = Field(sa_type=UtcDateTime)
    entered_by: UUID


class ComplaintStep(Row, table=True):
    """Which complaint a step belongs to, and what was asked with it: of a withdrawal who asked, pressure and safety; of a reopening
    why."""

    __tablename__ = "police_complaint_steps"
    position: int = Field(sa_column=Column(BIG, ForeignKey(STEP), primary_key=True, autoincrement=False))
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    complaint_id: UUID = Field(sa_column_args=[ForeignKey("police_complaints.id")], index=True)
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("police_complaint_steps.said", "case_id"), nullable=True)


class Telling(Row, table=True):
    """That a milestone was told to her, or that it was not safe. There may be several of one. It outlives a step that was heard
    under a consent that she took back: where it once was not safe, no message is safe. `is_off`: what was told is that a day does
    not hold."""

    __tablename__ = "police_tellings"
    __table_args__ = (
        CheckConstraint("outcome IN ('told','not_safe','before')", name="ck_police_tellings_outcome"),
        Index("ix_police_tellings_position", "position", "outcome"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    position: int | None = Field(default=None, sa_column=Column(BIG, ForeignKey(STEP, ondelete="SET NULL"), nullable=True))
    outcome: str
    is_off: bool = False
    how: str | None = None
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID | None = None


class Explained(Row, table=True):
    """That she was told how the legal process goes: what of it, in which language, by which post."""

    __tablename__ = "police_explained"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    topics: list[str] = Field(default_factory=list, sa_type=Sealed("police_explained.topics", "case_id"), nullable=True)
    language: str | None = Field(default=None, sa_type=Sealed("police_explained.language", "case_id"), nullable=True)
    interpreter: bool = False
    post: str
    facility: str
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
