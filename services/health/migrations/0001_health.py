"""This agency's own tables."""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0001_health"
down_revision = None
branch_labels = ("health",)
depends_on = "0002_casework"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "health_care_given",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("care", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("result IN ('given','refused','none_in_stock')", name="ck_health_care_given_result"),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["casework_referrals.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("health_care_given", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_health_care_given_referral_id"), ["referral_id"], unique=False)
