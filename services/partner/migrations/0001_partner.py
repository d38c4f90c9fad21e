"""This agency's own table: what becomes of open requests when an agreement ends."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.kit.columns import UtcDateTime

revision = "0001_partner"
down_revision = None
branch_labels = ("partner",)
depends_on = "0023_eyes"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "partner_afterwards",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("referral_id", sa.Uuid(), sa.ForeignKey("casework_referrals.id"), nullable=False),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("plan IN ('finished_before','goes_on_here','another_place')", name="ck_partner_afterwards_plan"),
    )
    op.create_index("ix_partner_afterwards_referral_id", "partner_afterwards", ["referral_id"])
    op.create_index("ix_partner_afterwards_case_id", "partner_afterwards", ["case_id"])
    if op.get_bind().dialect.name == "postgresql":
        protect("partner_afterwards", of_case("case_id"))
