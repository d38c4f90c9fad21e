"""Routes: cases, incidents, timeline, progress, and who looked."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from shared.casework.cases import commands, looks, views
from shared.casework.cases.commands import AddIncident, OpenCase
from shared.casework.cases.placing import PlaceCase, place_case
from shared.casework.cases.recovering import release_case
from shared.casework.circles.commands import RecordProgress, record_progress
from shared.casework.circles.views import ProgressView, progress_view
from shared.casework.edge import PAGE_DEFAULT, PAGE_MAX, IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.timeline.views import case_timeline
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1/cases", tags=["cases"])
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
Cursor = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")]
CaseCursor = Annotated[UUID | None, Query()]


@router.post("", status_code=201, response_model=views.CaseView)
async def post_case(body: OpenCase, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Opens a case."""

    async def work(tx: Transaction) -> views.CaseView:
        return views.case_view(await commands.open_case(body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("")
async def get_cases(edge: OneEdge, by: SignedIn, limit: Limit = PAGE_DEFAULT, cursor: CaseCursor = None) -> Page:
    """The cases within the account's scope, newest first."""
    by.may_work()
    async with edge.database.write() as tx:
        items, following = await views.cases_page(tx, by, cursor, limit)
        await views.note_listed(tx, [item.id for item in items], by)
    return Page(items=items, next_cursor=str(following) if following else None)


@router.get("/{case_id}", response_model=views.CaseView)
async def get_case(case_id: UUID, edge: OneEdge, by: SignedIn) -> views.CaseView:
    """One case; the read is logged."""
    async with edge.database.write() as tx:
        case = await commands.load_case(tx, case_id, by)
        await views.note_read(tx, case.id, by, "case")
        return views.case_view(case, await views.notes_of(tx, case.id))


@router.get("/{case_id}/timeline")
async def get_timeline(case_id: UUID, edge: OneEdge, by: SignedIn, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None) -> Page:
    """Own and received facts in one line, each with agency, time, the consent it rests on and receipt state; the read is logged."""
    async with edge.database.write() as tx:
        case = await commands.load_case(tx, case_id, by)
        await views.note_read(tx, case.id, by, "timeline")
        items, following = await case_timeline(tx, case.id, int(cursor or 0), limit)
        return Page(items=items, next_cursor=following)


@router.get("/{case_id}/access-log")
async def get_access_log(
    case_id: UUID, edge: OneEdge, by: SignedIn, limit: Limit = PAGE_DEFAULT, cursor: Annotated[UUID | None, Query()] = None
) -> Page:
    """Who looked at this case, newest first."""
    by.may_work()
    async with edge.database.read() as tx:
        case = await commands.load_case(tx, case_id, by)
        items, following = await looks.access_log(tx, edge.here, case.id, str(cursor) if cursor else None, limit)
    return Page(items=items, next_cursor=following)


@router.post("/{case_id}/release", response_model=views.CaseView)
async def post_release(case_id: UUID, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """After a restore: a supervisor has looked at the case, and it may be decided before its peers have answered."""

    async def work(tx: Transaction) -> views.CaseView:
        await release_case(case_id, tx, edge.here, by)
        case = await commands.load_case(tx, case_id, by)
        return views.case_view(case, await views.notes_of(tx, case.id))

    return await command(request, edge, by, work, status=200, key=key)


@router.post("/{case_id}/place", response_model=views.CaseView)
async def post_place(
    case_id: UUID, body: PlaceCase, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """A supervisor says which place looks after a case that came here without one."""

    async def work(tx: Transaction) -> views.CaseView:
        return views.case_view(await place_case(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=200, key=key)


@router.post("/{case_id}/incidents", status_code=201, response_model=views.IncidentView)
async def post_incident(
    case_id: UUID, body: AddIncident, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Adds an incident; a repeated assault is one of its own."""

    async def work(tx: Transaction) -> views.IncidentView:
        return views.incident_view(await commands.add_incident(case_id, body, tx, edge.here, by))

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/{case_id}/incidents")
async def get_incidents(case_id: UUID, edge: OneEdge, by: SignedIn, limit: Limit = PAGE_DEFAULT, cursor: Cursor = None) -> Page:
    """The case's incidents, newest first."""
    async with edge.database.write() as tx:
        case = await commands.load_case(tx, case_id, by)
        await views.note_read(tx, case.id, by, "incidents")
        items, following = await views.incidents_of(tx, case.id, cursor, limit)
        return Page(items=items, next_cursor=following)


@router.post("/{case_id}/progress", status_code=201, response_model=ProgressView)
async def post_progress(
    case_id: UUID, body: RecordProgress, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """A coded fact on the case, told to the circle members whom consent allows."""

    async def work(tx: Transaction) -> ProgressView:
        row, told = await record_progress(case_id, body, tx, edge.here, by)
        return progress_view(row, told)

    return await command(request, edge, by, work, status=201, key=key)
