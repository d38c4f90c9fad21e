"""How many lines of this agency's directory of keys a peer has said that it knows, and since when.

Revision ID: 0016_known_lines
Revises: 0015_overtaking
"""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0016_known_lines"
down_revision = "0015_overtaking"


def upgrade() -> None:
    """Adds the columns."""
    with op.batch_alter_table("exchange_peers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("knows_lines", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("knows_since", UtcDateTime(), nullable=True))
