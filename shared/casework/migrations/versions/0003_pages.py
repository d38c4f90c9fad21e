"""How accounts sign in and who is on duty; coded messages; paper; what places say about themselves."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.kit.columns import UtcDateTime

revision = "0003_pages"
down_revision = "0002_casework"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_hand_overs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("given_by", sa.Uuid(), nullable=False),
        sa.Column("open_items", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.Column("taken_by", sa.Uuid(), nullable=True),
        sa.Column("taken_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casework_hand_overs", schema=None) as batch_op:
        batch_op.create_index("ix_casework_hand_overs_facility", ["facility", "written_at"], unique=False)

    op.create_table(
        "casework_place_news",
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("staff", sa.Integer(), nullable=False),
        sa.Column("has_female_staff", sa.Boolean(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("said_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("agency", "facility"),
    )
    op.create_table(
        "casework_sheet_counts",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind"),
    )
    op.create_table(
        "casework_card_codes",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["casework_accounts.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "number"),
    )
    op.create_table(
        "casework_duties",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("from_at", UtcDateTime(), nullable=False),
        sa.Column("until_at", UtcDateTime(), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("from_at < until_at", name="ck_casework_duties_range"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["casework_accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casework_duties", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_duties_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_casework_duties_facility"), ["facility"], unique=False)

    op.create_table(
        "casework_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Uuid(), nullable=False),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("needs_code", sa.Boolean(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("locked_at", UtcDateTime(), nullable=True),
        sa.Column("pin_failed_count", sa.Integer(), nullable=False),
        sa.Column("left_at", UtcDateTime(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["casework_accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    with op.batch_alter_table("casework_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_sessions_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_casework_sessions_device"), ["device"], unique=False)

    op.create_table(
        "casework_sheets",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("batch", sa.Uuid(), nullable=False),
        sa.Column("printed_at", UtcDateTime(), nullable=False),
        sa.Column("printed_by", sa.Uuid(), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=True),
        sa.Column("entered_at", UtcDateTime(), nullable=True),
        sa.Column("entered_by", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("casework_sheets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_sheets_batch"), ["batch"], unique=False)
        batch_op.create_index(batch_op.f("ix_casework_sheets_facility"), ["facility"], unique=False)

    op.create_table(
        "casework_drafts",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["casework_sessions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("session_id", "path"),
    )
    op.create_table(
        "casework_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("on_at", UtcDateTime(), nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("direction IN ('in','out')", name="ck_casework_messages_direction"),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["casework_referrals.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casework_messages", schema=None) as batch_op:
        batch_op.create_index("ix_casework_messages_open", ["direction", "answer"], unique=False)
        batch_op.create_index(batch_op.f("ix_casework_messages_referral_id"), ["referral_id"], unique=False)

    with op.batch_alter_table("casework_accounts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("password_hash", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("must_renew", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("one_time_until", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("pin_hash", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("failed_count", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("waits_until", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("asked_code", sa.Integer(), nullable=True))

    with op.batch_alter_table("casework_cases", schema=None) as batch_op:
        batch_op.add_column(sa.Column("came_with", sa.String(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "told_under",
                sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
                nullable=False,
                server_default=sa.text("'{}'"),
            )
        )

    with op.batch_alter_table("casework_incidents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("hurt_now", sa.Boolean(), nullable=True))

    with op.batch_alter_table("casework_referrals", schema=None) as batch_op:
        batch_op.add_column(sa.Column("carries", sa.String(), nullable=True))
