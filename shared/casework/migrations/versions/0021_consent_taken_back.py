"""What was told under a consent goes with it: receipts for it, and under which consent what was received lies.

Revision ID: 0021_consent_taken_back
Revises: 0018_proof
"""

import sqlalchemy as sa
from alembic import op

from shared.kit.columns import UtcDateTime, json_column

revision = "0021_consent_taken_back"
down_revision = "0018_proof"

WORDS_UNDER = sa.text('consent_id IS NOT NULL AND "inner" IS NOT NULL')
UNSIGNED = sa.text("outcome IS NULL")


def upgrade() -> None:
    """Makes the table, the columns and the indexes."""
    op.create_table(
        "casework_erasures",
        sa.Column("consent_id", sa.Uuid(), primary_key=True),
        sa.Column("recipient", sa.String(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("signed_at", UtcDateTime(), nullable=True),
        sa.Column("event_id", sa.Uuid(), nullable=True),
    )
    op.create_index("ix_casework_erasures_open", "casework_erasures", ["told_at"], sqlite_where=UNSIGNED, postgresql_where=UNSIGNED)
    op.create_index("ix_casework_erasures_case", "casework_erasures", ["case_id"])
    for table in ("casework_circle_members", "casework_progress"):
        op.add_column(table, sa.Column("consent_id", sa.Uuid(), nullable=True))
    op.add_column("exchange_outbox", sa.Column("erased_at", UtcDateTime(), nullable=True))
    for table in ("exchange_outbox", "exchange_inbox"):
        op.create_index(f"ix_{table}_told_under", table, ["consent_id"], sqlite_where=WORDS_UNDER, postgresql_where=WORDS_UNDER)
    op.create_table(
        "casework_holds",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("order", sa.LargeBinary(), nullable=True),
        sa.Column("placed_at", UtcDateTime(), nullable=False),
        sa.Column("placed_by", sa.Uuid(), nullable=False),
        sa.Column("lifted_at", UtcDateTime(), nullable=True),
        sa.Column("lifted_by", sa.Uuid(), nullable=True),
    )
    in_force = sa.text("lifted_at IS NULL")
    op.create_index("ix_casework_holds_in_force", "casework_holds", ["case_id"], sqlite_where=in_force, postgresql_where=in_force)
    op.create_table(
        "casework_held_copies",
        sa.Column("sender", sa.String(), primary_key=True),
        sa.Column("consent_id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("circle", sa.Uuid(), nullable=False),
        sa.Column("taken_back_at", UtcDateTime(), nullable=False),
        sa.Column("kept", sa.LargeBinary(), nullable=True),
    )
    op.create_index("ix_casework_held_copies_case_id", "casework_held_copies", ["case_id"])
    has_an_end, unlogged = sa.text("expires_at IS NOT NULL AND taken_back_at IS NULL"), sa.text("inside_seq IS NULL")
    op.create_index(
        "ix_casework_consents_ends", "casework_consents", ["expires_at"], sqlite_where=has_an_end, postgresql_where=has_an_end
    )
    events = "casework_consent_events"
    op.create_table(
        events,
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("items", json_column(), nullable=False),
        sa.Column("basis", sa.String(), nullable=True),
        sa.Column("legal_duty", sa.String(), nullable=True),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("interpreter", sa.Boolean(), nullable=False),
        sa.Column("explained_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("inside_seq", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_casework_consent_events_consent", events, ["consent_id", "version"])
    op.create_index("ix_casework_consent_events_unlogged", events, ["id"], sqlite_where=unlogged, postgresql_where=unlogged)
