"""Which newer answer of hers prolongs what an older one, whose day passes, covers.

Revision ID: 0025_prolonged
Revises: 0024_consent_gaps
"""

import sqlalchemy as sa
from alembic import op

revision = "0025_prolonged"
down_revision = "0024_consent_gaps"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.add_column("casework_consents", sa.Column("prolonged_by", sa.Uuid(), nullable=True))
