"""Indexes for what is looked at all day: a list costs what it shows, not what lies behind it."""

import sqlalchemy as sa
from alembic import op

revision = "0007_lists"
down_revision = "0006_walk_ins"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    is_flagged = sa.text("CAST(flags AS VARCHAR) != '[]'")
    with op.batch_alter_table("casework_referrals", schema=None) as batch_op:
        batch_op.drop_index("ix_casework_referrals_list")
        batch_op.drop_index("ix_casework_referrals_open")
        batch_op.create_index("ix_casework_referrals_list", ["direction", "desk", "state", "ended_at"])
        batch_op.create_index(
            "ix_casework_referrals_open",
            ["direction", "desk"],
            sqlite_where=sa.text("is_open = 1"),
            postgresql_where=sa.text("is_open"),
        )
        batch_op.create_index("ix_casework_referrals_flagged", ["id"], sqlite_where=is_flagged, postgresql_where=is_flagged)
    with op.batch_alter_table("casework_referral_facts", schema=None) as batch_op:
        batch_op.drop_index("ix_casework_referral_facts_kept_back")
        batch_op.create_index(
            "ix_casework_referral_facts_kept_back",
            ["referral_id"],
            sqlite_where=sa.text("is_kept_back = 1"),
            postgresql_where=sa.text("is_kept_back"),
        )
    with op.batch_alter_table("casework_progress", schema=None) as batch_op:
        batch_op.create_index("ix_casework_progress_dates", ["code", "on_date"])
    with op.batch_alter_table("casework_case_reads", schema=None) as batch_op:
        batch_op.create_index("ix_casework_case_reads_listed", ["account_id", "what", "read_at"])
    with op.batch_alter_table("exchange_activity", schema=None) as batch_op:
        batch_op.create_index("ix_exchange_activity_opened", ["kind", "feed_seq"])
        batch_op.create_index("ix_exchange_activity_recorded", ["recorded_at"])
