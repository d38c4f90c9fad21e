"""While this agency recovers from a restore, a case takes nothing that could contradict what only its peers remember.

Arrivals, progress, new cases and consent taken back always work; to cancel, decline, close or take an arrival back waits until the
peer has answered, or until a post has looked at the case and released it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Case, Release
from shared.casework.here import Actor, Here
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.lifecycle import Transition
from shared.exchange import feed
from shared.exchange.tables import Recovery
from shared.kit.bulk import among
from shared.kit.db import Transaction
from shared.kit.errors import Conflict

CASES_MAX = 50  # of one list: whoever has looked at these gets the next ones
WAITS = frozenset({Transition.CANCEL, Transition.DECLINE, Transition.CLOSE, Transition.CONFIRM_CANCEL, Transition.NOT_HERE})


async def waits_for(tx: Transaction, case_id: UUID, peer: str) -> bool:
    """Whether what `peer` knows of a case is still on its way, and nobody has released the case since."""
    recovery = await tx.session.get(Recovery, peer, populate_existing=True)
    if recovery is None or recovery.answered_at is not None:
        return False
    release = await tx.session.get(Release, case_id, populate_existing=True)
    return release is None or release.released_at < recovery.opened_at


@dataclass(frozen=True, slots=True)
class WaitingCase:
    """A case that waits, and for whom."""

    case: Case
    peers: Sequence[str]


async def awaited(tx: Transaction, case_id: UUID) -> list[str]:
    """The agencies whose word a case still waits for."""
    return (await _waiting(tx, col(Referral.case_id) == case_id)).get(case_id, [])


async def waiting_cases(tx: Transaction, by: Actor) -> tuple[list[WaitingCase], int]:
    """The cases of the account's desks that wait, newest first as far as a page goes, and how many there are."""
    mine = [scope.at_desk(by, col(Referral.desk), col(Referral.case_id))]
    waits = col(Case.id).in_(_pairs(*mine).with_only_columns(col(Referral.case_id)))
    newest = select(Case, func.count().over()).where(waits).order_by(col(Case.opened_at).desc(), col(Case.id)).limit(CASES_MAX)
    rows = (await tx.session.execute(newest)).tuples().all()
    peers = await _waiting(tx, *mine, among(tx, col(Referral.case_id), [one.id for one, _total in rows])) if rows else {}
    found = [WaitingCase(one, peers[one.id]) for one, _total in rows if one.id in peers]  # one may be released meanwhile
    return found, int(rows[0][1]) if rows else 0


def _pairs(*conditions: ColumnElement[bool]) -> Select[tuple[UUID, str]]:
    """Each case that waits, with whom it waits for."""
    other_end = case((col(Referral.direction) == "in", col(Referral.issuer)), else_=col(Referral.recipient))
    return (
        select(col(Referral.case_id), col(Recovery.peer))
        .join(Recovery, col(Recovery.peer) == other_end)
        .outerjoin(Release, col(Release.case_id) == col(Referral.case_id))
        .where(
            col(Referral.is_open), col(Recovery.answered_at).is_(None),
            or_(col(Release.case_id).is_(None), col(Release.released_at) < col(Recovery.opened_at)), *conditions,
        )
    )  # fmt: skip


async def _waiting(tx: Transaction, *conditions: ColumnElement[bool]) -> dict[UUID, list[str]]:
    query = _pairs(*conditions).distinct().order_by(col(Referral.case_id), col(Recovery.peer))
    found: dict[UUID, list[str]] = {}
    for case_id, peer in (await tx.session.execute(query)).tuples():
        found.setdefault(case_id, []).append(peer)
    return found


async def may_decide(tx: Transaction, case_id: UUID, peer: str, transition: Transition) -> None:
    """Raises Conflict where the transition has to wait: the other end may know of this referral what this agency has lost."""
    if transition in WAITS and await waits_for(tx, case_id, peer):
        raise Conflict(
            "This agency's records were restored and the other agency has not yet told what it knows of this referral; try again "
            "in some minutes, or let a supervisor release the case."
        )


async def release_case(case_id: UUID, tx: Transaction, here: Here, by: Actor) -> None:
    """A post has looked at the case, on paper or by phone, and lets it be decided before its peers have answered."""
    looked_at = await load_case(tx, case_id, by, lock=True)
    by.may_supervise()
    known = (
        await tx.session.execute(select(Release).where(col(Release.case_id) == looked_at.id).with_for_update())
    ).scalar_one_or_none()
    now = tx.clock.now()
    if known is None:
        tx.session.add(Release(case_id=looked_at.id, released_by=by.account_id, released_at=now))
    else:
        known.released_by, known.released_at = by.account_id, now
    await tx.session.flush()
    await feed.record(
        tx, feed.Line(kind="case.released", subject=looked_at.id, agency=here.agency, is_own=True, occurred_at=now,
                      case_id=looked_at.id, facility=looked_at.facility),
    )  # fmt: skip
