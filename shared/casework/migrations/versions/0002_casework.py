"""Cases, consents, referrals, circles, subscriptions, alarms and accounts: what every agency keeps."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.kit.columns import UtcDateTime

revision = "0002_casework"
down_revision = "0001_exchange"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.create_table(
        "casework_accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("facility", sa.String(), nullable=True),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "role IN ('officer','clinician','social_worker','supervisor','administrator')", name="ck_casework_accounts_role"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "casework_case_numbers",
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year"),
    )
    op.create_table(
        "casework_cases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("circle", sa.Uuid(), nullable=False),
        sa.Column("circle_version", sa.Integer(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("is_received", sa.Boolean(), nullable=False),
        sa.Column("needs", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=True),
        sa.Column("child", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=True),
        sa.Column("safety", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=True),
        sa.Column("relay", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=True),
        sa.Column("dependants", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("circle_version >= 1", name="ck_casework_cases_circle_version"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("circle"),
        sa.UniqueConstraint("number"),
    )
    with op.batch_alter_table("casework_cases", schema=None) as batch_op:
        batch_op.create_index("ix_casework_cases_facility", ["facility", "opened_at"], unique=False)

    op.create_table(
        "casework_circle_members",
        sa.Column("circle", sa.Uuid(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("circle_version", sa.Integer(), nullable=False),
        sa.Column("shares_with", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("announced_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("circle", "agency"),
    )
    op.create_table(
        "casework_code_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("tried_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "casework_idempotency",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body_digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("kept_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "route", "key"),
    )
    with op.batch_alter_table("casework_idempotency", schema=None) as batch_op:
        batch_op.create_index("ix_casework_idempotency_kept_until", ["kept_until"], unique=False)

    op.create_table(
        "casework_alarms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("about", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("is_acute", sa.Boolean(), nullable=False),
        sa.Column("detail", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("climbs_at", UtcDateTime(), nullable=True),
        sa.Column("taken_at", UtcDateTime(), nullable=True),
        sa.Column("taken_by", sa.Uuid(), nullable=True),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casework_alarms", schema=None) as batch_op:
        batch_op.create_index("ix_casework_alarms_list", ["facility", "raised_at"], unique=False)
        batch_op.create_index(
            "uq_casework_alarms_open",
            ["kind", "about"],
            unique=True,
            sqlite_where=sa.text("resolved_at IS NULL"),
            postgresql_where=sa.text("resolved_at IS NULL"),
        )

    op.create_table(
        "casework_case_reads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casework_case_reads", schema=None) as batch_op:
        batch_op.create_index("ix_casework_case_reads_case", ["case_id", "read_at"], unique=False)

    op.create_table(
        "casework_consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("items", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("legal_duty", sa.String(), nullable=True),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("interpreter", sa.Boolean(), nullable=False),
        sa.Column("explained_by", sa.Uuid(), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("taken_back_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("basis <> 'legal_basis' OR legal_duty IS NOT NULL", name="ck_casework_consents_duty"),
        sa.CheckConstraint("version >= 1", name="ck_casework_consents_version"),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casework_consents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_consents_case_id"), ["case_id"], unique=False)

    op.create_table(
        "casework_incidents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("incident_type", sa.String(), nullable=False),
        sa.Column("contexts", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("earliest_at", UtcDateTime(), nullable=True),
        sa.Column("latest_at", UtcDateTime(), nullable=True),
        sa.Column("given", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("urgent_mental_health", sa.Boolean(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("earliest_at <= latest_at", name="ck_casework_incidents_range"),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casework_incidents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_incidents_case_id"), ["case_id"], unique=False)

    op.create_table(
        "casework_notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("about", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casework_notes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_notes_case_id"), ["case_id"], unique=False)

    op.create_table(
        "casework_progress",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.PrimaryKeyConstraint("position"),
    )
    with op.batch_alter_table("casework_progress", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_progress_case_id"), ["case_id"], unique=False)

    op.create_table(
        "casework_subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("facility", sa.String(), nullable=True),
        sa.Column("service", sa.String(), nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(case_id IS NOT NULL AND facility IS NULL AND service IS NULL) OR (case_id IS NULL AND facility IS NOT NULL AND service IS NULL) OR (case_id IS NULL AND facility IS NULL AND service IS NOT NULL)",
            name="ck_casework_subscriptions_one",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["casework_accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casework_subscriptions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_subscriptions_account_id"), ["account_id"], unique=False)

    op.create_table(
        "casework_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["casework_accounts.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("casework_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_tokens_account_id"), ["account_id"], unique=False)

    op.create_table(
        "casework_referrals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("desk", sa.String(), nullable=False),
        sa.Column("from_facility", sa.String(), nullable=False),
        sa.Column("to_facility", sa.String(), nullable=False),
        sa.Column("services", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("urgency", sa.String(), nullable=False),
        sa.Column("consent_id", sa.Uuid(), nullable=True),
        sa.Column("issued_event_id", sa.Uuid(), nullable=False),
        sa.Column("said", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("standing", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("told", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("feedback_agreed", sa.Boolean(), nullable=False),
        sa.Column("feedback", sa.Boolean(), nullable=True),
        sa.Column("flags", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("arrival_code", sa.String(), nullable=True),
        sa.Column("arrival_code_hash", sa.String(), nullable=True),
        sa.Column("in_place_of", sa.Uuid(), nullable=True),
        sa.Column("respond_by", UtcDateTime(), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("accepted_at", UtcDateTime(), nullable=True),
        sa.Column("set_out_at", UtcDateTime(), nullable=True),
        sa.Column("expected_at", UtcDateTime(), nullable=True),
        sa.Column("told_by_phone_at", UtcDateTime(), nullable=True),
        sa.Column("arrived_at", UtcDateTime(), nullable=True),
        sa.Column("in_service_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("moved_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("direction IN ('in','out')", name="ck_casework_referrals_direction"),
        sa.CheckConstraint(
            "state IN ('issued','acknowledged','accepted','arrived','in_service','on_hold','declined','cancelled','closed')",
            name="ck_casework_referrals_state",
        ),
        sa.CheckConstraint("urgency IN ('acute','urgent','routine')", name="ck_casework_referrals_urgency"),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["casework_cases.id"],
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["casework_incidents.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casework_referrals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_casework_referrals_case_id"), ["case_id"], unique=False)
        batch_op.create_index("ix_casework_referrals_consent", ["consent_id"], unique=False)
        batch_op.create_index("ix_casework_referrals_issued_event", ["issued_event_id"], unique=False)
        batch_op.create_index("ix_casework_referrals_list", ["direction", "desk", "state"], unique=False)
        batch_op.create_index(
            "ix_casework_referrals_open",
            ["issued_at"],
            unique=False,
            sqlite_where=sa.text("is_open"),
            postgresql_where=sa.text("is_open"),
        )

    op.create_table(
        "casework_referral_facts",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("data", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("is_own", sa.Boolean(), nullable=False),
        sa.Column("is_kept_back", sa.Boolean(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("entered_for", sa.String(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["casework_referrals.id"],
        ),
        sa.PrimaryKeyConstraint("position"),
    )
    with op.batch_alter_table("casework_referral_facts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_casework_referral_facts_kept_back",
            ["referral_id"],
            unique=False,
            sqlite_where=sa.text("is_kept_back"),
            postgresql_where=sa.text("is_kept_back"),
        )
        batch_op.create_index("ix_casework_referral_facts_referral", ["referral_id", "position"], unique=False)

    op.create_table(
        "casework_walk_ins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("came_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("matched_at", UtcDateTime(), nullable=True),
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
