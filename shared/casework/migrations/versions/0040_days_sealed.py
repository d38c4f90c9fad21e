"""When somebody is expected, and the days of hearings and visits, lie sealed: what is there is sealed here."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.sealing import seal
from shared.exchange.erasing import received_key
from shared.kit.columns import UtcDateTime

revision = "0040_days_sealed"
down_revision = "0039_case_numbers"
branch_labels = None
depends_on = None

CONSENT = ("consent_id", sa.Uuid())
IS_AHEAD: dict[str, Any] = {"sqlite_where": sa.text("is_ahead = 1"), "postgresql_where": sa.text("is_ahead")}


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration. What was told under a consent goes under the key that goes with it."""
    op.add_column("casework_progress", sa.Column("is_ahead", sa.Boolean(), nullable=False, server_default=sa.false()))
    yesterday = datetime.now(UTC).date() - timedelta(days=1)  # wherever the agency is; the watcher lets go of what has been
    steps = sa.table("casework_progress", sa.column("on_date", sa.Date()), sa.column("is_ahead", sa.Boolean()))
    op.execute(sa.update(steps).where(steps.c.on_date >= yesterday).values(is_ahead=True))
    op.drop_index("ix_casework_progress_dates", table_name="casework_progress")
    seal(
        "casework_progress", [("position", sa.BigInteger())], [("on_date", sa.Date(), "date"), ("was_on", sa.Date(), "date")],
        "t.case_id", derive=_key_of_step, beside=[("agency", sa.String()), CONSENT],
    )  # fmt: skip
    op.create_index("ix_casework_progress_codes", "casework_progress", ["code", "occurred_at"])
    op.create_index("ix_casework_progress_ahead", "casework_progress", ["case_id"], **IS_AHEAD)
    beside = [("direction", sa.String()), ("issuer", sa.String()), CONSENT]
    seal(
        "casework_referrals", [("id", sa.Uuid())], [("expected_at", UtcDateTime(), "time")], "t.case_id",
        derive=_key_of_request, beside=beside,
    )  # fmt: skip


def _key_of_step(row: Any) -> UUID:
    return row.key_name if row.consent_id is None else received_key(row.agency, row.consent_id)


def _key_of_request(row: Any) -> UUID:
    is_told = row.direction == "in" and row.consent_id is not None
    return received_key(row.issuer, row.consent_id) if is_told else row.key_name
