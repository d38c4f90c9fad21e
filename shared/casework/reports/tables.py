"""Medical reports at both ends: what was asked for, and the facts of each as this agency wrote them down or was told them.

What a report says is in no column. Who examined, signed, handed over and took it lies sealed under the case's key, each at the end
that wrote it down.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Identity, Index, text
from sqlmodel import Field

from shared.exchange.tables import BIG
from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

STATUSES = "'requested','handed_back','examined','signed','ready','collected'"


class Report(Row, table=True):
    """One report that was asked for, by a referral or, where there is none, here on the case. Its times are folded from its facts,
    so that lists and figures open none of them."""

    __tablename__ = "casework_reports"
    __table_args__ = (
        CheckConstraint(f"status IN ({STATUSES})", name="ck_casework_reports_status"),
        Index(
            "ix_casework_reports_open",
            "facility",
            "requested_at",
            sqlite_where=text("status <> 'collected'"),
            postgresql_where=text("status <> 'collected'"),
        ),
        Index("ix_casework_reports_requested_at", "requested_at"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    referral_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_referrals.id")], unique=True)
    facility: str  # where it was asked for; where a referral is, its desk stands over it
    form: dict[str, Any] | None = Field(default=None, sa_type=Sealed("casework_reports.form", "case_id"), nullable=True)
    status: str
    requested_at: datetime = Field(sa_type=UtcDateTime)
    signed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    collected_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    sign_by: datetime | None = Field(default=None, sa_type=UtcDateTime)
    limit_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID | None = None


class ReportFact(Row, table=True):
    """One fact of a report, in the order in which this agency learned it."""

    __tablename__ = "casework_report_facts"
    __table_args__ = (Index("ix_casework_report_facts_report", "report_id", "position"),)
    position: int | None = Field(default=None, sa_column=Column(BIG, Identity(), primary_key=True))
    report_id: UUID = Field(sa_column_args=[ForeignKey("casework_reports.id")])
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    step: str
    is_own: bool
    is_kept_back: bool = False  # not told until she says yes
    event_id: UUID | None = None
    entered_for: str | None = None
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("casework_report_facts.said", "case_id"), nullable=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID | None = None
