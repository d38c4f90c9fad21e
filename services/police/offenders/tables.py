"""The register of offenders whom a station counsels or warns: apart from every file of a survivor. No column here points at a case,
an incident or a complaint, and none of theirs points here.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed

OFFENDER = "police_offenders.id"


class Offender(Row, table=True):
    """One person of the register, under a key of her or his own."""

    __tablename__ = "police_offenders"
    id: UUID = Field(primary_key=True)
    who: str | None = Field(default=None, sa_type=Sealed("police_offenders.who", "id"), nullable=True)
    facility: str = Field(index=True)
    entered_at: datetime = Field(sa_type=UtcDateTime)
    entered_by: UUID


class OffenderEntry(Row, table=True):
    """What was done: one of the choices of the programme's own register."""

    __tablename__ = "police_offender_entries"
    id: UUID = Field(primary_key=True)
    offender_id: UUID = Field(sa_column_args=[ForeignKey(OFFENDER)], index=True)
    what: str | None = Field(default=None, sa_type=Sealed("police_offender_entries.what", "offender_id"), nullable=True)
    on_date: date
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class OffenderLook(Row, table=True):
    """Who opened an entry of the register."""

    __tablename__ = "police_offender_looks"
    id: UUID = Field(primary_key=True)
    offender_id: UUID = Field(sa_column_args=[ForeignKey(OFFENDER)], index=True)
    account_id: UUID
    read_at: datetime = Field(sa_type=UtcDateTime)
