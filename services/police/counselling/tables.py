"""That somebody was counselled. It is told to no other agency."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed


class Counselling(Row, table=True):
    """One time. What it was, in which language and what was said lie sealed."""

    __tablename__ = "police_counsellings"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    what: str | None = Field(default=None, sa_type=Sealed("police_counsellings.what", "case_id"), nullable=True)
    language: str | None = Field(default=None, sa_type=Sealed("police_counsellings.language", "case_id"), nullable=True)
    note: str | None = Field(default=None, sa_type=Sealed("police_counsellings.note", "case_id"), nullable=True)
    interpreter: bool = False
    post: str
    facility: str
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
