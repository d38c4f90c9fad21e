"""What was told until a day goes at its end; a child's own word and adult; what she said again there; and a no to being counted.

Revision ID: 0024_consent_gaps
Revises: 0023_eyes
"""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.kit.columns import UtcDateTime

revision = "0024_consent_gaps"
down_revision = "0023_eyes"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_ended_consents",
        sa.Column("sender", sa.String(), primary_key=True),
        sa.Column("consent_id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("circle", sa.Uuid(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_casework_ended_consents_case_id", "casework_ended_consents", ["case_id"])
    op.create_table(
        "casework_said_again",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("referral_id", sa.Uuid(), sa.ForeignKey("casework_referrals.id"), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("agreed", sa.Boolean(), nullable=False),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("said_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_casework_said_again_referral", "casework_said_again", ["referral_id", "id"])
    op.create_index("ix_casework_said_again_case_id", "casework_said_again", ["case_id"])
    op.add_column("casework_cases", sa.Column("not_counted", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("casework_cases", sa.Column("adult", sa.LargeBinary(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        for table in ("casework_ended_consents", "casework_said_again"):
            protect(table, of_case("case_id"))
