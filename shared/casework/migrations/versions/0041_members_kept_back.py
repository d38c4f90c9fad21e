"""Which agencies are members of a case's circle is kept back by the database as the case is."""

from alembic import op

from shared.casework.migrations.row_security import of_row, protect

revision = "0041_members_kept_back"
down_revision = "0040_days_sealed"
branch_labels = None
depends_on = None

TABLE = "casework_circle_members"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    if op.get_bind().dialect.name == "postgresql":
        protect(TABLE, of_row("casework_cases", f"{TABLE}.circle", "circle"))
