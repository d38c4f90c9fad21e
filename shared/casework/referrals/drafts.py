"""A referral before it is one: she wants to think. What was written for her is kept for her desk, and nobody is told of it.

It is no promise and has no clock: nothing here ever proposes to call her.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlmodel import col

from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.casework.referrals.tables import DraftedReferral
from shared.exchange import feed
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled

THINK = "think"  # the button by which a page keeps what is written and stops
Answers = dict[str, list[str]]  # the fields of a form


class Step(StrEnum):
    """The page on which she stopped to think; values are the pages' addresses under the case."""

    CONSENT = "consent"
    REFER = "refer"


async def keep_draft(
    case_id: UUID, step: Step, written: Answers, names: Collection[str], tx: Transaction, here: Here, by: Actor
) -> None:
    """Keeps what stands in the fields of a page, in place of what was kept of it before."""
    by.may_work()
    case = await load_case(tx, case_id, by)
    await tx.session.execute(select(col(Case.id)).where(col(Case.id) == case.id).with_for_update())  # one after the other
    facility = case.facility if by.sees(case.facility) or by.facility is None else by.facility
    answers = {name: written[name] for name in names if name in written}
    await forget_drafts(tx, case.id, step)
    now = tx.clock.now()
    tx.session.add(
        DraftedReferral(case_id=case.id, page=step, facility=facility, answers=answers, kept_at=now, kept_by=by.account_id)
    )
    await tx.session.flush()
    await feed.record(
        tx, feed.Line(kind="referral.drafted", subject=case.id, agency=here.agency, is_own=True, occurred_at=now, case_id=case.id,
                      facility=facility),
    )  # fmt: skip


async def draft_at(tx: Transaction, case_id: UUID, step: Step) -> DraftedReferral | None:
    """What was kept of a page, if anything."""
    return await tx.session.get(DraftedReferral, (case_id, step))


def as_drafted(form: Filled[Any], draft: DraftedReferral | None) -> Filled[Any]:
    """A page's form as it stood when she stopped to think, unless something stands in it now."""
    return form if draft is None or form.values else Filled(draft.answers)


async def drafts_of(tx: Transaction, case_id: UUID) -> list[DraftedReferral]:
    """What was kept for a case, the newest first."""
    query = select(DraftedReferral).where(col(DraftedReferral.case_id) == case_id).order_by(col(DraftedReferral.kept_at).desc())
    return list((await tx.session.execute(query)).scalars())


async def throw_away(tx: Transaction, case_id: UUID, step: Step, shown: str) -> None:
    """She does not want what stands on a page, which was shown as it was kept at `shown`; raises Conflict where somebody has
    written it anew since."""
    await tx.session.execute(select(col(Case.id)).where(col(Case.id) == case_id).with_for_update())
    draft = await tx.session.get(DraftedReferral, (case_id, step), populate_existing=True)
    if draft is not None and shown and draft.kept_at.isoformat() != shown:
        raise Conflict("It was written anew since this page was opened; look at it before it is thrown away.")
    await forget_drafts(tx, case_id, step)


async def forget_drafts(tx: Transaction, case_id: UUID, *steps: Step) -> None:
    """She has decided, whatever she decided: what was kept of these pages is gone, or all of it where none is named."""
    mine = col(DraftedReferral.case_id) == case_id
    await tx.session.execute(delete(DraftedReferral).where(mine, col(DraftedReferral.page).in_(steps or tuple(Step))))
