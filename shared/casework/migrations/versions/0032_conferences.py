"""Case conferences, at whoever called one and at whoever was asked, each with its own record.

Revision ID: 0032_conferences
Revises: 0028_reports
"""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.kit.columns import UtcDateTime

revision = "0032_conferences"
down_revision = "0030_protocols"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_conferences",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("key_name", sa.Uuid(), nullable=False),
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("desk", sa.String(), nullable=False),
        sa.Column("facility", sa.String(), nullable=True),
        sa.Column("on_date", sa.Date(), nullable=True),
        sa.Column("part", sa.String(), nullable=True),
        sa.Column("agenda", sa.LargeBinary(), nullable=True),
        sa.Column("decisions", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("consent_id", sa.Uuid(), nullable=True),
        sa.Column("called_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("state IN ('called','held','called_off','withdrawn')", name="ck_casework_conferences_state"),
    )
    op.create_index("ix_casework_conferences_case_id", "casework_conferences", ["case_id"])
    op.create_index("ix_casework_conferences_due", "casework_conferences", ["state", "on_date"])
    op.create_index("ix_casework_conferences_consent", "casework_conferences", ["consent_id"])
    op.create_table(
        "casework_conference_invitations",
        sa.Column("conference_id", sa.Uuid(), sa.ForeignKey("casework_conferences.id"), primary_key=True),
        sa.Column("agency", sa.String(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("agenda", sa.LargeBinary(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ix_casework_conference_invitations_case_id", "casework_conference_invitations", ["case_id"])
    op.create_index("ix_casework_conference_invitations_consent", "casework_conference_invitations", ["consent_id"])
    if op.get_bind().dialect.name == "postgresql":
        for table in ("casework_conferences", "casework_conference_invitations"):
            protect(table, of_case("case_id"))
