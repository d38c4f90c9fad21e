"""When referrals were issued, in order: the figures of a period read that period's, and not all there ever were."""

from alembic import op

revision = "0037_referrals_issued"
down_revision = "0036_register_numbers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_index("ix_casework_referrals_issued", "casework_referrals", ["direction", "issued_at"])
