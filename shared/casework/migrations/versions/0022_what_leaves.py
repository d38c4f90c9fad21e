"""Figures that were released, and files that were handed out.

Revision ID: 0022_what_leaves
Revises: 0021_consent_taken_back
"""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime, json_column

revision = "0022_what_leaves"
down_revision = "0021_consent_taken_back"
branch_labels = None
depends_on = None

UNLOGGED = sa.text("inside_seq IS NULL")


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_figure_releases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("shown", json_column(), nullable=False),
        sa.Column("counted", sa.LargeBinary(), nullable=True),
        sa.Column("released_by", sa.Uuid(), nullable=False),
        sa.Column("released_at", UtcDateTime(), nullable=False),
        sa.Column("inside_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("period", "number", name="uq_casework_figure_releases_number"),
    )
    op.create_table(
        "casework_exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("period", sa.String(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("because", sa.LargeBinary(), nullable=True),
        sa.Column("recipient_key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("inside_seq", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(case_id IS NULL) <> (period IS NULL)", name="ck_casework_exports_of"),
        sa.ForeignKeyConstraint(["case_id"], ["casework_cases.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_casework_exports_made", "casework_exports", ["made_at"])
    for table in ("casework_figure_releases", "casework_exports"):
        op.create_index(f"ix_{table}_unlogged", table, ["id"], sqlite_where=UNLOGGED, postgresql_where=UNLOGGED)
    op.create_table(
        "casework_export_files",
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("file", sa.LargeBinary(), nullable=False),
        sa.Column("kept_until", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["casework_exports.id"]),
        sa.PrimaryKeyConstraint("export_id"),
    )
