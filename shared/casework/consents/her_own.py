"""What is asked of her beside who may know: a child's own word and the adult beside her, as codes; whether she is counted; and
where she came, whether whoever sent her may know that.

Who an adult is is never typed. Of a child nothing leaves but what a request may say: whether she agrees, and whether a safe adult
is there. Which adult was doubted, and who stands in, stays here.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from shared.casework.cases.commands import load_case, not_future
from shared.casework.consents.tables import ConsentEvent
from shared.casework.here import Actor, Here
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import ConsentHow, ConsentItem, Ternary
from shared.kit.db import Transaction
from shared.kit.ids import new_id


class Caregiver(StrEnum):
    """The adult who looks after a child, as the child sees it."""

    SAFE = "safe"
    NOT_THIS_ONE = "not_this_one"  # suspected, or the child does not want it
    NOBODY = "nobody"


class StandIn(StrEnum):
    """Which kind of adult stands in."""

    RELATIVE = "relative"
    NEIGHBOUR = "neighbour"
    TEACHER = "teacher"
    SOCIAL_WORKER = "social_worker"
    HEALTH_WORKER = "health_worker"
    NOT_FOUND = "not_found"


def is_child(case: Any) -> bool:
    """Whether a case, or what a referral rests on of it, is a child's, as far as is known here: by its age band, or where nobody
    asked for that one, as on the telephone, because a child's own facts are kept."""
    band = (getattr(case, "needs", None) or {}).get("age_band") or codes.AgeBand.UNKNOWN
    return band in codes.CHILD_BANDS or (band == codes.AgeBand.UNKNOWN and getattr(case, "child", None) is not None)


async def keep_childs_word(
    case_id: UUID, assent: Ternary, caregiver: Caregiver, stands_in: StandIn | None, tx: Transaction, by: Actor
) -> None:
    """Keeps what a child says here; what another agency told of it before gives way."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    stands_in = stands_in if caregiver is not Caregiver.SAFE else None
    before = events.ChildFacts.model_validate(case.child) if case.child and not case.is_received else None
    said = events.ChildFacts(
        assent=assent, safe_adult_present=_is_safe_adult_there(caregiver, stands_in, before),
        legal_duty=before.legal_duty if before is not None else None,
    )  # fmt: skip
    case.child = said.model_dump(mode="json", exclude_none=True)
    case.adult = {"caregiver": str(caregiver)} | ({"stands_in": str(stands_in)} if stands_in is not None else {})
    case.told_under = {name: under for name, under in case.told_under.items() if name != "child"}
    await tx.session.flush()


async def keep_adult_there(case_id: UUID, tx: Transaction, by: Actor) -> None:
    """A safe adult has come to a child of whom it was answered that none is there: what is told from now on says so."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    case.child = {**(case.child or {}), "safe_adult_present": str(Ternary.YES)}
    case.told_under = {name: under for name, under in case.told_under.items() if name != "child"}
    await tx.session.flush()


def _is_safe_adult_there(caregiver: Caregiver, stands_in: StandIn | None, before: events.ChildFacts | None) -> Ternary:
    if caregiver is Caregiver.SAFE:  # safe, and perhaps not here: page 1 asked that
        return Ternary.YES if before is None or before.safe_adult_present is Ternary.UNKNOWN else before.safe_adult_present
    return Ternary.NO if stands_in is None or stands_in is StandIn.NOT_FOUND else Ternary.YES


async def keep_counted(
    case_id: UUID,
    counted: bool,
    how: ConsentHow,
    interpreter: bool,
    said_at: datetime | None,
    tx: Transaction,
    here: Here,
    by: Actor,
) -> None:
    """Whether figures count her, unnamed: until she says no they do, and from then on none does. Each change of it is a version
    under the log, as every answer of hers."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    if case.not_counted is not counted:
        return
    case.not_counted = not counted
    event = ConsentEvent(
        id=new_id(), consent_id=case.id, case_id=case.id, version=await _next_version(tx, case.id),
        kind="recorded" if counted else "refused", recipient=here.agency, purpose=codes.Purpose.STATISTICS,
        items=[str(ConsentItem.STAT)], how=how, interpreter=interpreter,
        explained_by=by.account_id, occurred_at=not_future("given_at", said_at, tx.clock.now()), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(event)
    await tx.session.flush()


async def log_feedback(
    tx: Transaction, referral_id: UUID, case_id: UUID, issuer: str, yes: bool | None, by: UUID, said_at: datetime
) -> None:
    """What she answered here to whether the issuer may know how it goes on: a consent of this agency's own for what is told back,
    of which the last counts, whatever she had said where she was sent from. She is asked aloud; nobody notes an interpreter.
    `yes` None: whoever had answered was somebody else, and nobody has been asked."""
    kind = {True: "recorded", False: "refused", None: "taken_back"}[yes]
    event = ConsentEvent(
        id=new_id(), consent_id=referral_id, case_id=case_id, version=await _next_version(tx, referral_id),
        kind=kind, recipient=issuer, items=[str(ConsentItem.FB)], how=ConsentHow.SPOKEN,
        interpreter=False, explained_by=by, occurred_at=said_at, recorded_by=by,
    )  # fmt: skip
    tx.session.add(event)
    await tx.session.flush()


async def _next_version(tx: Transaction, consent_id: UUID) -> int:
    known = select(func.count()).select_from(ConsentEvent).where(col(ConsentEvent.consent_id) == consent_id)
    return int((await tx.session.execute(known)).scalar_one()) + 1
