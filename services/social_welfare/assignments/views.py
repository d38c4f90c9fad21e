"""What a social worker's day begins with, beside what changed and new requests: who is out, visits that were missed or are due,
plans to be looked at again, and stays that need a place afterwards. Reads only, and the looks are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.social_welfare.plans.views import to_review
from services.social_welfare.visits.commands import turns_back
from services.social_welfare.visits.views import due, missed, out_now
from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_listed
from shared.casework.here import Actor, Here
from shared.casework.referrals.tables import Referral
from shared.casework.work.views import LIST_MAX
from shared.contracts.casework.codes import ServicePackage
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _
from shared.programmes.vocabulary import StayLimit

THROUGH_THE_SENDER = _("Ask the place that sent the request to pass on a message. Do not call or visit.")

REACH_THE_WORKER = _("Whoever reaches the worker says: do not go there.")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing: the case, where it is done, what it is, and a day or a time of it."""

    case: Case
    address: str
    group: str
    code: str | None
    at: object


@dataclass(frozen=True, slots=True)
class Section:
    """Things of one kind, most urgent first."""

    name: str
    rows: Sequence[Row]
    says: Said | None = None


async def today(tx: Transaction, here: Here, by: Actor) -> list[Section]:
    """The sections that have anything in them."""
    away = await out_now(tx, by)
    back = [Row(c, f"/visits/{v.id}", "visit_kind", v.kind, v.back_by) for v, c in away if await turns_back(tx, v)]
    out = [Row(c, f"/visits/{v.id}", "visit_kind", v.kind, v.back_by) for v, c in away]
    gone = [Row(c, f"/visits/{v.id}", "visit_which", v.which, v.due_on) for v, c in await missed(tx, by)]
    now = [Row(c, f"/visits/{v.id}", "visit_which", v.which, v.due_on) for v, c in await due(tx, here, by)]
    plans = [Row(c, f"/cases/{c.id}/plan", "", None, p.review_on) for p, c in await to_review(tx, here, by)]
    stays = [
        Row(c, f"/referrals/{r.id}", "service", ServicePackage.SHELTER, r.arrived_at) for r, c in await long_stays(tx, here, by)
    ]
    found = [
        Section(_("Turn back: a visit is not safe any more"), back, Sentence(REACH_THE_WORKER, {})),
        Section(_("Out on a visit now"), out),
        Section(_("Has not come yet"), gone, Sentence(THROUGH_THE_SENDER, {})),
        Section(_("Visits that are due"), now),
        Section(_("Stays that need a place afterwards"), stays),
        Section(_("Plans to look at again"), plans),
    ]
    listed: set[UUID] = {row.case.id for section in found for row in section.rows}
    await note_listed(tx, listed, by)
    return [section for section in found if section.rows]


async def long_stays(tx: Transaction, here: Here, by: Actor) -> list[tuple[Referral, Case]]:
    """Who came here for a safe place so many days ago that the programme wants a plan for afterwards; none where it has no such
    limit. What another agency keeps of its stays is not known here."""
    limits = [rule.plan_by_days for rule in here.programme.rules.values() if isinstance(rule, StayLimit)]
    if not limits:
        return []
    since = tx.clock.now() - timedelta(days=min(limits) - 1)  # the day of arrival is the first
    query = (
        select(Referral, Case)
        .join(Case, col(Case.id) == col(Referral.case_id))
        .where(col(Referral.direction) == "in", col(Referral.is_open), col(Referral.arrived_at) <= since)
        .where(scope.at_desk(by, col(Referral.desk), col(Referral.case_id)))
        .order_by(col(Referral.arrived_at), col(Referral.id))
    )
    rows = (await tx.session.execute(query)).tuples()
    return [(referral, case) for referral, case in rows if ServicePackage.SHELTER in referral.services][:LIST_MAX]
