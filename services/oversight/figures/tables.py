"""Released figures as agencies told them. What was small was hidden before it left them: there is no other number here."""

from datetime import datetime
from typing import Any

from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, json_column


class HeardRelease(Row, table=True):
    """One release of one agency; never changed. `shown`: by cube, its categories, and its numbers by key, null where one is
    hidden; null where the whole cube was withheld."""

    __tablename__ = "oversight_figures"
    agency: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    programme: str
    formulas: int
    shown: dict[str, Any] = Field(sa_type=json_column)  # type: ignore[call-overload]
    said_at: datetime = Field(sa_type=UtcDateTime)
