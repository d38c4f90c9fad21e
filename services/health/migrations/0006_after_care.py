"""Follow-up visits, samples with the book of their custody, and medical certificates."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.casework.migrations.stock import never_changes
from shared.kit.columns import UtcDateTime

revision = "0006_after_care"
down_revision = "0005_supplies"
branch_labels = None
depends_on = "0028_reports"

TABLES = ("health_follow_ups", "health_specimens", "health_custody_entries", "health_medical_certificates")


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
    _samples()
    _certificates()
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            protect(table, of_case("case_id"))


def _samples() -> None:
    op.create_table(
        "health_specimens",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False, unique=True),
        sa.Column("kind", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("has_gap", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )
    op.create_index("ix_health_specimens_case_id", "health_specimens", ["case_id"])
    op.create_index("ix_health_specimens_state", "health_specimens", ["facility", "state"])
    op.create_table(
        "health_custody_entries",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("specimen_id", sa.Uuid(), sa.ForeignKey("health_specimens.id"), nullable=False),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.UniqueConstraint("specimen_id", "number", name="uq_health_custody_entries_number"),
    )
    op.create_index("ix_health_custody_entries_case_id", "health_custody_entries", ["case_id"])
    never_changes("health_custody_entries")


def _certificates() -> None:
    op.create_table(
        "health_medical_certificates",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("number", sa.LargeBinary(), nullable=True),
        sa.Column("number_index", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=True),
        sa.Column("copy_kept", sa.Boolean(), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("given_by", sa.Uuid(), nullable=True),
    )
    op.create_index("ix_health_medical_certificates_case_id", "health_medical_certificates", ["case_id"])
