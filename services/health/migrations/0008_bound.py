"""What is sealed is bound to what its row is about: in a row about somebody else it does not open."""

import sqlalchemy as sa

from shared.casework.migrations.sealing import bind

revision = "0008_health_bound"
down_revision = "0007_visits_called_off"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    bind("health_follow_ups", [("id", sa.Uuid())], "case_id", "which")
    bind("health_medical_certificates", [("id", sa.Uuid())], "case_id", "number", "name")
    bind("health_specimens", [("id", sa.Uuid())], "case_id", "kind")
    bind("health_custody_entries", [("id", sa.Uuid())], "case_id", "said")
    bind("health_care_given", [("id", sa.Uuid())], "id", "care", "result")
