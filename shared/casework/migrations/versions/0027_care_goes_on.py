"""Care that goes on here after what was told about somebody was taken back: an arrival of our own, after a referral.

Revision ID: 0027_care_goes_on
Revises: 0024_consent_gaps
"""

import sqlalchemy as sa
from alembic import op

revision = "0027_care_goes_on"
down_revision = "0025_prolonged"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    with op.batch_alter_table("casework_walk_ins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("after_referral", sa.Uuid(), nullable=True))
        batch_op.create_foreign_key("fk_casework_walk_ins_after_referral", "casework_referrals", ["after_referral"], ["id"])
        batch_op.alter_column("recorded_by", existing_type=sa.Uuid(), nullable=True)
    # One at most: what takes consent back may be heard again.
    op.create_index("ix_casework_walk_ins_after_referral", "casework_walk_ins", ["after_referral"], unique=True)
