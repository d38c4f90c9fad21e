"""What was fetched past a broker that answered, until the broker brings it too: one that never does is told of."""

import sqlalchemy as sa
from alembic import op

revision = "0042_bypassed"
down_revision = "0041_members_kept_back"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    with op.batch_alter_table("exchange_slots") as batch_op:
        batch_op.add_column(sa.Column("is_bypassed", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.create_index(
            "ix_exchange_slots_bypassed",
            ["sender", "received_at"],
            sqlite_where=sa.text("is_bypassed = 1"),
            postgresql_where=sa.text("is_bypassed"),
        )
