"""Pages: somebody is at the door, and which request she came on. A request of another desk is never shown in a list here."""

from datetime import date
from typing import Any, Literal, cast
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.sessions import Visit
from shared.casework.arrivals import commands
from shared.casework.arrivals.commands import MISTAKE, SENT_FROM, DeclinedHere, EndArrival, MatchArrival, Miss, RecordArrival
from shared.casework.cases.commands import WrongTime
from shared.casework.cases.views import note_listed, note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Actor
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.paper.pages import SheetNumber, with_sheet
from shared.casework.referrals.commands import load_referral, lock_referral
from shared.casework.referrals.domain import is_code
from shared.casework.referrals.pages import proposed_place
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import AgencyKind, ReferralState
from shared.contracts.casework.lifecycle import MissingDetail
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.digits import typed
from shared.kit.errors import Coded, Conflict, NotFound, Sentence
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

REQUESTS_MAX = 50  # of one list to choose from; beyond it her number is quicker
FEEDBACK = {"yes": True, "no": False}
NUMBER = _("The number has six digits.")
NOT_FOUND = {  # the same words whether nothing fits, or another person's request elsewhere
    "number": _("No open request of this desk has that number. Ask who sent her or him, and when. Care goes on all the same."),
    "said": _("No request of this agency has that number from that place and day. Care goes on all the same."),
    "tried": _("Too many numbers were tried here; this one was not looked for. Try it in a quarter of an hour. Care goes on."),
}
DECLINED_HERE = _("The request with that number was declined here, %(when)s. Care goes on all the same.")
DECLINED_FOR = _("The request with that number was declined here, %(when)s; %(place)s was proposed. Care goes on all the same.")
Unknown = Literal["number", "said", "tried"]


class AtTheDoor(Afterwards):
    """Somebody is here, or was at a place on paper or by phone that says so."""

    code: str | None = Field(default=None, max_length=20)
    feedback: Literal["yes", "no", "not_asked"] | None = None
    facility: str | None = None
    without: Literal["yes"] | None = None  # the number was not found, and somebody is here all the same


@router.get("/arrivals/new")
async def show_arrival(
    request: Request, edge: OneEdge, visit: Visitor, unknown: Unknown | None = None, declined: UUID | None = None
) -> Response:
    """Somebody is here: by a spoken number, or without one. `unknown`: why a number that was typed just now opened nothing;
    `declined`: the request of this desk that it is of."""
    return await _arrival_page(request, edge, visit, await draft_of(request, visit), unknown, declined)


async def _arrival_page(
    request: Request,
    edge: Edge,
    visit: Visit,
    form: Filled[Any],
    unknown: Unknown | None = None,
    declined: UUID | None = None,
    status: int = 200,
) -> Response:
    visit.actor.may_work()
    doors = [(id_, one.name) for id_, one in edge.here.entry.facilities.items() if visit.actor.sees(id_)]
    doors.sort(key=lambda door: door[0] != visit.actor.facility)  # one's own door first: somebody stands at it
    if declined is not None:
        form.error("code", await _declined_here(request, edge, visit, declined))
    elif unknown:
        form.error("code", NOT_FOUND[unknown])
    return edge.pages.show(
        request, "arrivals/new.html", visit, status=status, errors=bool(form.errors), form=form, doors=doors, here_now="/work",
        unknown=unknown or declined, on_paper=any(edge.here.on_paper(id_) for id_, _name in doors),
    )  # fmt: skip


