"""The docket number of a case in the occurrence book: a local field that never crosses."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlmodel import Field, SQLModel

from shared.kit.columns import UtcDateTime


class Docket(SQLModel, table=True):
    """One case's docket."""

    __tablename__ = "police_dockets"
    case_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("casework_cases.id")])
    number: str = Field(unique=True)
    entered_at: datetime = Field(sa_type=UtcDateTime)
    entered_by: UUID
