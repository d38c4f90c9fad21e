"""Words that are cleared one day are found by when they were had; of each peer, how long it has been whole, and what is only counted."""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0013_bounds"
down_revision = "0012_lately"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    said = sa.text('delivered_at IS NOT NULL AND "inner" IS NOT NULL')
    heard = sa.text("""state IN ('applied', 'refused') AND "inner" IS NOT NULL""")
    with op.batch_alter_table("exchange_outbox", schema=None) as batch_op:
        batch_op.create_index("ix_exchange_outbox_words", ["recipient", "delivered_at"], sqlite_where=said, postgresql_where=said)
    with op.batch_alter_table("exchange_inbox", schema=None) as batch_op:
        batch_op.create_index("ix_exchange_inbox_words", ["sender", "settled_at"], sqlite_where=heard, postgresql_where=heard)
    with op.batch_alter_table("exchange_peers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("spoke_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("whole_since", UtcDateTime(), nullable=True))
        for counted in ("forks_beyond", "traces_beyond"):
            batch_op.add_column(sa.Column(counted, sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("exchange_forks", schema=None) as batch_op:
        batch_op.create_index("ix_exchange_forks_sender", ["sender"])
    with op.batch_alter_table("exchange_unopenable", schema=None) as batch_op:
        batch_op.create_index("ix_exchange_unopenable_sender", ["sender", "last_seen_at"])
