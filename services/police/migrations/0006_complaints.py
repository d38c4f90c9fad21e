"""The complaint register, what was explained and told to her, and breaches of the protocol.

Milestones that are there already were told or not told before anybody wrote it down: they stand on no list of what is to be told.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.exchange.tables import BIG
from shared.kit.columns import UtcDateTime
from shared.kit.ids import new_id

revision = "0006_complaints"
down_revision = "0005_hotline"
branch_labels = None
depends_on = "0024_consent_gaps"

TABLES = ("police_complaints", "police_complaint_steps", "police_tellings", "police_explained", "police_breaches")
MILESTONES = (
    "complaint_registered", "statement_taken", "medical_report_requested", "medical_report_received", "suspect_known", "charged",
    "hearing_date", "protection_order", "verdict", "complaint_withdrawn", "complaint_reopened",
)  # fmt: skip


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "police_complaints",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("incident_id", sa.Uuid(), sa.ForeignKey("casework_incidents.id"), nullable=True),
        sa.Column("number", sa.LargeBinary(), nullable=True),
        sa.Column("number_index", sa.LargeBinary(), nullable=True, unique=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
    )
    op.create_table(
        "police_complaint_steps",
        sa.Column("position", BIG, sa.ForeignKey("casework_progress.position"), primary_key=True, autoincrement=False),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("complaint_id", sa.Uuid(), sa.ForeignKey("police_complaints.id"), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=True),
    )
    op.create_table(
        "police_tellings",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("position", BIG, sa.ForeignKey("casework_progress.position"), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("how", sa.String(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("outcome IN ('told','not_safe','before')", name="ck_police_tellings_outcome"),
    )
    op.create_table(
        "police_explained",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("topics", sa.LargeBinary(), nullable=True),
        sa.Column("language", sa.LargeBinary(), nullable=True),
        sa.Column("interpreter", sa.Boolean(), nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )
    op.create_table(
        "police_breaches",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=True),
        sa.Column("by_whom", sa.LargeBinary(), nullable=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )
    for table in TABLES:
        op.create_index(f"ix_{table}_case_id", table, ["case_id"])
    op.create_index("ix_police_complaint_steps_complaint_id", "police_complaint_steps", ["complaint_id"])
    op.create_index("ix_police_tellings_position", "police_tellings", ["position", "outcome"])
    op.create_index("ix_police_breaches_occurred_at", "police_breaches", ["occurred_at"])
    _settle_what_was_before()
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            protect(table, of_case("case_id"))


def _settle_what_was_before() -> None:
    steps = sa.table(
        "casework_progress", sa.column("position", BIG), sa.column("case_id", sa.Uuid()), sa.column("code"),
        sa.column("recorded_by", sa.Uuid()), sa.column("recorded_at", UtcDateTime()),
    )  # fmt: skip
    tellings = sa.table(
        "police_tellings", sa.column("id", sa.Uuid()), sa.column("case_id", sa.Uuid()), sa.column("position", BIG),
        sa.column("outcome"), sa.column("occurred_at", UtcDateTime()), sa.column("recorded_at", UtcDateTime()),
    )  # fmt: skip
    connection, now = op.get_bind(), datetime.now(UTC)
    own = sa.select(steps).where(steps.c.recorded_by.is_not(None), steps.c.code.in_(MILESTONES))
    rows = [
        {"id": new_id(), "case_id": row.case_id, "position": row.position, "outcome": "before", "occurred_at": row.recorded_at,
         "recorded_at": now}
        for row in connection.execute(own)
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(tellings), rows)
