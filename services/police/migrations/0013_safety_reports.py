"""Which product a safety report was of, and its batch, lie sealed beside its code under the key of her case, where it is known."""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.sealing import keystore
from shared.kit.ids import new_id
from shared.kit.keystore import KeyDestroyed, KeystoreAway
from shared.kit.sealed import Sealed, Under

revision = "0013_safety_reports"
down_revision = ("0012_stated_again", "0012_trainers")  # which came beside each other
branch_labels = None
depends_on = None

COLUMNS = ("product", "batch")
REPORTS = sa.table(
    "police_safety_reports", sa.column("id", sa.Uuid()), sa.column("case_id", sa.Uuid()), *map(sa.column, COLUMNS),
    *(sa.column(f"{name}_sealed", sa.LargeBinary()) for name in COLUMNS),
)  # fmt: skip
ALARMS = sa.table("casework_alarms", sa.column("id", sa.Uuid()), sa.column("about", sa.Uuid()))


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration. What was erased with its case's key is nothing from now on."""
    for name in COLUMNS:
        op.add_column("police_safety_reports", sa.Column(f"{name}_sealed", sa.LargeBinary(), nullable=True))
    connection = op.get_bind()
    for row in connection.execute(sa.select(REPORTS)).all():
        values = {f"{name}_sealed": _sealed(name, row.case_id, getattr(row, name)) for name in COLUMNS}
        connection.execute(sa.update(REPORTS).where(REPORTS.c.id == row.id).values(values))
        if row.case_id is not None:  # its alarm says product and code: from now on of no report in particular
            connection.execute(sa.update(ALARMS).where(ALARMS.c.about == row.id).values(about=new_id()))
    for name in COLUMNS:
        op.drop_column("police_safety_reports", name)
        op.execute(sa.text(f"ALTER TABLE police_safety_reports RENAME COLUMN {name}_sealed TO {name}"))


def _sealed(name: str, case_id: UUID | None, value: str | None) -> bytes | None:
    column = Sealed(f"police_safety_reports.{name}", "case_id", of="")
    if value is None:
        return None
    try:
        return column.seal(Under(case_id, value), keystore())
    except KeyDestroyed:
        return None
    except KeystoreAway:  # the case's key is lost, and may be brought back: until then the agency's own
        return column.seal(Under(None, value), keystore())
