"""Routes: protocols of the oversight body that hold here, and the confirmation of a place."""

from datetime import date

from fastapi import APIRouter, Request, Response

from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.casework.protocols import commands
from shared.casework.protocols.commands import Adopt
from shared.casework.protocols.views import protocols_of
from shared.contracts.casework.codes import ProtocolTopic
from shared.kit.bodies import Body
from shared.kit.db import Transaction

router = APIRouter(prefix="/api/v1", tags=["protocols"])


class ProtocolView(Body):
    """A version that stands. `lacking`: the account's places that have not confirmed it."""

    agency: str
    topic: ProtocolTopic
    version: int
    from_on: date
    adopt_by: date
    digest: str
    has_text: bool
    lacking: list[str]


class AdoptionView(Body):
    """A place works by a version, as a post has confirmed."""

    facility: str
    topic: ProtocolTopic
    version: int
    post: str
    adopted_on: date


@router.get("/protocols")
async def get_protocols(edge: OneEdge, by: SignedIn) -> Page:
    """The newest version of each protocol."""
    by.may_work()
    async with edge.database.read() as tx:
        found = await protocols_of(tx, edge.here, by)
    return Page(
        items=[
            ProtocolView(
                agency=one.protocol.agency, topic=ProtocolTopic(one.protocol.topic), version=one.protocol.version,
                from_on=one.protocol.from_on, adopt_by=one.protocol.adopt_by, digest=one.protocol.digest,
                has_text=one.protocol.text is not None, lacking=list(one.lacking),
            )
            for one in found
        ]
    )  # fmt: skip


@router.post("/protocols/{agency}/{topic}/{version}/adoptions", status_code=201, response_model=AdoptionView)
async def post_adoption(
    agency: str, topic: ProtocolTopic, version: int, body: Adopt, request: Request, edge: OneEdge, by: SignedIn,
    key: IdempotencyKey = None,
) -> Response:  # fmt: skip
    """A place works by this version; the oversight body is told which post has confirmed it, never who."""

    async def work(tx: Transaction) -> AdoptionView:
        row = await commands.adopt(agency, topic, version, body, tx, edge.here, by)
        return AdoptionView(
            facility=row.facility, topic=ProtocolTopic(row.topic), version=row.version, post=row.post, adopted_on=row.adopted_on
        )

    return await command(request, edge, by, work, status=201, key=key)
