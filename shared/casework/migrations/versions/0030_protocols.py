"""Protocols of the oversight body, and which place works by which.

Revision ID: 0030_protocols
Revises: 0028_reports
"""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import ANYBODY, AT_DESK, EVERYWHERE, protect
from shared.kit.columns import UtcDateTime

revision = "0030_protocols"
down_revision = "0028_reports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_protocols",
        sa.Column("agency", sa.String(), primary_key=True),
        sa.Column("topic", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("adopt_by", sa.Date(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("said_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "casework_adoptions",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("adopted_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.UniqueConstraint("agency", "topic", "version", "facility", name="uq_casework_adoptions_place"),
    )
    if op.get_bind().dialect.name == "postgresql":
        protect("casework_protocols", ANYBODY)
        protect("casework_adoptions", f"({EVERYWHERE} OR {AT_DESK.format(desk='facility')})")
