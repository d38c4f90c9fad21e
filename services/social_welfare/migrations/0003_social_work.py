"""Plans of cases, visits and what she says about being visited, returns, and outreach."""

import sqlalchemy as sa
from alembic import op

from shared.casework.migrations.row_security import of_case, protect
from shared.casework.migrations.stock import never_changes
from shared.kit.columns import UtcDateTime, json_column

revision = "0003_social_work"
down_revision = "0002_row_security"
branch_labels = None
depends_on = "0032_conferences"

OF_A_CASE = (
    "social_welfare_plans", "social_welfare_plan_versions", "social_welfare_plan_answers", "social_welfare_step_marks",
    "social_welfare_safe_words", "social_welfare_visits", "social_welfare_returns",
)  # fmt: skip
BOOKS = ("social_welfare_plan_versions", "social_welfare_plan_answers", "social_welfare_step_marks", "social_welfare_safe_words")
PLAN_IS_OPEN = sa.text("state = 'open'")
IS_OUT = sa.text("set_out_at IS NOT NULL AND back_at IS NULL")
RETURN_IS_OPEN = sa.text("state NOT IN ('ended','not_agreed')")


def upgrade() -> None:
    """Forward only: a schema is mended by a further migration."""
    _plans()
    _visits()
    _returns()
    _outreach()
    for table in OF_A_CASE:
        op.create_index(f"ix_{table}_case_id", table, ["case_id"])
    for table in BOOKS:
        never_changes(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in OF_A_CASE:
            protect(table, of_case("case_id"))


def _own() -> list[sa.Column]:  # type: ignore[type-arg]
    return [
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("case_id", sa.Uuid(), sa.ForeignKey("casework_cases.id"), nullable=False),
    ]


def _recorded() -> list[sa.Column]:  # type: ignore[type-arg]
    return [sa.Column("recorded_at", UtcDateTime(), nullable=False), sa.Column("recorded_by", sa.Uuid(), nullable=False)]


def _plans() -> None:
    op.create_table(
        "social_welfare_plans",
        *_own(),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("review_on", sa.Date(), nullable=True),
        *_recorded(),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("closing", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("state IN ('open','closed')", name="ck_social_welfare_plans_state"),
    )
    op.create_index(
        "uq_social_welfare_plans_open", "social_welfare_plans", ["case_id"], unique=True, sqlite_where=PLAN_IS_OPEN,
        postgresql_where=PLAN_IS_OPEN,
    )  # fmt: skip
    op.create_index("ix_social_welfare_plans_review", "social_welfare_plans", ["state", "review_on"])
    op.create_table(
        "social_welfare_plan_versions",
        *_own(),
        sa.Column("plan_id", sa.Uuid(), sa.ForeignKey("social_welfare_plans.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("changed", sa.LargeBinary(), nullable=True),
        *_recorded(),
    )
    op.create_index("ix_social_welfare_plan_versions_plan_id", "social_welfare_plan_versions", ["plan_id"])
    op.create_table(
        "social_welfare_plan_answers",
        *_own(),
        sa.Column("version_id", sa.Uuid(), sa.ForeignKey("social_welfare_plan_versions.id"), nullable=False, unique=True),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("explained_by", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "social_welfare_step_marks",
        *_own(),
        sa.Column("plan_id", sa.Uuid(), sa.ForeignKey("social_welfare_plans.id"), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        *_recorded(),
    )
    op.create_index("ix_social_welfare_step_marks_plan_id", "social_welfare_step_marks", ["plan_id"])


def _visits() -> None:
    op.create_table(
        "social_welfare_safe_words",
        *_own(),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        *_recorded(),
    )
    op.create_table(
        "social_welfare_visits",
        *_own(),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("which", sa.LargeBinary(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("part", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("goes", sa.Uuid(), nullable=True),
        sa.Column("second", sa.Uuid(), nullable=True),
        sa.Column("knows", sa.String(), nullable=True),
        sa.Column("back_by", UtcDateTime(), nullable=True),
        sa.Column("set_out_at", UtcDateTime(), nullable=True),
        sa.Column("back_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.LargeBinary(), nullable=True),
        sa.Column("return_id", sa.Uuid(), nullable=True),
        *_recorded(),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("state IN ('made','kept','missed','called_off')", name="ck_social_welfare_visits_state"),
        sa.CheckConstraint("kind IN ('office','home','elsewhere')", name="ck_social_welfare_visits_kind"),
    )
    op.create_index("ix_social_welfare_visits_due_on", "social_welfare_visits", ["state", "due_on"])
    op.create_index(
        "ix_social_welfare_visits_out", "social_welfare_visits", ["back_by"], sqlite_where=IS_OUT, postgresql_where=IS_OUT
    )


def _returns() -> None:
    op.create_table(
        "social_welfare_returns",
        *_own(),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked", sa.LargeBinary(), nullable=True),
        sa.Column("said", sa.LargeBinary(), nullable=True),
        sa.Column("assessed_at", UtcDateTime(), nullable=False),
        sa.Column("agreed_at", UtcDateTime(), nullable=True),
        sa.Column("returned_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ending", sa.LargeBinary(), nullable=True),
        *_recorded(),
        sa.CheckConstraint(
            "state IN ('assessed','agreed','not_agreed','returned','ended')", name="ck_social_welfare_returns_state"
        ),
    )
    op.create_index(
        "uq_social_welfare_returns_open", "social_welfare_returns", ["case_id"], unique=True, sqlite_where=RETURN_IS_OPEN,
        postgresql_where=RETURN_IS_OPEN,
    )  # fmt: skip


def _outreach() -> None:
    op.create_table(
        "social_welfare_outreach",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("facility", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("district", sa.String(), nullable=True),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("reached", json_column(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("corrects", sa.Uuid(), nullable=True),
        *_recorded(),
        sa.CheckConstraint("total >= 0", name="ck_social_welfare_outreach_total"),
    )
    op.create_index("ix_social_welfare_outreach_held_on", "social_welfare_outreach", ["held_on"])
