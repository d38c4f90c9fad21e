"""What is sealed is bound to what its row is about: in a row about somebody else it does not open."""

import sqlalchemy as sa

from shared.casework.migrations.sealing import bind

revision = "0002_justice_bound"
down_revision = "0001_justice"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    bind("justice_examinations", [("id", sa.Uuid())], "case_id", "order_number")
    bind("justice_specimens", [("id", sa.Uuid())], "case_id", "kind")
    bind("justice_custody_entries", [("id", sa.Uuid())], "case_id", "said")
    bind("justice_verdicts", [("id", sa.Uuid())], "case_id", "outcome")
