"""Figures that have left: each release as it was published, kept for good, because the next one is compared with it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, json_column, unlogged
from shared.kit.sealed import Sealed


class FigureRelease(Row, table=True):
    """One release of all cubes of a period. A row is never changed.

    `shown` is what was published, by cube: its categories, and its numbers by key, null where one is hidden; null where the whole
    cube was withheld. `counted` are the numbers behind it; empty for a quarter that is the sum of its months' releases, null
    where only the release itself came home after a restore. By a year's name stands what left of its calls.
    """

    __tablename__ = "casework_figure_releases"
    __table_args__ = (
        UniqueConstraint("period", "number", name="uq_casework_figure_releases_number"),
        unlogged("casework_figure_releases"),
    )
    id: UUID = Field(primary_key=True)
    period: str
    number: int
    shown: dict[str, Any] = Field(sa_type=json_column)  # type: ignore[call-overload]
    counted: dict[str, Any] | None = Field(sa_type=Sealed("casework_figure_releases.counted", ""), nullable=True)
    released_by: UUID
    released_at: datetime = Field(sa_type=UtcDateTime)
    inside_seq: int | None = Field(default=None, sa_type=BigInteger)  # its place in the log that peers sign unread
