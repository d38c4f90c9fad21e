"""The register of offenders, apart from every survivor's file; on PostgreSQL the database shows a station its own."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import AT_DESK, EVERYWHERE, of_row, protect
from shared.kit.columns import UtcDateTime

revision = "0007_offenders"
down_revision = "0006_complaints"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "police_offenders",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("who", sa.LargeBinary(), nullable=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
    )
    op.create_index("ix_police_offenders_facility", "police_offenders", ["facility"])
    op.create_table(
        "police_offender_entries",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("offender_id", sa.Uuid(), sa.ForeignKey("police_offenders.id"), nullable=False),
        sa.Column("what", sa.LargeBinary(), nullable=True),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )
    op.create_table(
        "police_offender_looks",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("offender_id", sa.Uuid(), sa.ForeignKey("police_offenders.id"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=False),
    )
    for table in ("police_offender_entries", "police_offender_looks"):
        op.create_index(f"ix_{table}_offender_id", table, ["offender_id"])
    if op.get_bind().dialect.name == "postgresql":
        protect("police_offenders", f"{EVERYWHERE} OR {AT_DESK.format(desk='facility')}")
        for table in ("police_offender_entries", "police_offender_looks"):
            protect(table, of_row("police_offenders", "offender_id"))
