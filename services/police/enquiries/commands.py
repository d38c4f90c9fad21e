"""Asking by telephone how a case stands: by her own word, from a telephone that is safe, or nothing is confirmed, not even that
there is such a case.

The programme's rule says what must be shown (`act_needs` of `tell_status`). A number that nobody has, a wrong word, a case without
one, a telephone that is not safe and too many tries are all answered alike, and each is kept.
"""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import func, select
from sqlmodel import col

from services.police.complaints.commands import tellings_of, was_unsafe
from services.police.enquiries.domain import (
    LABEL,
    SHOWN_FOR,
    WORD_CHARACTERS_MAX,
    WORD_CHARACTERS_MIN,
    ClaimsToBe,
    has_enquiries,
    kept_as,
    said_alike,
)
from services.police.enquiries.tables import Enquiry, OwnWord
from shared.casework import scope
from shared.casework.arrivals.commands import count_try, may_try
from shared.casework.cases.commands import Form, load_case
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_read
from shared.casework.here import Actor, Here
from shared.casework.referrals.domain import CODE_ATTEMPTS_MAX, CODE_ATTEMPTS_WINDOW
from shared.casework.scope import OutOfSight
from shared.contracts.casework.codes import Ternary
from shared.kit.db import Transaction
from shared.kit.digits import typed
from shared.kit.errors import Conflict, NotFound
from shared.kit.ids import new_id
from shared.programmes.rules import answers, is_refused
from shared.programmes.situation import Situation
from shared.programmes.terms import Act, Fact

NUMBER_CHARACTERS_MAX = 30
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=WORD_CHARACTERS_MAX)]


class SetWord(Form):
    """The word that she chose, and whether there is a telephone from which calling is safe."""

    word: Word
    phone_is_safe: bool


class Enquire(Form):
    """What a caller says: the number on the card, the word, who it is; `phone_is_safe`: calls alone, from the safe telephone."""

    number: Annotated[str, Field(min_length=1, max_length=NUMBER_CHARACTERS_MAX)]
    word: Word | None = None
    claims_to_be: ClaimsToBe
    phone_is_safe: bool = False


def needs_enquiries(here: Here) -> None:
    """Raises NotFound where the programme says nothing of it."""
    if not has_enquiries(here.programme):
        raise NotFound("This programme tells nothing by telephone.")


