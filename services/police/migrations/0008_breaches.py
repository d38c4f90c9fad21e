"""Breaches of the protocol lie where those of every agency lie, sealed anew for their new place."""

import logging
from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.sealing import keystore
from shared.kit.columns import UtcDateTime
from shared.kit.sealed import SHUT, Sealed, Under, shut_shown

log = logging.getLogger(__name__)

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
    with shut_shown():
        read = [(row, {name: _read(name, row) for name in COLUMNS}) for row in rows]
    moved = [(row, said) for row, said in read if not any(value is SHUT for value in said.values())]
    if moved:
        anew = [{**row, **{name: _anew(name, row, said[name]) for name in COLUMNS}} for row, said in moved]
        connection.execute(sa.insert(new), anew)
    if len(moved) == len(rows):
        op.drop_table("police_breaches")
        return
    # A key is missing, and may be brought back: what lies under it stays where it was.
    connection.execute(sa.delete(old).where(old.c.id.in_([row["id"] for row, _said in moved])))
    log.warning("breaches_left", extra={"table": "police_breaches", "count": len(rows) - len(moved)})


def _read(name: str, row: sa.RowMapping) -> Any:
    return Sealed(f"police_breaches.{name}", "case_id", of="").read(row[name], keystore()) if row[name] is not None else None


def _anew(name: str, row: sa.RowMapping, value: Any) -> bytes | None:
    return Sealed(f"casework_breaches.{name}", "case_id", of="").seal(Under(row["case_id"], value), keystore()) if value else None


def _table(name: str) -> sa.TableClause:
    return sa.table(
        name, sa.column("id", sa.Uuid()), sa.column("case_id", sa.Uuid()), sa.column("code", sa.LargeBinary()),
        sa.column("by_whom", sa.LargeBinary()), sa.column("facility"), sa.column("occurred_at", UtcDateTime()),
        sa.column("recorded_at", UtcDateTime()), sa.column("recorded_by", sa.Uuid()),
    )  # fmt: skip
