"""What is not signed for, and what could not be applied, is counted by an index: rows that were settled long ago are not looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0011_figures"
down_revision = "0010_drafted"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    with op.batch_alter_table("exchange_outbox", schema=None) as batch_op:
        batch_op.create_index(
            "ix_exchange_outbox_undelivered",
            ["recipient"],
            sqlite_where=sa.text("delivered_at IS NULL AND is_forked = 0"),
            postgresql_where=sa.text("delivered_at IS NULL AND NOT is_forked"),
        )
    is_parked = sa.text("state = 'parked'")
    with op.batch_alter_table("exchange_inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_exchange_inbox_parked")
        batch_op.create_index(
            "ix_exchange_inbox_parked", ["sender", "received_at"], sqlite_where=is_parked, postgresql_where=is_parked
        )
