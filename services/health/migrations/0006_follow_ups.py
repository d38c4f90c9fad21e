"""Follow-up visits."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.kit.columns import UtcDateTime

revision = "0006_follow_ups"
down_revision = "0005_supplies"
branch_labels = None
depends_on = "0028_reports"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "health_follow_ups",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("which", sa.LargeBinary(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("state IN ('made','kept','missed')", name="ck_health_follow_ups_state"),
    )
    op.create_index("ix_health_follow_ups_case_id", "health_follow_ups", ["case_id"])
    op.create_index("ix_health_follow_ups_due_on", "health_follow_ups", ["state", "due_on"])
    if op.get_bind().dialect.name == "postgresql":
        protect("health_follow_ups", of_case("case_id"))
