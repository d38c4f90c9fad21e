"""Pages: every act on a referral. One tap where nothing needs to be said, a page of its own where a reason or a place does."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response

from shared.casework.accounts.sessions import Visit
from shared.casework.breaches.domain import is_free
from shared.casework.cases.commands import WrongTime
from shared.casework.cases.views import note_listed, note_read
from shared.casework.directory.places import places
from shared.casework.edge import Edge, OneEdge
from shared.casework.following.commands import Follow, follow
from shared.casework.pages.afterwards import AFTERWARDS_WORDS, Afterwards
from shared.casework.pages.frame import KeptList
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.referrals import commands, story
from shared.casework.referrals.alike import looks_alike
from shared.casework.referrals.choices import ESCORTS, MODES
from shared.casework.referrals.commands import MakeTransition, load_referral
from shared.casework.referrals.domain import is_done
from shared.casework.referrals.pages import kept_list, referral_page, way_to
from shared.casework.referrals.pathways import paths
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import codes
from shared.contracts.casework.lifecycle import IllegalTransition, MissingDetail, Transition
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.forms import Filled, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)


class Act(Afterwards):
    """What an act's page may send."""

    reason_code: str | None = None
    outcome_code: codes.OutcomeCode | None = None
    next_place: str | None = None
    to_facility: str | None = None
    to_agency: str | None = None
    post: str | None = None
    mode: codes.TravelMode | None = None
    escort: codes.Escort | None = None
    feedback: Literal["yes", "no", "not_asked"] | None = None
    fee: Literal["yes", "no", "not_known"] | None = None  # whether money was asked for what is free
    back: str | None = None
    what: (
        Literal["acknowledge", "accept", "arrive", "not-attended", "start", "resume", "confirm-cancel", "refuse-cancel"] | None
    ) = None
    chosen: Literal["yes"] | None = None  # among those that look the same, this one is here
    was: codes.ReferralState | None = None  # how the referral stood when the page was shown
    version: int | None = None


ACT_WORDS = {
    **AFTERWARDS_WORDS,
    "outcome_code": _("Choose how it ended."), "reason_code": _("Choose a reason."), "what": _("Choose what happened."),
    "fee": _("Say whether money was asked for: this is free. “Not known” is an answer too."),
    "post": _("Say who answered."), "mode": _("Say how the way is made."), "escort": _("Say who goes along."),
    "next_place": _("Choose another place that offers what was asked for."),
}  # fmt: skip
TIMES = {"occurred_at": "at_time"}  # what a command calls it, and which field of a page says it
ACT_PAGES = {  # where each page's answer stands: what a refusal is shown at
    "decline": "reason_code", "send-on": "next_place", "cancel": "reason_code", "told-by-phone": "post", "close": "outcome_code",
    "hold": "reason_code", "refuse-cancel": "page-form", "set-out": "mode", "not-here": "page-form",
}  # fmt: skip
WITH_A_FORM = {**ACT_PAGES, "entered": "what"}  # whose answers are kept when something is wrong; the others are one tap


