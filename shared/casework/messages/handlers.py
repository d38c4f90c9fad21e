"""Hearing of messages: one to pass on, and what became of one of ours."""

from sqlalchemy import select
from sqlmodel import col

from shared.casework.here import Here
from shared.casework.messages.commands import agreed_to_messages, line, settle
from shared.casework.messages.tables import Message
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import events
from shared.contracts.casework.codes import MessageAnswer
from shared.exchange.registry import Received, Unauthorised
from shared.kit.db import Transaction


async def on_message_asked(received: Received, tx: Transaction, here: Here) -> None:
    """A message to pass on; where she has not agreed to messages, the machine answers that it is not safe."""
    word: events.MessageAsked = received.data
    referral = await tx.session.get(Referral, received.subject)
    if referral is None:
        return  # it went with its consent before this agency was restored: nobody is asked to pass anything on
    if await tx.session.get(Message, word.message) is not None:
        raise Unauthorised("A message with this id is known already.")
    message = Message(
        id=word.message, referral_id=referral.id, case_id=referral.case_id, direction="in", code=word.code, on_at=word.on_at,
        asked_at=received.occurred_at,
    )  # fmt: skip
    tx.session.add(message)
    await tx.session.flush()
    await line(tx, referral, word, received.sender, received.id)
    if not await agreed_to_messages(tx, here, referral):
        await settle(tx, here, referral, message, MessageAnswer.NOT_SAFE)


async def on_message_answered(received: Received, tx: Transaction, here: Here) -> None:
    """What became of a message that this agency asked for."""
    word: events.MessageAnswered = received.data
    referral = await tx.session.get(Referral, received.subject)
    if referral is None:
        return  # its issuer had cancelled the request before it left: nobody here asked
    query = select(Message).where(col(Message.id) == word.message, col(Message.referral_id) == referral.id)
    message = (await tx.session.execute(query)).scalar_one_or_none()
    if message is None or message.direction != "out":
        raise Unauthorised("This agency asked for no such message.")
    if message.answer is None and not referral.standing.get("consent_taken_back"):
        message.answer, message.answered_at = word.answer, received.occurred_at
        await tx.session.flush()
    await line(tx, referral, word, received.sender, received.id)
