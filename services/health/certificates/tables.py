"""Medical certificates: that one was issued and given, under which number. What it says is on paper, and hers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime
from shared.kit.sealed import Sealed


class MedicalCertificate(Row, table=True):
    """One certificate. Its number is of this place alone, and tells nobody else anything."""

    __tablename__ = "health_medical_certificates"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    facility: str
    number: str | None = Field(default=None, sa_type=Sealed("health_medical_certificates.number", "case_id"), nullable=True)
    number_index: bytes = Field(unique=True, sa_type=LargeBinary)  # a keyed digest, as of dockets
    post: str
    name: str | None = Field(default=None, sa_type=Sealed("health_medical_certificates.name", "case_id"), nullable=True)
    copy_kept: bool
    issued_at: datetime = Field(sa_type=UtcDateTime)
    given_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: UUID
    given_by: UUID | None = None
