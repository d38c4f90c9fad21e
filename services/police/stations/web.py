"""Routes: a station's register, counts of who was informed, and stations as their mother station sees them."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.police.stations import commands, views
from services.police.stations.commands import CountInformed, StateNumber
from services.police.stations.domain import reference
from shared.casework.cases.views import note_listed
from shared.casework.edge import IdempotencyKey, OneEdge, Page, SignedIn, command
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import NotFound

router = APIRouter(prefix="/api/v1", tags=["stations"])


class GapView(Body):
    """Numbers one after the other, from the first to the last."""

    first: int
    last: int


class LineView(Body):
    """A registration. `confirmed` says whether anybody beyond this station has signed for its number (`mother_at`: number, kind and
    times are at the mother station) or for the request (`recipient_at`); it does not say that a file is safe. `file_here_only`:
    nobody beyond this station holds anything of what the number stands for, as of every complaint."""

    number: int
    reference: str
    what: str
    about: UUID | None
    case_id: UUID | None
    occurred_at: datetime
    recorded_at: datetime
    confirmed: bool
    file_here_only: bool
    mother_at: datetime | None
    recipient: str | None
    recipient_at: datetime | None


class RegisterView(Body):
    """A station's register."""

    last: int
    unconfirmed: int
    missing: list[GapView]
    items: list[LineView]


class InformedView(Body):
    """How many were informed of something on a day."""

    on: date
    what: str
    count: int


class VersionView(Body):
    """One word of a number that came in several."""

    event_id: UUID
    what: str
    occurred_at: datetime
    recorded_at: datetime
    received_at: datetime


class TwiceView(Body):
    """A number that came twice, with all that it was said to be."""

    number: int
    versions: list[VersionView]


class StatedView(Body):
    """What somebody said of a station's newest number. `is_corrected`: mistyped, and put right by a line with `corrects`."""

    id: UUID
    number: int
    how: str
    stated_at: datetime
    corrects: UUID | None
    is_corrected: bool


class StationView(Body):
    """What is held of a station's numbers, and what is known to be lacking: `missing`, of which nothing is here. Of the others
    number, kind and times are here and never a file. `complaints`: their files are the station's alone, lost with it. `requests`:
    what was asked is at whoever was asked, if it came there. Whatever it has registered since is not known here."""

    agency: str
    last_heard_at: datetime | None
    held: int
    highest: int
    newest_at: datetime | None
    stated: int
    words: list[StatedView]
    missing: list[GapView]
    complaints: list[GapView]
    requests: list[GapView]
    twice: list[TwiceView]


def _gaps(found: Sequence[tuple[int, int]]) -> list[GapView]:
    return [GapView(first=first, last=last) for first, last in found]


@router.get("/register")
async def get_register(edge: OneEdge, by: SignedIn) -> RegisterView:
    """What this station has numbered, as far as the account sees its cases, and who has confirmed it."""
    by.may_work()
    commands.is_station(edge.here)
    async with edge.database.write() as tx:  # what it shows of cases is a look at them
        found = await views.register_of(tx, edge.here, by)
        await note_listed(tx, found.cases, by)
    items = [
        LineView(
            number=one.row.number, reference=reference(one.row.number), what=one.row.what, about=one.row.about,
            case_id=one.row.case_id, occurred_at=one.row.occurred_at, recorded_at=one.row.recorded_at, confirmed=one.is_confirmed,
            file_here_only=one.is_file_here_only, mother_at=one.mother_at, recipient=one.recipient, recipient_at=one.recipient_at,
        )
        for one in found.lines
    ]  # fmt: skip
    return RegisterView(last=found.last, unconfirmed=found.unconfirmed, missing=_gaps(found.missing), items=items)


@router.post("/informed", status_code=201, response_model=InformedView)
async def post_informed(body: CountInformed, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None) -> Response:
    """Counts people who were informed and registered nothing."""

    async def work(tx: Transaction) -> InformedView:
        row = await commands.count_informed(body, tx, edge.here, by)
        return InformedView(on=row.on_date, what=row.what, count=row.count)

    return await command(request, edge, by, work, status=201, key=key)


@router.get("/informed")
async def get_informed(edge: OneEdge, by: SignedIn) -> Page:
    """How many were informed, by day and kind."""
    by.may_work()
    async with edge.database.read() as tx:
        found = await views.informed(tx, edge.here, by)
    return Page(items=[InformedView(on=on, what=what, count=count) for on, what, count in found])


@router.get("/stations")
async def get_stations(edge: OneEdge, by: SignedIn) -> Page:
    """The stations of this agency: what is held of each, and which of its numbers are lacking."""
    by.may_supervise()
    async with edge.database.read() as tx:
        return Page(items=[_station(one) for one in await views.stations_of(tx, edge.here)])


@router.post("/stations/{sender}/stated", status_code=201, response_model=StationView)
async def post_stated(
    sender: str, body: StateNumber, request: Request, edge: OneEdge, by: SignedIn, key: IdempotencyKey = None
) -> Response:
    """Keeps a station's newest number as it was said by phone, or as it stands on a slip."""
    if sender not in edge.here.stations:
        raise NotFound("“%(agency)s” is no station of this agency.", agency=sender)

    async def work(tx: Transaction) -> StationView:
        await commands.state_number(sender, body, tx, edge.here, by)
        return _station(await views.station_of(tx, sender))

    return await command(request, edge, by, work, status=201, key=key)


def _station(one: views.Station) -> StationView:
    twice = [
        TwiceView(number=number, versions=[VersionView.model_validate(row.model_dump()) for row in rows])
        for number, rows in one.twice
    ]
    words = [StatedView.model_validate({**row.model_dump(), "is_corrected": row.id in one.corrected}) for row in one.words]
    return StationView(
        agency=one.agency, last_heard_at=one.last_heard_at, held=one.held, highest=one.highest,
        newest_at=one.newest.recorded_at if one.newest else None, stated=one.stated, words=words,
        missing=_gaps(one.missing), complaints=_gaps(one.complaints), requests=_gaps(one.requests), twice=twice,
    )  # fmt: skip
