"""Hearing that consent was taken back: it acts at once, on whatever state, and what was received under it is destroyed.

What was to be answered under it and has not left stays here, and what arrives under it later is never opened. The sender is told,
signed, what became of its words, as its peers tell it.
"""

from uuid import UUID

from sqlalchemy import Delete, delete, select
from sqlmodel import col

from shared.casework.accounts.commands import forget_answers
from shared.casework.alarms.commands import END_WAITS, clear
from shared.casework.cases.commands import forget_parts
from shared.casework.cases.tables import Case
from shared.casework.circles.handlers import forget_told
from shared.casework.conferences.commands import forget_conferences
from shared.casework.consents.commands import note_erased
from shared.casework.consents.tables import Consent, EndedConsent, Erasure
from shared.casework.here import Here
from shared.casework.holds.commands import is_held, keep_for_the_court
from shared.casework.holds.tables import HeldCopy
from shared.casework.referrals import story
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import events
from shared.contracts.casework.codes import ErasureOutcome
from shared.exchange import outbox
from shared.exchange.erasing import erase_heard, erase_said, received_key
from shared.exchange.inbox import lay_tombstone
from shared.exchange.registry import Received
from shared.kit.db import Transaction


async def on_consent_taken_back(received: Received, tx: Transaction, here: Here) -> None:
    """Ends the sender's referrals that rest on the consent, destroys what was received under it, and lays the tombstone.

    Where a court has forbidden to destroy it, it is set aside, read by nobody, and destroyed when the hold is lifted.
    """
    word: events.ConsentTakenBack = received.data
    case = await _locked_case(tx, word.circle)
    resting = await _resting(received.sender, word.consent, tx)
    held = case if case is not None and await _is_kept(tx, case, received.sender, word.consent) else None
    if held is not None:
        await keep_for_the_court(tx, received.sender, held, word.consent)
    await lay_tombstone(tx, received.sender, word.consent)
    await outbox.withhold_consent(tx, word.consent, received.sender)  # nor do our answers leave
    for referral in resting:
        if not story.standing_of(referral).consent_taken_back:  # else it was told before, and this copy of the records knows
            told = Told(received.sender, False, received.occurred_at, event_id=received.id)
            await story.take_back(tx, here, referral, word, told)
    if case is not None:
        await forget_answers(tx, here, case.id)
        forget_parts(case, word.consent)
    await forget_told(tx, received.sender, word.circle, word.consent)
    await forget_conferences(tx, received.sender, word.consent)
    await tx.session.execute(_ended_row(received.sender, word.consent))
    if held is not None:
        await _say_erased(tx, received.sender, word.consent, word.circle, ErasureOutcome.HELD)
    else:
        await _destroy(tx, received.sender, word.consent, word.circle)


def _ended_row(sender: str, consent_id: UUID) -> Delete:
    return delete(EndedConsent).where(col(EndedConsent.sender) == sender, col(EndedConsent.consent_id) == consent_id)


async def on_consent_ended(received: Received, tx: Transaction, here: Here) -> None:
    """The day until which she had agreed has passed. Nobody speaks of her at a conference after it; nothing else ends here: what is
    open goes on, and what was received under the consent is destroyed once nothing is."""
    word: events.ConsentEnded = received.data
    await clear(tx, here, word.consent, {END_WAITS})
    case = await _locked_case(tx, word.circle)
    if case is None:  # nothing of it ever came
        await lay_tombstone(tx, received.sender, word.consent)
        await _destroy(tx, received.sender, word.consent, word.circle)
        return
    row = {"sender": received.sender, "consent_id": word.consent, "case_id": case.id, "circle": word.circle,
           "ended_at": received.occurred_at}  # fmt: skip
    await tx.session.execute(outbox.insert_if_absent(tx, EndedConsent), [row])
    if not await _is_kept(tx, case, received.sender, word.consent):  # else what a court has is set aside first, with all of it
        await forget_conferences(tx, received.sender, word.consent, to_come=True)
    await forget_ended(tx, here, received.sender, word.consent)


async def forget_ended(tx: Transaction, here: Here, sender: str, consent_id: UUID) -> None:
    """Destroys what was received under a consent that has ended, unless something that rests on it is open; her own words and care
    that was given stay, and every referral as it ended. Where a court has forbidden to destroy it, it is set aside."""
    await outbox.lock_subjects(tx, [consent_id])
    resting = await _resting(sender, consent_id, tx)
    ended = await tx.session.get(EndedConsent, (sender, consent_id), populate_existing=True)
    if ended is None or any(referral.is_open for referral in resting):
        return
    case = await tx.session.get_one(Case, ended.case_id, with_for_update=True, populate_existing=True)
    is_kept = await _is_kept(tx, case, sender, consent_id)
    if is_kept:
        await keep_for_the_court(tx, sender, case, consent_id)
    await lay_tombstone(tx, sender, consent_id)
    for referral in resting:
        await story.forget_heard(tx, referral)
    await forget_answers(tx, here, case.id)
    forget_parts(case, consent_id)
    await forget_told(tx, sender, ended.circle, consent_id)
    await forget_conferences(tx, sender, consent_id)
    await tx.session.delete(ended)
    if is_kept:
        await _say_erased(tx, sender, consent_id, ended.circle, ErasureOutcome.HELD)
    else:
        await _destroy(tx, sender, consent_id, ended.circle)


