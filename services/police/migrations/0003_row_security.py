"""This agency's own rows are seen where their case is, by the database's own rule."""

from alembic import op

from shared.casework.migrations.row_security import of_case, protect

revision = "0003_row_security"
down_revision = "0002_docket_keys"
branch_labels = None
depends_on = "0023_eyes"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    if op.get_bind().dialect.name == "postgresql":
        protect("police_dockets", of_case("case_id"))
