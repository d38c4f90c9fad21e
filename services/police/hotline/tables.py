"""Calls to the hotline, how desks say that they stand, and who looked at a call. No number of a caller has a column here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, json_column
from shared.kit.sealed import Sealed

WAITS = "seen_at IS NULL AND merged_into IS NULL AND respond_by IS NOT NULL"


class Call(Row, table=True):
    """One call or message. `said` is what she told, coded: need, language, child, vehicle, whether she may be called back; it
    lies under the key that `key_name` names, which is the case's from the moment at which one was opened. `turns`: each desk that
    had it, how it was found and when."""

    __tablename__ = "police_calls"
    __table_args__ = (
        CheckConstraint("what IN ('report','information','wrong_number','cut')", name="ck_police_calls_what"),
        CheckConstraint("what <> 'wrong_number' OR (said IS NULL AND district IS NULL)", name="ck_police_calls_wrong_number"),
        Index("ix_police_calls_waiting", "desk", sqlite_where=text(WAITS), postgresql_where=text(WAITS)),
        Index("ix_police_calls_came_at", "came_at"),
    )
    id: UUID = Field(primary_key=True)
    what: str
    channel: str
    facility: str  # the room that took it
    district: str | None = None
    desk: str | None = None
    step: str | None = None
    turns: list[dict[str, str]] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]
    lacks: list[dict[str, str | None]] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]
    key_name: UUID
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("police_calls.said", "key_name"), nullable=True)
    came_at: datetime = Field(sa_type=UtcDateTime)
    taken_by: UUID
    routed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    respond_by: datetime | None = Field(default=None, sa_type=UtcDateTime)  # None: nobody else has to do anything
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    seen_by: UUID | None = None
    called_back_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    merged_into: UUID | None = Field(default=None, sa_column_args=[ForeignKey("police_calls.id")])
    merged_by: UUID | None = None
    case_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_cases.id")], index=True)


class CallLook(Row, table=True):
    """Who looked at a call, before there was a case whose own log keeps it."""

    __tablename__ = "police_call_looks"
    __table_args__ = (Index("ix_police_call_looks_call", "call_id", "account_id"),)
    id: UUID = Field(primary_key=True)
    call_id: UUID = Field(sa_column_args=[ForeignKey("police_calls.id")])
    account_id: UUID
    what: str
    read_at: datetime = Field(sa_type=UtcDateTime)


class DeskState(Row, table=True):
    """What a desk last said of itself; who is there says the roster."""

    __tablename__ = "police_desk_states"
    facility: str = Field(primary_key=True)
    assets: list[str] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]
    is_trained: bool | None = None
    has_female_staff: bool | None = None
    languages: list[str] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]
    said_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