@router.get("/referrals/{referral_id}/{act}")
async def show_act(referral_id: UUID, act: str, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The page of an act that needs a reason, a place or an outcome."""
    if act == Transition.ARRIVE:
        return await _alike_page(referral_id, request, edge, visit)
    if act not in ACT_PAGES:
        raise NotFound("There is no such page.")
    return await _act_page(referral_id, act, request, edge, visit, await draft_of(request, visit))


async def _act_page(
    referral_id: UUID, act: str, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    visit.actor.may_work()
    here = edge.here
    async with edge.database.write() as tx:  # the look is kept: she may ask who looked
        referral = await load_referral(tx, referral_id, visit.actor)
        await note_read(tx, referral.case_id, visit.actor, "referral")
        now = tx.clock.now()
        local = edge.pages.times("en", now).local(now)
        standing = story.standing_of(referral)
        whom = (here.agency, *here.serving) if act in {"decline", "send-on"} else ()
        said_of = await paths(tx, here, whom, referral.desk, local, referral.services) if whom else {}
        others = await places(tx, here, whom, referral.desk, local, paths=said_of)
        listed = await kept_list(tx, edge, visit, referral) if act == "close" else None
    wanted = set(referral.services)
    fitting = [p for p in others if wanted & set(p.facility.services) and (p.agency, p.id) != (here.agency, standing.facility)]
    told = here.network.facility(referral.recipient, standing.facility)
    return edge.pages.show(
        request, "referrals/act.html", visit, status=status, errors=bool(form.errors), form=form, act=act, r=referral,
        places=fitting, told=told, declines=list(codes.DeclineReason), holds=list(codes.HoldReason),
        cancels=[c for c in codes.CancelReason if c is not codes.CancelReason.CONSENT_TAKEN_BACK],
        outcomes=_outcomes(standing.state), is_free=is_free(here.programme, referral.services, now),
        on_paper=here.on_paper(referral.desk), here_now="/cases", kept_list=listed, escorts=ESCORTS,
        modes=[mode for mode in MODES if mode is not codes.TravelMode.NONE_AVAILABLE],
    )  # fmt: skip


async def _alike_page(referral_id: UUID, request: Request, edge: Edge, visit: Visit) -> Response:
    """What tells those apart who look the same on the list."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # what a list shows of a case is a look at it
        referral = await load_referral(tx, referral_id, visit.actor)
        if referral.direction != "in":
            raise NotFound("There is no such page.")
        rows = [referral, *await looks_alike(tx, referral, visit.actor)]
        await note_listed(tx, {one.case_id for one in rows}, visit.actor)
    return edge.pages.show(request, "referrals/alike.html", visit, r=referral, rows=rows, here_now="/work")


def _outcomes(state: codes.ReferralState) -> list[codes.OutcomeCode]:
    came = state in {codes.ReferralState.ARRIVED, codes.ReferralState.IN_SERVICE, codes.ReferralState.ON_HOLD}
    return [o for o in codes.OutcomeCode if came or o not in codes.NEEDS_ARRIVAL]


@router.post("/referrals/{referral_id}/{act}")
async def post_act(referral_id: UUID, act: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """An act: one tap, or the answer of its page."""
    form = fill(Act, values, ACT_WORDS)
    if form.model is None:
        return await _again(referral_id, act, request, edge, visit, form)
    asked = form.model

    async def work(tx: Transaction) -> str:
        referral = await commands.lock_referral(tx, referral_id, visit.actor)
        return await _asks_first(act, asked, referral, tx, edge, visit) or await _done(act, asked, referral, tx, edge, visit)

    try:
        return await submit(request, edge, visit, values, work)
    except WrongTime as error:
        form.error(error.part, error)
    except MissingDetail as error:
        form.error(TIMES.get(error.field, error.field), ACT_WORDS.get(error.field, error))
    except (IllegalTransition, Conflict) as error:
        if act not in WITH_A_FORM:
            raise
        form.error(WITH_A_FORM[act], error)
    return await _again(referral_id, act, request, edge, visit, form)


def _there_at(edge: Edge, referral: Referral, body: MakeTransition, left_at: datetime) -> dict[str, datetime]:
    """When whoever sets out now is expected: as far as the place is, by this way of going."""
    if body.mode is None:
        return {}
    facility = edge.here.network.facility(referral.recipient, story.standing_of(referral).facility or referral.to_facility)
    return {"expected_at": left_at + way_to(facility, referral.desk, body.mode)}


async def _done(act: str, asked: Act, referral: Referral, tx: Transaction, edge: Edge, visit: Visit) -> str:
    """Does what the button stands for; returns where it leads."""
    happened_at = asked.happened_at(edge.pages.times("en", tx.clock.now()))
    entered = {"entered_for": edge.here.on_paper(referral.desk), "occurred_at": happened_at}
    for transition, body in _steps(edge, act, asked):
        if is_done(story.standing_of(referral), transition):
            continue  # a colleague was quicker: what the button asks for stands already
        body = body.model_copy(update=entered | _there_at(edge, referral, body, happened_at or tx.clock.now()))
        referral = await commands.make_transition(referral.id, transition, body, tx, edge.here, visit.actor)
        if transition is Transition.ACCEPT and visit.actor.role is codes.Role.SOCIAL_WORKER:
            # Whoever takes a request is told from then on how the case goes.
            await follow(Follow(case_id=referral.case_id), tx, edge.here, visit.actor)
    return _onward(act, asked, referral, visit)


def _onward(act: str, asked: Act, referral: Referral, visit: Visit) -> str:
    """Where an act leads: to the list that it was done on, or to its referral, unless that is another desk's by now; from who was
    somebody else to the list on which the right request is."""
    if act == Transition.NOT_HERE or not visit.actor.sees(referral.desk):
        return "/work"
    return asked.back if asked.back in {"/work", "/here-now"} else f"/referrals/{referral.id}"


async def _again(referral_id: UUID, act: str, request: Request, edge: Edge, visit: Visit, form: Filled[Any]) -> Response:
    """The page that the form stood on, with what was typed and what is wrong with it."""
    if act in ACT_PAGES:
        return await _act_page(referral_id, act, request, edge, visit, form, status=422)
    return await referral_page(referral_id, request, edge, visit, form, status=422)


async def _asks_first(act: str, asked: Act, referral: Referral, tx: Transaction, edge: Edge, visit: Visit) -> str | None:
    """What has to be clear before an act is done: raises what is asked at its own page, or returns the page that asks."""
    _still_as_shown(act, asked, referral)
    _says_of_the_fee(edge, act, asked, referral, tx.clock.now())
    if act == "close" and asked.outcome_code is codes.OutcomeCode.SERVED:
        _not_while_due(await kept_list(tx, edge, visit, referral))
    if act == Transition.ARRIVE and asked.chosen is None and await _may_be_another(tx, referral, visit):
        return f"/referrals/{referral.id}/arrive"
    return None


def _still_as_shown(act: str, asked: Act, referral: Referral) -> None:
    """An answer that needs thought was thought about another state: a colleague said something meanwhile."""
    is_another = asked.was not in (None, referral.state)
    if act == Transition.NOT_HERE and referral.arrived_at is not None:  # she may have come since: then it is her arrival
        is_another = asked.version not in (None, referral.version)
    if act in ACT_PAGES and is_another:
        state = Coded(referral.state, "state")
        raise Conflict("It has changed since this page was opened: %(state)s. Look, then answer once more.", state=state)


def _says_of_the_fee(edge: Edge, act: str, asked: Act, referral: Referral, now: datetime) -> None:
    """What is free is not closed here before somebody has said whether money was taken; that nobody knows is an answer."""
    if act == "close" and asked.fee is None and is_free(edge.here.programme, referral.services, now):
        raise MissingDetail("fee", "Say whether money was asked for: this is free.")


async def _may_be_another(tx: Transaction, referral: Referral, visit: Visit) -> bool:
    """Whether a list shows another who is expected as the same: then one tap may be for the wrong one."""
    return referral.direction == "in" and referral.arrived_at is None and bool(await looks_alike(tx, referral, visit.actor))


def _not_while_due(listed: KeptList | None) -> None:
    """Not everything was given where a line is out of stock and there is time for it elsewhere: whoever closes is asked again."""
    if listed is None or not listed.due:
        return
    care = [Coded(one.care, "care") for one in listed.due]
    if listed.elsewhere is None:
        raise Conflict("Not in stock here, and there is still time for it: %(care)s. Choose how it ended otherwise.", care=care)
    raise Conflict(
        "Not in stock here, and there is still time for it: %(care)s. It is to be had at %(place)s: send on, or choose otherwise.",
        care=care, place=Coded(listed.elsewhere.key, "place"),
    )  # fmt: skip


def _steps(edge: Edge, act: str, asked: Act) -> list[tuple[Transition, MakeTransition]]:
    """The transitions that a button stands for: "seen, come" is two, everything else is one."""
    if act == "seen-come":
        return [(Transition.ACKNOWLEDGE, MakeTransition()), (Transition.ACCEPT, MakeTransition())]
    if act == "send-on":
        agency, _slash, facility = (asked.next_place or "").partition("/")
        if not facility:
            raise MissingDetail("next_place", "Choose where to send on to.")
        if agency == edge.here.agency:
            return [(Transition.REDIRECT, MakeTransition(to_facility=facility))]
        return [(Transition.SUGGEST, MakeTransition(to_agency=agency, to_facility=facility))]
    if act == "entered":
        act = asked.what or ""
    if act not in set(Transition):
        raise NotFound("There is no such page.")
    body = MakeTransition(
        reason_code=asked.reason_code, outcome_code=asked.outcome_code, next_place=asked.next_place, post=asked.post,
        mode=asked.mode, escort=asked.escort,
        feedback={"yes": True, "no": False}.get(asked.feedback or ""), fee_asked={"yes": True, "no": False}.get(asked.fee or ""),
    )  # fmt: skip
    return [(Transition(act), body)]
