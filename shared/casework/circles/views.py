"""Coded progress as it is shown."""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from shared.casework.cases.views import OfACase
from shared.casework.circles.tables import Progress


class ProgressView(OfACase):
    """A coded fact on a case, and which members were told."""

    look: ClassVar[str] = "timeline"

    case_id: UUID
    code: str
    on_date: date | None
    occurred_at: datetime
    told: list[str]


def progress_view(row: Progress, told: list[str]) -> ProgressView:
    """A progress fact as it is answered."""
    return ProgressView(case_id=row.case_id, code=row.code, on_date=row.on_date, occurred_at=row.occurred_at, told=told)
