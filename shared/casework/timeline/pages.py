"""A case's timeline as people read it: a sentence, who said it, and what allows this agency to see it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.here import Actor
from shared.casework.referrals.tables import Referral
from shared.casework.timeline.views import LINE_KINDS
from shared.contracts.casework.codes import Basis, ConsentItem, ProgressCode
from shared.contracts.casework.events import HearingOff
from shared.exchange.tables import Activity, OutboxRow
from shared.kit.db import Transaction

PAGE_LINES = 50  # of a timeline on one page
FEEDBACK = frozenset(
    {
        "referral.arrived",
        "referral.arrived_in_error",
        "referral.in_service",
        "referral.on_hold",
        "referral.resumed",
        "referral.not_attended",
        "referral.closed",
        "referral.came_without_referral",
        "referral.no_feedback_by_choice",
        "referral.ended_undisclosed",
        "report.moved",
    }
)  # fmt: skip — what the issuer learns under `fb`
SILENT = ("circle.announced",)  # bookkeeping between machines


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One line. `item` is the consent item that lets it be seen here or told; None for our own record that went nowhere."""

    kind: str
    agency: str
    is_own: bool
    occurred_at: datetime
    detail: dict[str, Any]
    referral: UUID | None
    item: ConsentItem | None
    basis: Basis
    feed_seq: int | None
    sent_at: datetime | None
    delivered_at: datetime | None
    is_told: bool
    is_taken_back: bool  # the consent that it rested on
    on_date: date | None
    is_off: bool  # the day, of a hearing, does not hold any more


async def story_of(tx: Transaction, by: Actor, case: Case, cursor: str | None, limit: int) -> tuple[list[StoryLine], str | None]:
    """A case's lines, newest first, own and received alike; a line leads to its referral only where the account may open it."""
    conditions = [col(Activity.case_id) == case.id, col(Activity.kind).not_in((*LINE_KINDS, *SILENT))]
    if cursor is not None and cursor.isdigit():
        conditions.append(col(Activity.position) < int(cursor))
    query = (
        select(Activity, OutboxRow)
        .outerjoin(OutboxRow, and_(col(OutboxRow.event_id) == col(Activity.event_id), col(Activity.is_own)))
        .where(*conditions)
        .order_by(col(Activity.position).desc())
        .limit(limit + 1)
    )
    rows = (await tx.session.execute(query)).tuples().all()
    referrals = await _referrals(tx, case)
    off = {(row.agency, row.detail.get("on_date")): row.position for row, _said in reversed(rows) if row.kind == HearingOff.type}
    shown = [_line(by, row, said, referrals, off) for row, said in rows[:limit]]
    return shown, str(rows[limit - 1][0].position) if len(rows) > limit else None


async def _referrals(tx: Transaction, case: Case) -> dict[UUID, Referral]:
    query = select(Referral).where(col(Referral.case_id) == case.id)
    return {row.id: row for row in (await tx.session.execute(query)).scalars()}


def _line(
    by: Actor, row: Activity, said: OutboxRow | None, referrals: dict[UUID, Referral], off: dict[tuple[str, Any], int | None]
) -> StoryLine:
    referral = referrals.get(row.subject)
    is_ours = referral is not None and scope.is_at_desk(by, referral.desk, referral.case_id)
    on_date = row.detail.get("on_date")
    return StoryLine(
        kind=row.kind, agency=row.agency, is_own=row.is_own, occurred_at=row.occurred_at, detail=row.detail,
        referral=row.subject if is_ours else None, item=_item(row, said, referral),
        basis=_basis(referral), feed_seq=row.feed_seq, sent_at=said.sent_at if said else None,
        delivered_at=said.delivered_at if said else None, is_told=said is not None,
        is_taken_back=referral is not None and bool(referral.standing.get("consent_taken_back")),
        on_date=date.fromisoformat(on_date) if on_date else None,
        is_off=on_date is not None and (off.get((row.agency, on_date)) or 0) >= (row.position or 0),
    )  # fmt: skip


def _basis(referral: Referral | None) -> Basis:
    return Basis((referral.said or {}).get("basis", Basis.CONSENT)) if referral is not None else Basis.CONSENT


def _item(row: Activity, said: OutboxRow | None, referral: Referral | None) -> ConsentItem | None:
    if row.is_own and said is None and not row.detail.get("told"):
        return None  # kept here
    if row.kind == "case.progress":
        return ConsentItem.FB if row.detail.get("code") == ProgressCode.NEXT_CLINIC_DATE else ConsentItem.PROG
    if row.kind in {"circle.referral_progress", HearingOff.type}:
        return ConsentItem.PROG
    if row.kind.startswith("message."):
        return ConsentItem.RELAY
    if row.kind in FEEDBACK and referral is not None:
        return ConsentItem.FB
    return ConsentItem.REQ
