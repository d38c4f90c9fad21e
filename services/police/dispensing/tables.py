"""Certificates, the locked box's ledger and its counts, what was offered, given or declined, and what fills the box again.

A dose belongs to a case and lies sealed under its key; certified officers read it, and the database holds that by itself. Nothing
else here is about a person.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlmodel import Field, col

from shared.casework.stock.commands import Entry, constraints
from shared.kit.columns import Row, UtcDateTime, json_column
from shared.kit.sealed import Sealed


class HeldCertificate(Row, table=True):
    """What an account holds after a course. A mistake is ended and entered anew."""

    __tablename__ = "police_certificates"
    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(sa_column_args=[ForeignKey("casework_accounts.id")], index=True)
    certificate: str  # of the profile
    trained_on: date | None = None
    certified_on: date | None = None
    valid_until: date | None = None
    certified_by: str | None = None  # an agency of the profile
    is_trainer: bool = False  # trains others, as this certificate allows
    trainer_id: UUID | None = None  # the colleague who trained her; None: the agency that certifies did
    supervised_acts: int | None = None
    entered_at: datetime = Field(sa_type=UtcDateTime)
    entered_by: UUID
    ended_on: date | None = None
    ended_by: UUID | None = None


class BoxEntry(Entry, table=True):
    """One line of the ledger of a station's locked box."""

    __tablename__ = "police_box_entries"
    __table_args__ = constraints("police_box_entries")


class BoxCount(Row, table=True):
    """What one officer counted in the box, not shown to the other: `of` is the first count that a second one is laid beside.
    `book` is what the ledger had then, up to its line `upto`."""

    __tablename__ = "police_box_counts"
    __table_args__ = (Index("ix_police_box_counts_facility", "facility", "counted_at"),)
    id: UUID = Field(primary_key=True)
    of: UUID | None = Field(default=None, unique=True)
    facility: str
    upto: int
    counted: dict[str, Any] = Field(sa_type=json_column)  # type: ignore[call-overload]  # product/batch → how many
    book: dict[str, Any] = Field(sa_type=json_column)  # type: ignore[call-overload]
    is_agreed: bool | None = None  # of a second count: whether it is what the first says
    counted_by: UUID
    counted_at: datetime = Field(sa_type=UtcDateTime)


IS_AGREED = col(BoxCount.is_agreed).is_(True)


class Dose(Row, table=True):
    """A product that was given for an incident, declined by her, or not there to be given. Which of them, and its line in the
    ledger, lies sealed under her case's key; the ledger says nothing of her."""

    __tablename__ = "police_doses"
    __table_args__ = (Index("ix_police_doses_facility", "facility", "recorded_at"),)
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    incident_id: UUID = Field(sa_column_args=[ForeignKey("casework_incidents.id")], index=True)
    facility: str
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("police_doses.said", "case_id"), nullable=True)
    given_at: datetime | None = Field(default=None, sa_type=Sealed("police_doses.given_at", "case_id", "time"), nullable=True)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class SafetyReport(Row, table=True):
    """An adverse event or a misuse, as a code. Where it is known of whom, `case_id` says so, here alone."""

    __tablename__ = "police_safety_reports"
    __table_args__ = (Index("ix_police_safety_reports_facility", "facility", "recorded_at"),)
    id: UUID = Field(primary_key=True)
    case_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    facility: str
    product: str = Field(sa_type=Sealed("police_safety_reports.product", "case_id"), nullable=True)
    is_misuse: bool
    code: str = Field(sa_type=Sealed("police_safety_reports.code", "case_id"), nullable=True)
    batch: str | None = Field(default=None, sa_type=Sealed("police_safety_reports.batch", "case_id"), nullable=True)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class Resupply(Row, table=True):
    """A request of a station for doses, and what came of it."""

    __tablename__ = "police_resupplies"
    __table_args__ = (
        CheckConstraint("state IN ('asked','sent','declined','received')", name="ck_police_resupplies_state"),
        Index("ix_police_resupplies_facility", "facility", "asked_at"),
    )
    id: UUID = Field(primary_key=True)
    facility: str
    agency: str
    to_facility: str
    product: str
    quantity: int | None = None  # None: known only from its answer, after a restore
    reason: str | None = None
    state: str
    asked_at: datetime = Field(sa_type=UtcDateTime)
    asked_by: UUID | None = None
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    declined_because: str | None = None
    sent: list[Any] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]
    received: list[Any] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]
    received_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    received_by: UUID | None = None


class Statement(Row, table=True):
    """A month of a box as it was told to the place that supplies it; once a month and product."""

    __tablename__ = "police_box_statements"
    facility: str = Field(primary_key=True)
    product: str = Field(primary_key=True)
    month: str = Field(primary_key=True)
    data: dict[str, Any] = Field(sa_type=json_column)  # type: ignore[call-overload]
    stated_at: datetime = Field(sa_type=UtcDateTime)
    stated_by: UUID
