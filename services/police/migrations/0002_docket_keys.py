"""A docket's number lies sealed under the key of its case; that no two cases have one is seen from an index that tells nothing else."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.sealing import keystore, seal

revision = "0002_docket_keys"
down_revision = "0001_police"
branch_labels = None
depends_on = "0017_case_keys"


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    op.add_column("police_dockets", sa.Column("number_index", sa.LargeBinary(), nullable=True))
    dockets = sa.table(
        "police_dockets", sa.column("case_id", sa.Uuid()), sa.column("number"), sa.column("number_index", sa.LargeBinary())
    )
    connection = op.get_bind()
    rows = connection.execute(sa.select(dockets.c.case_id, dockets.c.number)).all()
    for case_id, number in rows:
        index = keystore().index("police_dockets.number", number)
        connection.execute(sa.update(dockets).where(dockets.c.case_id == case_id).values(number_index=index))
    seal("police_dockets", [("case_id", sa.Uuid())], [("number", sa.String(), "json")], "t.case_id", unchecked=[])
    with op.batch_alter_table("police_dockets", schema=None) as batch:
        batch.alter_column("number_index", existing_type=sa.LargeBinary(), nullable=False)
        batch.create_unique_constraint("uq_police_dockets_number_index", ["number_index"])
