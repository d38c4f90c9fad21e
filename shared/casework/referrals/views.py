"""Referrals as the accounts of either end see them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, String, cast, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.cases.views import OfACase, note_read
from shared.casework.here import Actor, Here
from shared.casework.referrals import story
from shared.casework.referrals.asked_again import refused_of, shown
from shared.casework.referrals.tables import Referral, WalkIn
from shared.casework.shown import Shown
from shared.casework.timeline.views import page_by_opening
from shared.contracts.casework.lifecycle import fhir_status
from shared.kit.db import Transaction
from shared.kit.sealed import as_shown, shut_shown

ARRIVALS_MAX = 200  # of one answer; a door has a few a day


class ReferralView(OfACase):
    """A referral. `status` is its state, `flags` the watcher's; `version` is its ETag. `is_shut`: the key of its case is missing,
    so that in a list what lies under it is null; by itself it is answered 503."""

    look: ClassVar[str] = "referral"

    id: UUID
    case_id: UUID
    incident_id: UUID | None
    direction: str
    issuer: str
    recipient: str
    from_facility: str
    to_facility: str
    facility: str
    services: list[str]
    urgency: str
    status: str
    fhir_status: str
    is_open: bool
    cancel_pending: bool
    ended_undisclosed: bool
    no_feedback: bool
    outcome_code: str | None
    reason_code: str | None
    flags: list[str]
    consent_id: UUID | None
    feedback: bool | None
    respond_by: datetime
    issued_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    acknowledged_at: datetime | None
    accepted_at: datetime | None
    set_out_at: datetime | None
    expected_at: datetime | None
    told_by_phone_at: datetime | None
    arrived_at: datetime | None
    in_service_at: datetime | None
    ended_at: datetime | None
    arrival_code: str | None
    content: dict[str, Any] | None
    version: int
    is_shut: bool = False


class ArrivalView(Shown):
    """Somebody at the door: with the referral that she came on, where it is known."""

    arrival_id: UUID | None = None
    case_id: UUID | None = None
    referral: ReferralView | None = None
    matched: bool
    ended_at: datetime | None = None
    after_referral: UUID | None = None  # on which she had come, until its consent was taken back

    async def keep_look(self, tx: Transaction, by: Actor) -> None:
        """Keeps it in the log of the case that it shows: where both are known the request's, which is the one that is told of."""
        if self.referral is not None:
            await self.referral.keep_look(tx, by)
        elif self.case_id is not None:
            await note_read(tx, self.case_id, by, "case")


def referral_view(referral: Referral, refused: Collection[str] = ()) -> ReferralView:
    """A referral as it is shown; `content` is what the other end was told, or told us, without what she has `refused` here."""
    standing = story.standing_of(referral)
    kept = as_shown(referral)
    content = shown(referral, {"arrival_code_hash", *refused}) if referral.said else None
    return ReferralView.model_validate(
        {
            **kept, "facility": standing.facility, "status": str(standing.state), "fhir_status": fhir_status(standing),
            "cancel_pending": standing.cancel_pending is not None, "ended_undisclosed": standing.undisclosed,
            "no_feedback": standing.no_feedback, "outcome_code": standing.outcome, "reason_code": standing.reason,
            "content": content,
        }
    )  # fmt: skip


def arrival_view(walk_in: WalkIn | None, referral: Referral | None) -> ArrivalView:
    """An arrival as it is answered; a code that fits nothing leaves both empty."""
    return ArrivalView(
        arrival_id=walk_in.id if walk_in else None,
        case_id=walk_in.case_id if walk_in else referral.case_id if referral else None,
        referral=referral_view(referral) if referral else None,
        matched=referral is not None,
        ended_at=walk_in.ended_at if walk_in else None,
        after_referral=walk_in.after_referral if walk_in else None,
    )


async def arrivals(tx: Transaction, by: Actor, *, matched: bool) -> list[WalkIn]:
    """The newest arrivals at the account's doors, with or without a referral that they were matched to."""
    query = select(WalkIn).where(col(WalkIn.referral_id).is_not(None) if matched else col(WalkIn.referral_id).is_(None))
    query = query.where(scope.at_desk(by, col(WalkIn.facility), col(WalkIn.case_id)))
    return list((await tx.session.execute(query.order_by(col(WalkIn.came_at).desc()).limit(ARRIVALS_MAX))).scalars())


async def referrals_page(
    tx: Transaction, here: Here, by: Actor, cursor: str | None, limit: int, *, direction: str | None, status: str | None,
    flag: str | None,
) -> tuple[list[ReferralView], str | None]:  # fmt: skip
    """The referrals of the account's desk, newest first."""
    conditions: list[ColumnElement[bool]] = [scope.at_desk(by, col(Referral.desk), col(Referral.case_id))]
    if direction is not None:
        conditions.append(col(Referral.direction) == direction)
    if status is not None:
        conditions.append(col(Referral.state) == status)
    if flag is not None:
        conditions.append(cast(col(Referral.flags), String).contains(f'"{flag}"', autoescape=True))
    with shut_shown():  # one whose key is missing keeps none of the others from being listed
        rows, following = await page_by_opening(tx, Referral, "referral.issued", cursor, limit, *conditions)
    refused = await refused_of(tx, here, rows)
    return [referral_view(row, refused.get(row.id, ())) for row in rows], following
