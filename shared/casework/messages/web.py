"""Routes: coded messages that the agency which sent her passes on."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.cases.views import OfACase
from shared.casework.edge import IdempotencyKey, OneEdge, SignedIn, command
from shared.casework.messages import commands
from shared.casework.messages.commands import AnswerMessage, AskMessage
from shared.casework.messages.tables import Message
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["messages"])


class MessageView(OfACase):
    """A message and what became of it."""

    look: ClassVar[str] = "referral"

    id: UUID
    case_id: UUID
    referral_id: UUID
    direction: str
    code: str
    on_at: datetime | None
    asked_at: datetime
    answer: str | None
    answered_at: datetime | None


def _view(message: Message) -> MessageView:
    return MessageView.model_validate(message.model_dump())


@router.post("/referrals/{referral_id}/messages", status_code=201, response_model=MessageView)
async def post_message(
    referral_id: UUID, body: AskMessage, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Asks the issuer to pass a coded message on."""

    async def work(tx: Transaction) -> MessageView:
        return _view(await commands.ask_message(referral_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.post("/messages/{message_id}/answer", response_model=MessageView)
async def post_answer(
    message_id: UUID, body: AnswerMessage, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Says that a message was passed on, or that it was not safe."""

    async def work(tx: Transaction) -> MessageView:
        return _view(await commands.answer_message(message_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)
