"""Who may see what: attempts are kept, a case has somebody who looks after it, and the database holds the rule by itself.

Revision ID: 0023_eyes
Revises: 0022_what_leaves
"""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import FUNCTIONS, of_case, of_row, protect
from shared.kit.columns import UtcDateTime

revision = "0023_eyes"
down_revision = "0022_what_leaves"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_attempts",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("about", sa.Uuid(), nullable=False),
        sa.Column("tried_at", UtcDateTime(), nullable=False),
        sa.Column("inside_seq", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_casework_attempts_about", "casework_attempts", ["about"])
    op.create_index(
        "ix_casework_attempts_unlogged", "casework_attempts", ["id"],
        sqlite_where=sa.text("inside_seq IS NULL"), postgresql_where=sa.text("inside_seq IS NULL"),
    )  # fmt: skip
    op.create_table(
        "casework_openings",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("second", sa.Uuid(), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("until_at", UtcDateTime(), nullable=False),
        sa.Column("inside_seq", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(second IS NULL) = (why = 'life_threat')", name="ck_casework_openings_second"),
    )
    op.create_index("ix_casework_openings_case_id", "casework_openings", ["case_id"])
    op.create_index("ix_casework_openings_account", "casework_openings", ["account_id", "until_at"])
    op.create_index(
        "ix_casework_openings_unlogged", "casework_openings", ["id"],
        sqlite_where=sa.text("inside_seq IS NULL"), postgresql_where=sa.text("inside_seq IS NULL"),
    )  # fmt: skip
    op.create_table(
        "casework_opening_reviews",
        sa.Column("opening_id", sa.Uuid(), sa.ForeignKey("casework_openings.id"), primary_key=True),
        sa.Column("was_right", sa.Boolean(), nullable=False),
        sa.Column("reviewed_by", sa.Uuid(), nullable=False),
        sa.Column("reviewed_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "casework_decoys",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("which", sa.LargeBinary(), nullable=True),
    )
    op.add_column("casework_accounts", sa.Column("never", sa.LargeBinary(), nullable=True))
    op.add_column("casework_cases", sa.Column("assigned_to", sa.Uuid(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        _protect()


def _protect() -> None:
    for function in FUNCTIONS:
        op.execute(function)
    protect("casework_cases", of_case("id", desk="facility"))
    protect("casework_referrals", of_case("case_id", desk="desk"))
    protect("casework_referral_facts", of_row("casework_referrals", "referral_id"))
    # Somebody who came is seen with the referral that she came on, also where that was sent on to another place.
    protect("casework_walk_ins", f"{of_case('case_id', desk='facility')} OR {of_row('casework_referrals', 'referral_id')}")
    protect("casework_alarms", f"case_id IS NULL OR ({of_case('case_id', desk='facility')})")
    protect("casework_exports", f"case_id IS NULL OR ({of_case('case_id')})")
    protect("exchange_activity", f"case_id IS NULL OR ({of_case('case_id')})")
    for table in (
        "casework_incidents", "casework_notes", "casework_consents", "casework_refusals", "casework_drafted_referrals",
        "casework_messages", "casework_progress", "casework_case_reads", "casework_holds", "casework_held_copies",
        "casework_erasures", "casework_consent_events",
    ):  # fmt: skip
        protect(table, of_case("case_id"))
