"""The last number of a register has a row of its own: a number is not given again once the entry that had it is forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0036_register_numbers"
down_revision = "0035_answers_name"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_register_numbers",
        sa.Column("record", sa.String(), primary_key=True),
        sa.Column("last", sa.Integer(), nullable=False),
    )
    op.execute(
        sa.text(
            "INSERT INTO casework_register_numbers (record, last) "
            "SELECT record, MAX(number) FROM casework_register_entries WHERE number IS NOT NULL GROUP BY record"
        )
    )
