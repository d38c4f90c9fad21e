"""Opening a case beyond the own desk for an hour, the supervisor's look at it afterwards, and decoys."""

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, exists, false, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.barred import never_of
from shared.casework.accounts.tables import Account, CaseRead
from shared.casework.alarms.commands import raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.cases.tables import Case
from shared.casework.cases.views import LIST, OPENED, note_read
from shared.casework.eyes.tables import Decoy, Opening, Review
from shared.casework.here import Actor, Here
from shared.contracts.casework.codes import Role, Urgency
from shared.kit.db import Transaction
from shared.kit.digits import typed
from shared.kit.errors import Conflict
from shared.kit.ids import new_id

OPEN_FOR = timedelta(hours=1)  # practice.md, rule 13
REVIEWS_MAX = 50  # of one list
OPENED_HERE, OPENED_FROM_HERE, DECOY_OPENED = "opened_beyond", "opened_from_here", "decoy_opened"
ABOUT_EYES = frozenset({OPENED_HERE, OPENED_FROM_HERE, DECOY_OPENED})


class Why(StrEnum):
    """Why a case is opened beyond the own desk."""

    LIFE_THREAT = "life_threat"  # alone
    COLLEAGUE_AWAY = "colleague_away"  # these with a second person
    SHE_ASKS = "she_asks"
    COURT_ORDER = "court_order"


def alone() -> Conflict:
    """What is said where a second person is missing, or is none."""
    return Conflict("A second person of this agency agrees, with her or his own sign-in name and PIN.")


async def open_beyond(case: Case, why: Why, second: Account | None, tx: Transaction, here: Here, by: Actor) -> Opening:
    """Opens a case that was found by two things, for an hour; supervisors at its place and at the account's own are told at once.
    `second` has shown that it is she who agrees. Raises Conflict."""
    by.may_work()
    async with scope.whole_agency(tx):
        if (why is Why.LIFE_THREAT) != (second is None):
            raise Conflict("A second person agrees where no life is in danger, and only there.")
        if second is not None and (second.id == by.account_id or case.id in never_of(second.never)):
            raise alone()
        now = tx.clock.now()
        opening = Opening(
            id=new_id(), case_id=case.id, account_id=by.account_id, why=why, second=second.id if second is not None else None,
            opened_at=now, until_at=now + OPEN_FOR,
        )  # fmt: skip
        tx.session.add(opening)
        await tx.session.flush()
        await note_read(tx, case.id, by, f"{OPENED}{why}")
        who = {"account": str(by.account_id)} | ({"second": str(second.id)} if second is not None else {})
        await raise_alarm(tx, here, OPENED_HERE, opening.id, case.facility, Urgency.ACUTE, case.id, who, to_supervisor=True)
        if by.facility is not None and by.facility != case.facility:
            await raise_alarm(tx, here, OPENED_FROM_HERE, opening.id, by.facility, Urgency.ACUTE, None, who, to_supervisor=True)
        return opening


# --- afterwards -------------------------------------------------------------------------------------------------------------------


def _to_review(by: Actor) -> ColumnElement[bool]:
    """Openings of the cases, and by the accounts, that a supervisor looks after; never her own, nor one that she agreed to."""
    if by.role is not Role.SUPERVISOR:
        return false()
    own = exists().where(col(Account.id) == col(Opening.account_id), col(Account.facility).in_(by.desks)).correlate_except(Account)
    of_case = exists().where(col(Case.id) == col(Opening.case_id), scope.this_case(by)).correlate_except(Case)
    seen = (own | of_case) if by.facility is not None else of_case
    return seen & (col(Opening.account_id) != by.account_id) & col(Opening.second).is_distinct_from(by.account_id)


async def to_review(tx: Transaction, here: Here, by: Actor, today: date) -> list[tuple[Opening, Account]]:
    """What was opened on a day before today and nobody has looked at since, oldest first."""
    begins = here.begin_of(today)
    is_reviewed = exists().where(col(Review.opening_id) == col(Opening.id))
    query = (
        select(Opening, Account)
        .join(Account, col(Account.id) == col(Opening.account_id))
        .where(_to_review(by), col(Opening.opened_at) < begins, ~is_reviewed)
        .order_by(col(Opening.opened_at), col(Opening.id))
        .limit(REVIEWS_MAX)
    )
    return [(opening, account) for opening, account in (await tx.session.execute(query)).tuples()]


async def review(opening_id: UUID, was_right: bool, tx: Transaction, by: Actor) -> Review:
    """What a supervisor found; it is said once. Raises OutOfSight, Conflict."""
    found = (await tx.session.execute(select(Opening).where(col(Opening.id) == opening_id, _to_review(by)))).scalar_one_or_none()
    if found is None:
        raise scope.OutOfSight("There is no such opening to look at.", opening_id)
    await tx.in_turn(f"review:{opening_id}")
    if await tx.session.get(Review, opening_id) is not None:
        raise Conflict("A colleague has looked at this one already.")
    said = Review(opening_id=opening_id, was_right=was_right, reviewed_by=by.account_id, reviewed_at=tx.clock.now())
    tx.session.add(said)
    await tx.session.flush()
    return said


async def case_by_number(tx: Transaction, number: str, by: Actor) -> Case | None:
    """A case that a supervisor may see, by its whole number."""
    query = select(Case).where(col(Case.number) == typed(number).upper(), scope.this_case(by))
    return (await tx.session.execute(query)).scalar_one_or_none()


# --- decoys -----------------------------------------------------------------------------------------------------------------------


async def decoys(tx: Transaction) -> set[UUID]:
    """The cases that are decoys. Nobody is shown which they are."""
    return {UUID(row.which["case"]) for row in (await tx.session.execute(select(Decoy))).scalars()}


async def looks_at_decoys(tx: Transaction) -> Sequence[tuple[CaseRead, Account, Case]]:
    """The looks at decoys of which nobody is told yet, each with whose it was. A list that has its number is no look."""
    known = await decoys(tx)
    if not known:
        return ()
    has_alarm = exists().where(col(Alarm.kind) == DECOY_OPENED, col(Alarm.about) == col(CaseRead.id))
    query = (
        select(CaseRead, Account, Case)
        .join(Account, col(Account.id) == col(CaseRead.account_id))
        .join(Case, col(Case.id) == col(CaseRead.case_id))
        .where(col(CaseRead.case_id).in_(known), col(CaseRead.what) != LIST, ~has_alarm)
        .order_by(col(CaseRead.id))
    )
    return (await tx.session.execute(query)).tuples().all()


async def tell_of_decoys(tx: Transaction, here: Here) -> None:
    """Raises an alarm for each of them."""
    for look, account, case in await looks_at_decoys(tx):
        place = account.facility or case.facility
        who = {"account": str(account.id)}
        await raise_alarm(tx, here, DECOY_OPENED, look.id, place, Urgency.ACUTE, None, who, to_supervisor=True)
