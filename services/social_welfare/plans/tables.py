"""Plans, their versions, her answer to each, and what became of their steps. What they say lies sealed under the case's key."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

CASE = "casework_cases.id"
PLAN = "social_welfare_plans.id"
IS_OPEN = text("state = 'open'")


class Plan(Row, table=True):
    """One plan of a case; a case has one that is open at most. `review_on` is that of the version in force."""

    __tablename__ = "social_welfare_plans"
    __table_args__ = (
        CheckConstraint("state IN ('open','closed')", name="ck_social_welfare_plans_state"),
        Index("uq_social_welfare_plans_open", "case_id", unique=True, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
        Index("ix_social_welfare_plans_review", "state", "review_on"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    facility: str
    state: str
    review_on: date | None = None
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_by: UUID | None = None
    closing: dict[str, Any] | None = Field(default=None, sa_type=Sealed("social_welfare_plans.closing", "case_id"), nullable=True)


class PlanVersion(Row, table=True):
    """One version as it was put to her; never changed."""

    __tablename__ = "social_welfare_plan_versions"
    id: UUID = Field(primary_key=True)
    plan_id: UUID = Field(sa_column_args=[ForeignKey(PLAN)], index=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    number: int
    content: dict[str, Any] | None = Field(
        default=None, sa_type=Sealed("social_welfare_plan_versions.content", "case_id"), nullable=True
    )
    changed: list[str] | None = Field(
        default=None, sa_type=Sealed("social_welfare_plan_versions.changed", "case_id"), nullable=True
    )
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class PlanAnswer(Row, table=True):
    """What she said of a version, and how; never changed. Only a version that she agreed to is in force."""

    __tablename__ = "social_welfare_plan_answers"
    id: UUID = Field(primary_key=True)
    version_id: UUID = Field(sa_column_args=[ForeignKey("social_welfare_plan_versions.id")], unique=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("social_welfare_plan_answers.said", "case_id"), nullable=True)
    explained_by: UUID
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class StepMark(Row, table=True):
    """What became of a step; the last one counts, none is ever changed."""

    __tablename__ = "social_welfare_step_marks"
    id: UUID = Field(primary_key=True)
    plan_id: UUID = Field(sa_column_args=[ForeignKey(PLAN)], index=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("social_welfare_step_marks.said", "case_id"), nullable=True)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
