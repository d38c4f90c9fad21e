"""Visits as they are shown: of a case with what may be made, those that are due, and how many there were. Reads only."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlmodel import col

from services.health.care.commands import Care, CareResult
from services.health.care.tables import CareGiven
from services.health.follow_ups.commands import visits_of
from services.health.follow_ups.domain import Proposal, Which, proposals
from services.health.follow_ups.tables import FollowUp
from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.figures.reading import COUNTED
from shared.casework.follow_ups import commands as shared
from shared.casework.follow_ups.domain import State
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.referrals.tables import Referral, WalkIn
from shared.casework.work.views import LIST_MAX
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _


@dataclass(frozen=True, slots=True)
class Plan:
    """The visits of a case, what may be made beside them, and the requests on which a message may be passed on to her."""

    visits: Sequence[FollowUp]
    proposed: Sequence[Proposal]
    is_assumed: bool  # the day of one of these stands in no published source
    reached_by: Sequence[Referral]


async def plan_of(tx: Transaction, here: Here, case: Case) -> Plan:
    """The plan of a case; whoever asks was let in before."""
    visits = await visits_of(tx, case.id)
    reached_by = await shared.reached_by(tx, case.id)
    made = [Which(one.which) for one in visits if one.which is not None]
    stated = here.programme.visits_after_care
    days = {Which(name): days for name, days in stated.days.items()}
    proposed = proposals(await _given(tx, here, case.id), made, Care.PEP, days)
    return Plan(visits, proposed, any(stated.is_assumption(one.which) for one in proposed), reached_by)


async def _given(tx: Transaction, here: Here, case_id: UUID) -> list[tuple[str, date]]:
    """What was given to her at last, each with its day: the last word on a line counts."""
    referrals = select(col(Referral.id)).where(col(Referral.case_id) == case_id)
    walk_ins = select(col(WalkIn.id)).where(col(WalkIn.case_id) == case_id)
    query = (
        select(CareGiven)
        .where(or_(col(CareGiven.referral_id).in_(referrals), col(CareGiven.walk_in_id).in_(walk_ins)))
        .order_by(col(CareGiven.recorded_at), col(CareGiven.id))
    )
    last = {(row.referral_id, row.walk_in_id, row.care): row for row in (await tx.session.execute(query)).scalars()}
    return [(row.care, here.day_of(row.occurred_at)) for row in last.values() if row.result == CareResult.GIVEN]


async def due(tx: Transaction, here: Here, by: Actor) -> list[tuple[FollowUp, Case]]:
    """Visits of the account's desks whose day has come and of which nobody said what became of them, the oldest first."""
    return await shared.due(tx, FollowUp, here, by, LIST_MAX)


async def work_lines(tx: Transaction, here: Here, by: Actor) -> Sequence[tuple[str, Said]]:
    """That visits are due."""
    found = await due(tx, here, by)
    return [("/waits", Sentence(_("Follow-up visits that are due: %(count)s."), {"count": len(found)}))] if found else []


async def case_ways(_tx: Transaction, _here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the visits of a case are."""
    return [(f"/cases/{case.id}/follow-ups", _("Follow-up visits"))]


@dataclass(slots=True)
class PlaceVisits:
    """Visits of one place whose day lies in a period, by what became of them."""

    facility: str
    states: Counter[str] = field(default_factory=Counter)

    @property
    def due(self) -> int:
        """How many there were."""
        return self.states.total()


async def figures(tx: Transaction, here: Here, by: Actor, first: date, until: date) -> list[PlaceVisits]:
    """Of each place of the account, `until` not among the days; for supervisors. No case is opened for it."""
    by.may_let_out()
    async with scope.whole_agency(tx):
        found = {place: PlaceVisits(place) for place in sorted(here.entry.facilities) if by.sees(place)}
        query = (
            select(col(FollowUp.facility), col(FollowUp.state), func.count())
            .join(Case, col(Case.id) == col(FollowUp.case_id))
            .where(COUNTED, col(FollowUp.due_on) >= first, col(FollowUp.due_on) < until, col(FollowUp.state) != State.CALLED_OFF)
            .group_by(col(FollowUp.facility), col(FollowUp.state))
        )
        for facility, state, number in (await tx.session.execute(query)).tuples():
            if facility in found:
                found[facility].states[state] += number
        return list(found.values())
