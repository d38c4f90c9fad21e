"""What is sealed is bound to what its row is about: in a row about somebody else it does not open."""

import sqlalchemy as sa

from shared.casework.migrations.sealing import bind

revision = "0043_bound"
down_revision = "0042_bypassed"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    bind("casework_accounts", [("id", sa.Uuid())], "id", "never")
    bind("casework_cases", [("id", sa.Uuid())], "id", "needs", "child", "safety", "relay", "dependants", "came_with", "adult")
    bind("exchange_activity", [("position", sa.BigInteger())], "case_id", "detail")
    bind("exchange_outbox", [("position", sa.BigInteger())], "event_id", "data")
    bind("casework_alarms", [("id", sa.Uuid())], "case_id", "resolution")
    bind("casework_breaches", [("id", sa.Uuid())], "case_id", "code", "by_whom")
    bind("casework_conferences", [("id", sa.Uuid())], "key_name", "agenda", "decisions")
    bind("casework_consents", [("id", sa.Uuid())], "case_id", "language")
    bind("casework_drafted_referrals", [("case_id", sa.Uuid()), ("page", sa.String())], "case_id", "answers")
    bind("casework_exports", [("id", sa.Uuid())], "case_id", "because")
    bind("casework_held_copies", [("sender", sa.String()), ("consent_id", sa.Uuid())], "case_id", "kept")
    bind("casework_holds", [("id", sa.Uuid())], "case_id", "order")
    bind(
        "casework_incidents",
        [("id", sa.Uuid())],
        "case_id",
        "incident_type",
        "contexts",
        "earliest_at",
        "latest_at",
        "given",
        "urgent_mental_health",
        "hurt_now",
    )
    bind("casework_notes", [("id", sa.Uuid())], "case_id", "text")
    bind("casework_progress", [("position", sa.BigInteger())], "case_id", "on_date", "was_on")
    bind("casework_refusals", [("id", sa.Uuid())], "case_id", "language")
    bind("casework_register_entries", [("id", sa.Uuid())], "key_name", "said")
    bind("casework_conference_invitations", [("conference_id", sa.Uuid()), ("agency", sa.String())], "case_id", "agenda")
    bind("casework_referrals", [("id", sa.Uuid())], "case_id", "said", "arrival_code", "expected_at")
    bind("casework_messages", [("id", sa.Uuid())], "case_id", "code", "on_at")
    bind("casework_referral_facts", [("position", sa.BigInteger())], "referral_id", "data")
    bind("casework_reports", [("id", sa.Uuid())], "case_id", "form")
    bind("casework_walk_ins", [("id", sa.Uuid())], "case_id", "outcome")
    bind("casework_report_facts", [("position", sa.BigInteger())], "case_id", "said")
