"""Before anything beyond the request is used here, she is asked once more, item by item; what she answers stays here.

A no hides what was told under the item from every page, and is no taking back: the desk that sent her keeps its own consent, which
she takes back there. Until she has come nobody can ask her, and what was told serves to be ready for her.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework.cases.tables import Case
from shared.casework.here import Actor, Here
from shared.casework.referrals import story
from shared.casework.referrals.commands import load_referral
from shared.casework.referrals.tables import Referral, SaidAgain
from shared.contracts.casework.codes import ConsentHow, ConsentItem
from shared.contracts.casework.minimal_data import CROSSES
from shared.exchange import feed
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict
from shared.kit.ids import new_id


def fields_of(here: Here, referral: Referral) -> dict[str, ConsentItem]:
    """What a request has told beyond itself, each field with the item that she had agreed to where she was sent from."""
    kind = here.known_kind(referral.issuer)
    rows = CROSSES.get((kind, here.kind), {}) if kind is not None and referral.direction == "in" else {}
    said = referral.said or {}
    return {field: item for field, item in rows.items() if item is not ConsentItem.REQ and said.get(field) is not None}


def items_of(here: Here, referral: Referral) -> tuple[ConsentItem, ...]:
    """The items that she is asked about here once more, in the order in which pages have them."""
    received = set(fields_of(here, referral).values())
    return tuple(item for item in ConsentItem if item in received)


async def answers_of(tx: Transaction, referral_id: UUID) -> dict[ConsentItem, SaidAgain]:
    """Her last answer about each item of a request, where she was asked again."""
    query = select(SaidAgain).where(col(SaidAgain.referral_id) == referral_id).order_by(col(SaidAgain.id))
    return {ConsentItem(row.item): row for row in (await tx.session.execute(query)).scalars()}


async def refused_fields(tx: Transaction, here: Here, referral: Referral) -> frozenset[str]:
    """What she has said no to here: shown on no page."""
    return (await refused_of(tx, here, [referral])).get(referral.id, frozenset())


async def refused_of(tx: Transaction, here: Here, referrals: Iterable[Referral]) -> dict[UUID, frozenset[str]]:
    """The same for several requests at once; only those of which something was refused."""
    received = {referral.id: referral for referral in referrals if referral.direction == "in" and referral.arrived_at is not None}
    if not received:  # nobody can be asked before she has come
        return {}
    query = select(SaidAgain).where(col(SaidAgain.referral_id).in_(received)).order_by(col(SaidAgain.id))
    last = {(row.referral_id, row.item): row.agreed for row in (await tx.session.execute(query)).scalars()}
    asked = {id_ for id_, _item in last}
    found = {
        id_: frozenset(field for field, item in fields_of(here, received[id_]).items() if last.get((id_, item)) is False)
        for id_ in asked
    }
    return {id_: fields for id_, fields in found.items() if fields}


def shown(referral: Referral, refused: Collection[str]) -> dict[str, Any]:
    """What a request has told, as pages and answers have it: without what was refused."""
    return {name: part for name, part in (referral.said or {}).items() if name not in refused}


async def refused_of_case(tx: Transaction, here: Here, case_id: UUID) -> set[str]:
    """The same for every request of a case that was received."""
    query = select(Referral).where(col(Referral.case_id) == case_id, col(Referral.direction) == "in")
    referrals = (await tx.session.execute(query)).scalars().all()
    return set().union(*(await refused_of(tx, here, referrals)).values())


async def answer_again(
    referral_id: UUID, answers: Mapping[ConsentItem, bool], how: ConsentHow, tx: Transaction, here: Here, by: Actor
) -> None:
    """Keeps what she answers here; raises Conflict where she has not come, or was not told about at all under an item."""
    by.may_work()
    await load_referral(tx, referral_id, by)
    referral = await story.lock(tx, referral_id)
    assert referral is not None
    if referral.arrived_at is None:
        raise Conflict("She is asked when she is here; record first that she came.")
    received = items_of(here, referral)
    foreign = [item for item in answers if item not in received]
    if foreign:
        raise Conflict("This request has told nothing under: %(what)s.", what=tuple(Coded(item, "item") for item in foreign))
    now = tx.clock.now()
    for item, agreed in answers.items():
        row = SaidAgain(
            id=new_id(), case_id=referral.case_id, referral_id=referral.id, item=item, agreed=agreed, how=how,
            asked_by=by.account_id, said_at=now,
        )  # fmt: skip
        tx.session.add(row)
    await tx.session.flush()
    refused = {field for field, item in fields_of(here, referral).items() if item in answers and not answers[item]}
    case = await tx.session.get_one(Case, referral.case_id)
    for field in refused & {name for name, under in case.told_under.items() if under == str(referral.consent_id)}:
        setattr(case, field, None)  # the request itself still has it, for the day on which she says yes
    line = feed.Line(
        kind="consent.asked_again", subject=referral.id, agency=here.agency, is_own=True, occurred_at=now,
        case_id=referral.case_id, facility=referral.desk,
    )  # fmt: skip
    await feed.record(tx, line)
