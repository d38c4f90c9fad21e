"""The clinic's own ledger, requests of stations, what stations have told of their boxes, and visits to them. Of products and
places: no person is in any of it, and no case of this agency or another is named."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from shared.casework.stock.commands import Entry, constraints
from shared.kit.columns import Row, UtcDateTime, json_column


class StoreEntry(Entry, table=True):
    """One line of the ledger of a clinic's store of what stations give."""

    __tablename__ = "health_store_entries"
    __table_args__ = constraints("health_store_entries")


class StationRequest(Row, table=True):
    """A station's request for doses, and what came of it. `facility` is ours, that it was sent to."""

    __tablename__ = "health_station_requests"
    __table_args__ = (
        CheckConstraint("state IN ('asked','sent','declined','received')", name="ck_health_station_requests_state"),
        Index("ix_health_station_requests_facility", "facility", "asked_at"),
    )
    id: UUID = Field(primary_key=True)
    facility: str
    agency: str
    station: str
    product: str
    quantity: int | None = None  # None: known only from our answer, which came home after a restore
    reason: str | None = None
    state: str
    asked_at: datetime = Field(sa_type=UtcDateTime)
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_by: UUID | None = None
    declined_because: str | None = None
    sent: list[Any] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]
    received: list[Any] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]
    received_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class StationMonth(Row, table=True):
    """What a station has told of a month of its box."""

    __tablename__ = "health_station_months"
    __table_args__ = (Index("ix_health_station_months_facility", "facility", "month"),)
    agency: str = Field(primary_key=True)
    station: str = Field(primary_key=True)
    product: str = Field(primary_key=True)
    month: str = Field(primary_key=True)
    facility: str
    data: dict[str, Any] = Field(sa_type=json_column)  # type: ignore[call-overload]
    said_at: datetime = Field(sa_type=UtcDateTime)


class StationReport(Row, table=True):
    """An adverse event or a misuse, as a station has told it: what, and which batch."""

    __tablename__ = "health_station_reports"
    __table_args__ = (Index("ix_health_station_reports_facility", "facility", "said_at"),)
    id: UUID = Field(primary_key=True)
    facility: str
    agency: str
    station: str
    product: str
    code: str
    batch: str | None = None
    said_at: datetime = Field(sa_type=UtcDateTime)


class SupervisionVisit(Row, table=True):
    """A visit to a station: the checklist's findings, and what was counted in the box there."""

    __tablename__ = "health_supervision_visits"
    __table_args__ = (Index("ix_health_supervision_visits_facility", "facility", "visited_on"),)
    id: UUID = Field(primary_key=True)
    facility: str
    agency: str
    station: str
    visited_on: date
    findings: dict[str, Any] = Field(sa_type=json_column)  # type: ignore[call-overload]  # point of the checklist → whether it was right
    counted: list[Any] = Field(sa_type=json_column)  # type: ignore[call-overload]
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
