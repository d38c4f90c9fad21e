"""Breaches of the protocol lie where those of every agency lie, sealed anew for their new place."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.sealing import keystore
from shared.kit.columns import UtcDateTime
from shared.kit.sealed import Sealed, Under

revision = "0008_breaches"
down_revision = "0007_offenders"
branch_labels = None
depends_on = "0028_reports"

COLUMNS = ("code", "by_whom")


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration. What was erased with its case's key stays nothing."""
    old, new = _table("police_breaches"), _table("casework_breaches")
    connection = op.get_bind()
    rows = connection.execute(sa.select(old)).mappings().all()
    if rows:
        connection.execute(sa.insert(new), [{**row, **{name: _anew(name, row) for name in COLUMNS}} for row in rows])
    op.drop_table("police_breaches")


def _anew(name: str, row: sa.RowMapping) -> bytes | None:
    value = Sealed(f"police_breaches.{name}", "case_id").read(row[name], keystore())
    return Sealed(f"casework_breaches.{name}", "case_id").seal(Under(row["case_id"], value), keystore()) if value else None


def _table(name: str) -> sa.TableClause:
    return sa.table(
        name, sa.column("id", sa.Uuid()), sa.column("case_id", sa.Uuid()), sa.column("code", sa.LargeBinary()),
        sa.column("by_whom", sa.LargeBinary()), sa.column("facility"), sa.column("occurred_at", UtcDateTime()),
        sa.column("recorded_at", UtcDateTime()), sa.column("recorded_by", sa.Uuid()),
    )  # fmt: skip
