"""This agency's own tables."""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0001_social_welfare"
down_revision = None
branch_labels = ("social_welfare",)
depends_on = "0002_casework"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "social_welfare_assignments",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("assigned_at", UtcDateTime(), nullable=False),
        sa.Column("assigned_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["casework_accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.PrimaryKeyConstraint("case_id"),
    )
    with op.batch_alter_table("social_welfare_assignments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_social_welfare_assignments_account_id"), ["account_id"], unique=False)
