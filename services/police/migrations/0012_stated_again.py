"""A station's number that was mistyped is put right by another line; both are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0012_stated_again"
down_revision = "0011_seats"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    with op.batch_alter_table("police_station_stated") as table:
        table.add_column(sa.Column("corrects", sa.Uuid(), nullable=True))
        table.create_foreign_key("fk_police_station_stated_corrects", "police_station_stated", ["corrects"], ["id"])
        table.create_unique_constraint("uq_police_station_stated_corrects", ["corrects"])
