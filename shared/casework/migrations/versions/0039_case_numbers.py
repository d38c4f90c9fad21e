"""Case numbers come from a sequence on PostgreSQL: whoever takes one keeps nobody else from taking the next."""

import sqlalchemy as sa
from alembic import op

revision = "0039_case_numbers"
down_revision = "0038_wrong_codes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        given = connection.execute(sa.text("SELECT coalesce(max(last), 0) FROM casework_case_numbers")).scalar_one()
        op.execute(f"CREATE SEQUENCE casework_case_number START WITH {int(given) + 1}")
