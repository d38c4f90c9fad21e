"""While this agency recovers from a restore, a case takes nothing that could contradict what only its peers remember.

Arrivals, progress, new cases and consent taken back always work; to cancel, decline or close waits until the peer has answered,
or until a post has looked at the case and released it.
"""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Release
from shared.casework.here import Actor, Here
from shared.contracts.casework.lifecycle import Transition
from shared.exchange import feed
from shared.exchange.tables import Recovery
from shared.kit.db import Transaction
from shared.kit.errors import Conflict

WAITS = frozenset({Transition.CANCEL, Transition.DECLINE, Transition.CLOSE, Transition.CONFIRM_CANCEL})


async def waits_for(tx: Transaction, case_id: UUID, peer: str) -> bool:
    """Whether what `peer` knows of a case is still on its way, and nobody has released the case since."""
    recovery = await tx.session.get(Recovery, peer, populate_existing=True)
    if recovery is None or recovery.answered_at is not None:
        return False
    release = await tx.session.get(Release, case_id, populate_existing=True)
    return release is None or release.released_at < recovery.opened_at


async def may_decide(tx: Transaction, case_id: UUID, peer: str, transition: Transition) -> None:
    """Raises Conflict where the transition has to wait: the other end may know of this referral what this agency has lost."""
    if transition in WAITS and await waits_for(tx, case_id, peer):
        raise Conflict(
            "This agency's records were restored and the other agency has not yet told what it knows of this referral; try again "
            "in some minutes, or let a supervisor release the case."
        )


async def release_case(case_id: UUID, tx: Transaction, here: Here, by: Actor) -> None:
    """A post has looked at the case, on paper or by phone, and lets it be decided before its peers have answered."""
    by.may_supervise()
    case = await load_case(tx, case_id, by, lock=True)
    known = (
        await tx.session.execute(select(Release).where(col(Release.case_id) == case.id).with_for_update())
    ).scalar_one_or_none()
    now = tx.clock.now()
    if known is None:
        tx.session.add(Release(case_id=case.id, released_by=by.account_id, released_at=now))
    else:
        known.released_by, known.released_at = by.account_id, now
    await tx.session.flush()
    await feed.record(
        tx, feed.Line(kind="case.released", subject=case.id, agency=here.agency, is_own=True, occurred_at=now, case_id=case.id,
                      facility=case.facility),
    )  # fmt: skip
