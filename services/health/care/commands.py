"""Keeping what was given, to whom a referral brought and to whoever came without one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from services.health.care.tables import CareGiven
from services.health.certificates.tables import MedicalCertificate
from services.health.custody.tables import Specimen
from services.health.follow_ups.tables import FollowUp
from shared.casework.arrivals.commands import load_walk_in, somebody_came
from shared.casework.cases.commands import Form, happened
from shared.casework.here import Actor, Here
from shared.casework.paper.commands import sheet_of_visit
from shared.casework.paper.tables import Sheet
from shared.casework.referrals import story
from shared.casework.referrals.commands import keeps_of_arrivals, load_referral
from shared.casework.referrals.tables import Referral, WalkIn
from shared.casework.scope import OutOfSight
from shared.contracts.casework import events
from shared.contracts.casework.codes import AgencyKind, ReferralState
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id
from shared.kit.sealed import Under


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


@dataclass(frozen=True, slots=True)
class InCare:
    """Whom a list is about: a referral that this clinic received, or somebody who came without one. Exactly one is set."""

    case_id: UUID
    facility: str
    referral: Referral | None = None
    walk_in: WalkIn | None = None


async def received(referral_id: UUID, tx: Transaction, by: Actor) -> InCare:
    """Whom a referral brought here, or who is still here since consent for it was taken back; raises NotFound."""
    by.may_work()
    referral = await load_referral(tx, referral_id, by)
    if referral.direction != "in":
        raise OutOfSight("There is no such referral.", referral_id)
    query = select(col(WalkIn.id)).where(col(WalkIn.after_referral) == referral.id)
    goes_on = (await tx.session.execute(query)).scalar_one_or_none() if referral.state == ReferralState.CANCELLED else None
    if goes_on is not None:
        return await came(goes_on, tx, by)
    return InCare(referral.case_id, referral.desk, referral=referral)


async def came(walk_in_id: UUID, tx: Transaction, by: Actor) -> InCare:
    """Who came without a referral, or on one that was found later: then it is that one's care. Raises NotFound."""
    walk_in = await load_walk_in(tx, walk_in_id, by)
    if walk_in.referral_id is not None:
        return await received(walk_in.referral_id, tx, by)
    return InCare(walk_in.case_id, walk_in.facility, walk_in=walk_in)


async def sheet_of(whom: InCare, number: str, tx: Transaction, by: Actor) -> Sheet:
    """The sheet on which her coming and what was given were written; raises NotFound where it is another's."""
    _referrals, walk_ins = await _the_same_visit(whom, tx)
    before = select(col(WalkIn.case_id)).where(col(WalkIn.id).in_(walk_ins))
    return await sheet_of_visit(tx, by, number, {whom.case_id, *(await tx.session.execute(before)).scalars()})


async def _the_same_visit(whom: InCare, tx: Transaction) -> tuple[set[UUID], set[UUID]]:
    """Referrals and arrivals of one visit: she may have come before her request was found, and stay after its consent was taken
    back, and be asked for once more."""
    referrals = {whom.referral.id} if whom.referral is not None else set()
    walk_ins = {whom.walk_in.id} if whom.walk_in is not None else set()
    while True:
        query = select(WalkIn.id, WalkIn.after_referral).where(  # type: ignore[call-overload]
            or_(col(WalkIn.referral_id).in_(referrals), col(WalkIn.id).in_(walk_ins))
        )
        found = list((await tx.session.execute(query)).tuples())
        more = {after for _id, after in found if after is not None} - referrals
        referrals |= more
        walk_ins |= {id_ for id_, _after in found}
        if not more:
            return referrals, walk_ins


async def still_here(whom: InCare, tx: Transaction) -> None:
    """Raises Conflict where nobody is here on a request: who had come was somebody else. Held until the transaction ends."""
    if whom.referral is None:
        return
    referral = await story.lock(tx, whom.referral.id)
    if referral is not None and referral.is_open and referral.arrived_at is None:
        raise Conflict("Nobody is here on this request: say first that somebody came, or enter who came without one.")


async def keep_care(whom: InCare, command: KeepCare, tx: Transaction, by: Actor) -> CareGiven:
    """Keeps one line; raises Conflict where nobody had come."""
    now = tx.clock.now()
    if whom.walk_in is not None:  # held until this is kept: nobody ends it as a mistake meanwhile
        somebody_came(await load_walk_in(tx, whom.walk_in.id, by, lock=True))
    await still_here(whom, tx)
    kept: dict[str, Any] = {"care": Under(whom.case_id, command.care), "result": Under(whom.case_id, command.result)}
    row = CareGiven(
        id=new_id(), referral_id=whom.referral.id if whom.referral else None, walk_in_id=whom.walk_in.id if whom.walk_in else None,
        **kept, occurred_at=happened("occurred_at", command.occurred_at, now),
        recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def is_kept_of(tx: Transaction, walk_in_id: UUID) -> bool:
    """Whether anything was kept on an arrival."""
    query = select(col(CareGiven.id)).where(col(CareGiven.walk_in_id) == walk_in_id).limit(1)
    return (await tx.session.execute(query)).first() is not None


async def is_kept_of_request(tx: Transaction, here: Here, referral: Referral) -> bool:
    """Whether care was kept on a request, or since somebody came on it a sample, a certificate or a visit on its case."""
    if here.kind is not AgencyKind.HEALTH or referral.arrived_at is None:
        return False
    care = select(col(CareGiven.id)).where(col(CareGiven.referral_id) == referral.id)
    of_case = [
        select(col(table.id)).where(col(table.case_id) == referral.case_id, col(table.recorded_at) >= referral.arrived_at)
        for table in (Specimen, MedicalCertificate, FollowUp)
    ]
    return any([(await tx.session.execute(query.limit(1))).first() is not None for query in (care, *of_case)])


keeps_of_arrivals(is_kept_of_request)


async def care_of(whom: InCare, tx: Transaction) -> list[CareGiven]:
    """What was kept on this visit, oldest first: also before her request was found, and before its consent was taken back."""
    referrals, walk_ins = await _the_same_visit(whom, tx)
    mine = or_(col(CareGiven.referral_id).in_(referrals), col(CareGiven.walk_in_id).in_(walk_ins))
    query = select(CareGiven).where(mine).order_by(col(CareGiven.recorded_at), col(CareGiven.id))
    return list((await tx.session.execute(query)).scalars())
