"""Asking the agency that sent her to pass a coded message on, and saying what became of it. Nobody phones her from here."""

from uuid import UUID

from pydantic import model_validator
from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope, sharing
from shared.casework.cases.commands import Form
from shared.casework.here import Actor, Here
from shared.casework.messages.tables import Message
from shared.casework.referrals import story
from shared.casework.referrals.asked_again import refused_fields
from shared.casework.referrals.commands import load_referral
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import ConsentItem, MessageAnswer, MessageCode
from shared.exchange import feed
from shared.exchange.erasing import received_key
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id


class AskMessage(Form):
    """A message for the survivor of a referral that this agency received."""

    code: MessageCode
    on_at: events.Moment | None = None

    @model_validator(mode="after")
    def _time_where_it_belongs(self) -> "AskMessage":
        if (self.code in codes.TIMED_MESSAGES) != (self.on_at is not None):
            raise ValueError("a message to come has a time in 'on_at', nothing else has")
        return self


class AnswerMessage(Form):
    """What became of it."""

    answer: MessageAnswer


async def ask_message(referral_id: UUID, command: AskMessage, tx: Transaction, here: Here, by: Actor) -> Message:
    """Asks the issuer; raises Conflict where she has not agreed to messages."""
    by.may_work()
    await load_referral(tx, referral_id, by)
    referral = await story.lock(tx, referral_id)
    if referral is None or referral.direction != "in":
        raise Conflict("Messages are passed on by the agency that sent her; this referral was not received from another agency.")
    relay = (referral.said or {}).get("relay")
    if not relay or relay.get("safe_hours") == codes.SafeHours.NEVER:
        raise Conflict("She has not agreed that messages are passed on; tell her at the next visit.")
    if "relay" in await refused_fields(tx, here, referral):
        raise Conflict("She has said no here to messages that are passed on; tell her at the next visit.")
    now = tx.clock.now()
    if command.on_at is not None and command.on_at <= now:
        raise Conflict("The time of the message has passed; choose a later one.")
    message = Message(
        id=new_id(), referral_id=referral.id, case_id=referral.case_id, direction="out", code=command.code, on_at=command.on_at,
        asked_at=now,
    )  # fmt: skip
    tx.session.add(message)
    await tx.session.flush()
    fact = events.MessageAsked(message=message.id, code=command.code, on_at=command.on_at)
    event_id = await story.say(tx, here, referral, fact, now)
    await line(tx, referral, fact, here.agency, event_id)
    return message


async def answer_message(message_id: UUID, command: AnswerMessage, tx: Transaction, here: Here, by: Actor) -> Message:
    """Says whether it was passed on; raises Conflict where that was said before."""
    by.may_work()
    query = select(Message).join(Referral, col(Referral.id) == col(Message.referral_id)).where(
        col(Message.id) == message_id, col(Message.direction) == "in",
        scope.at_desk(by, col(Referral.desk), col(Referral.case_id)),
    )  # fmt: skip
    message = (await tx.session.execute(query)).scalar_one_or_none()
    if message is None:
        raise scope.OutOfSight("There is no such message.", message_id)
    referral = await story.lock(tx, message.referral_id)
    query = select(Message).where(col(Message.id) == message_id).with_for_update().execution_options(populate_existing=True)
    message = (await tx.session.execute(query)).scalar_one()
    if referral is None or message.answer is not None:
        raise Conflict("This message has been answered already.")
    await settle(tx, here, referral, message, command.answer)
    return message


async def settle(tx: Transaction, here: Here, referral: Referral, message: Message, answer: MessageAnswer) -> None:
    """Keeps an answer and tells it; the caller holds the referral's lock. Where consent was taken back nothing more is said under
    it: that word has told whoever asked."""
    now = tx.clock.now()
    message.answer, message.answered_at = answer, now
    await tx.session.flush()
    if story.standing_of(referral).consent_taken_back:
        return
    fact = events.MessageAnswered(message=message.id, answer=answer)
    await line(tx, referral, fact, here.agency, await story.say(tx, here, referral, fact, now))


async def agreed_to_messages(tx: Transaction, here: Here, referral: Referral) -> bool:
    """Whether the consent in force for the recipient lets messages be passed on."""
    release = await sharing.released(tx, here, referral.case_id, referral.recipient)
    return release is not None and ConsentItem.RELAY in release.items


async def line(tx: Transaction, referral: Referral, fact: events.Event, agency: str, event_id: UUID) -> None:
    """One line of the diary about a message. What the issuer tells rests on her consent, and goes with it."""
    is_own = agency == (referral.issuer if referral.direction == "out" else referral.recipient)
    rests_on = referral.consent_id if not is_own and referral.direction == "in" else None
    detail, key = events.data_of(fact), received_key(referral.issuer, rests_on) if rests_on is not None else None
    if key is not None and story.standing_of(referral).consent_taken_back:
        detail, key = {}, None  # said late: that it was, and nothing of what
    await feed.record(
        tx, feed.Line(kind=fact.type, subject=referral.id, agency=agency, is_own=is_own, occurred_at=tx.clock.now(),
                      case_id=referral.case_id, facility=referral.desk, event_id=event_id, detail=detail, key=key),
    )  # fmt: skip
