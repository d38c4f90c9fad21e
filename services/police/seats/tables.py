"""What a unit said, day by day, of who sits there. It is about a seat and never about a case; no name stands in it."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Identity, Index
from sqlmodel import Field

from shared.exchange.tables import BIG
from shared.kit.columns import Row, UtcDateTime


class SeatDay(Row, table=True):
    """One word on one seat of one day. A later word stands over an earlier one, and both are kept."""

    __tablename__ = "police_seat_days"
    __table_args__ = (
        CheckConstraint(
            "presence IN ('present','called_away','on_leave','not_posted')", name="ck_police_seat_days_presence"
        ),
        Index("ix_police_seat_days_day", "on_date", "facility"),
    )  # fmt: skip
    position: int | None = Field(default=None, sa_column=Column(BIG, Identity(), primary_key=True))
    facility: str
    seat: str
    on_date: date
    presence: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
