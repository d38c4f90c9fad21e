"""Routes: her word for the telephone, and what a caller is told."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.police.complaints.views import register_of
from services.police.enquiries import commands
from services.police.enquiries.commands import Enquire, SetWord
from services.police.enquiries.tables import Enquiry
from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Case
from shared.casework.cases.views import OfACase, note_read
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.here import Actor, Here
from shared.casework.scope import whole_agency
from shared.casework.shown import Shown
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["enquiries"])


class WordView(OfACase):
    """That a word was chosen, and when. Which one, nobody can read."""

    look: ClassVar[str] = "own_word"

    case_id: UUID
    entered_at: datetime


class ToldView(Body):
    """A milestone that may be told; a hearing that `is_off` will not be on the day that was told."""

    step: int | None
    code: str
    on_date: str | None
    was_on: str | None  # the day that was told, of a hearing that is off
    is_off: bool
    is_told: bool


class AnswerView(Shown):
    """What may be said to the caller: `told` false says that nothing may be, and nothing else. `id` is the enquiry's."""

    id: UUID
    told: bool
    milestones: list[ToldView] = Field(default_factory=list)

    async def keep_look(self, tx: Transaction, by: Actor) -> None:
        """Keeps that somebody asked in the log of the case whose number it was, told or not."""
        async with whole_agency(tx):
            row = await tx.session.get(Enquiry, self.id)
        if row is not None:
            await commands.note_asked(tx, row, by)


class EnquiryView(Body):
    """That somebody asked about a case, claiming to be somebody."""

    occurred_at: datetime
    claims_to_be: str | None
    was_answered: bool


async def _answer(tx: Transaction, here: Here, row: Enquiry) -> AnswerView:
    if not row.is_answered or row.case_id is None:
        return AnswerView(id=row.id, told=False)
    register = await register_of(tx, here, await tx.session.get_one(Case, row.case_id))
    return AnswerView(
        id=row.id,
        told=True,
        milestones=[
            ToldView(
                step=one.row.position, code=one.row.code, on_date=one.row.on_date.isoformat() if one.row.on_date else None,
                was_on=one.row.was_on.isoformat() if one.row.was_on else None,
                is_off=one.is_off, is_told=not one.is_to_tell,
            )
            for one in register.steps
            if one.may_be_told
        ],
    )  # fmt: skip


@router.post("/cases/{case_id}/own-word", status_code=201, response_model=WordView)
async def post_word(
    case_id: UUID, body: SetWord, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """She chooses a word."""

    async def work(tx: Transaction) -> WordView:
        row = await commands.set_word(case_id, body, tx, edge.here, by)
        return WordView(case_id=row.case_id, entered_at=row.entered_at)

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/enquiries")
async def get_enquiries(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """Who asked about a case by telephone, the newest first."""
    by.may_work()
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        commands.needs_enquiries(edge.here)
        await note_read(tx, case.id, by, "own_word")
        return Page(
            items=[
                EnquiryView(
                    occurred_at=one.occurred_at, claims_to_be=(one.said or {}).get("claims_to_be"), was_answered=one.is_answered
                )
                for one in await commands.enquiries_of(tx, case.id)
            ]
        )


@router.post("/enquiries", status_code=200, response_model=AnswerView)
async def post_enquiry(body: Enquire, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Somebody asks by telephone how a case stands: by her own word, or nothing is confirmed."""

    async def work(tx: Transaction) -> AnswerView:
        return await _answer(tx, edge.here, await commands.enquire(body, tx, edge.here, by))

    return await command(request, edge, by, work, key=key)