async def set_word(case_id: UUID, command: SetWord, tx: Transaction, here: Here, by: Actor) -> OwnWord:
    """Keeps her word, instead of any before; raises Conflict where it is too easily guessed."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    needs_enquiries(here)
    scope.not_as_guest(by, case.facility, case.id)  # whoever chose another word would be told in her place once the hour is over
    if len(said_alike(command.word)) < WORD_CHARACTERS_MIN:
        raise Conflict("Choose a longer word: four letters or digits at least.")
    if said_alike(command.word) in said_alike(case.number):
        raise Conflict("Choose a word that stands on no paper; this is part of the number of the case.")
    row = await tx.session.get(OwnWord, case.id, with_for_update=True)
    digest = tx.keys.index(LABEL, kept_as(case.id, command.word))
    phone = (Ternary.YES if command.phone_is_safe else Ternary.NO).value
    if row is None:
        row = OwnWord(case_id=case.id, digest=digest, phone=phone, entered_at=tx.clock.now(), entered_by=by.account_id)
        tx.session.add(row)
    row.digest, row.phone, row.entered_at, row.entered_by = digest, phone, tx.clock.now(), by.account_id
    await tx.session.flush()
    return row


async def enquire(command: Enquire, tx: Transaction, here: Here, by: Actor) -> Enquiry:
    """Keeps that somebody asked; `is_answered` says whether anything may be told to whoever did."""
    by.may_work()
    needs_enquiries(here)
    may = await may_try(tx, by)  # locks the account's row: guesses at once are counted one by one
    async with scope.whole_agency(tx):
        number = typed(command.number).upper()
        case = (await tx.session.execute(select(Case).where(col(Case.number) == number))).scalar_one_or_none()
        # Of a case that this account may never see too it is kept that it asked, where only others read it; it is told nothing.
        is_hers = await _is_her_word(command, case, tx)  # worked out in any case: how long it takes tells nothing
        answered = False
        if case is not None and may:
            seen = select(col(Case.id)).where(col(Case.id) == case.id, scope.this_case(by))
            is_seen = (await tx.session.execute(seen)).first() is not None
            answered = is_seen and is_hers and await _is_allowed(command, case, tx, here)
        if not answered and may:
            await count_try(tx, by)
        id_ = new_id()
        if case is None:
            await tx.keys.given([[id_]])
        row = Enquiry(
            id=id_, case_id=case.id if case is not None else None, facility=by.facility,
            key_name=case.id if case is not None else id_,
            said={"claims_to_be": command.claims_to_be.value}, is_answered=answered, occurred_at=tx.clock.now(),
            recorded_by=by.account_id,
        )  # fmt: skip
        tx.session.add(row)
        await tx.session.flush()
        return row


async def note_asked(tx: Transaction, enquiry: Enquiry, by: Actor) -> None:
    """Keeps it in the log of the case whose number was given; where there is none nobody was asked about."""
    if enquiry.case_id is not None:
        await note_read(tx, enquiry.case_id, by, "enquiry" if enquiry.is_answered else "enquiry_missed")


async def _is_her_word(command: Enquire, case: Case | None, tx: Transaction) -> bool:
    digest = tx.keys.index(LABEL, kept_as(case.id if case is not None else UUID(int=0), command.word or ""))
    row = await tx.session.get(OwnWord, case.id) if case is not None else None
    if case is None or row is None or command.word is None:
        return False
    since = tx.clock.now() - CODE_ATTEMPTS_WINDOW
    missed = (
        select(func.count())
        .select_from(Enquiry)
        .where(col(Enquiry.case_id) == case.id, col(Enquiry.occurred_at) > since, col(Enquiry.is_answered).is_(False))
    )
    tried = int((await tx.session.execute(missed)).scalar_one())
    return digest == row.digest and tried < CODE_ATTEMPTS_MAX  # of one case, whoever sits at the telephone


async def _is_allowed(command: Enquire, case: Case, tx: Transaction, here: Here) -> bool:
    """What the programme's rule asks for, of what is known: the word was hers."""
    own = await tx.session.get(OwnWord, case.id)
    unsafe = was_unsafe(await tellings_of(tx, case.id))
    not_alone = (case.safety or {}).get("alone_on_phone") == Ternary.NO
    is_safe = command.phone_is_safe and own is not None and own.phone == Ternary.YES and not not_alone and not unsafe
    facts = frozenset({Fact.OWN_WORD, Fact.SAFE_PHONE} if is_safe else {Fact.OWN_WORD})
    return not is_refused(answers(here.programme, Situation(Act.TELL_STATUS, tx.clock.now(), facts=facts)))


async def load_answered(tx: Transaction, enquiry_id: UUID, by: Actor) -> Enquiry:
    """An enquiry that this account has just answered; raises OutOfSight for any other, and once the call is long over."""
    by.may_work()
    fresh = col(Enquiry.occurred_at) > tx.clock.now() - SHOWN_FOR
    query = select(Enquiry).where(
        col(Enquiry.id) == enquiry_id, col(Enquiry.recorded_by) == by.account_id, col(Enquiry.is_answered), fresh
    )
    row = (await tx.session.execute(query)).scalar_one_or_none()
    if row is None:
        raise OutOfSight("There is no such enquiry.", enquiry_id)
    return row


async def enquiries_of(tx: Transaction, case_id: UUID) -> list[Enquiry]:
    """Who asked about a case by telephone, the newest first."""
    query = select(Enquiry).where(col(Enquiry.case_id) == case_id).order_by(col(Enquiry.occurred_at).desc(), col(Enquiry.id).desc())
    return list((await tx.session.execute(query)).scalars())
