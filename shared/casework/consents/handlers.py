"""Hearing that consent was taken back: it acts at once, on whatever state, and what arrives under it later is never opened."""

from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts.commands import forget_answers
from shared.casework.cases.tables import Case
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.handlers import forget_parts
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import events
from shared.exchange.inbox import lay_tombstone
from shared.exchange.registry import Received
from shared.kit.db import Transaction


async def on_consent_taken_back(received: Received, tx: Transaction, here: Here) -> None:
    """Ends every referral of the sender's that rests on the consent, and lays the tombstone."""
    word: events.ConsentTakenBack = received.data
    await lay_tombstone(tx, received.sender, word.consent)
    query = select(col(Referral.id)).where(
        col(Referral.consent_id) == word.consent, col(Referral.issuer) == received.sender, col(Referral.direction) == "in"
    )
    for referral_id in sorted((await tx.session.execute(query)).scalars()):
        referral = await story.lock(tx, referral_id)
        if referral is not None:
            case = await tx.session.get(Case, referral.case_id)
            if case is not None:
                forget_parts(case, word.consent)
                await forget_answers(tx, referral.id, case.id)
            told = Told(received.sender, False, received.occurred_at, event_id=received.id)
            await story.take_back(tx, here, referral, word, told)
