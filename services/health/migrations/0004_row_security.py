"""This agency's own rows are seen where their case is, by the database's own rule."""

from alembic import op

from shared.casework.migrations.row_security import of_row, protect

revision = "0004_row_security"
down_revision = "0003_care_keys"
branch_labels = None
depends_on = "0023_eyes"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    if op.get_bind().dialect.name == "postgresql":
        protect(
            "health_care_given", f"{of_row('casework_referrals', 'referral_id')} OR {of_row('casework_walk_ins', 'walk_in_id')}"
        )
