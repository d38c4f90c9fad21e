"""What came by the express lane, when a stream was last heard from otherwise; indexes of the outbox in the words of its queries.

Revision ID: 0015_overtaking
Revises: 0014_directories
"""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0015_overtaking"
down_revision = "0014_directories"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    with op.batch_alter_table("exchange_slots") as batch_op:
        batch_op.add_column(sa.Column("is_express", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.create_index(
            "ix_exchange_slots_express",
            ["sender", "incarnation", "seq"],
            sqlite_where=sa.text("is_express = 1"),
            postgresql_where=sa.text("is_express"),
        )
    with op.batch_alter_table("exchange_heads") as batch_op:
        batch_op.add_column(sa.Column("heard_at", UtcDateTime(), nullable=True))
    op.drop_index("ix_exchange_outbox_undelivered", "exchange_outbox")
    op.create_index(
        "ix_exchange_outbox_undelivered", "exchange_outbox", ["delivered_at", "recipient"],
        sqlite_where=sa.text("delivered_at IS NULL AND is_forked = 0"),
        postgresql_where=sa.text("delivered_at IS NULL AND NOT is_forked"),
    )  # fmt: skip
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("uq_exchange_outbox_slot", "exchange_outbox")
        op.drop_index("ix_exchange_outbox_returned", "exchange_outbox")
        slot = ["recipient", "incarnation", "seq"]
        op.create_index("uq_exchange_outbox_slot", "exchange_outbox", slot, unique=True, sqlite_where=sa.text("is_forked = 0"))
        op.create_index("ix_exchange_outbox_returned", "exchange_outbox", ["recipient"], sqlite_where=sa.text("is_home = 0"))
