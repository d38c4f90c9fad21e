"""Pre-numbered sheets: which were printed for a facility, and which were entered afterwards."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime


class Sheet(Row, table=True):
    """One sheet of paper, by the number printed on it."""

    __tablename__ = "casework_sheets"
    number: str = Field(primary_key=True)
    facility: str = Field(index=True)
    kind: str
    batch: UUID = Field(index=True)
    printed_at: datetime = Field(sa_type=UtcDateTime)
    printed_by: UUID
    written_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # what the hand on the paper says
    entered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    entered_by: UUID | None = None
    case_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_cases.id")])


class SheetCount(Row, table=True):
    """The last number given to a sheet; one row a kind."""

    __tablename__ = "casework_sheet_counts"
    kind: str = Field(primary_key=True)
    last: int = 0
