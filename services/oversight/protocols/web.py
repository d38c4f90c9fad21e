"""Routes: publishing protocols, their public texts, and who works by them."""

from datetime import date

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from services.oversight.protocols import commands
from services.oversight.protocols.commands import Publish
from services.oversight.protocols.domain import Standing
from services.oversight.protocols.tables import PublishedProtocol
from services.oversight.protocols.views import adopted
from shared.casework import scope
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.contracts.casework.codes import ProtocolTopic
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import NotFound

router = APIRouter(tags=["oversight"])


class PublishedView(Body):
    """A version that was published."""

    topic: ProtocolTopic
    version: int
    digest: str
    from_on: date
    adopt_by: date


class PlaceView(Body):
    """How a place stands to the newest version: as which post it was confirmed, never by whom."""

    agency: str
    facility: str
    standing: Standing
    post: str | None
    on: date | None


class AdoptedView(PublishedView):
    """A version and every place."""

    places: list[PlaceView]


@router.post("/api/v1/protocols", status_code=201, response_model=PublishedView)
async def post_protocol(body: Publish, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Publishes the next version of a protocol."""

    async def work(tx: Transaction) -> PublishedView:
        row = await commands.publish(body, tx, edge.here, by)
        return PublishedView(
            topic=ProtocolTopic(row.topic), version=row.version, digest=row.digest, from_on=row.from_on, adopt_by=row.adopt_by
        )

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/api/v1/protocols")
async def get_protocols(edge: OneEdge, by: SignedIn) -> Page:
    """The newest version of each protocol, and how every place stands to it."""
    by.may_work()
    async with edge.database.read() as tx:
        found = await adopted(tx, edge.here, edge.here.day_of(tx.clock.now()))
    return Page(
        items=[
            AdoptedView(
                topic=ProtocolTopic(one.protocol.topic), version=one.protocol.version, digest=one.protocol.digest,
                from_on=one.protocol.from_on, adopt_by=one.protocol.adopt_by,
                places=[
                    PlaceView(
                        agency=line.place[0], facility=line.place[1], standing=line.standing,
                        post=line.confirmed.post if line.confirmed else None, on=line.confirmed.on if line.confirmed else None,
                    )
                    for line in one.lines
                ],
            )
            for one in found
        ]
    )  # fmt: skip


@router.get("/protocols/{topic}/{version}/text", include_in_schema=False)
async def get_text(topic: ProtocolTopic, version: int, edge: OneEdge) -> PlainTextResponse:
    """The text, byte for byte what its digest is taken of. It is public: nobody signs in for it."""
    async with edge.database.read() as tx, scope.whole_agency(tx):  # of what is public it shows everybody the same
        row = await tx.session.get(PublishedProtocol, (str(topic), version))
    if row is None or row.text is None:
        raise NotFound("There is no such text here.")
    return PlainTextResponse(row.text)
