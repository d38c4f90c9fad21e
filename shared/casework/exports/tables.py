"""Files that were handed out: who took which, when, what for and for whom; and, for a short while, the encrypted file itself."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, unlogged
from shared.kit.sealed import Sealed


class Export(Row, table=True):
    """One file that was made. Its id stands in the file; a row is never changed."""

    __tablename__ = "casework_exports"
    __table_args__ = (
        CheckConstraint("(case_id IS NULL) <> (period IS NULL)", name="ck_casework_exports_of"),
        Index("ix_casework_exports_made", "made_at"),
        unlogged("casework_exports"),
    )
    id: UUID = Field(primary_key=True)
    account_id: UUID
    what: str
    case_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_cases.id")])
    period: str | None = None
    purpose: str
    # A sentence: somebody's own words. None where two holders of the escrow opened it: the key of the case may be gone.
    because: str | None = Field(default=None, sa_type=Sealed("casework_exports.because", "case_id"), nullable=True)
    recipient_key: str
    digest: str  # SHA-256 of the encrypted file, hexadecimal
    made_at: datetime = Field(sa_type=UtcDateTime)
    inside_seq: int | None = Field(default=None, sa_type=BigInteger)  # its place in the log that peers sign unread


class ExportFile(Row, table=True):
    """An encrypted file until it is fetched or forgotten."""

    __tablename__ = "casework_export_files"
    export_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("casework_exports.id")])
    file: bytes = Field(sa_type=LargeBinary)
    kept_until: datetime = Field(sa_type=UtcDateTime)
