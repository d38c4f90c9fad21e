"""Somebody who came without a referral: when her care was finished, and how."""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0006_walk_ins"
down_revision = "0005_recovery"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    with op.batch_alter_table("casework_walk_ins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ended_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("outcome", sa.String(), nullable=True))
