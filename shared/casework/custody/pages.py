"""Pages: the samples of a case, and the book of one sample with a form for its next line."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.views import note_listed, note_read
from shared.casework.custody import commands, views
from shared.casework.custody.commands import PLACE_CHARACTERS_MAX, AddEntry, Collect, Seal, missing_of
from shared.casework.custody.domain import ENDS, Act, Kind, Why
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Here
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards, when_of
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.reports.commands import NAME_CHARACTERS_MAX
from shared.contracts.casework import events
from shared.contracts.casework.lifecycle import MissingDetail
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class NewSpecimen(Afterwards):
    """What was collected, and by which post."""

    kind: Kind
    post: events.Code
    name: str | None = Field(default=None, max_length=NAME_CHARACTERS_MAX)


class NewEntry(Afterwards):
    """A line of the book."""

    act: Act
    post: events.Code
    name: str | None = Field(default=None, max_length=NAME_CHARACTERS_MAX)
    seal: Seal | None = None
    place: str | None = Field(default=None, max_length=PLACE_CHARACTERS_MAX)
    other_post: events.Code | None = None
    other_name: str | None = Field(default=None, max_length=NAME_CHARACTERS_MAX)
    why: Why | None = None


WORDS = {
    **AFTERWARDS_WORDS, "kind": _("Choose what was collected."), "post": _("Choose the post."),
    "act": _("Choose what happened."), "name": _("Type the name of who has it, as it stands on the paper."),
    "seal": _("Type the number of the seal: letters, digits, / and -."), "place": _("Say where it lies."),
    "other_post": _("Choose the post of who takes it, or stands by."),
    "other_name": _("Type the name of who takes it, as it stands on the paper."),
    "why": _("Choose the rule by which it is returned or destroyed."),
}  # fmt: skip


@router.get("/cases/{case_id}/specimens")
async def show_specimens(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The samples of a case, and a new one."""
    return await _of_case(case_id, request, edge, visit, await draft_of(request, visit))


async def _of_case(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "specimen")
        books = [await views.book_of(tx, one, edge.here) for one in await views.of_case(tx, case.id, edge.here)]
    return edge.pages.show(
        request, "custody/of_case.html", visit, status=status, form=form, errors=bool(form.errors), case=case, books=books,
        kinds=list(Kind), desk_posts=edge.here.posts(visit.actor.facility or case.facility), here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/specimens")
async def post_specimen(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Opens its book."""
    form = fill(NewSpecimen, values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if asked is None or form.errors:
        return await _of_case(case_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        body = Collect(kind=asked.kind, post=asked.post, name=asked.name, occurred_at=at)
        return f"/specimens/{(await commands.collect(case_id, body, tx, edge.here, visit.actor)).id}"

    try:
        return await submit(request, edge, visit, values, work)
    except MissingDetail as error:
        return await _of_case(case_id, request, edge, visit, form.error(error.field, error), status=422)


@router.get("/specimens")
async def show_due(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Samples of this place that are not sealed yet, or whose chain has a gap."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        samples = await views.due(tx, edge.here, visit.actor)
        await note_listed(tx, [case.id for _row, case in samples], visit.actor)
    return edge.pages.show(request, "custody/due.html", visit, samples=samples)


@router.get("/specimens/{specimen_id}")
async def show_specimen(specimen_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The book of one, and its next line."""
    return await _book(specimen_id, request, edge, visit, await draft_of(request, visit))


async def _book(
    specimen_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:  # fmt: skip
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        specimen = await commands.load_specimen(tx, specimen_id, edge.here, visit.actor)
        await note_read(tx, specimen.case_id, visit.actor, "specimen")
        case = await load_case(tx, specimen.case_id, visit.actor)
        book = await views.book_of(tx, specimen, edge.here)
    posts = list(dict.fromkeys([*edge.here.posts(specimen.facility), *([book.chain.holder] if book.chain.holder else [])]))
    return edge.pages.show(
        request, "custody/book.html", visit, status=status, form=form, errors=bool(form.errors), case=case, book=book,
        acts=[act for act in Act if act is not Act.COLLECTED], whys=list(Why), desk_posts=posts,
        other_posts=_posts_anywhere(edge.here), here_now="/specimens",
    )  # fmt: skip


OUTSIDE = ("laboratory_officer", "court_clerk")  # who take a sample over and need no desk in the network


def _posts_anywhere(here: Here) -> list[str]:
    """Every post of the network, each once: a sample goes to a desk, a laboratory or a court, or one's own post stands by."""
    places = (place for agency in here.network.agencies.values() for place in agency.facilities.values())
    return list(dict.fromkeys([*(post for place in places for post in place.posts), *OUTSIDE]))


@router.post("/specimens/{specimen_id}")
async def post_entry(specimen_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Writes a line."""
    form = fill(NewEntry, _typed(values), WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if asked is not None and (missing := missing_of(asked)) is not None:
        form.error(missing, WORDS[missing])
    if asked is not None and asked.act is Act.COLLECTED:
        form.error("act", WORDS["act"])
    if asked is None or form.errors:
        return await _book(specimen_id, request, edge, visit, Filled(values, form.errors), status=422)

    async def work(tx: Transaction) -> str:
        said = asked.model_dump(exclude={"on_date", "at_time"}, exclude_none=True)
        if asked.act not in ENDS:
            said.pop("why", None)
        await commands.add_entry(specimen_id, AddEntry(**said, occurred_at=at), tx, edge.here, visit.actor)
        return f"/specimens/{specimen_id}"

    try:
        return await submit(request, edge, visit, values, work)
    except MissingDetail as error:
        form.error(error.field, error)
    except Conflict as error:
        form.error("act", error)
    return await _book(specimen_id, request, edge, visit, Filled(values, form.errors), status=422)


def _typed(values: Values) -> Values:
    """Small letters and spaces in the number of a seal are a way of typing."""
    return {**values, "seal": ["".join(one.split()).upper() for one in values["seal"]]} if "seal" in values else values