@router.post("/arrivals/new")
async def post_arrival(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """A number that opens nothing may be mistyped: nobody is entered for it before that was asked. Care goes on meanwhile."""
    form = fill(AtTheDoor, values, {**AFTERWARDS_WORDS, "code": NUMBER})
    asked = form.model
    if asked is not None and asked.code is not None and not is_code(asked.code):
        form.error("code", NUMBER)
    if asked is None or form.errors:
        return await _arrival_page(request, edge, visit, form, status=422)
    code = typed(asked.code or "") or None

    async def work(tx: Transaction) -> str:
        happened_at = asked.happened_at(edge.pages.times("en", tx.clock.now()))
        feedback = FEEDBACK.get(asked.feedback or "")
        looked_for = None if asked.without else code
        body = RecordArrival(code=looked_for, facility=asked.facility, occurred_at=happened_at, feedback=feedback)
        walk_in, found = await commands.record_arrival(body, tx, edge.here, visit.actor, only_known=looked_for is not None)
        if isinstance(found, Referral):
            return f"/referrals/{found.id}"
        if isinstance(found, DeclinedHere):
            return f"/arrivals/new?declined={found.referral_id}"
        if walk_in is not None:
            return f"/arrivals/{walk_in.id}/match?unknown=number" if code else "/here-now"
        return f"/arrivals/new?unknown={'tried' if found is Miss.TRIED else 'number'}"

    try:
        answer = await submit(request, edge, visit, values, work)
        unknown, declined = _unknown(answer, request), _declined(answer, request)
        if unknown is None and declined is None:
            return answer
        return await _arrival_page(request, edge, visit, form, unknown, declined, status=422)
    except WrongTime as error:
        form.error(error.part, error)
    except MissingDetail as error:
        form.error(error.field, AFTERWARDS_WORDS.get(error.field, error))
    return await _arrival_page(request, edge, visit, form, status=422)


def _unknown(answer: Response, request: Request) -> Unknown | None:
    """Why what was said opened nothing, where the form's own page says so: then it stands there as it was typed, after a second
    tap too."""
    said = _said_of_it(answer, request, "unknown")
    return cast(Unknown, said) if said in NOT_FOUND else None


def _declined(answer: Response, request: Request) -> UUID | None:
    """The same where this desk has declined the request that the number is of."""
    said = _said_of_it(answer, request, "declined")
    return UUID(said) if said else None


def _said_of_it(answer: Response, request: Request, name: str) -> str:
    there = urlsplit(answer.headers["location"])
    return parse_qs(there.query).get(name, [""])[-1] if there.path == request.url.path else ""


async def _declined_here(request: Request, edge: Edge, visit: Visit, referral_id: UUID) -> Sentence:
    """When this desk declined a request, and where it proposed to send; raises OutOfSight where it is not this desk's."""
    async with edge.database.write() as tx:  # the look is kept
        referral = await load_referral(tx, referral_id, visit.actor)
        await note_read(tx, referral.case_id, visit.actor, "referral")
        proposed = await proposed_place(tx, referral)
        times = edge.pages.times(edge.pages.language(request, visit.language), tx.clock.now())
    if referral.direction != "in" or referral.state != ReferralState.DECLINED or referral.ended_at is None:
        raise NotFound("There is no such page.")
    when = times.short(referral.ended_at)
    if proposed is None:
        return Sentence(DECLINED_HERE, {"when": when})
    return Sentence(
        DECLINED_FOR, {"when": when, "place": Coded("/".join(filter(None, proposed)), "place" if proposed[1] else "agency")}
    )


class WhichRequest(Body):
    """One of this desk's, or any other by three things that she says."""

    way: Literal["list", "said"] = "list"
    referral_id: UUID | None = None
    code: str | None = Field(default=None, max_length=20)
    sent_from: str | None = Field(default=None, pattern=SENT_FROM)
    sent_on: date | None = None
    sheet: str | None = Field(default=None, max_length=20)  # of which the rest is entered afterwards


SAID = ("code", "sent_from", "sent_on")
WORDS = {
    "referral_id": _("Choose the request."), "code": NUMBER, "sent_from": _("Choose who sent her or him."),
    "sent_on": _("Choose the day on which she or he was sent; a day more or less is near enough."),
}  # fmt: skip


@router.get("/arrivals/{arrival_id}/match")
async def show_match(
    arrival_id: UUID, request: Request, edge: OneEdge, visit: Visitor, unknown: Unknown | None = None, sheet: SheetNumber = None
) -> Response:
    """Which request somebody came on, once it is known. `unknown`: what was said, a number alone or all three, opens none."""
    form = await draft_of(request, visit)
    if sheet:
        form.values.setdefault("sheet", [sheet])
    return await _match_page(arrival_id, request, edge, visit, form.error("code", NOT_FOUND[unknown]) if unknown else form)


async def _match_page(
    arrival_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    async with edge.database.write() as tx:  # what a list shows of a case is a look at it
        walk_in = await commands.load_walk_in(tx, arrival_id, visit.actor)
        rows, total = await _open_here(tx, visit.actor)
        await note_listed(tx, {walk_in.case_id, *(row.case_id for row in rows)}, visit.actor)
    peers = {peer: edge.here.network.agencies[peer].facilities for peer in edge.here.serving}
    senders = [(f"{peer}/{id_}", place.name) for peer, places in peers.items() for id_, place in places.items()]
    care = with_sheet(f"/care/arrivals/{walk_in.id}", form.value("sheet"))
    return edge.pages.show(
        request, "arrivals/match.html", visit, status=status, form=form, errors=bool(form.errors), walk_in=walk_in, rows=rows,
        beyond=total - len(rows), senders=senders, care=care, here_now="/here-now",
    )  # fmt: skip


async def _open_here(tx: Transaction, by: Actor) -> tuple[list[Referral], int]:
    """The open requests of the account's own desks on which nobody has come, newest first, and how many there are."""
    query = select(Referral, func.count().over()).where(
        scope.at_desk(by, col(Referral.desk), col(Referral.case_id)),
        col(Referral.direction) == "in",
        col(Referral.is_open),
        col(Referral.arrived_at).is_(None),
    )
    found = (await tx.session.execute(query.order_by(col(Referral.issued_at).desc()).limit(REQUESTS_MAX))).tuples().all()
    return [row for row, _total in found], int(found[0][1]) if found else 0


@router.post("/arrivals/{arrival_id}/match")
async def post_match(arrival_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Counts the arrival from when it was."""
    form = fill(WhichRequest, values, WORDS)
    asked = form.model
    for name in SAID if asked is not None and asked.way == "said" else ("referral_id",):
        if asked is not None and getattr(asked, name) is None:
            form.error(name, WORDS[name])
    if asked is not None and asked.code is not None and not is_code(asked.code):
        form.error("code", NUMBER)
    if asked is None or form.errors:
        return await _match_page(arrival_id, request, edge, visit, form, status=422)
    said = {"code": typed(asked.code or ""), "sent_from": asked.sent_from, "sent_on": asked.sent_on}
    form_said = said if asked.way == "said" else {"referral_id": asked.referral_id}

    async def work(tx: Transaction) -> str:
        body = MatchArrival.model_validate(form_said)
        if asked.way == "list":
            await commands.load_walk_in(tx, arrival_id, visit.actor, lock=True)  # before the request, as the command locks them
            await _nobody_came_on(tx, asked.referral_id, visit.actor)
        _walk_in, referral = await commands.match_arrival(arrival_id, body, tx, edge.here, visit.actor)
        if isinstance(referral, Miss):
            return f"/arrivals/{arrival_id}/match?unknown={'tried' if referral is Miss.TRIED else 'said'}"
        goes_on = asked.sheet and edge.here.kind is AgencyKind.HEALTH  # what was given stands on the same sheet
        return with_sheet(f"/care/{referral.id}", asked.sheet) if goes_on else f"/referrals/{referral.id}"

    try:
        answer = await submit(request, edge, visit, values, work)
        unknown = _unknown(answer, request)
        if unknown is None:
            return answer
        form.error("code", NOT_FOUND[unknown])
    except Conflict as error:
        form.error("referral_id" if asked.way == "list" else "code", error)
    return await _match_page(arrival_id, request, edge, visit, form, status=422)


async def _nobody_came_on(tx: Transaction, referral_id: UUID | None, by: Actor) -> None:
    """The list has none on which somebody came: a colleague may have said so of one since it was shown."""
    assert referral_id is not None
    referral = await lock_referral(tx, referral_id, by)
    if referral.direction == "in" and referral.arrived_at is not None:
        raise Conflict("Somebody has come on this request since the page was opened; look at it before it is chosen.")


@router.get("/arrivals/{arrival_id}/end")
async def show_mistake(arrival_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What ending it as a mistake does, before it is done."""
    async with edge.database.write() as tx:  # the look is kept
        walk_in = await commands.load_walk_in(tx, arrival_id, visit.actor)
        await note_read(tx, walk_in.case_id, visit.actor, "case")
        look = edge.pages.look
        had_come = look.care_kept is not None and await look.care_kept(tx, walk_in.id)
    return edge.pages.show(request, "arrivals/mistake.html", visit, walk_in=walk_in, had_come=had_come, here_now="/here-now")


@router.post("/arrivals/{arrival_id}/end")
async def post_end(arrival_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Care without a request is finished, or nobody had come; nothing is sent."""
    is_mistake = Filled[BaseModel](values).value("mistake") == "yes"

    async def work(tx: Transaction) -> str:
        end = EndArrival(outcome_code=MISTAKE if is_mistake else None)
        await commands.end_arrival(arrival_id, end, tx, edge.here, visit.actor, edge.pages.look.care_kept)
        return "/here-now"

    return await submit(request, edge, visit, values, work)
