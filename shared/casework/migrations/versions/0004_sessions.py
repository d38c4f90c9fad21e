"""The page a locked session goes back to; browsers that an account knows; why a message waits, in words that can be translated."""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0004_sessions"
down_revision = "0003_pages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_known_browsers",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Uuid(), nullable=False),
        sa.Column("failed_count", sa.Integer(), nullable=False),
        sa.Column("waits_until", UtcDateTime(), nullable=True),
        sa.Column("used_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["casework_accounts.id"]),
        sa.PrimaryKeyConstraint("account_id", "device"),
    )
    with op.batch_alter_table("casework_known_browsers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_known_browsers_device"), ["device"], unique=False)
    with op.batch_alter_table("casework_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("back_to", sa.String(), nullable=True))
    with op.batch_alter_table("exchange_inbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reason_said", sa.String(), nullable=True))
