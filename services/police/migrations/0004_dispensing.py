"""Certificates, the locked box and its counts, doses, reports, requests for supplies and what was told of a month.

Doses and reports are read by whoever sees the case and holds a certificate that was not ended: its last day is the application's to
look at, because a database has no clock of a test or of a simulation. No line of a box's book is ever changed.
"""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import AT_DESK, EVERYWHERE, of_case, protect
from shared.casework.migrations.stock import add_ledger
from shared.kit.columns import UtcDateTime, json_column

revision = "0004_dispensing"
down_revision = "0003_row_security"
branch_labels = None
depends_on = "0024_consent_gaps"

CERTIFIED = """EXISTS (SELECT FROM police_certificates AS c
    WHERE c.account_id = (SELECT nullif(current_setting('refnet.account', true), '')::uuid)
    AND c.certified_on IS NOT NULL AND c.ended_on IS NULL)"""


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "police_certificates",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("account_id", sa.Uuid(), sa.ForeignKey("casework_accounts.id"), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("trained_on", sa.Date(), nullable=True),
        sa.Column("certified_on", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("certified_by", sa.String(), nullable=True),
        sa.Column("is_trainer", sa.Boolean(), nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
    )
    op.create_index("ix_police_certificates_account_id", "police_certificates", ["account_id"])
    add_ledger("police_box_entries")
    op.create_table(
        "police_box_counts",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("of", sa.Uuid(), nullable=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("upto", sa.Integer(), nullable=False),
        sa.Column("counted", json_column(), nullable=False),
        sa.Column("book", json_column(), nullable=False),
        sa.Column("is_agreed", sa.Boolean(), nullable=True),
        sa.Column("counted_by", sa.Uuid(), nullable=False),
        sa.Column("counted_at", UtcDateTime(), nullable=False),
        sa.UniqueConstraint("of"),
    )
    op.create_index("ix_police_box_counts_facility", "police_box_counts", ["facility", "counted_at"])
    op.create_table(
        "police_doses",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("incident_id", sa.Uuid(), sa.ForeignKey("casework_incidents.id"), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("given_at", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )
    op.create_index("ix_police_doses_case_id", "police_doses", ["case_id"])
    op.create_index("ix_police_doses_incident_id", "police_doses", ["incident_id"])
    op.create_index("ix_police_doses_facility", "police_doses", ["facility", "recorded_at"])
    op.create_table(
        "police_safety_reports",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("is_misuse", sa.Boolean(), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=True),
        sa.Column("batch", sa.String(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
    )
    op.create_index("ix_police_safety_reports_case_id", "police_safety_reports", ["case_id"])
    op.create_index("ix_police_safety_reports_facility", "police_safety_reports", ["facility", "recorded_at"])
    _supplies()
    if op.get_bind().dialect.name == "postgresql":
        _protect()


def _supplies() -> None:
    op.create_table(
        "police_resupplies",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("to_facility", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("declined_because", sa.String(), nullable=True),
        sa.Column("sent", json_column(), nullable=False),
        sa.Column("received", json_column(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=True),
        sa.Column("received_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("state IN ('asked','sent','declined','received')", name="ck_police_resupplies_state"),
    )
    op.create_index("ix_police_resupplies_facility", "police_resupplies", ["facility", "asked_at"])
    op.create_table(
        "police_box_statements",
        sa.Column("facility", sa.String(), primary_key=True),
        sa.Column("product", sa.String(), primary_key=True),
        sa.Column("month", sa.String(), primary_key=True),
        sa.Column("data", json_column(), nullable=False),
        sa.Column("stated_at", UtcDateTime(), nullable=False),
        sa.Column("stated_by", sa.Uuid(), nullable=False),
    )


def _protect() -> None:
    at_desk = f"({EVERYWHERE} OR {AT_DESK.format(desk='facility')})"
    protect("police_doses", f"{CERTIFIED} AND {of_case('case_id')}")
    protect("police_safety_reports", f"{CERTIFIED} AND (CASE WHEN case_id IS NULL THEN {at_desk} ELSE {of_case('case_id')} END)")
    protect("police_box_entries", f"{CERTIFIED} AND {at_desk}")
    # Whoever counts second, or asks where supplies come from, is shown no line of the book.
    for table in ("police_box_counts", "police_resupplies", "police_box_statements"):
        protect(table, at_desk)
