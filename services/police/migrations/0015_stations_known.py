"""Since when a mother station has a station: one that was never heard is silent from then on."""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime

revision = "0015_stations_known"
down_revision = "0014_told_of_others"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "police_stations_known",
        sa.Column("station", sa.String(), primary_key=True),
        sa.Column("since", UtcDateTime(), nullable=False),
    )
