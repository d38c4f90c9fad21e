"""Routes: case conferences of a case, answering an invitation, and what was decided."""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.cases.commands import load_case
from shared.casework.cases.views import OfACase, note_listed, note_read
from shared.casework.conferences import commands, views
from shared.casework.conferences.commands import AnswerInvitation, CallConference, ConcludeConference
from shared.casework.conferences.views import Shown
from shared.casework.edge import Edge, IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["conferences"])


class InvitationView(Body):
    """An agency that was asked, what it hears, and what it answered."""

    agency: str
    agenda: list[str]
    answer: str | None
    answered_at: datetime | None
    withdrawn_at: datetime | None


class ConferenceView(OfACase):
    """A conference. `agenda` and `decisions` are what this agency knows of them; `invitations` only where it called it."""

    look: ClassVar[str] = "conferences"

    id: UUID
    case_id: UUID
    caller: str
    facility: str | None
    on_date: date | None
    part: str | None
    agenda: list[str]
    decisions: list[dict[str, Any]]
    state: str
    answer: str | None
    called_at: datetime
    ended_at: datetime | None
    invitations: list[InvitationView]


def _view(one: Shown) -> ConferenceView:
    row = one.row
    asked = [
        InvitationView(
            agency=i.agency, agenda=i.agenda or [], answer=i.answer, answered_at=i.answered_at, withdrawn_at=i.withdrawn_at
        )
        for i in one.invitations
    ]
    return ConferenceView(
        id=row.id, case_id=row.case_id, caller=row.caller, facility=row.facility, on_date=row.on_date, part=row.part,
        agenda=row.agenda or [], decisions=row.decisions or [], state=row.state, answer=row.answer, called_at=row.called_at,
        ended_at=row.ended_at, invitations=asked,
    )  # fmt: skip


@router.post("/cases/{case_id}/conferences", status_code=201, response_model=ConferenceView)
async def post_conference(
    case_id: UUID, body: CallConference, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Asks agencies to a conference; each is told only what her consent to it covers. 422 names a consent that is missing."""

    async def work(tx: Transaction) -> ConferenceView:
        row = await commands.call_conference(case_id, body, tx, edge.here, by)
        return _view(await views.shown(tx, edge.here, row))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/cases/{case_id}/conferences")
async def get_conferences(case_id: UUID, edge: OneEdge, by: SignedIn) -> Page:
    """The conferences of a case, the last called first."""
    by.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "conferences")
        return Page(items=[_view(one) for one in await views.conferences_of(tx, edge.here, case.id)])


@router.get("/conferences")
async def get_open(edge: OneEdge, by: SignedIn) -> Page:
    """Conferences that are to come, or of which nobody said what became of them."""
    by.may_work()
    async with edge.database.write() as tx:
        found = await views.open_ones(tx, by)
        await note_listed(tx, {case.id for _row, case in found}, by)
        return Page(items=[_view(await views.shown(tx, edge.here, row)) for row, _case in found])


@router.get("/conferences/{conference_id}")
async def get_conference(conference_id: UUID, edge: OneEdge, by: SignedIn) -> ConferenceView:
    """One conference."""
    async with edge.database.write() as tx:
        return await _read(tx, edge, conference_id, by)


async def _read(tx: Transaction, edge: Edge, conference_id: UUID, by: SignedIn) -> ConferenceView:
    row = await commands.load_conference(tx, conference_id, by)
    await note_read(tx, row.case_id, by, "conferences")
    return _view(await views.shown(tx, edge.here, row))


@router.post("/conferences/{conference_id}/answer", response_model=ConferenceView)
async def post_answer(
    conference_id: UUID, body: AnswerInvitation, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Says whether this agency comes."""

    async def work(tx: Transaction) -> ConferenceView:
        row = await commands.answer_invitation(conference_id, body, tx, edge.here, by)
        return _view(await views.shown(tx, edge.here, row))

    return await command(request, edge, by, work, key=key)


@router.post("/conferences/{conference_id}/conclude", response_model=ConferenceView)
async def post_conclude(
    conference_id: UUID, body: ConcludeConference, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Says what became of a conference of ours; each agency that was asked is told its own part of what was decided."""

    async def work(tx: Transaction) -> ConferenceView:
        row = await commands.conclude_conference(conference_id, body, tx, edge.here, by)
        return _view(await views.shown(tx, edge.here, row))

    return await command(request, edge, by, work, key=key)
