"""Accounts, how they sign in (tokens, passwords, code cards, sessions), who is on duty, and the answers kept for repeats."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary
from sqlmodel import Field

from shared.kit.columns import Row, UtcDateTime, json_column, unlogged
from shared.kit.sealed import Sealed


class Account(Row, table=True):
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
    password_hash: str | None = None  # None: bearer tokens only
    must_renew: bool = False  # somebody else made the password
    one_time_until: datetime | None = Field(default=None, sa_type=UtcDateTime)  # such a password ends by itself
    pin_hash: str | None = None
    failed_count: int = 0  # wrong passwords in a row, at browsers where the account has never signed in
    waits_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    code_failed_count: int = 0  # wrong codes in a row there, after a right password: no stranger counts these up
    code_waits_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    never: dict[str, Any] | None = Field(
        default=None, sa_type=Sealed("casework_accounts.never", "", of="id"), nullable=True
    )  # cases that it may not see: barred.py
    asked_code: int | None = None  # the number on the card that is asked for until it is answered


class CardCode(Row, table=True):
    """One numbered code of an account's printed card: used once."""

    __tablename__ = "casework_card_codes"
    account_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("casework_accounts.id")])
    number: int = Field(primary_key=True)
    digest: bytes = Field(sa_type=LargeBinary)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class KnownBrowser(Row, table=True):
    """A browser at which an account has signed in: its wrong answers are counted by themselves, so strangers cannot lock it out."""

    __tablename__ = "casework_known_browsers"
    account_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("casework_accounts.id")])
    device: UUID = Field(primary_key=True, index=True)
    failed_count: int = 0
    waits_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    used_at: datetime = Field(sa_type=UtcDateTime)


class Session(Row, table=True):
    """Somebody signed in at a browser, by the digest of what its cookie holds."""

    __tablename__ = "casework_sessions"
    id: UUID = Field(primary_key=True)
    digest: bytes = Field(unique=True, sa_type=LargeBinary)
    account_id: UUID = Field(sa_column_args=[ForeignKey("casework_accounts.id")], index=True)
    device: UUID = Field(index=True)
    csrf: str
    needs_code: bool = True
    opened_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    locked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    pin_failed_count: int = 0
    left_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # when the session before this one was last used
    back_to: str | None = None  # the page whose form was kept when it locked or was over: it stands there again for its writer
    language: str | None = None


class Draft(Row, table=True):
    """What stood in a form when the page was hidden, or sent too late: sealed under the browser's cookie, which the database does
    not hold, for the account of its session."""

    __tablename__ = "casework_drafts"
    session_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("casework_sessions.id", ondelete="CASCADE")])
    path: str = Field(primary_key=True)
    sealed: bytes = Field(sa_type=LargeBinary)
    kept_at: datetime = Field(sa_type=UtcDateTime)


class Duty(Row, table=True):
    """Who holds a post at a facility, and from when to when."""

    __tablename__ = "casework_duties"
    __table_args__ = (CheckConstraint("from_at < until_at", name="ck_casework_duties_range"),)
    id: UUID = Field(primary_key=True)
    facility: str = Field(index=True)
    post: str
    account_id: UUID = Field(sa_column_args=[ForeignKey("casework_accounts.id")], index=True)
    from_at: datetime = Field(sa_type=UtcDateTime)
    until_at: datetime = Field(sa_type=UtcDateTime)
    entered_by: UUID


class HandOver(Row, table=True):
    """A shift's end: what was open when one account left a facility, and who took it over."""

    __tablename__ = "casework_hand_overs"
    __table_args__ = (Index("ix_casework_hand_overs_facility", "facility", "written_at"),)
    id: UUID = Field(primary_key=True)
    facility: str
    given_by: UUID
    open_items: dict[str, Any] = Field(sa_type=json_column)  # type: ignore[call-overload]
    written_at: datetime = Field(sa_type=UtcDateTime)
    taken_by: UUID | None = None
    taken_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Token(Row, table=True):
    """A bearer token, by its digest only."""

    __tablename__ = "casework_tokens"
    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    account_id: UUID = Field(sa_column_args=[ForeignKey("casework_accounts.id")], index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class KeptAnswer(Row, table=True):
    """The answer to a request with an Idempotency-Key, given again when the request is repeated."""

    __tablename__ = "casework_idempotency"
    __table_args__ = (Index("ix_casework_idempotency_kept_until", "kept_until"),)
    account_id: UUID = Field(primary_key=True)
    route: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_digest: bytes = Field(sa_type=LargeBinary)
    status: int = 0
    answer: bytes = Field(default=b"", sa_type=Sealed("casework_idempotency.answer", "", "bytes"), nullable=True)
    names: list[str] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]  # records that it is about
    kept_until: datetime = Field(sa_type=UtcDateTime)


class Attempt(Row, table=True):
    """Somebody asked for something that is not there, or not for this account; `about` is the id that was asked for, and `what` the
    route. An id of ours is looked for here by what it stands for: the survivor may ask who tried."""

    __tablename__ = "casework_attempts"
    __table_args__ = (
        Index("ix_casework_attempts_about", "about"),
        unlogged("casework_attempts"),
    )
    id: UUID = Field(primary_key=True)
    account_id: UUID
    what: str
    about: UUID
    tried_at: datetime = Field(sa_type=UtcDateTime)
    inside_seq: int | None = Field(default=None, sa_type=BigInteger)  # its place in the log that peers sign unread


class CaseRead(Row, table=True):
    """Who looked at a case, and when: the survivor may ask."""

    __tablename__ = "casework_case_reads"
    __table_args__ = (
        Index("ix_casework_case_reads_case", "case_id", "read_at"),
        Index("ix_casework_case_reads_listed", "account_id", "what", "read_at"),
        unlogged("casework_case_reads"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")])
    account_id: UUID
    what: str
    read_at: datetime = Field(sa_type=UtcDateTime)
    inside_seq: int | None = Field(default=None, sa_type=BigInteger)  # its place in the log that peers sign unread
