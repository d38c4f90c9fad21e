"""Samples and the book of their custody, as every kind of agency that collects some keeps them, in tables of its own.

Lines of the book are never changed or deleted: the database refuses it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from shared.casework.here import Here
from shared.contracts.casework.codes import AgencyKind
from shared.kit.columns import UtcDateTime
from shared.kit.sealed import Sealed

CASE = "casework_cases.id"


class SpecimenRow(SQLModel):
    """One sample. What it is lies sealed; `code` is written on it, and is all that may be told of it."""

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key=CASE, index=True)
    facility: str
    code: str = Field(unique=True)
    kind: str | None = None
    state: str
    has_gap: bool = False
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


class CustodyRow(SQLModel):
    """One line: who had it, who took it, under which seal. Numbered without gaps for each sample."""

    id: UUID = Field(primary_key=True)
    specimen_id: UUID
    case_id: UUID = Field(foreign_key=CASE, index=True)
    number: int
    act: str
    said: dict[str, Any] = Field(default_factory=dict)
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID


@dataclass(frozen=True, slots=True)
class Kept:
    """The two tables of one kind of agency."""

    specimens: Any
    entries: Any


_KEPT: dict[AgencyKind, Kept] = {}


def keeps(kind: AgencyKind, specimens: type[SpecimenRow], entries: type[CustodyRow]) -> None:
    """Says in which tables a kind of agency keeps its samples."""
    _KEPT[kind] = Kept(specimens, entries)


def kept_by(here: Here) -> Kept:
    """The tables of this agency."""
    return _KEPT[here.kind]


def sealed_kind(table: str) -> Any:
    """What a sample is, in a table of that name."""
    return Sealed(f"{table}.kind", "case_id")


def sealed_line(table: str) -> Any:
    """What a line says, in a table of that name."""
    return Sealed(f"{table}.said", "case_id")
