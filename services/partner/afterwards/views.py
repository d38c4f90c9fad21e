"""Requests that are open while their agreement ends or has ended, each with what was decided. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.partner.afterwards.tables import Afterwards
from shared.casework import scope
from shared.casework.agreements.domain import Standing, is_named, standing
from shared.casework.agreements.views import of_this_agency
from shared.casework.cases.views import note_listed
from shared.casework.here import Actor, Here
from shared.casework.referrals.tables import Referral
from shared.casework.work.views import LIST_MAX
from shared.contracts.casework.codes import ServicePackage
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _


@dataclass(frozen=True, slots=True)
class Open:
    """One request, the agreement that ends under it, and what was decided last."""

    referral: Referral
    agreement: str
    plan: str | None


def ending_under(here: Here, referral: Referral, on: date) -> str | None:
    """The agreement that ends, or has ended, under an open request, where none that goes on covers it; None where one does."""
    services = {ServicePackage(one) for one in referral.services}
    fitting = {
        id_: one for id_, one in of_this_agency(here).items()
        if referral.issuer in one.signed_with and is_named(one, referral.desk, here.kind_of_place(referral.desk))
        and services & set(one.services)
    }  # fmt: skip
    stands = {id_: standing(one, on) for id_, one in fitting.items()}
    if any(one is Standing.IN_FORCE for one in stands.values()):
        return None
    ending = [id_ for id_, one in stands.items() if one in (Standing.ENDS_SOON, Standing.ENDED)]
    return max(ending, key=lambda id_: fitting[id_].ends_on or date.max) if ending else None


async def open_ones(tx: Transaction, here: Here, by: Actor) -> list[Open]:
    """Those of the account's desks, the oldest first."""
    query = (
        select(Referral)
        .where(col(Referral.is_open), col(Referral.direction) == "in")
        .where(scope.at_desk(by, col(Referral.desk), col(Referral.case_id)))
        .order_by(col(Referral.issued_at), col(Referral.id))
    )
    today = here.day_of(tx.clock.now())
    found = [
        (one, agreement) for one in (await tx.session.execute(query)).scalars()
        if (agreement := ending_under(here, one, today)) is not None
    ]  # fmt: skip
    plans = await plans_of(tx, [one.id for one, _agreement in found])
    return [Open(one, agreement, plans.get((one.id, agreement))) for one, agreement in found]


async def plans_of(tx: Transaction, referrals: Sequence[UUID]) -> dict[tuple[UUID, str], str]:
    """What was decided last of each of these, by request and agreement."""
    query = select(Afterwards).where(col(Afterwards.referral_id).in_(referrals)).order_by(col(Afterwards.recorded_at))
    return {(row.referral_id, row.agreement): row.plan for row in (await tx.session.execute(query)).scalars()}


async def to_decide(tx: Transaction, here: Here, by: Actor) -> list[Open]:
    """The same for the page of the agreement: whoever looks is written down."""
    found = (await open_ones(tx, here, by))[:LIST_MAX]
    await note_listed(tx, [one.referral.case_id for one in found], by)
    return found


async def work_lines(tx: Transaction, here: Here, by: Actor) -> Sequence[tuple[str, Said]]:
    """That something is open of which nobody has decided yet."""
    count = sum(one.plan is None for one in await open_ones(tx, here, by))
    text = _("Open while an agreement ends, and nobody has decided what comes after: %(count)s.")
    return [("/agreement", Sentence(text, {"count": count}))] if count else []
