"""Referrals at both ends, and the facts that made them what they are."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Identity, Index, text
from sqlmodel import Field

from shared.exchange.tables import BIG
from shared.kit.columns import Row, UtcDateTime, json_column
from shared.kit.sealed import Sealed

STATES = "'issued','acknowledged','accepted','arrived','in_service','on_hold','declined','cancelled','closed'"

IS_FLAGGED = text("CAST(flags AS VARCHAR) != '[]'")  # as one text: an index serves a condition only where both say the same


class Referral(Row, table=True):
    """A referral as this agency knows it. `direction` is 'out' where it issued it; `desk` is the facility of ours that holds it."""

    __tablename__ = "casework_referrals"
    __table_args__ = (
        CheckConstraint(f"state IN ({STATES})", name="ck_casework_referrals_state"),
        CheckConstraint("direction IN ('in','out')", name="ck_casework_referrals_direction"),
        CheckConstraint("urgency IN ('acute','urgent','routine')", name="ck_casework_referrals_urgency"),
        Index("ix_casework_referrals_list", "direction", "desk", "state", "ended_at"),
        Index(
            "ix_casework_referrals_open", "direction", "desk", sqlite_where=text("is_open = 1"), postgresql_where=text("is_open")
        ),
        Index("ix_casework_referrals_issued", "direction", "issued_at"),  # what is counted of a period, or of today
        Index("ix_casework_referrals_flagged", "id", sqlite_where=IS_FLAGGED, postgresql_where=IS_FLAGGED),
        Index("ix_casework_referrals_issued_event", "issued_event_id"),
        Index("ix_casework_referrals_consent", "consent_id"),
    )
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    incident_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_incidents.id")])
    direction: str
    issuer: str
    recipient: str
    desk: str
    from_facility: str
    to_facility: str
    services: list[str] = Field(sa_type=json_column)  # type: ignore[call-overload]
    urgency: str
    consent_id: UUID | None = None
    issued_event_id: UUID
    said: dict[str, Any] | None = Field(default=None, sa_type=Sealed("casework_referrals.said", "case_id"), nullable=True)
    state: str
    is_open: bool = True
    standing: dict[str, Any] = Field(sa_type=json_column)  # type: ignore[call-overload]
    told: dict[str, Any] = Field(sa_type=json_column)  # type: ignore[call-overload]
    feedback_agreed: bool = False
    feedback: bool | None = None
    flags: list[str] = Field(default_factory=list, sa_type=json_column)  # type: ignore[call-overload]
    arrival_code: str | None = Field(
        default=None, sa_type=Sealed("casework_referrals.arrival_code", "case_id"), nullable=True
    )  # at the issuer, for the card
    arrival_code_hash: str | None = None
    carries: str | None = None  # what she takes along: card, code, nothing
    in_place_of: UUID | None = None
    respond_by: datetime = Field(sa_type=UtcDateTime)
    issued_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    accepted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    set_out_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expected_at: datetime | None = Field(
        default=None, sa_type=Sealed("casework_referrals.expected_at", "case_id", "time"), nullable=True
    )
    told_by_phone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    arrived_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    in_service_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    moved_at: datetime = Field(sa_type=UtcDateTime)  # the last fact, for "nothing since"
    heard_life: UUID | None = None  # the newest life of the other end's database that a fact of its was heard from
    version: int = 1


class ReferralFact(Row, table=True):
    """One fact of a referral's story, in the order in which this agency learned it."""

    __tablename__ = "casework_referral_facts"
    __table_args__ = (
        Index(
            "ix_casework_referral_facts_kept_back",
            "referral_id",
            sqlite_where=text("is_kept_back = 1"),
            postgresql_where=text("is_kept_back"),
        ),
        Index("ix_casework_referral_facts_referral", "referral_id", "position"),
    )
    position: int | None = Field(default=None, sa_column=Column(BIG, Identity(), primary_key=True))
    referral_id: UUID = Field(sa_column_args=[ForeignKey("casework_referrals.id")])
    type: str
    data: dict[str, Any] = Field(sa_type=Sealed("casework_referral_facts.data", "", of="referral_id", erased="{}"), nullable=True)
    agency: str
    is_own: bool
    is_kept_back: bool = False  # not told until she says yes
    event_id: UUID | None = None
    entered_for: str | None = None  # on behalf of a facility on paper
    recorded_by: UUID | None = None
    occurred_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class SaidAgain(Row, table=True):
    """What she answered here when she was asked once more whether an item that came with a request may be used; the last counts."""

    __tablename__ = "casework_said_again"
    __table_args__ = (Index("ix_casework_said_again_referral", "referral_id", "id"),)
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")], index=True)
    referral_id: UUID = Field(sa_column_args=[ForeignKey("casework_referrals.id")])
    item: str
    agreed: bool
    how: str
    asked_by: UUID
    said_at: datetime = Field(sa_type=UtcDateTime)


class DraftedReferral(Row, table=True):
    """What was written for her and not sent, because she wants to think: codes only, as its page has them. It never leaves."""

    __tablename__ = "casework_drafted_referrals"
    __table_args__ = (
        CheckConstraint("page IN ('consent','refer')", name="ck_casework_drafted_referrals_page"),
        Index("ix_casework_drafted_referrals_facility", "facility", "kept_at"),
    )
    case_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("casework_cases.id")])
    page: str = Field(primary_key=True)
    facility: str
    answers: dict[str, Any] = Field(sa_type=Sealed("casework_drafted_referrals.answers", "case_id"), nullable=True)
    kept_at: datetime = Field(sa_type=UtcDateTime)
    kept_by: UUID


class WalkIn(Row, table=True):
    """Somebody has come, and which referral she comes on, if any, is not known yet. Nothing is sent.

    `after_referral`: she had come on that one, consent for it was taken back, and her care here goes on without it.
    """

    __tablename__ = "casework_walk_ins"
    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(sa_column_args=[ForeignKey("casework_cases.id")])
    facility: str
    referral_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_referrals.id")])
    after_referral: UUID | None = Field(default=None, sa_column_args=[ForeignKey("casework_referrals.id")], index=True, unique=True)
    came_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime, index=True)
    recorded_by: UUID | None  # None: its own word came home after a restore, and does not say who
    matched_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # care without a referral is finished
    outcome: str | None = Field(default=None, sa_type=Sealed("casework_walk_ins.outcome", "case_id"), nullable=True)


class CodeAttempt(Row, table=True):
    """A spoken arrival code that matched nothing: attempts are limited by account."""

    __tablename__ = "casework_code_attempts"
    id: UUID = Field(primary_key=True)
    account_id: UUID
    tried_at: datetime = Field(sa_type=UtcDateTime)
