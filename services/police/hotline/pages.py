"""Pages of the hotline: taking a call, the call at its desk, the desk's own state, the room's board, and the list on paper."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.police.hotline import commands, desks, views
from services.police.hotline.commands import MergeCall, TakeCall
from services.police.hotline.domain import LANGUAGE, Desk, What, seen_within
from services.police.hotline.routing_list import District, ListText, chain, list_pdf
from shared.casework import scope
from shared.casework.accounts.sessions import Visit
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.situations import KNOWN_TYPES
from shared.contracts.casework.codes import IncidentType, Role, ServicePackage
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.forms import Filled, fill
from shared.kit.i18n import is_rtl
from shared.kit.i18n import mark as _
from shared.programmes.places import Channel
from shared.programmes.rules import readiness_of

router = APIRouter(include_in_schema=False)

NEEDS = (  # what somebody says on the telephone, in the order in which it is asked
    ServicePackage.PROTECTION, ServicePackage.REPORT_TO_POLICE, ServicePackage.ACUTE_CARE, ServicePackage.SHELTER,
    ServicePackage.CHILD_PROTECTION, ServicePackage.PSYCHOSOCIAL, ServicePackage.LEGAL_AID,
)  # fmt: skip


class CallForm(Body):
    """What the post taps while she speaks."""

    what: What
    channel: Channel
    district: str | None = None
    need: ServicePackage | None = None
    incident_type: IncidentType | None = None
    language: str | None = None
    also: list[str] = Field(default_factory=list)  # child, vehicle, call_back: each only where it was said


class StateForm(Body):
    """How a desk stands."""

    facility: str | None = None
    has: list[str] = Field(default_factory=list)
    trained: str | None = None
    woman: str | None = None
    speaks: list[str] = Field(default_factory=list)


class MergeForm(Body):
    """Which call was there before."""

    into: UUID


WORDS = {"what": _("Say what the call was."), "channel": _("Say how it came."), "into": _("Choose the call that was there before.")}


def ways_here(here: Here, by: Actor) -> Sequence[Way]:
    """A way in, where the programme has a hotline and the account has to do with it."""
    if by.role is Role.ADMINISTRATOR or not desks.has_hotline(here):
        return ()
    if views.may_count(here, by):
        return (("/hotline", _("Hotline")),)
    return (("/hotline/desk", _("Calls to this desk")),) if any(by.sees(desk) for desk in desks.desk_ids(here)) else ()


def _assumed(here: Here) -> bool:
    """Whether the minutes rest on no published source: the page says so."""
    hotline = here.programme.hotline
    return hotline is None or hotline.dispatch_min is None or hotline.is_assumption("dispatch_min")


def _minutes(here: Here) -> int:
    return round(seen_within(here.programme) / timedelta(minutes=1))


@router.get("/hotline")
async def show_board(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What the hotline came to, how far its desks reach now, and the newest calls."""
    desks.hotline_of(edge.here)
    async with edge.database.write() as tx:  # what a list shows is a look, and looks are kept
        until = tx.clock.now() + timedelta(microseconds=1)
        board = await views.hotline_figures(tx, edge.here, visit.actor, until - views.COUNTED_OVER, until)
        rows = await views.taken_lately(tx, visit.actor)
        takes = any(visit.actor.sees(room) for room in desks.rooms(edge.here))
    return edge.pages.show(
        request, "hotline/board.html", visit, board=board, rows=rows, takes=takes, minutes=_minutes(edge.here),
        assumed=_assumed(edge.here), days=views.COUNTED_OVER.days,
    )  # fmt: skip


