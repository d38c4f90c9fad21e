"""Pages of stays, without JavaScript: who stays at a centre, the stay of a case, and a page for each thing that happens in it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.police.stays import commands, views
from services.police.stays.commands import AddFact, Admit, RefuseForLackOfPlace
from services.police.stays.domain import ALLOWED, PLANS, Kind, Way, WhyLonger
from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import load_case
from shared.casework.cases.more import BANDS, TOO_MANY, WhoComesAlong
from shared.casework.cases.more import WORDS as BAND_WORDS
from shared.casework.cases.views import note_read
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import Forbidden
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards, when_of
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.contracts.casework import events
from shared.contracts.casework.codes import Ternary
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

ADMIT, REFUSED = "admit", "refused"
ACTS = (ADMIT, REFUSED, *Kind)
WORDS = {
    **AFTERWARDS_WORDS, **BAND_WORDS, "post": _("Choose the post."), "way": _("Choose where to."), "reason": _("Choose why."),
    "until": _("Choose the day."),
}  # fmt: skip
SAY_BOTH = _("Say both: whether the person agrees, asked alone, and whether the risks were looked at.")


class Coming(WhoComesAlong, Afterwards):
    """Somebody stays."""

    post: events.Code
    although_full: Literal["yes"] | None = None


class NoPlace(WhoComesAlong, Afterwards):
    """Somebody could not stay."""


class Fact(Afterwards):
    """What happens in a stay."""

    way: Way | None = None
    referral: UUID | None = None
    she_agrees: Ternary | None = None
    risk_checked: Ternary | None = None
    reason: WhyLonger | None = None
    until: events.Day | None = None


FORMS: Mapping[str, type[BaseModel]] = {ADMIT: Coming, REFUSED: NoPlace, **dict.fromkeys(Kind, Fact)}
BESIDE = {ADMIT: "post", Kind.EXTENDED: "until", Kind.PLANNED: "way", Kind.LEFT: "way"}  # the field that a refusal stands at


@router.get("/stays")
async def show_centres(request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Who stays at the account's centres, and how many places are free."""
    visit.actor.may_work()
    commands.rule_of(edge.here)
    async with edge.database.write() as tx:  # that a list told of them is kept
        found = await views.centres(tx, edge.here, visit.actor)
    return edge.pages.show(request, "stays/centres.html", visit, centres=found, rule=commands.rule_of(edge.here)[1])


@router.get("/cases/{case_id}/stay")
async def show_stay(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The stays of a case: the days that count, where to afterwards, and what may be done."""
    return await _page("stays/stay.html", None, case_id, request, edge, visit, Filled({}))


@router.get("/cases/{case_id}/stay/{stay_act}")
async def show_act(case_id: UUID, stay_act: str, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The page of one thing that happens."""
    return await _page("stays/act.html", stay_act, case_id, request, edge, visit, await draft_of(request, visit))


async def _page(
    template: str, act: str | None, case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await load_case(tx, case_id, visit.actor)
        if act is not None and act not in ACTS:
            raise NotFound("There is nothing at this address.")
        _id, rule = commands.rule_of(edge.here)
        await note_read(tx, case.id, visit.actor, "stay")
        stays, refusals = await views.of_case(tx, edge.here, case), await views.refusals_of(tx, case.id)
        facility = visit.actor.facility or case.facility
        now = tx.clock.now()
        instead = await views.instead_of(tx, edge.here, facility, edge.pages.times("en", now).local(now)) if refusals else []
        accepted = await views.accepted(tx, case.id) if act in (Kind.PLANNED, Kind.LEFT) else []
        places, taken = commands.beds(edge.here, facility), await commands.persons_at(tx, facility)
    open_stay = next((one for one in stays if one.stay.left_at is None), None)
    return edge.pages.show(
        request, template, visit, status=status, form=form, errors=bool(form.errors), case=case, act=act, stays=stays,
        open_stay=open_stay, refusals=refusals, instead=instead, accepted=accepted, rule=rule, places=places, taken=taken,
        bands=BANDS, desk_posts=edge.here.posts(facility), may_extend=visit.actor.role is rule.extended_by,
        lists={"way": list(Way if act == Kind.LEFT else PLANS), "reason": list(WhyLonger), "answer": list(Ternary)},
        here_now="/cases",
    )  # fmt: skip


@router.post("/cases/{case_id}/stay/{stay_act}")
async def post_act(case_id: UUID, stay_act: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps it."""
    if stay_act not in ACTS:
        return await _page("stays/act.html", stay_act, case_id, request, edge, visit, Filled(values))
    form: Filled[Any] = fill(FORMS[stay_act], values, WORDS)
    at = when_of(form, edge.pages.times("en", edge.database.clock.now()))
    asked = form.model
    if isinstance(asked, WhoComesAlong) and asked.is_too_many():
        form.error(next(iter(BANDS)), TOO_MANY)
    if isinstance(asked, Fact):
        _checked(stay_act, asked, form)
    if asked is None or form.errors:
        return await _page("stays/act.html", stay_act, case_id, request, edge, visit, Filled(values, form.errors), 422)

    async def work(tx: Transaction) -> str:
        here, by = edge.here, visit.actor
        if isinstance(asked, Coming | NoPlace):
            along = asked.dependants()
            who = along.age_bands if along is not None else ()
            if isinstance(asked, Coming):
                body = Admit(post=asked.post, with_her=who, although_full=bool(asked.although_full), occurred_at=at)
                await commands.admit(case_id, body, tx, here, by)
            else:
                await commands.refuse_for_lack_of_place(case_id, RefuseForLackOfPlace(with_her=who, occurred_at=at), tx, here, by)
        else:
            case = await load_case(tx, case_id, by)
            stay = next((one for one in await commands.stays_of(tx, case.id) if one.left_at is None), None)
            if stay is None:
                raise Conflict("Nobody of this case stays here now.")
            await commands.add_fact(stay.id, _fact(stay_act, asked, at), tx, here, by)
        return f"/cases/{case_id}/stay"

    try:
        return await submit(request, edge, visit, values, work)
    except (Conflict, Forbidden) as error:
        form.error(BESIDE.get(stay_act, "on_date"), error)
    return await _page("stays/act.html", stay_act, case_id, request, edge, visit, Filled(values, form.errors), 422)


def _checked(act: str, asked: Fact, form: Filled[Any]) -> None:
    """What fields say together."""
    if act in (Kind.PLANNED, Kind.LEFT) and asked.way is None:
        form.error("way", WORDS["way"])
    if act == Kind.EXTENDED:
        for name in ("reason", "until"):
            if getattr(asked, name) is None:
                form.error(name, WORDS[name])
    if asked.way is Way.FAMILY and (asked.she_agrees is None or asked.risk_checked is None):
        form.error("she_agrees", SAY_BOTH)


def _fact(act: str, asked: Fact, at: datetime | None) -> AddFact:
    """Only what goes with it: a browser sends every field of a page."""
    kind = Kind(act)
    said: dict[str, Any] = {
        "way": asked.way,
        "referral_id": asked.referral if asked.way is Way.AGENCY else None,
        "she_agrees": asked.she_agrees if asked.way is Way.FAMILY else None,
        "risk_checked": asked.risk_checked if asked.way is Way.FAMILY else None,
        "reason": asked.reason,
        "until": asked.until,
    }
    return AddFact(kind=kind, occurred_at=at, **{name: said[name] for name in ALLOWED[kind]})
