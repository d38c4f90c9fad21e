"""Who looks after a case is said on the case too, and this agency's own rows are seen where their case is, by the database's rule."""

from alembic import op

from shared.casework.migrations.row_security import of_case, protect

revision = "0002_row_security"
down_revision = "0001_social_welfare"
branch_labels = None
depends_on = "0023_eyes"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.execute(
        "UPDATE casework_cases SET assigned_to = (SELECT account_id FROM social_welfare_assignments AS a WHERE a.case_id = casework_cases.id)"
    )
    if op.get_bind().dialect.name == "postgresql":
        protect("social_welfare_assignments", of_case("case_id"))
