"""What was given, refused or out of stock for one referral. Clinical: it never crosses, to anybody."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlmodel import Field, SQLModel

from shared.kit.columns import UtcDateTime


class CareGiven(SQLModel, table=True):
    """One line of the package."""

    __tablename__ = "health_care_given"
    __table_args__ = (CheckConstraint("result IN ('given','refused','none_in_stock')", name="ck_health_care_given_result"),)
    id: UUID = Field(primary_key=True)
    referral_id: UUID = Field(sa_column_args=[ForeignKey("casework_referrals.id")], index=True)
    care: str
    result: str
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
