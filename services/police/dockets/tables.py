"""The docket number of a case in the occurrence book: a local field that never crosses."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed


class Docket(Row, table=True):
    """One case's docket."""

    __tablename__ = "police_dockets"
    case_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("casework_cases.id")])
    number: str = Field(sa_type=Sealed("police_dockets.number", "case_id"), nullable=True)
    number_index: bytes = Field(unique=True, sa_type=LargeBinary)  # the same for the same number, and tells nothing else of it
    entered_at: datetime = Field(sa_type=UtcDateTime)
    entered_by: UUID
