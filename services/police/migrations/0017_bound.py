"""What is sealed is bound to what its row is about: in a row about somebody else it does not open."""

import sqlalchemy as sa

from shared.casework.migrations.sealing import bind

revision = "0017_police_bound"
down_revision = "0016_tellings_outlive"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    bind("police_offenders", [("id", sa.Uuid())], "id", "who")
    bind("police_calls", [("id", sa.Uuid())], "key_name", "said")
    bind("police_counsellings", [("id", sa.Uuid())], "case_id", "what", "language", "note")
    bind("police_dockets", [("case_id", sa.Uuid())], "case_id", "number")
    bind("police_enquiries", [("id", sa.Uuid())], "key_name", "said")
    bind("police_explained", [("id", sa.Uuid())], "case_id", "topics", "language")
    bind("police_offender_entries", [("id", sa.Uuid())], "offender_id", "what")
    bind("police_own_words", [("case_id", sa.Uuid())], "case_id", "phone")
    bind("police_property", [("id", sa.Uuid())], "case_id", "kind", "note")
    bind("police_safety_reports", [("id", sa.Uuid())], "case_id", "product", "code", "batch")
    bind("police_stay_refusals", [("id", sa.Uuid())], "case_id", "with_her")
    bind("police_stays", [("id", sa.Uuid())], "case_id", "with_her")
    bind("police_complaints", [("id", sa.Uuid())], "case_id", "number")
    bind("police_doses", [("id", sa.Uuid())], "case_id", "said", "given_at")
    bind("police_property_entries", [("id", sa.Uuid())], "case_id", "said")
    bind("police_stay_facts", [("id", sa.Uuid())], "case_id", "said")
    bind("police_complaint_steps", [("position", sa.BigInteger())], "case_id", "said")
