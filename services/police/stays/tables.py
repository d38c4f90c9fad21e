"""The stay register: who stays at a centre with how many, what happened since, and who could not stay because no place was free."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

CASE = "casework_cases.id"


class Stay(Row, table=True):
    """One stay. `with_her`: an age group for each who came along, sealed; `left_at` follows from its facts."""

    __tablename__ = "police_stays"
    __table_args__ = (Index("ix_police_stays_here", "facility", "left_at"),)
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    facility: str
    post: str
    with_her: list[str] = Field(default_factory=list, sa_type=Sealed("police_stays.with_her", "case_id"), nullable=True)
    came_at: datetime = Field(sa_type=UtcDateTime)
    left_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class StayFact(Row, table=True):
    """What happened in a stay. Where to, why longer and until when lie sealed."""

    __tablename__ = "police_stay_facts"
    id: UUID = Field(primary_key=True)
    stay_id: UUID = Field(sa_column_args=[ForeignKey("police_stays.id")], index=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    kind: str
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("police_stay_facts.said", "case_id"), nullable=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class StayRefusal(Row, table=True):
    """Somebody who came and could not stay, because no place was free."""

    __tablename__ = "police_stay_refusals"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey(CASE)], index=True)
    facility: str
    with_her: list[str] = Field(default_factory=list, sa_type=Sealed("police_stay_refusals.with_her", "case_id"), nullable=True)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
