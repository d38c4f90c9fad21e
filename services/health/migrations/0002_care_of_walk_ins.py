"""What was given to somebody who came without a referral is kept too."""

import sqlalchemy as sa
from alembic import op

revision = "0002_care_of_walk_ins"
down_revision = "0001_health"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    with op.batch_alter_table("health_care_given", schema=None) as batch_op:
        batch_op.alter_column("referral_id", existing_type=sa.Uuid(), nullable=True)
        batch_op.add_column(sa.Column("walk_in_id", sa.Uuid(), nullable=True))
        batch_op.create_foreign_key("fk_health_care_given_walk_in_id", "casework_walk_ins", ["walk_in_id"], ["id"])
        batch_op.create_check_constraint("ck_health_care_given_one", "(referral_id IS NULL) <> (walk_in_id IS NULL)")
        batch_op.create_index(batch_op.f("ix_health_care_given_walk_in_id"), ["walk_in_id"], unique=False)
