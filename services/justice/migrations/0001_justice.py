"""This agency's own tables: hearings, verdicts, examinations with their order, samples with the book of their custody."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.casework.migrations.stock import never_changes
from shared.kit.columns import UtcDateTime

revision = "0001_justice"
down_revision = None
branch_labels = ("justice",)
depends_on = "0023_eyes"

TABLES = ("justice_hearings", "justice_verdicts", "justice_examinations", "justice_specimens", "justice_custody_entries")


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    _proceedings()
    _examinations()
    _samples()
    for table in TABLES:
        op.create_index(f"ix_{table}_case_id", table, ["case_id"])
    never_changes("justice_custody_entries")
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            protect(table, of_case("case_id"))


def _of_case() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
    )


def _recorded() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )


def _step() -> sa.Column[Any]:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("position", big, sa.ForeignKey("casework_progress.position"), nullable=False)


def _proceedings() -> None:
    op.create_table(
        "justice_hearings",
        *_of_case(),
        sa.Column("facility", sa.String(), nullable=False),
        _step(),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        *_recorded(),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("state IN ('set','held','put_off','cancelled')", name="ck_justice_hearings_state"),
    )
    op.create_index("ix_justice_hearings_on_date", "justice_hearings", ["state", "on_date"])
    op.create_table(
        "justice_verdicts",
        *_of_case(),
        sa.Column("facility", sa.String(), nullable=False),
        _step(),
        sa.Column("outcome", sa.LargeBinary(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        *_recorded(),
    )


def _examinations() -> None:
    states = "order_state IN ('not_needed','there','awaited','asked','came')"
    op.create_table(
        "justice_examinations",
        *_of_case(),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("order_state", sa.String(), nullable=False),
        sa.Column("order_number", sa.LargeBinary(), nullable=True),
        sa.Column("order_due_at", UtcDateTime(), nullable=True),
        sa.Column("order_asked_of", sa.String(), nullable=True),
        sa.Column("order_asked_at", UtcDateTime(), nullable=True),
        sa.Column("order_came_at", UtcDateTime(), nullable=True),
        *_recorded(),
        sa.CheckConstraint(states, name="ck_justice_examinations_order_state"),
    )
    op.create_index("ix_justice_examinations_order_state", "justice_examinations", ["order_state", "order_due_at"])


def _samples() -> None:
    op.create_table(
        "justice_specimens",
        *_of_case(),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False, unique=True),
        sa.Column("kind", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("has_gap", sa.Boolean(), nullable=False),
        *_recorded(),
    )
    op.create_index("ix_justice_specimens_state", "justice_specimens", ["facility", "state"])
    op.create_table(
        "justice_custody_entries",
        *_of_case(),
        sa.Column("specimen_id", sa.Uuid(), sa.ForeignKey("justice_specimens.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        *_recorded(),
        sa.UniqueConstraint("specimen_id", "number", name="uq_justice_custody_entries_number"),
    )
