"""Pages: she cannot answer, and waiting could cost her life. A place of care is told what care needs; she is asked afterwards.

Never for anybody but a place of care, and never over an answer that she has given.
"""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_read
from shared.casework.consents import commands
from shared.casework.consents.commands import WITHOUT_HER, RecordConsent
from shared.casework.consents.tables import Refusal
from shared.casework.consents.views import is_no, last_answers, unasked
from shared.casework.edge import OneEdge
from shared.casework.here import Here
from shared.casework.pages.visits import Posted, Visitor, submit
from shared.casework.paper.commands import written_at
from shared.contracts.casework.codes import AgencyKind, Basis, ConsentHow, ConsentItem, Purpose
from shared.contracts.casework.minimal_data import CROSSES
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.i18n import SOURCE

router = APIRouter(include_in_schema=False)


async def _open_to(tx: Transaction, here: Here, case: Case) -> list[str]:
    """The agencies of care about which no answer stands: none was given, or it has expired."""
    now = tx.clock.now()
    last = (await last_answers(tx, case.id)).values()
    answered = {a.recipient for a in last if isinstance(a, Refusal) or is_no(a) or a.expires_at is None or a.expires_at > now}
    return [peer for peer in here.serving if here.kind_of(peer) is AgencyKind.HEALTH and peer not in answered]


def _items(here: Here, recipient: str) -> tuple[ConsentItem, ...]:
    """What care needs and this direction knows: no feedback, no messages, no statement."""
    crossing = {ConsentItem.REQ, *CROSSES.get((here.kind, here.kind_of(recipient)), {}).values()}
    return tuple(item for item in ConsentItem if item in crossing & WITHOUT_HER[Basis.VITAL_INTEREST])


@router.get("/cases/{case_id}/cannot-answer")
async def show_cannot_answer(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What is told without her, to whom, and what follows when she wakes."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "consents")
        places = await _open_to(tx, edge.here, case)
        waiting = await unasked(tx, case.id)
    told = sorted({item for place in places for item in _items(edge.here, place)}, key=list(ConsentItem).index)
    return edge.pages.show(
        request, "consents/cannot_answer.html", visit, case=case, places=places, told=told, waiting=waiting, here_now="/cases"
    )


@router.post("/cases/{case_id}/cannot-answer")
async def post_cannot_answer(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps that she could not answer; page 3 chooses care and place."""

    async def work(tx: Transaction) -> str:
        visit.actor.may_work()
        await tx.in_turn(commands.answers_about(case_id))
        case = await load_case(tx, case_id, visit.actor)
        places = await _open_to(tx, edge.here, case)
        if not places and not await unasked(tx, case.id):
            raise Conflict("She has answered about every place of care already; what she said counts. Ask her again, or send.")
        given_at = await written_at(tx, case.id, visit.actor)
        language = (case.needs or {}).get("language", SOURCE)
        for place in places:
            command = RecordConsent(
                recipient=place, purpose=Purpose.CARE, items=_items(edge.here, place), basis=Basis.VITAL_INTEREST,
                how=ConsentHow.NONE_UNCONSCIOUS, language=language, given_at=given_at,
            )  # fmt: skip
            await commands.record_consent(case.id, command, tx, edge.here, visit.actor)
        return f"/cases/{case.id}/refer"

    return await submit(request, edge, visit, values, work)
