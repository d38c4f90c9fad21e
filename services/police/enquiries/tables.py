"""Her word for the telephone, as a keyed digest, and who asked by telephone. No number of a caller has a column here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

CASE = "casework_cases.id"


class OwnWord(Row, table=True):
    """The word of one case: nobody can read it, and whoever forgot it chooses another. `phone`: whether there is a telephone from
    which calling is safe, as she said."""

    __tablename__ = "police_own_words"
    case_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey(CASE)])
    digest: bytes = Field(sa_type=LargeBinary)
    phone: str | None = Field(default=None, sa_type=Sealed("police_own_words.phone", "case_id"), nullable=True)
    entered_at: datetime = Field(sa_type=UtcDateTime)
    entered_by: UUID


class Enquiry(Row, table=True):
    """Somebody asked by telephone how a case stands. `case_id` where the number that was said is a case's; `said` is who the caller
    claimed to be, under the key that `key_name` names."""

    __tablename__ = "police_enquiries"
    __table_args__ = (Index("ix_police_enquiries_missed", "case_id", "occurred_at"),)
    id: UUID = Field(primary_key=True)
    case_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey(CASE)], index=True)
    facility: str | None = None
    key_name: UUID
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("police_enquiries.said", "key_name"), nullable=True)
    is_answered: bool
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
