"""Lines of peers' directories of keys that came by letters.

Revision ID: 0014_directories
Revises: 0013_bounds
"""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0014_directories"
down_revision = "0013_bounds"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "exchange_directory_lines",
        sa.Column("agency", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("signed", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("heard_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("(signed IS NULL) <> (digest IS NULL)", name="ck_exchange_directory_lines_is_one"),
    )
