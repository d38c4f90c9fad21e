"""Proceedings as they are shown: of a case, and the hearings of this week. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlmodel import col

from services.justice.proceedings.commands import hearings_of, steps_of, verdicts_of, waiting_for_a_day
from services.justice.proceedings.domain import WEEK, Day, HearingState, next_day
from services.justice.proceedings.tables import Hearing, Verdict
from shared.casework import scope, sharing
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_listed
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.referrals.tables import Referral
from shared.casework.work.views import LIST_MAX
from shared.contracts.casework.codes import ProgressCode
from shared.kit.db import Transaction
from shared.kit.i18n import mark as _


@dataclass(frozen=True, slots=True)
class Proceedings:
    """Everything of a case."""

    charged_at: datetime | None
    hearings: Sequence[Hearing]
    next_on: date | None
    verdicts: Sequence[Verdict]
    waits_for_day: bool  # one was put off, and no other day is set
    told_by: Sequence[Referral]  # requests of those who may hear of her hearings and can tell her, at the hours that she said


async def proceedings_of(tx: Transaction, here: Here, case: Case) -> Proceedings:
    """The proceedings of a case; whoever asks was let in before."""
    charged = await steps_of(tx, here, case.id, ProgressCode.CHARGED)
    hearings = await hearings_of(tx, case.id)
    days = [Day(one.on_date, HearingState(one.state)) for one in hearings]
    today = here.day_of(tx.clock.now())
    return Proceedings(
        charged[0].occurred_at if charged else None, hearings, next_day(days, today), await verdicts_of(tx, case.id),
        await waiting_for_a_day(tx, case.id) is not None, await _told_by(tx, here, case),
    )  # fmt: skip


async def _told_by(tx: Transaction, here: Here, case: Case) -> list[Referral]:
    released = await sharing.releases(tx, here, case.id, here.serving)
    may_hear = [
        peer for peer, release in released.items() if sharing.may_pass_progress(here, peer, release, ProgressCode.HEARING_DATE)
    ]
    query = select(Referral).where(
        col(Referral.case_id) == case.id, col(Referral.direction) == "in", col(Referral.issuer).in_(may_hear)
    )
    return list((await tx.session.execute(query.order_by(col(Referral.issued_at)))).scalars())


async def this_week(tx: Transaction, here: Here, by: Actor) -> list[tuple[Hearing, Case]]:
    """Hearings of the account's cases: those that have been and of which nobody said what became of them, then this week's."""
    today = here.day_of(tx.clock.now())
    query = (
        select(Hearing, Case)
        .join(Case, col(Case.id) == col(Hearing.case_id))
        .where(col(Hearing.state) == HearingState.SET, col(Hearing.on_date) <= today + WEEK, scope.this_case(by))
        .order_by(col(Hearing.on_date), col(Hearing.id))
        .limit(LIST_MAX)
    )
    return list((await tx.session.execute(query)).tuples())


async def first(tx: Transaction, here: Here, by: Actor) -> list[tuple[Hearing, Case]]:
    """The same for the head of the work list: whoever looks is written down."""
    found = await this_week(tx, here, by)
    await note_listed(tx, [case.id for _hearing, case in found], by)
    return found


async def case_ways(_tx: Transaction, _here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the proceedings of a case are."""
    return [(f"/cases/{case.id}/proceedings", _("Charge, hearings, verdict"))]
