"""Routes: consents of a case, and her noes. Delete is taking back, which travels."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_read
from shared.casework.cases.web import Cursor, Limit
from shared.casework.consents import commands, views
from shared.casework.consents.commands import RecordConsent
from shared.casework.consents.refusing import RecordRefusal, record_refusal, take_back_alone
from shared.casework.edge import (
    PAGE_DEFAULT,
    IdempotencyKey,
    IfMatch,
    OneEdge,
    Page,
    SignedIn,
    VersionMissing,
    answer,
    command,
    version_of,
)
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1/cases/{case_id}/consents", tags=["consents"])
refusals = APIRouter(prefix="/api/v1/cases/{case_id}/refusals", tags=["consents"])


@router.post("", status_code=201, response_model=views.ConsentView)
async def post_consent(
    case_id: UUID, body: RecordConsent, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Records what she said about one recipient."""

    async def work(tx: Transaction) -> views.ConsentView:
        return views.consent_view(await commands.record_consent(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("")
async def get_consents(case_id: UUID, edge: OneEdge, by: SignedIn, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None) -> Page:
    """The case's consents, newest first."""
    async with edge.database.write() as tx:
        case = await load_case(tx, case_id, by)
        await note_read(tx, case.id, by, "consents")
        items, following = await views.consents_of(tx, case.id, cursor, limit)
        return Page(items=items, next_cursor=following)


@router.delete("/{consent_id}", response_model=views.ConsentView)
async def delete_consent(case_id: UUID, consent_id: UUID, edge: OneEdge, by: SignedIn, if_match: IfMatch = None) -> Response:
    """She takes it back: at once, told to everyone who holds something. Answers the consent as it stands."""
    version = version_of(if_match, needed=True)
    if version is None:
        raise VersionMissing("Send If-Match with the ETag of the consent that you read; '*' is not enough for taking back.")
    async with edge.database.write() as tx:
        view = views.consent_view(await take_back_alone(case_id, consent_id, tx, edge.here, by, version))
        await view.keep_look(tx, by)
        return answer(view)


@refusals.post("", status_code=201, response_model=views.RefusalView)
async def post_refusal(
    case_id: UUID, body: RecordRefusal, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Keeps her no about one recipient: what rests on a yes of hers to it is taken back at once. Of a child the law has some told
    all the same."""

    async def work(tx: Transaction) -> views.RefusalView:
        return views.refusal_view(await record_refusal(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)
