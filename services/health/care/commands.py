"""Keeping what was given."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.health.care.tables import CareGiven
from shared.casework.cases.commands import Form, not_future
from shared.casework.here import Actor
from shared.casework.referrals.commands import load_referral
from shared.contracts.casework import events
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id


class Care(StrEnum):
    """The lines of the packages."""

    EMERGENCY_CONTRACEPTION = "emergency_contraception"
    PEP = "pep"
    STI_PROPHYLAXIS = "sti_prophylaxis"
    HEPATITIS_B_VACCINE = "hepatitis_b_vaccine"
    TETANUS = "tetanus"
    INJURY_CARE = "injury_care"
    EXAMINATION = "examination"
    FIRST_LINE_SUPPORT = "first_line_support"


class CareResult(StrEnum):
    """What became of it."""

    GIVEN = "given"
    REFUSED = "refused"
    NONE_IN_STOCK = "none_in_stock"


class KeepCare(Form):
    """One line of the package."""

    care: Care
    result: CareResult
    occurred_at: events.Moment | None = None


async def keep_care(referral_id: UUID, command: KeepCare, tx: Transaction, by: Actor) -> CareGiven:
    """Keeps one line; only for a referral that this clinic received."""
    by.may_work()
    referral = await load_referral(tx, referral_id, by)
    if referral.direction != "in":
        raise Conflict("Care is recorded on a referral that this agency received.")
    now = tx.clock.now()
    row = CareGiven(
        id=new_id(), referral_id=referral.id, care=command.care, result=command.result,
        occurred_at=not_future("occurred_at", command.occurred_at, now), recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def care_of(referral_id: UUID, tx: Transaction, by: Actor) -> list[CareGiven]:
    """What was kept for a referral, oldest first."""
    by.may_work()
    referral = await load_referral(tx, referral_id, by)
    query = (
        select(CareGiven).where(col(CareGiven.referral_id) == referral.id).order_by(col(CareGiven.recorded_at), col(CareGiven.id))
    )
    return list((await tx.session.execute(query)).scalars())
