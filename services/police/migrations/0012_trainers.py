"""Who trained whom, and how many acts were watched before a certificate."""

import sqlalchemy as sa
from alembic import op

revision = "0012_trainers"
down_revision = "0011_seats"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration. Of what was entered before nobody knows it."""
    op.add_column("police_certificates", sa.Column("trainer_id", sa.Uuid(), nullable=True))
    op.add_column("police_certificates", sa.Column("supervised_acts", sa.Integer(), nullable=True))
