"""Medical reports: what was asked for, and the facts of each. And breaches of the protocol, which any agency writes down.

Revision ID: 0028_reports
Revises: 0027_care_goes_on
"""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.exchange.tables import BIG
from shared.kit.columns import UtcDateTime

revision = "0028_reports"
down_revision = "0027_care_goes_on"

STATUSES = "'requested','handed_back','examined','signed','ready','collected'"
IS_OPEN = sa.text("status <> 'collected'")


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_reports",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("referral_id", sa.Uuid(), sa.ForeignKey("casework_referrals.id"), nullable=True, unique=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("form", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=True),
        sa.Column("collected_at", UtcDateTime(), nullable=True),
        sa.Column("sign_by", UtcDateTime(), nullable=True),
        sa.Column("limit_at", UtcDateTime(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"status IN ({STATUSES})", name="ck_casework_reports_status"),
    )
    op.create_index("ix_casework_reports_case_id", "casework_reports", ["case_id"])
    op.create_index("ix_casework_reports_requested_at", "casework_reports", ["requested_at"])
    op.create_index(
        "ix_casework_reports_open",
        "casework_reports",
        ["facility", "requested_at"],
        sqlite_where=IS_OPEN,
        postgresql_where=IS_OPEN,
    )
    op.create_table(
        "casework_report_facts",
        sa.Column("position", BIG, sa.Identity(), primary_key=True),
        sa.Column("report_id", sa.Uuid(), sa.ForeignKey("casework_reports.id"), nullable=False),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("is_own", sa.Boolean(), nullable=False),
        sa.Column("is_kept_back", sa.Boolean(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("entered_for", sa.String(), nullable=True),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
    )
    op.create_index("ix_casework_report_facts_case_id", "casework_report_facts", ["case_id"])
    op.create_index("ix_casework_report_facts_report", "casework_report_facts", ["report_id", "position"])
    op.create_table(
        "casework_breaches",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=True),
        sa.Column("by_whom", sa.LargeBinary(), nullable=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )
    op.create_index("ix_casework_breaches_case_id", "casework_breaches", ["case_id"])
    op.create_index("ix_casework_breaches_occurred_at", "casework_breaches", ["occurred_at"])
    if op.get_bind().dialect.name == "postgresql":
        protect("casework_breaches", of_case("case_id"))
        protect("casework_reports", of_case("case_id", "facility"))
        protect("casework_report_facts", of_case("case_id"))
