"""What a worker follows: a case, a facility or a service."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime


class FollowedThing(Row, table=True):
    """One subscription of one account; exactly one of case, facility and service is set."""

    __tablename__ = "casework_subscriptions"
    __table_args__ = (
        CheckConstraint(
            "(case_id IS NOT NULL AND facility IS NULL AND service IS NULL)"
            " OR (case_id IS NULL AND facility IS NOT NULL AND service IS NULL)"
            " OR (case_id IS NULL AND facility IS NULL AND service IS NOT NULL)",
            name="ck_casework_subscriptions_one",
        ),
    )
    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(sa_column_args=[ForeignKey("casework_accounts.id")], index=True)
    case_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_cases.id")])
    facility: str | None = None
    service: str | None = None
    channel: str = "in_app"
    created_at: datetime = Field(sa_type=UtcDateTime)
