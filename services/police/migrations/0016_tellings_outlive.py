"""A telling outlives the step that it was of, and says whether a day was told, or that it does not hold."""

import sqlalchemy as sa
from alembic import op

from shared.exchange.tables import BIG

revision = "0016_tellings_outlive"
down_revision = "0015_stations_known"
branch_labels = None
depends_on = "0034_hearings_off"

NAMES = {"fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s"}


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.add_column("police_tellings", sa.Column("is_off", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE police_tellings SET is_off = true WHERE EXISTS (SELECT 1 FROM casework_progress s WHERE "
        "s.position = police_tellings.position AND s.off_recorded_at IS NOT NULL AND police_tellings.recorded_at >= s.off_recorded_at)"
    )
    step = ("casework_progress", ["position"], ["position"])
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("police_tellings", "is_off", server_default=None)
        op.alter_column("police_tellings", "position", nullable=True)
        op.drop_constraint("police_tellings_position_fkey", "police_tellings", type_="foreignkey")
        op.create_foreign_key("police_tellings_position_fkey", "police_tellings", *step, ondelete="SET NULL")
        return
    with op.batch_alter_table("police_tellings", naming_convention=NAMES) as table:
        table.alter_column("is_off", server_default=None)
        table.alter_column("position", existing_type=BIG, nullable=True)
        table.drop_constraint("fk_police_tellings_position_casework_progress", type_="foreignkey")
        table.create_foreign_key("fk_police_tellings_position_casework_progress", *step, ondelete="SET NULL")
