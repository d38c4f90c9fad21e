"""A station's register of numbers, what its mother station holds of it, and how many were informed. Nothing here is about a person
but the ids of a case, and those never leave the station.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime


class StationCounter(Row, table=True):
    """The last number that this station has given; one row."""

    __tablename__ = "police_station_counter"
    id: int = Field(default=1, primary_key=True)
    last: int = 0


class Registration(Row, table=True):
    """A number that this station gave, to a complaint or a referral. `event_id` is the word by which its mother station is told.

    `case_id` and `about` are empty where only that word came back, after a restore.
    """

    __tablename__ = "police_registrations"
    number: int = Field(primary_key=True)
    what: str
    about: UUID | None = None
    case_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    facility: str
    event_id: UUID = Field(index=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class StationEntry(Row, table=True):
    """What a mother station holds of one number of a station's. A number that comes twice has two rows: both are kept."""

    __tablename__ = "police_station_entries"
    __table_args__ = (Index("ix_police_station_entries_number", "station", "number"),)
    event_id: UUID = Field(primary_key=True)
    station: str
    number: int
    what: str
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    received_at: datetime = Field(sa_type=UtcDateTime)


class StationKnown(Row, table=True):
    """Since when the network file has a station as one of this agency's."""

    __tablename__ = "police_stations_known"
    station: str = Field(primary_key=True)
    since: datetime = Field(sa_type=UtcDateTime)


class StationStated(Row, table=True):
    """The newest number of a station's as somebody said it by phone, or as it stands on a slip. `corrects` is a line that was
    mistyped: both are kept, and only this one says anything."""

    __tablename__ = "police_station_stated"
    __table_args__ = (CheckConstraint("how IN ('phone','paper')", name="ck_police_station_stated_how"),)
    id: UUID = Field(primary_key=True)
    station: str = Field(index=True)
    number: int
    how: str
    corrects: UUID | None = Field(default=None, unique=True, sa_column_args=[ForeignKey("police_station_stated.id")])
    stated_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class InformedCount(Row, table=True):
    """How many were informed of something on a day at a place, without a case: a count, and nothing of anybody."""

    __tablename__ = "police_informed"
    facility: str = Field(primary_key=True)
    on_date: date = Field(primary_key=True)
    what: str = Field(primary_key=True)
    count: int = 0
