"""Case conferences, at whoever called one and at whoever was asked to it. Each keeps its own record.

What was heard lies under the key of the consent that it was told under, and goes with it; what an agency answered is its own.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

STATES = "'called','held','called_off','withdrawn'"


class Conference(Row, table=True):
    """One conference. Where another agency called it: `consent_id` is what its invitation rests on, `agenda` and `decisions` are
    what this agency heard of them, and `key_name` names the key of what is told under that consent."""

    __tablename__ = "casework_conferences"
    __table_args__ = (
        CheckConstraint(f"state IN ({STATES})", name="ck_casework_conferences_state"),
        Index("ix_casework_conferences_due", "state", "on_date"),
        Index("ix_casework_conferences_consent", "consent_id"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    key_name: UUID
    caller: str
    desk: str  # the facility of ours on whose list it stands
    facility: str | None = None  # of the caller's, where people meet
    on_date: date | None = None
    part: str | None = None
    agenda: list[str] | None = Field(default=None, sa_type=Sealed("casework_conferences.agenda", "key_name"), nullable=True)
    decisions: list[dict[str, Any]] | None = Field(
        default=None, sa_type=Sealed("casework_conferences.decisions", "key_name"), nullable=True
    )
    state: str
    consent_id: UUID | None = None
    called_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answer: str | None = None  # this agency's, where another called it
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recorded_by: UUID | None = None


class Invitation(Row, table=True):
    """One agency that was asked to a conference of ours, and what it hears there. Withdrawn at once with her consent."""

    __tablename__ = "casework_conference_invitations"
    __table_args__ = (Index("ix_casework_conference_invitations_consent", "consent_id"),)
    conference_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("casework_conferences.id")])
    agency: str = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    consent_id: UUID
    agenda: list[str] | None = Field(
        default=None, sa_type=Sealed("casework_conference_invitations.agenda", "case_id"), nullable=True
    )
    answer: str | None = None
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
