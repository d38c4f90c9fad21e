"""Protocols, who works by them, and released figures: no table of this agency's own holds a case."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import ANYBODY, protect
from shared.kit.columns import UtcDateTime, json_column

revision = "0001_oversight"
down_revision = None
branch_labels = ("oversight",)
depends_on = "0030_protocols"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "oversight_protocols",
        sa.Column("topic", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("adopt_by", sa.Date(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=True),
    )
    op.create_table(
        "oversight_adoptions",
        sa.Column("agency", sa.String(), primary_key=True),
        sa.Column("facility", sa.String(), primary_key=True),
        sa.Column("topic", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("adopted_on", sa.Date(), nullable=False),
        sa.Column("said_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "oversight_figures",
        sa.Column("agency", sa.String(), primary_key=True),
        sa.Column("period", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("programme", sa.String(), nullable=False),
        sa.Column("formulas", sa.Integer(), nullable=False),
        sa.Column("shown", json_column(), nullable=False),
        sa.Column("said_at", UtcDateTime(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in ("oversight_protocols", "oversight_adoptions", "oversight_figures"):
            protect(table, ANYBODY)
