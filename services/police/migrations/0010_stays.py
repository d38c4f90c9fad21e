"""Who stays at a centre, her things, her word for the telephone and who asked by telephone, and counselling."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.casework.migrations.stock import never_changes
from shared.kit.columns import UtcDateTime

revision = "0010_stays"
down_revision = "0009_stations"
branch_labels = None
depends_on = None

CASE = "casework_cases.id"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    _stays()
    _property()
    _enquiries()
    op.create_table(
        "police_counsellings",
        *_of_a_case(),
        sa.Column("what", sa.LargeBinary(), nullable=True),
        sa.Column("language", sa.LargeBinary(), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("interpreter", sa.Boolean(), nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        *_recorded(),
    )
    tables = (
        "police_stays",
        "police_stay_facts",
        "police_stay_refusals",
        "police_property",
        "police_property_entries",
        "police_counsellings",
    )
    for table in tables:
        op.create_index(f"ix_{table}_case_id", table, ["case_id"])
    for table in ("police_property_entries", "police_stay_facts", "police_enquiries"):  # books: who signed stays who signed
        never_changes(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in (*tables, "police_own_words"):
            protect(table, of_case("case_id"))
        protect("police_enquiries", of_case("case_id", "facility"))


def _of_a_case() -> tuple[sa.Column[Any], ...]:
    return sa.Column("id", sa.Uuid(), primary_key=True), sa.Column("case_id", sa.Uuid(), sa.ForeignKey(CASE), nullable=False)


def _recorded() -> tuple[sa.Column[Any], ...]:
    return sa.Column("recorded_at", UtcDateTime(), nullable=False), sa.Column("recorded_by", sa.Uuid(), nullable=False)


def _stays() -> None:
    op.create_table(
        "police_stays",
        *_of_a_case(),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("with_her", sa.LargeBinary(), nullable=True),
        sa.Column("came_at", UtcDateTime(), nullable=False),
        sa.Column("left_at", UtcDateTime(), nullable=True),
        *_recorded(),
    )
    op.create_index("ix_police_stays_here", "police_stays", ["facility", "left_at"])
    op.create_table(
        "police_stay_facts",
        *_of_a_case(),
        sa.Column("stay_id", sa.Uuid(), sa.ForeignKey("police_stays.id"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        *_recorded(),
    )
    op.create_index("ix_police_stay_facts_stay_id", "police_stay_facts", ["stay_id"])
    op.create_table(
        "police_stay_refusals",
        *_of_a_case(),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("with_her", sa.LargeBinary(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        *_recorded(),
    )


def _property() -> None:
    op.create_table(
        "police_property",
        *_of_a_case(),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.LargeBinary(), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("returned_at", UtcDateTime(), nullable=True),
        sa.Column("breached_at", UtcDateTime(), nullable=True),
        *_recorded(),
        sa.UniqueConstraint("case_id", "number", name="uq_police_property_number"),
    )
    op.create_index("ix_police_property_asked_at", "police_property", ["asked_at"])
    op.create_table(
        "police_property_entries",
        *_of_a_case(),
        sa.Column("property_id", sa.Uuid(), sa.ForeignKey("police_property.id"), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        *_recorded(),
    )
    op.create_index("ix_police_property_entries_property_id", "police_property_entries", ["property_id"])


def _enquiries() -> None:
    op.create_table(
        "police_own_words",
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey(CASE), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=True),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
    )
    op.create_table(
        "police_enquiries",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey(CASE), nullable=True),
        sa.Column("facility", sa.String(), nullable=True),
        sa.Column("key_name", sa.Uuid(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("is_answered", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )
    op.create_index("ix_police_enquiries_case_id", "police_enquiries", ["case_id"])
    op.create_index("ix_police_enquiries_missed", "police_enquiries", ["case_id", "occurred_at"])
