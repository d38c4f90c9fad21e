"""The care circle as this agency has been told of it, and coded progress on its cases."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Identity, Index
from sqlmodel import Field

from shared.contracts.casework.codes import ProgressCode
from shared.exchange.tables import BIG
from shared.kit.columns import Row, UtcDateTime, json_column


class CircleMember(Row, table=True):
    """One agency's word about its own membership and whom it shares with; the circle is the union of these."""

    __tablename__ = "casework_circle_members"
    circle: UUID = Field(primary_key=True)
    agency: str = Field(primary_key=True)
    circle_version: int
    shares_with: list[str] = Field(sa_type=json_column)  # type: ignore[call-overload]
    consent_id: UUID | None = None  # under which another agency told this one; it goes with it
    announced_at: datetime = Field(sa_type=UtcDateTime)


class Progress(Row, table=True):
    """A coded fact on a case: this agency's own, or told by another member."""

    __tablename__ = "casework_progress"
    __table_args__ = (Index("ix_casework_progress_dates", "code", "on_date"),)
    position: int | None = Field(default=None, sa_column=Column(BIG, Identity(), primary_key=True))
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    agency: str
    code: str
    on_date: date | None = None  # of a hearing, None once its day does not hold any more
    was_on: date | None = None  # that day, and when it was taken off and since when that is known here
    off_occurred_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    off_recorded_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    consent_id: UUID | None = None  # under which another agency told this one; it goes with it
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID | None = None

    @property
    def is_off(self) -> bool:
        """Whether it is a hearing whose day does not hold."""
        return self.code == ProgressCode.HEARING_DATE and self.on_date is None
