"""Examinations whose order has not come, for lists. Reads only."""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlmodel import col

from services.justice.examinations.domain import OWED
from services.justice.examinations.tables import Examination
from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.work.views import LIST_MAX
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _


async def unfinished(tx: Transaction, by: Actor) -> list[tuple[Examination, Case]]:
    """Of the account's desks: those that are not over, and those whose order is owed; the nearest limit first."""
    query = (
        select(Examination, Case)
        .join(Case, col(Case.id) == col(Examination.case_id))
        .where(or_(col(Examination.order_state).in_(OWED), col(Examination.done_at).is_(None)))
        .where(scope.at_desk(by, col(Examination.facility), col(Examination.case_id)))
        .order_by(col(Examination.order_due_at).is_(None), col(Examination.order_due_at), col(Examination.id))
        .limit(LIST_MAX)
    )
    return list((await tx.session.execute(query)).tuples())


async def work_lines(tx: Transaction, _here: Here, by: Actor) -> Sequence[tuple[str, Said]]:
    """That an order is owed, or an examination is not over."""
    count = len(await unfinished(tx, by))
    text = _("Examinations that are not over, or whose order has not come: %(count)s.")
    return [("/examinations", Sentence(text, {"count": count}))] if count else []


async def case_ways(_tx: Transaction, _here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the examinations of a case are."""
    return [(f"/cases/{case.id}/examinations", _("Examinations and their order"))]
