"""What was told lately is found by when it was: a desk's list of cases of which nothing was sent reads no old ones."""

from alembic import op

revision = "0012_lately"
down_revision = "0011_figures"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    with op.batch_alter_table("casework_incidents", schema=None) as batch_op:
        batch_op.create_index("ix_casework_incidents_recorded_at", ["recorded_at"])
    with op.batch_alter_table("casework_walk_ins", schema=None) as batch_op:
        batch_op.create_index("ix_casework_walk_ins_recorded_at", ["recorded_at"])
