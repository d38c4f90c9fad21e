"""Outreach sessions: counts, of nobody in particular."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, json_column


class OutreachSession(Row, table=True):
    """One session. `reached`: how many people, by sex and age group; `total` is their sum. `district` where it was beyond the
    office, else None."""

    __tablename__ = "social_welfare_outreach"
    __table_args__ = (
        CheckConstraint("total >= 0", name="ck_social_welfare_outreach_total"),
        Index("ix_social_welfare_outreach_held_on", "held_on"),
    )
    id: UUID = Field(primary_key=True)
    facility: str
    kind: str
    district: str | None = None
    held_on: date
    reached: dict[str, dict[str, int]] = Field(sa_type=json_column)  # type: ignore[call-overload]
    total: int
    corrects: UUID | None = None  # the session that was written down wrongly, which counts no more
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
