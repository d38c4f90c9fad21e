"""What is sealed is bound to what its row is about: in a row about somebody else it does not open."""

import sqlalchemy as sa

from shared.casework.migrations.sealing import bind

revision = "0004_social_welfare_bound"
down_revision = "0003_social_work"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    bind("social_welfare_plans", [("id", sa.Uuid())], "case_id", "closing")
    bind("social_welfare_returns", [("id", sa.Uuid())], "case_id", "asked", "said", "ending")
    bind("social_welfare_safe_words", [("id", sa.Uuid())], "case_id", "said")
    bind("social_welfare_visits", [("id", sa.Uuid())], "case_id", "which", "part", "outcome")
    bind("social_welfare_plan_versions", [("id", sa.Uuid())], "case_id", "content", "changed")
    bind("social_welfare_step_marks", [("id", sa.Uuid())], "case_id", "said")
    bind("social_welfare_plan_answers", [("id", sa.Uuid())], "case_id", "said")