async def _locked_case(tx: Transaction, circle: UUID) -> Case | None:
    """The case that a peer's word is about. Placing a hold locks it too: either it is in force by now, or it comes after."""
    query = select(Case).where(col(Case.circle) == circle).with_for_update().execution_options(populate_existing=True)
    return (await tx.session.execute(query)).scalar_one_or_none()


async def _is_kept(tx: Transaction, case: Case, sender: str, consent_id: UUID) -> bool:
    """Whether a court has forbidden to destroy what was received, by our records or by the keystore, which remembers it where they
    were restored. What was destroyed before is not there to be held: older records have brought the hold back."""
    key = {received_key(sender, consent_id)}
    return (await is_held(tx, case.id) or bool(tx.keys.held(key))) and not tx.keys.gone(key)


async def _destroy(tx: Transaction, sender: str, consent_id: UUID, circle: UUID) -> None:
    await erase_heard(tx, sender, consent_id, events.OVER)
    await tx.flush()
    # Last: what is destroyed stays so, whatever becomes of this transaction, and what asks for it comes again.
    await tx.keys.destroyed([received_key(sender, consent_id)], tx.clock.now())
    await _say_erased(tx, sender, consent_id, circle, ErasureOutcome.DESTROYED)


async def destroy_copy(tx: Transaction, here: Here, copy: HeldCopy) -> None:
    """What a hold had kept back is destroyed, and its sender is told; of our own words, which had not left, nobody is. The caller
    has locked consent and circle."""
    await tx.session.delete(copy)
    if copy.sender == here.agency:
        await lay_tombstone(tx, copy.sender, copy.consent_id)  # or an older keystore would bring its key back for good
        await tx.flush()
        await tx.keys.destroyed([received_key(copy.sender, copy.consent_id)], tx.clock.now())
        return
    await _destroy(tx, copy.sender, copy.consent_id, copy.circle)


async def _resting(sender: str, consent_id: UUID, tx: Transaction) -> list[Referral]:
    query = select(col(Referral.id)).where(
        col(Referral.consent_id) == consent_id, col(Referral.issuer) == sender, col(Referral.direction) == "in"
    )
    locked = [await story.lock(tx, referral_id) for referral_id in sorted((await tx.session.execute(query)).scalars())]
    return [referral for referral in locked if referral is not None]


async def _say_erased(tx: Transaction, holder: str, consent_id: UUID, circle: UUID, outcome: ErasureOutcome) -> None:
    """The receipt that the holder waits for. It names the consent and rests on none: nothing of her is in it."""
    said = events.ConsentErased(consent=consent_id, outcome=outcome)
    await outbox.add(
        tx,
        outbox.Outgoing(
            recipient=holder, type=said.type, dataversion=said.version, subject=consent_id, lane_key=circle,
            data=events.data_of(said), occurred_at=tx.clock.now(),
        ),
    )  # fmt: skip


async def on_consent_erased(received: Received, tx: Transaction, here: Here) -> None:
    """The recipient's signature on what became of its copies; one that held them may say later that they are destroyed."""
    word: events.ConsentErased = received.data
    consent = await tx.session.get(Consent, word.consent)
    if consent is None:
        return  # of a life of these records that is lost: it is about nothing here
    # Before anything is asked of it: a hold that is being placed comes before, or after.
    case = await tx.session.get_one(Case, consent.case_id, with_for_update=True, populate_existing=True)
    erasure = await tx.session.get(Erasure, (word.consent, received.sender), populate_existing=True)
    if erasure is None or erasure.outcome == ErasureOutcome.DESTROYED:
        return  # said again after a restore there
    erasure.outcome, erasure.signed_at, erasure.event_id = word.outcome, received.occurred_at, received.id
    await tx.session.flush()
    if (
        consent.taken_back_at is None and word.outcome == ErasureOutcome.DESTROYED
    ):  # it had ended, and nothing under it is open there
        await erase_said(tx, consent.id, events.OVER, keeps_words=await is_held(tx, case.id))
    await note_erased(tx, case, consent, received, word)
    await clear(tx, here, word.consent, {"not_erased"})
