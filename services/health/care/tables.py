"""What was given, refused or out of stock for one referral or one walk-in. Clinical: it never crosses, to anybody."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed


class CareGiven(Row, table=True):
    """One line of the package, for a referral or for somebody who came without one."""

    __tablename__ = "health_care_given"
    __table_args__ = (CheckConstraint("(referral_id IS NULL) <> (walk_in_id IS NULL)", name="ck_health_care_given_one"),)
    id: UUID = Field(primary_key=True)
    referral_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_referrals.id")], index=True)
    walk_in_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_walk_ins.id")], index=True)
    care: str = Field(sa_type=Sealed("health_care_given.care", "", of="id"), nullable=True)
    result: str = Field(sa_type=Sealed("health_care_given.result", "", of="id"), nullable=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
