"""A visit may be called off."""

from alembic import op

revision = "0007_visits_called_off"
down_revision = "0006_after_care"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    with op.batch_alter_table("health_follow_ups") as batch:
        batch.drop_constraint("ck_health_follow_ups_state", type_="check")
        batch.create_check_constraint("ck_health_follow_ups_state", "state IN ('made','kept','missed','called_off')")
