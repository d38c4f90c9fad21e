"""Wrong codes of a card are counted apart from wrong passwords: whoever does not know the password counts none of them up."""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0038_wrong_codes"
down_revision = "0037_referrals_issued"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    with op.batch_alter_table("casework_accounts") as batch_op:
        batch_op.add_column(sa.Column("code_failed_count", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("code_waits_until", UtcDateTime(), nullable=True))
