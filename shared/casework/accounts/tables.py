"""Accounts, their bearer tokens, and the answers kept for repeated requests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlmodel import Field, SQLModel

from shared.kit.columns import UtcDateTime


class Account(SQLModel, table=True):
    """Somebody who signs in, by a sign-in name. `facility` None sees the whole agency."""

    __tablename__ = "casework_accounts"
    __table_args__ = (
        CheckConstraint(
            "role IN ('officer','clinician','social_worker','supervisor','administrator')", name="ck_casework_accounts_role"
        ),
    )
    id: UUID = Field(primary_key=True)
    name: str = Field(unique=True)
    role: str
    facility: str | None = None
    is_disabled: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)


class Token(SQLModel, table=True):
    """A bearer token, by its digest only."""

    __tablename__ = "casework_tokens"
    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    account_id: UUID = Field(sa_column_args=[ForeignKey("casework_accounts.id")], index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class KeptAnswer(SQLModel, table=True):
    """The answer to a request with an Idempotency-Key, given again when the request is repeated."""

    __tablename__ = "casework_idempotency"
    __table_args__ = (Index("ix_casework_idempotency_kept_until", "kept_until"),)
    account_id: UUID = Field(primary_key=True)
    route: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_digest: bytes = Field(sa_type=LargeBinary)
    status: int = 0
    answer: bytes = Field(default=b"", sa_type=LargeBinary)
    kept_until: datetime = Field(sa_type=UtcDateTime)


class CaseRead(SQLModel, table=True):
    """Who looked at a case, and when: the survivor may ask."""

    __tablename__ = "casework_case_reads"
    __table_args__ = (Index("ix_casework_case_reads_case", "case_id", "read_at"),)
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")])
    account_id: UUID
    what: str
    read_at: datetime = Field(sa_type=UtcDateTime)
