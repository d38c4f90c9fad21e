"""What was written for her before she had decided: the desk finds it again, and nobody is told of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.kit.columns import UtcDateTime

revision = "0010_drafted"
down_revision = "0009_withheld"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_drafted_referrals",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("page", sa.String(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("answers", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("kept_at", UtcDateTime(), nullable=False),
        sa.Column("kept_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("page IN ('consent','refer')", name="ck_casework_drafted_referrals_page"),
        sa.ForeignKeyConstraint(["case_id"], ["casework_cases.id"]),
        sa.PrimaryKeyConstraint("case_id", "page"),
    )
    with op.batch_alter_table("casework_drafted_referrals", schema=None) as batch_op:
        batch_op.create_index("ix_casework_drafted_referrals_facility", ["facility", "kept_at"], unique=False)
