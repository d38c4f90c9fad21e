"""Plans as lists show them. Reads only."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlmodel import col

from services.social_welfare.plans.tables import Plan
from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.work.views import LIST_MAX
from shared.kit.db import Transaction
from shared.kit.i18n import mark as _


async def to_review(tx: Transaction, here: Here, by: Actor) -> list[tuple[Plan, Case]]:
    """Plans whose day of review has come, the oldest first."""
    query = (
        select(Plan, Case)
        .join(Case, col(Case.id) == col(Plan.case_id))
        .where(col(Plan.state) == "open", col(Plan.review_on) <= here.day_of(tx.clock.now()), scope.this_case(by))
        .order_by(col(Plan.review_on), col(Plan.id))
        .limit(LIST_MAX)
    )
    return list((await tx.session.execute(query)).tuples())


async def case_ways(_tx: Transaction, _here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the plan of a case is."""
    return [(f"/cases/{case.id}/plan", _("Plan"))]
