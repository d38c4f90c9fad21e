"""Entries of the registers that a profile names. What stands in one is told to no other agency."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed


class RegisterNumber(Row, table=True):
    """The last number given in a register that the profile numbers; it never falls, whatever is forgotten."""

    __tablename__ = "casework_register_numbers"
    record: str = Field(primary_key=True)
    last: int = 0


class RegisterEntry(Row, table=True):
    """One entry as it was written, or as it was corrected: `version` counts, and what stood before stays. What it says lies under
    the key that `key_name` names: the case's, else one of its own."""

    __tablename__ = "casework_register_entries"
    __table_args__ = (
        UniqueConstraint("entry_id", "version", name="uq_casework_register_entries_version"),
        UniqueConstraint("record", "number", "version", name="uq_casework_register_entries_number"),
        Index("ix_casework_register_entries_list", "record", "entry_id"),
        Index("ix_casework_register_entries_keep_until", "keep_until"),
    )
    id: UUID = Field(primary_key=True)
    entry_id: UUID
    version: int
    record: str  # the register, by its name in the profile
    number: int | None = None  # of the agency's register, without gaps, where the profile numbers it
    case_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    about: UUID | None = None  # the incident or referral of the case
    facility: str
    key_name: UUID
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("casework_register_entries.said", "key_name"), nullable=True)
    keep_until: date | None = None
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
