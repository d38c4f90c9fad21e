"""What was withheld is found by what it was about: a fact about a request that never left is about nothing here."""

import sqlalchemy as sa
from alembic import op

revision = "0009_withheld"
down_revision = "0008_refusals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    is_withheld = sa.text("state = 'withheld'")
    with op.batch_alter_table("exchange_inbox", schema=None) as batch_op:
        batch_op.create_index("ix_exchange_inbox_withheld", ["subject"], sqlite_where=is_withheld, postgresql_where=is_withheld)
