"""An agency's own files: cases, their incidents, and local notes that never leave. No name, address, phone or birth date."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, json_column
from shared.kit.sealed import Sealed

CASE = "casework_cases.id"
TOLD_PARTS = ("needs", "child", "safety", "relay", "dependants")  # of a case, as another agency may tell them


class Case(Row, table=True):
    """A file on a survivor. `circle` is its random reference in the care circle; `number` this agency's own."""

    __tablename__ = "casework_cases"
    __table_args__ = (
        CheckConstraint("circle_version >= 1", name="ck_casework_cases_circle_version"),
        Index("ix_casework_cases_facility", "facility", "opened_at"),
    )
    id: UUID = Field(primary_key=True)
    number: str = Field(unique=True)
    circle: UUID = Field(unique=True)
    circle_version: int = 1
    facility: str
    is_received: bool = False  # opened by what another agency said, not at a desk of ours
    needs: dict[str, Any] | None = Field(default=None, sa_type=Sealed("casework_cases.needs", "id"), nullable=True)
    child: dict[str, Any] | None = Field(default=None, sa_type=Sealed("casework_cases.child", "id"), nullable=True)
    safety: dict[str, Any] | None = Field(default=None, sa_type=Sealed("casework_cases.safety", "id"), nullable=True)
    relay: dict[str, Any] | None = Field(default=None, sa_type=Sealed("casework_cases.relay", "id"), nullable=True)
    dependants: dict[str, Any] | None = Field(default=None, sa_type=Sealed("casework_cases.dependants", "id"), nullable=True)
    told_under: dict[str, str] = Field(default_factory=dict, sa_type=json_column)  # type: ignore[call-overload]  # part → consent
    came_with: str | None = Field(
        default=None, sa_type=Sealed("casework_cases.came_with", "id"), nullable=True
    )  # nobody, a relative, someone else: stays here
    adult: dict[str, Any] | None = Field(
        default=None, sa_type=Sealed("casework_cases.adult", "id"), nullable=True
    )  # of a child: stays
    not_counted: bool = False  # she has said no to being counted, unnamed
    opened_at: datetime = Field(sa_type=UtcDateTime)
    opened_by: UUID | None = None
    assigned_to: UUID | None = None  # the account that looks after it: it is seen by whoever has it, wherever she sits


class Incident(Row, table=True):
    """What happened, coded, within a range of time where it is known."""

    __tablename__ = "casework_incidents"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    incident_type: str = Field(sa_type=Sealed("casework_incidents.incident_type", "case_id"), nullable=True)
    contexts: list[str] = Field(default_factory=list, sa_type=Sealed("casework_incidents.contexts", "case_id"), nullable=True)
    earliest_at: datetime | None = Field(
        default=None, sa_type=Sealed("casework_incidents.earliest_at", "case_id", "time"), nullable=True
    )
    latest_at: datetime | None = Field(
        default=None, sa_type=Sealed("casework_incidents.latest_at", "case_id", "time"), nullable=True
    )
    given: list[dict[str, Any]] = Field(default_factory=list, sa_type=Sealed("casework_incidents.given", "case_id"), nullable=True)
    urgent_mental_health: bool | None = Field(
        default=None, sa_type=Sealed("casework_incidents.urgent_mental_health", "case_id"), nullable=True
    )
    hurt_now: bool | None = Field(default=None, sa_type=Sealed("casework_incidents.hurt_now", "case_id"), nullable=True)
    recorded_at: datetime = Field(sa_type=UtcDateTime, index=True)
    recorded_by: UUID


class Note(Row, table=True):
    """Free text of this agency's own, on a case or a referral. It never crosses."""

    __tablename__ = "casework_notes"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    about: UUID
    text: str = Field(sa_type=Sealed("casework_notes.text", "case_id"), nullable=True)
    written_at: datetime = Field(sa_type=UtcDateTime)
    written_by: UUID


class Release(Row, table=True):
    """After a restore: a post has looked at a case and lets it be declined, cancelled and closed before its peers have answered."""

    __tablename__ = "casework_releases"
    case_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey(CASE)])
    released_by: UUID
    released_at: datetime = Field(sa_type=UtcDateTime)


class CaseNumber(Row, table=True):
    """On SQLite: the last number given in a year; one row a year. PostgreSQL has the sequence `casework_case_number`."""

    __tablename__ = "casework_case_numbers"
    year: int = Field(primary_key=True)
    last: int = 0
