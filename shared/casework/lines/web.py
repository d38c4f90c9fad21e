"""Routes: peers, parked events, the directory, health and metrics."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select
from sqlmodel import col

from shared.casework.alarms.tables import Alarm
from shared.casework.edge import Edge, OneEdge, Page, SignedIn
from shared.casework.lines import commands, views
from shared.casework.lines.readiness import readiness
from shared.casework.scope import whole_agency
from shared.contracts.casework.codes import ServicePackage
from shared.exchange.tables import Peer
from shared.kit.bodies import Body

router = APIRouter(tags=["lines"])


class PlaceView(Body):
    """A facility that offers something, and how it is reached."""

    agency: str
    kind: str
    facility: str
    name: str
    district: str
    mode: str
    services: list[str]
    posts: list[str]
    open_hours: str
    open_days: list[str]
    duty_number: str | None
    places: int | None
    is_planned: bool


@router.get("/api/v1/directory/services")
async def get_services(edge: OneEdge, _by: SignedIn, service: Annotated[ServicePackage | None, Query()] = None) -> Page:
    """Facilities of this agency and of its peers, by service."""
    here = edge.here
    found = [
        PlaceView(agency=agency, kind=here.kind_of(agency), facility=facility_id, **facility.model_dump(exclude={"kind"}))
        for agency in (here.agency, *here.serving)
        for facility_id, facility in here.network.agencies[agency].facilities.items()
        if service is None or service in facility.services
    ]
    return Page(items=found)


@router.get("/api/v1/peers")
async def get_peers(edge: OneEdge, _by: SignedIn) -> Page:
    """The state of each line, in words."""
    async with edge.database.read() as tx:
        return Page(items=await views.peers(tx, edge.here))


@router.get("/api/v1/parked")
async def get_parked(edge: OneEdge, by: SignedIn) -> Page:
    """What could not be applied, and why."""
    by.may_supervise()
    async with edge.database.read() as tx:
        return Page(items=await views.parked(tx, edge.here))


@router.post("/api/v1/parked/{sender}/{event_id}/retry")
async def post_retry(sender: str, event_id: UUID, edge: OneEdge, by: SignedIn) -> JSONResponse:
    """Tries a parked event again; `applied` says whether it went."""
    by.may_supervise()
    return JSONResponse({"applied": await commands.retry_parked(sender, event_id, edge.database, edge.inbox)})


@router.post("/api/v1/parked/{sender}/{event_id}/discard", status_code=204)
async def post_discard(sender: str, event_id: UUID, edge: OneEdge, by: SignedIn) -> Response:
    """Gives a parked event up and tells its sender."""
    async with edge.database.write() as tx:
        await commands.discard_parked(sender, event_id, tx, edge.here, by)
    await commands.go_on(edge.inbox)
    return Response(status_code=204)


@router.get("/health/live", tags=["health"])
async def get_live() -> dict[str, str]:
    """The process runs."""
    return {"status": "live"}


@router.get("/health/ready", tags=["health"])
async def get_ready(edge: OneEdge) -> JSONResponse:
    """200 where desks can work. A broker that is away is said in words: the API keeps working and ticks stay pending. 503 where the
    database does not answer or is not migrated, or where the exchange of this process hangs though the broker answers."""
    found = await readiness(edge.database, edge.migrations, edge.exchange, has_pages=True)
    return JSONResponse({"status": found.status, "checks": found.checks}, found.code)


@router.get("/metrics", tags=["health"])
async def get_metrics(edge: OneEdge) -> Response:
    """Prometheus figures: counts only, by peer."""
    return Response(await edge.figures.get(lambda: _figures(edge)), media_type="text/plain; version=0.0.4")


async def _figures(edge: Edge) -> bytes:
    registry = CollectorRegistry()
    gauges = {
        name: Gauge(f"refnet_{name}", words, ["peer"], registry=registry)
        for name, words in {
            "unsent_events": "events not yet taken by the broker",
            "undelivered_events": "events not signed for by the recipient",
            "waiting_events": "received events that wait for their predecessor",
            "parked_events": "received events that could not be applied",
            "forks_beyond": "other leaves for taken slots that are only counted",
            "traces_beyond": "records that could not be opened whose traces are no longer kept",
        }.items()
    }
    open_alarms = Gauge("refnet_open_alarms", "alarms that nobody has resolved", registry=registry)
    async with edge.database.read() as tx, whole_agency(tx):  # counts of all desks
        for peer in await views.peers(tx, edge.here):
            gauges["unsent_events"].labels(peer.agency).set(peer.unsent)
            gauges["undelivered_events"].labels(peer.agency).set(peer.undelivered)
            gauges["waiting_events"].labels(peer.agency).set(peer.waiting_here)
            gauges["parked_events"].labels(peer.agency).set(peer.parked_here)
        for known in (await tx.session.execute(select(Peer))).scalars():
            gauges["forks_beyond"].labels(known.peer).set(known.forks_beyond)
            gauges["traces_beyond"].labels(known.peer).set(known.traces_beyond)
        query = select(func.count()).select_from(Alarm).where(col(Alarm.resolved_at).is_(None))
        open_alarms.set((await tx.session.execute(query)).scalar_one())
    return generate_latest(registry)
