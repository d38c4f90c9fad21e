"""Cases that were opened beyond the own desk for an hour, what a supervisor found of it, and cases that nobody has to look at."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, unlogged
from shared.kit.sealed import Sealed


class Opening(Row, table=True):
    """An account saw a case beyond its own desks until a time: alone, because a life was in danger, or with a second person."""

    __tablename__ = "casework_openings"
    __table_args__ = (
        CheckConstraint("(second IS NULL) = (why = 'life_threat')", name="ck_casework_openings_second"),
        Index("ix_casework_openings_account", "account_id", "until_at"),
        unlogged("casework_openings"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    account_id: UUID
    why: str
    second: UUID | None = None  # the account that agreed
    opened_at: datetime = Field(sa_type=UtcDateTime)
    until_at: datetime = Field(sa_type=UtcDateTime)
    inside_seq: int | None = Field(default=None, sa_type=BigInteger)  # its place in the log that peers sign unread


class Review(Row, table=True):
    """A supervisor looked at an opening, the day after or later, and what she found."""

    __tablename__ = "casework_opening_reviews"
    opening_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("casework_openings.id")])
    was_right: bool
    reviewed_by: UUID
    reviewed_at: datetime = Field(sa_type=UtcDateTime)


class Decoy(Row, table=True):
    """A case about nobody, which nobody has a reason to open. Which one it is lies sealed: a reader of the table learns how many
    there are, and no more."""

    __tablename__ = "casework_decoys"
    id: UUID = Field(primary_key=True)
    which: dict[str, Any] = Field(sa_type=Sealed("casework_decoys.which", ""), nullable=True)
