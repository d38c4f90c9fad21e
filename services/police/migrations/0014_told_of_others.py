"""What justice tells of a case is told to her too: a telling goes with the step that it is of, where her consent is taken back."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from shared.exchange.tables import BIG
from shared.kit.columns import UtcDateTime
from shared.kit.ids import new_id

revision = "0014_told_of_others"
down_revision = "0013_safety_reports"
branch_labels = None
depends_on = None

HEARD = ("charged", "hearing_date", "verdict")  # of what she is told, what justice says to the police
NAMES = {"fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s"}


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration. What was heard before this stands on no list."""
    _goes_with_its_step()
    steps = sa.table(
        "casework_progress", sa.column("position", BIG), sa.column("case_id", sa.Uuid()), sa.column("code"),
        sa.column("consent_id", sa.Uuid()), sa.column("recorded_at", UtcDateTime()),
    )  # fmt: skip
    tellings = sa.table(
        "police_tellings", sa.column("id", sa.Uuid()), sa.column("case_id", sa.Uuid()), sa.column("position", BIG),
        sa.column("outcome"), sa.column("occurred_at", UtcDateTime()), sa.column("recorded_at", UtcDateTime()),
    )  # fmt: skip
    connection, now = op.get_bind(), datetime.now(UTC)
    settled = sa.exists().where(tellings.c.position == steps.c.position)
    heard = sa.select(steps).where(steps.c.consent_id.is_not(None), steps.c.code.in_(HEARD), ~settled)
    rows = [
        {"id": new_id(), "case_id": row.case_id, "position": row.position, "outcome": "before", "occurred_at": row.recorded_at,
         "recorded_at": now}
        for row in connection.execute(heard)
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(tellings), rows)


def _goes_with_its_step() -> None:
    step = ("casework_progress", ["position"], ["position"])
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("police_tellings_position_fkey", "police_tellings", type_="foreignkey")
        op.create_foreign_key("police_tellings_position_fkey", "police_tellings", *step, ondelete="CASCADE")
        return
    with op.batch_alter_table("police_tellings", naming_convention=NAMES) as table:
        table.drop_constraint("fk_police_tellings_position_casework_progress", type_="foreignkey")
        table.create_foreign_key("fk_police_tellings_position_casework_progress", *step, ondelete="CASCADE")
