"""An answer that is kept for repeats says in a column of its own which records it names: nobody opens it to learn that."""

import re

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.sealing import keystore
from shared.kit.columns import json_column
from shared.kit.keystore import CANNOT_OPEN
from shared.kit.sealed import Sealed

revision = "0035_answers_name"
down_revision = "0034_hearings_off"
branch_labels = None
depends_on = None

A_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ANSWER = Sealed("casework_idempotency.answer", "", "bytes")
ROWS = sa.table(
    "casework_idempotency", sa.column("account_id", sa.Uuid()), sa.column("route"), sa.column("key"),
    sa.column("answer", sa.LargeBinary()), sa.column("names", json_column()),
)  # fmt: skip


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration. What does not open can be given to nobody again, and goes."""
    op.add_column("casework_idempotency", sa.Column("names", json_column(), nullable=False, server_default="[]"))
    connection = op.get_bind()
    for row in connection.execute(sa.select(ROWS)).all():
        this = (ROWS.c.account_id == row.account_id, ROWS.c.route == row.route, ROWS.c.key == row.key)
        try:
            answer = ANSWER.open(row.answer, keystore())
        except CANNOT_OPEN:
            connection.execute(sa.delete(ROWS).where(*this))
            continue
        names = sorted(set(A_UUID.findall(row.route) or A_UUID.findall((answer or b"").decode())))
        connection.execute(sa.update(ROWS).where(*this).values(names=names))
