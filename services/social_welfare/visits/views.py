"""Visits as they are shown: of a case with her last word, those that are due, and who is out. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import aliased
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

    @property
    def has_not_come(self) -> bool:
        """Whether the last visit that was to be is one to which nobody came, and none is made."""
        ended = [one for one in self.visits if one.state in (State.KEPT, State.MISSED)]
        last = max(ended, key=lambda one: (one.due_on, one.state == State.KEPT), default=None)
        return last is not None and last.state == State.MISSED and all(one.state != State.MADE for one in self.visits)


async def plan_of(tx: Transaction, case: Case) -> Plan:
    """The visits of a case; whoever asks was let in before."""
    return Plan(await visits_of(tx, case.id), as_said(await last_word(tx, case.id)), await shared.reached_by(tx, case.id))


async def due(tx: Transaction, here: Here, by: Actor) -> list[tuple[Visit, Case]]:
    """Visits whose day has come and of which nobody said what became of them, the oldest first."""
    return await shared.due(tx, Visit, here, by, LIST_MAX)


async def missed(tx: Transaction, by: Actor) -> list[tuple[Visit, Case]]:
    """Visits to which nobody has come and after which there is no other, the last first: she is reached through whoever sent
    her."""
    query = (
        select(Visit, Case)
        .join(Case, col(Case.id) == col(Visit.case_id))
        .where(col(Visit.state) == State.MISSED, ~_is_followed())
        .where(scope.at_desk(by, col(Visit.facility), col(Visit.case_id)))
        .order_by(col(Visit.due_on).desc(), col(Visit.id))
        .limit(LIST_MAX)
    )
    return list((await tx.session.execute(query)).tuples())


def _is_followed() -> ColumnElement[bool]:
    """In a query for visits: that another is made, or one that lies later was kept: she came."""
    other = aliased(Visit)
    is_later = or_(col(other.state) == State.MADE, and_(col(other.state) == State.KEPT, col(other.due_on) >= col(Visit.due_on)))
    return exists().where(col(other.case_id) == col(Visit.case_id), is_later)


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