@router.get("/hotline/new")
async def show_new(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """A call that comes in."""
    return _new_page(request, edge, visit, await draft_of(request, visit))


def _new_page(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    hotline = desks.hotline_of(edge.here)
    visit.actor.may_work()
    language = edge.pages.language(request, visit.language)
    named = edge.here.programme.districts.items()
    districts = [("", edge.pages.say(_("Not said"), language)), *((id_, one.in_(language, "en")) for id_, one in named)]
    return edge.pages.show(
        request, "hotline/new.html", visit, status=status, errors=bool(form.errors), form=form, here_now="/hotline",
        hotline=hotline, others=[(name.replace("_", " "), number) for name, number in hotline.others.items()],
        districts=districts, needs=NEEDS, incidents=[one for one in IncidentType if one in KNOWN_TYPES],
        spoken=edge.here.programme.languages, whats=list(What),
    )  # fmt: skip


@router.post("/hotline/new")
async def post_new(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Takes it, and shows to which desk it went."""
    form = fill(CallForm, values, WORDS)
    asked = form.model
    if asked is None:
        return _new_page(request, edge, visit, form, 422)
    body = TakeCall(
        what=asked.what, channel=asked.channel, district=asked.district, need=asked.need, language=asked.language,
        incident_type=asked.incident_type,
        is_child="child" in asked.also, needs_vehicle="vehicle" in asked.also, may_call_back="call_back" in asked.also,
    )  # fmt: skip

    async def work(tx: Transaction) -> str:
        call = await commands.take_call(body, tx, edge.here, visit.actor)
        return "/hotline" if call.what == What.WRONG_NUMBER else f"/hotline/calls/{call.id}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        form.error("need", error)
    return _new_page(request, edge, visit, form, 422)


@router.get("/hotline/calls/{call_id}")
async def show_call(call_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One call: where it is, what its desk lacks, what may be the same, and what to do."""
    return await _call_page(call_id, request, edge, visit, await draft_of(request, visit))


async def _call_page(call_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    async with edge.database.write() as tx:
        call = await commands.load_call(tx, call_id, visit.actor)
        await views.note_look(tx, call, visit.actor)
        alike = await views.alike(tx, call, visit.actor)
        looks = await commands.looks_of(tx, call.id)
    return edge.pages.show(
        request, "hotline/call.html", visit, status=status, errors=bool(form.errors), form=form, call=call, alike=alike,
        looks=len(looks), mine=call.desk is not None and visit.actor.sees(call.desk), minutes=_minutes(edge.here),
        assumed=_assumed(edge.here), lacks=lacks_in_words(edge, request, visit), here_now="/hotline",
    )  # fmt: skip


def lacks_in_words(edge: Edge, request: Request, visit: Visit) -> Any:
    """What an asset of the profile is called in the page's language."""
    language = edge.pages.language(request, visit.language)
    assets = edge.here.programme.assets

    def word(what: str) -> str:
        if what == LANGUAGE:
            return edge.pages.say(_("Somebody who speaks the language"), language)
        return assets[what].name.in_(language, "en") if what in assets else what

    return word


@router.post("/hotline/calls/{call_id}/seen")
async def post_seen(call_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """The desk has seen it."""

    async def work(tx: Transaction) -> str:
        await commands.see_call(call_id, tx, edge.here, visit.actor)
        return f"/hotline/calls/{call_id}"

    return await submit(request, edge, visit, values, work)


@router.post("/hotline/calls/{call_id}/case")
async def post_case(call_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """One tap: the case stands open, with what she told."""

    async def work(tx: Transaction) -> str:
        return f"/cases/{(await commands.open_from_call(call_id, tx, edge.here, visit.actor)).id}"

    return await submit(request, edge, visit, values, work)


@router.post("/hotline/calls/{call_id}/called-back")
async def post_called_back(call_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """She was called back, because she said that it is safe."""

    async def work(tx: Transaction) -> str:
        await commands.call_back(call_id, tx, edge.here, visit.actor)
        return f"/hotline/calls/{call_id}"

    return await submit(request, edge, visit, values, work)


@router.post("/hotline/calls/{call_id}/merge")
async def post_merge(call_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Somebody says that both are of one person."""
    form = fill(MergeForm, values, WORDS)
    asked = form.model
    if asked is None:
        return await _call_page(call_id, request, edge, visit, form, 422)

    async def work(tx: Transaction) -> str:
        await commands.merge_call(call_id, MergeCall(into=asked.into), tx, edge.here, visit.actor)
        return f"/hotline/calls/{asked.into}"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        form.error("into", error)
    return await _call_page(call_id, request, edge, visit, form, 422)


# --- the desk's own state ----------------------------------------------------------------------------------------------------


@router.get("/hotline/desk")
async def show_desk(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """How this desk stands, as it last said."""
    return await _desk_page(request, edge, visit, await draft_of(request, visit))


async def _desk_page(request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    desks.hotline_of(edge.here)
    mine = [id_ for id_ in desks.desk_ids(edge.here) if visit.actor.sees(id_)]
    facility = form.value("facility") or (visit.actor.facility if visit.actor.facility in mine else next(iter(mine), None))
    facility = desks.own_desk(edge.here, visit.actor, facility)
    language = edge.pages.language(request, visit.language)
    named = edge.here.programme.assets
    async with edge.database.read() as tx:
        state = await desks.state_of(tx, facility)
        rows = [row for row in await desks.desks_now(tx, edge.here) if row.id == facility]
    assets = [(id_, named[id_].name.in_(language, "en")) for id_ in desks.assets_of(edge.here, facility)]
    return edge.pages.show(
        request, "hotline/desk.html", visit, status=status, errors=bool(form.errors), form=form, desk=facility, state=state,
        staffed=bool(rows and rows[0].now.is_staffed), assets=assets, spoken=edge.here.programme.languages,
        minutes=_minutes(edge.here), assumed=_assumed(edge.here), asks_for_women=desks.asks_for_women(edge.here, facility),
        lacking=_lacking(edge, language, rows[0]) if rows else [],
        hours_held=round(desks.SAID_AGE_MAX / timedelta(hours=1)), here_now="/hotline/desk",
    )  # fmt: skip


def _lacking(edge: Edge, language: str, desk: Desk) -> list[str]:
    """What keeps calls away from a desk, in words: what the programme requires and the desk said that it does not have."""
    named = edge.here.programme.assets
    lacks = readiness_of(edge.here.programme, desk.now)[1]
    return [
        named[one].name.in_(language, "en") if one in named else edge.pages.say(LACKS[one], language)
        for one in lacks
        if one in named or one in LACKS
    ]


LACKS = {"female_staff": _("A woman officer on duty")}


@router.post("/hotline/desk")
async def post_desk(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps how it stands."""
    form = fill(StateForm, values, {})
    asked = form.model
    if asked is None:
        return await _desk_page(request, edge, visit, form, 422)
    trained, woman = ({"yes": True, "no": False}.get(said or "") for said in (asked.trained, asked.woman))

    async def work(tx: Transaction) -> str:
        said = desks.SayState(
            facility=asked.facility, assets=tuple(asked.has), is_trained=trained, has_female_staff=woman,
            languages=tuple(asked.speaks),
        )  # fmt: skip
        await desks.say_state(said, tx, edge.here, visit.actor)
        return "/hotline/desk"

    try:
        return await submit(request, edge, visit, values, work)
    except Conflict as error:
        form.error("has", error)
    return await _desk_page(request, edge, visit, form, 422)


# --- on paper ----------------------------------------------------------------------------------------------------------------


@router.get("/hotline/list.pdf")
async def get_list(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The routing list, for an outage."""
    desks.hotline_of(edge.here)
    visit.actor.may_work()
    async with edge.database.read() as tx:
        async with scope.whole_agency(tx):
            known = await desks.desks_now(tx, edge.here)
        on = tx.clock.now()
    language = edge.pages.language(request, visit.language)
    text = _list_text(edge, language, known, edge.pages.times(language, on).dated(on))
    made = await asyncio.to_thread(list_pdf, text)  # nobody else at a page waits for it
    headers = {"Content-Disposition": 'inline; filename="routing-list.pdf"'}
    return Response(made, media_type="application/pdf", headers=headers)


def _list_text(edge: Edge, language: str, known: Sequence[Any], day: str) -> ListText:
    here = edge.here
    hotline = desks.hotline_of(here)

    def say(text: str, **params: object) -> str:
        return edge.pages.say(text, language) % params if params else edge.pages.say(text, language)

    districts = tuple(
        District(
            name.in_(language, "en"),
            tuple((here.facility(id_).name, here.facility(id_).duty_number or "") for id_ in chain(here, known, district)),
        )
        for district, name in here.programme.districts.items()
    )  # fmt: skip
    return ListText(
        say(_("Calls to %(number)s: which desk"), number=hotline.number),
        (
            say(_("For an outage. Telephone the first desk of her district; if nobody answers, the next.")),
            say(_("Never leave a call without a desk.")),
            say(_("Write down the time, the district, what is needed and the desk that took it. No name and no number of hers.")),
            say(_("Do not call her back unless she said herself that it is safe.")),
        ),
        districts, say(_("no number known")), say(_("Printed %(day)s."), day=day), is_rtl(language),
    )  # fmt: skip
