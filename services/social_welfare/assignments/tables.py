"""Which social worker looks after which case."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime


class Assignment(Row, table=True):
    """One case's worker."""

    __tablename__ = "social_welfare_assignments"
    case_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("casework_cases.id")])
    account_id: UUID = Field(sa_column_args=[ForeignKey("casework_accounts.id")], index=True)
    assigned_at: datetime = Field(sa_type=UtcDateTime)
    assigned_by: UUID
