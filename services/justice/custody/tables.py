"""The institute’s samples and the book of their custody."""

from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from shared.casework.custody.tables import CustodyRow, SpecimenRow, keeps, sealed_kind, sealed_line
from shared.contracts.casework.codes import AgencyKind


class Specimen(SpecimenRow, table=True):
    """One sample."""

    __tablename__ = "justice_specimens"
    __table_args__ = (Index("ix_justice_specimens_state", "facility", "state"),)
    kind: str | None = Field(default=None, sa_type=sealed_kind("justice_specimens"), nullable=True)


class CustodyEntry(CustodyRow, table=True):
    """One line of its book."""

    __tablename__ = "justice_custody_entries"
    __table_args__ = (UniqueConstraint("specimen_id", "number", name="uq_justice_custody_entries_number"),)
    specimen_id: UUID = Field(foreign_key="justice_specimens.id")
    said: dict[str, Any] = Field(default_factory=dict, sa_type=sealed_line("justice_custody_entries"), nullable=True)


keeps(AgencyKind.JUSTICE, Specimen, CustodyEntry)
