"""Who sat at a unit, day by day, and whether a woman is on duty at a desk; on PostgreSQL the database shows a unit its own."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import AT_DESK, EVERYWHERE, protect
from shared.exchange.tables import BIG
from shared.kit.columns import UtcDateTime

revision = "0011_seats"
down_revision = "0010_stays"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "police_seat_days",
        sa.Column("position", BIG, sa.Identity(), primary_key=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("seat", sa.String(), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("presence", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "presence IN ('present','called_away','on_leave','not_posted')", name="ck_police_seat_days_presence"
        ),
    )  # fmt: skip
    op.create_index("ix_police_seat_days_day", "police_seat_days", ["on_date", "facility"])
    op.add_column("police_desk_states", sa.Column("has_female_staff", sa.Boolean(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        protect("police_seat_days", f"{EVERYWHERE} OR {AT_DESK.format(desk='facility')}")
