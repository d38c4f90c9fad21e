"""The registers of a profile that no feature keeps; on PostgreSQL the database shows a desk its own."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.kit.columns import UtcDateTime

revision = "0033_registers"
down_revision = "0032_conferences"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_register_entries",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("record", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=True),
        sa.Column("about", sa.Uuid(), nullable=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("key_name", sa.Uuid(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("keep_until", sa.Date(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.UniqueConstraint("entry_id", "version", name="uq_casework_register_entries_version"),
        sa.UniqueConstraint("record", "number", "version", name="uq_casework_register_entries_number"),
    )
    op.create_index("ix_casework_register_entries_case_id", "casework_register_entries", ["case_id"])
    op.create_index("ix_casework_register_entries_list", "casework_register_entries", ["record", "entry_id"])
    op.create_index("ix_casework_register_entries_keep_until", "casework_register_entries", ["keep_until"])
    if op.get_bind().dialect.name == "postgresql":
        protect("casework_register_entries", of_case("case_id", "facility"))
