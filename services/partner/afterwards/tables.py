"""What was decided for the time after an agreement; the newest row of a request counts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime


class Afterwards(Row, table=True):
    """One decision. `agreement`: its name in the programme."""

    __tablename__ = "partner_afterwards"
    __table_args__ = (
        CheckConstraint("plan IN ('finished_before','goes_on_here','another_place')", name="ck_partner_afterwards_plan"),
    )
    id: UUID = Field(primary_key=True)
    referral_id: UUID = Field(sa_column_args=[ForeignKey("casework_referrals.id")], index=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    agreement: str
    plan: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
