"""A hearing whose day does not hold keeps the day, and since when it does not: she is told so who was told of it."""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0034_hearings_off"
down_revision = "0033_registers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration. Of days that were taken off before nothing is known but that."""
    op.add_column("casework_progress", sa.Column("was_on", sa.Date(), nullable=True))
    op.add_column("casework_progress", sa.Column("off_occurred_at", UtcDateTime(), nullable=True))
    op.add_column("casework_progress", sa.Column("off_recorded_at", UtcDateTime(), nullable=True))
