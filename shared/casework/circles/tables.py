"""The care circle as this agency has been told of it, and coded progress on its cases."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Identity, Index, text
from sqlmodel import Field

from shared.contracts.casework.codes import ProgressCode
from shared.exchange.erasing import received_key
from shared.exchange.tables import BIG
from shared.kit.columns import Row, UtcDateTime, json_column
from shared.kit.sealed import Sealed


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
    """A coded fact on a case: this agency's own, or told by another member. Its day lies sealed; `is_ahead` finds it until it has
    been."""

    __tablename__ = "casework_progress"
    __table_args__ = (
        Index("ix_casework_progress_codes", "code", "occurred_at"),
        Index("ix_casework_progress_ahead", "case_id", sqlite_where=text("is_ahead = 1"), postgresql_where=text("is_ahead")),
    )
    position: int | None = Field(default=None, sa_column=Column(BIG, Identity(), primary_key=True))
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    agency: str
    code: str
    # Of a hearing or a visit; of a hearing None once its day does not hold any more.
    on_date: date | None = Field(default=None, sa_type=Sealed("casework_progress.on_date", "case_id", "date"), nullable=True)
    is_ahead: bool = False  # its day may not have been yet
    # That day, and when it was taken off and since when that is known here.
    was_on: date | None = Field(default=None, sa_type=Sealed("casework_progress.was_on", "case_id", "date"), nullable=True)
    off_occurred_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    off_recorded_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    consent_id: UUID | None = None  # under which another agency told this one; it goes with it
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID | None = None

    @property
    def key(self) -> UUID:
        """The name of the key under which its days lie: what another agency told goes with the consent that it was told under."""
        return self.case_id if self.consent_id is None else received_key(self.agency, self.consent_id)

    @property
    def is_off(self) -> bool:
        """Whether it is a hearing whose day does not hold."""
        return self.code == ProgressCode.HEARING_DATE and self.on_date is None
