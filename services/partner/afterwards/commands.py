"""Writing down what is to become of an open request when its agreement ends."""

from uuid import UUID

from services.partner.afterwards.domain import Plan
from services.partner.afterwards.tables import Afterwards
from services.partner.afterwards.views import ending_under
from shared.casework import scope
from shared.casework.cases.commands import Form
from shared.casework.here import Actor, Here
from shared.casework.referrals.commands import lock_referral
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id


class Decide(Form):
    """What is to become of it."""

    plan: Plan


async def decide(referral_id: UUID, command: Decide, tx: Transaction, here: Here, by: Actor) -> Afterwards:
    """Keeps it; raises Conflict where no agreement ends under this request. The request itself is not touched."""
    referral = await lock_referral(tx, referral_id, by)
    scope.not_as_guest(by, referral.desk, referral.case_id)
    agreement = ending_under(here, referral, here.day_of(tx.clock.now())) if referral.direction == "in" else None
    if agreement is None or not referral.is_open:
        raise Conflict("No agreement ends under this request; there is nothing to decide.")
    row = Afterwards(
        id=new_id(), referral_id=referral.id, case_id=referral.case_id, agreement=agreement, plan=command.plan,
        recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row
