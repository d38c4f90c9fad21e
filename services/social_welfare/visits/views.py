"""Visits as they are shown: of a case with her last word, those that are due, and who is out. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from services.social_welfare.visits.commands import as_said, last_word, visits_of
from services.social_welfare.visits.tables import Visit
from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.follow_ups import commands as shared
from shared.casework.follow_ups.domain import State
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.referrals.tables import Referral
from shared.casework.work.views import LIST_MAX
from shared.kit.db import Transaction
from shared.kit.i18n import mark as _


@dataclass(frozen=True, slots=True)
class Plan:
    """The visits of a case, her last word about being visited, and the requests on which a message may be passed on to her."""

    visits: Sequence[Visit]
    word: dict[str, Any] | None
    reached_by: Sequence[Referral]


async def plan_of(tx: Transaction, case: Case) -> Plan:
    """The visits of a case; whoever asks was let in before."""
    return Plan(await visits_of(tx, case.id), as_said(await last_word(tx, case.id)), await shared.reached_by(tx, case.id))


async def due(tx: Transaction, here: Here, by: Actor) -> list[tuple[Visit, Case]]:
    """Visits whose day has come and of which nobody said what became of them, the oldest first."""
    return await shared.due(tx, Visit, here, by, LIST_MAX)


async def missed(tx: Transaction, by: Actor) -> list[tuple[Visit, Case]]:
    """Visits to which nobody has come yet and after which none is made, the last first: she is reached through whoever sent her."""
    later = select(Visit.case_id).where(col(Visit.state) == State.MADE)  # type: ignore[call-overload]
    query = (
        select(Visit, Case)
        .join(Case, col(Case.id) == col(Visit.case_id))
        .where(col(Visit.state) == State.MISSED, col(Visit.case_id).not_in(later))
        .where(scope.at_desk(by, col(Visit.facility), col(Visit.case_id)))
        .order_by(col(Visit.due_on).desc(), col(Visit.id))
        .limit(LIST_MAX)
    )
    return list((await tx.session.execute(query)).tuples())


async def out_now(tx: Transaction, by: Actor) -> list[tuple[Visit, Case]]:
    """Workers who are out, whoever is awaited first."""
    query = (
        select(Visit, Case)
        .join(Case, col(Case.id) == col(Visit.case_id))
        .where(col(Visit.set_out_at).is_not(None), col(Visit.back_at).is_(None))
        .where(scope.at_desk(by, col(Visit.facility), col(Visit.case_id)))
        .order_by(col(Visit.back_by), col(Visit.id))
        .limit(LIST_MAX)
    )
    return list((await tx.session.execute(query)).tuples())


async def case_ways(_tx: Transaction, _here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the visits of a case are."""
    return [(f"/cases/{case.id}/visits", _("Visits"))]
