"""A station's dense numbers, what its mother station holds of them, and counts of who was informed; on PostgreSQL the database shows
a desk the numbers of its own cases."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.kit.columns import UtcDateTime

revision = "0009_stations"
down_revision = "0008_breaches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "police_station_counter",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("last", sa.Integer(), nullable=False),
    )
    op.create_table(
        "police_registrations",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("about", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
    )
    for column in ("case_id", "event_id"):
        op.create_index(f"ix_police_registrations_{column}", "police_registrations", [column])
    op.create_table(
        "police_station_entries",
        sa.Column("event_id", sa.Uuid(), primary_key=True),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_police_station_entries_number", "police_station_entries", ["station", "number"])
    op.create_table(
        "police_station_stated",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("stated_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("how IN ('phone','paper')", name="ck_police_station_stated_how"),
    )
    op.create_index("ix_police_station_stated_station", "police_station_stated", ["station"])
    op.create_table(
        "police_informed",
        sa.Column("facility", sa.String(), primary_key=True),
        sa.Column("on_date", sa.Date(), primary_key=True),
        sa.Column("what", sa.String(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        protect("police_registrations", of_case("case_id", "facility"))
