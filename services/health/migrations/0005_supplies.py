"""The clinic's store, requests of stations, what they have told of their boxes, and visits to them."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import AT_DESK, EVERYWHERE, protect
from shared.casework.migrations.stock import add_ledger
from shared.kit.columns import UtcDateTime, json_column

revision = "0005_supplies"
down_revision = "0004_row_security"
branch_labels = None
depends_on = "0024_consent_gaps"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    add_ledger("health_store_entries")
    op.create_table(
        "health_station_requests",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("declined_because", sa.String(), nullable=True),
        sa.Column("sent", json_column(), nullable=False),
        sa.Column("received", json_column(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("state IN ('asked','sent','declined','received')", name="ck_health_station_requests_state"),
    )
    op.create_index("ix_health_station_requests_facility", "health_station_requests", ["facility", "asked_at"])
    op.create_table(
        "health_station_months",
        sa.Column("agency", sa.String(), primary_key=True),
        sa.Column("station", sa.String(), primary_key=True),
        sa.Column("product", sa.String(), primary_key=True),
        sa.Column("month", sa.String(), primary_key=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("data", json_column(), nullable=False),
        sa.Column("said_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_health_station_months_facility", "health_station_months", ["facility", "month"])
    op.create_table(
        "health_station_reports",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("batch", sa.String(), nullable=True),
        sa.Column("said_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_health_station_reports_facility", "health_station_reports", ["facility", "said_at"])
    op.create_table(
        "health_supervision_visits",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("visited_on", sa.Date(), nullable=False),
        sa.Column("findings", json_column(), nullable=False),
        sa.Column("counted", json_column(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )
    op.create_index("ix_health_supervision_visits_facility", "health_supervision_visits", ["facility", "visited_on"])
    if op.get_bind().dialect.name == "postgresql":
        for table in (
            "health_store_entries", "health_station_requests", "health_station_months", "health_station_reports",
            "health_supervision_visits",
        ):  # fmt: skip
            protect(table, f"({EVERYWHERE} OR {AT_DESK.format(desk='facility')})")
