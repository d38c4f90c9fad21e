"""Calls to the hotline, who looked at them, and how desks stand. A call is seen where it was taken and at the desk that has it."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import AT_DESK, NOT_BARRED, of_case, of_row, protect
from shared.kit.columns import UtcDateTime, json_column

revision = "0005_hotline"
down_revision = "0004_dispensing"
branch_labels = None
depends_on = "0024_consent_gaps"

WAITS = sa.text("seen_at IS NULL AND merged_into IS NULL AND respond_by IS NOT NULL")


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "police_calls",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("district", sa.String(), nullable=True),
        sa.Column("desk", sa.String(), nullable=True),
        sa.Column("step", sa.String(), nullable=True),
        sa.Column("turns", json_column(), nullable=False),
        sa.Column("lacks", json_column(), nullable=False),
        sa.Column("key_name", sa.Uuid(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("came_at", UtcDateTime(), nullable=False),
        sa.Column("taken_by", sa.Uuid(), nullable=False),
        sa.Column("routed_at", UtcDateTime(), nullable=True),
        sa.Column("respond_by", UtcDateTime(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("seen_by", sa.Uuid(), nullable=True),
        sa.Column("called_back_at", UtcDateTime(), nullable=True),
        sa.Column("merged_into", sa.Uuid(), sa.ForeignKey("police_calls.id"), nullable=True),
        sa.Column("merged_by", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=True),
        sa.CheckConstraint("what IN ('report','information','wrong_number','cut')", name="ck_police_calls_what"),
        sa.CheckConstraint("what <> 'wrong_number' OR (said IS NULL AND district IS NULL)", name="ck_police_calls_wrong_number"),
    )
    op.create_index("ix_police_calls_waiting", "police_calls", ["desk"], sqlite_where=WAITS, postgresql_where=WAITS)
    op.create_index("ix_police_calls_came_at", "police_calls", ["came_at"])
    op.create_index("ix_police_calls_case_id", "police_calls", ["case_id"])
    op.create_table(
        "police_call_looks",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("call_id", sa.Uuid(), sa.ForeignKey("police_calls.id"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_police_call_looks_call", "police_call_looks", ["call_id", "account_id"])
    op.create_table(
        "police_desk_states",
        sa.Column("facility", sa.String(), primary_key=True),
        sa.Column("assets", json_column(), nullable=False),
        sa.Column("is_trained", sa.Boolean(), nullable=True),
        sa.Column("languages", json_column(), nullable=False),
        sa.Column("said_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        taken_here = f"({AT_DESK.format(desk='facility')} AND {NOT_BARRED.format(case='case_id')})"
        protect("police_calls", f"({of_case('case_id', 'desk')}) OR {taken_here}")
        protect("police_call_looks", of_row("police_calls", "call_id"))
