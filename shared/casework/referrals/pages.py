"""Pages: care and place, a referral at either end, its card, and every act on it."""

from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts.sessions import Visit
from shared.casework.cases.commands import InTheFuture, load_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.cases.views import note_read
from shared.casework.consents.tables import Consent
from shared.casework.consents.views import unasked
from shared.casework.directory.places import Place, places
from shared.casework.edge import Edge, OneEdge
from shared.casework.following.commands import Follow, follow
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.paper.commands import written_at
from shared.casework.referrals import commands, story
from shared.casework.referrals.commands import IssueReferral, MakeTransition
from shared.casework.referrals.tables import Referral, ReferralFact
from shared.casework.sharing import ConsentMissing, released, windows_of_care
from shared.casework.timeline.pages import PAGE_LINES, story_of
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import (
    AgencyKind,
    CareClock,
    ConsentItem,
    Escort,
    ServicePackage,
    TravelMode,
    Urgency,
)  # fmt: skip
from shared.contracts.casework.lifecycle import IllegalTransition, MissingDetail, Transition
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _

router = APIRouter(include_in_schema=False)

EXPECTED_DEFAULT = timedelta(minutes=40)  # where the way's length is not known; the form shows it and it can be changed
WITH = {ServicePackage.ACUTE_CARE: (ServicePackage.ACUTE_CARE, ServicePackage.EXAMINATION_AND_REPORT)}  # what comes along
CARE_ORDER = {
    AgencyKind.HEALTH: (ServicePackage.ACUTE_CARE, ServicePackage.INJURY_CARE, ServicePackage.MENTAL_HEALTH_CARE,
                        ServicePackage.FOLLOW_UP_CARE),
    AgencyKind.SOCIAL_WELFARE: (ServicePackage.PSYCHOSOCIAL, ServicePackage.SHELTER, ServicePackage.CHILD_PROTECTION,
                                ServicePackage.COURT_SUPPORT, ServicePackage.FAMILY_VISIT, ServicePackage.LEGAL_AID),
    AgencyKind.POLICE: (ServicePackage.REPORT_TO_POLICE, ServicePackage.STATEMENT_AT_CLINIC, ServicePackage.PROTECTION),
}  # fmt: skip
MODES = (TravelMode.POLICE_VEHICLE, TravelMode.CAR, TravelMode.ON_FOOT, TravelMode.NONE_AVAILABLE)
ESCORTS = (Escort.OFFICER, Escort.SAFE_ADULT, Escort.ALONE)
DONE_NEXT = {"acknowledge": "seen", "accept": "accepted"}


class Sending(BaseModel):
    """Page 3: which care, where, and how she gets there."""

    care: ServicePackage
    place: str = Field(pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_-]*$")
    mode: TravelMode
    escort: Escort
    expected: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    carries: Literal["card", "code", "nothing"]
    urgency: Urgency | None = None


WORDS = {
    "care": _("Choose the care."),
    "place": _("Choose a place."),
    "mode": _("Say how the way is made; “None found” is an answer too."),
    "escort": _("Say who goes along."),
    "expected": _("Type the time as 08:15."),
    "carries": _("Ask what can be carried safely, and choose it."),
}


# --- page 3 ------------------------------------------------------------------------------------------------------------


@router.get("/cases/{case_id}/refer")
async def show_refer(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """Which care, and where."""
    visit.actor.may_work()
    return await _refer_page(case_id, request, edge, visit, await draft_of(request, visit))


async def _refer_page(case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200) -> Response:
    here = edge.here
    async with edge.database.write() as tx:  # consents are looked at under their lock, as when something is said
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "case")
        agreed = [p for p in here.peers if (r := await released(tx, case.id, p)) and ConsentItem.REQ in r.items]
        incident = await _last_incident(tx, case)
        now = tx.clock.now()
        local = edge.pages.times("en", now).local(now)
        kinds = [here.kind_of(peer) for peer in agreed]
        care = [s for kind in kinds for s in CARE_ORDER.get(kind, ()) if _is_first(kind, kinds)]
        found = await places(tx, here, [p for p in agreed if _is_first(here.kind_of(p), kinds)], visit.actor.facility, local)
        also = await _also(tx, edge, case, agreed, visit, local)
    until = _care_until(edge, incident, now)
    nearest = next((p for p in found if p.is_open and p.journey), None)
    soon = timedelta(minutes=nearest.journey.minutes) if nearest and nearest.journey else EXPECTED_DEFAULT
    return edge.pages.show(
        request, "referrals/refer.html", visit, status=status, errors=bool(form.errors), form=form, case=case, care=care,
        places=[p for p in found if set(p.facility.services) & set(care)], also=also, until=until, agreed=agreed,
        modes=MODES, escorts=ESCORTS, expected=(local + soon).strftime("%H:%M"), here_now="/cases",
    )  # fmt: skip


def _is_first(kind: AgencyKind, kinds: list[AgencyKind]) -> bool:
    # Care first: where a clinic may know, page 3 is about the clinic, and the others are told along with it.
    return kind is AgencyKind.HEALTH or AgencyKind.HEALTH not in kinds


async def _last_incident(tx: Transaction, case: Case) -> Incident | None:
    query = select(Incident).where(col(Incident.case_id) == case.id).order_by(col(Incident.recorded_at).desc()).limit(1)
    return (await tx.session.execute(query)).scalar_one_or_none()


def _care_until(edge: Edge, incident: Incident | None, now: datetime) -> datetime | None:
    open_windows = windows_of_care(edge.here, incident.earliest_at if incident else None, now)
    found = [w["until"] for w in open_windows if w["care"] == CareClock.PEP]
    return found[0] if found else None


async def _also(
    tx: Transaction, edge: Edge, case: Case, agreed: list[str], visit: Visit, local: datetime
) -> list[tuple[Place, list[ServicePackage]]]:
    """Who else is told along with the clinic: the nearest office of each other agency that may know, and what is asked of it."""
    if AgencyKind.HEALTH not in {edge.here.kind_of(p) for p in agreed}:
        return []
    told = []
    for peer in agreed:
        kind = edge.here.kind_of(peer)
        if kind is AgencyKind.HEALTH:
            continue
        asks = [ServicePackage.CHILD_PROTECTION] if case.child and kind is AgencyKind.SOCIAL_WELFARE else []
        asks += list(CARE_ORDER.get(kind, ()))[:1]
        found = await places(tx, edge.here, [peer], visit.actor.facility, local)
        fitting = [(p, [s for s in asks if s in p.facility.services]) for p in found]
        told += [(p, services) for p, services in fitting if services][:1]
    return told


@router.post("/cases/{case_id}/refer")
async def post_refer(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Sends, to the place and to whoever else agreed to be told."""
    form = fill(Sending, values, WORDS)
    asked = form.model
    if asked is None:
        return await _refer_page(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        case = await load_case(tx, case_id, visit.actor)
        incident = await _last_incident(tx, case)
        at = await written_at(tx, case.id)
        first = await commands.issue_referral(_issue(edge, tx, case, incident, asked, at), tx, edge.here, visit.actor)
        first.carries = asked.carries
        for key in values.get("also", []):
            await commands.issue_referral(_issue_also(case, incident, key, values, at), tx, edge.here, visit.actor)
        way = {"mode": asked.mode, "escort": asked.escort, "expected_at": _expected(edge, tx, asked)}
        if asked.mode is not TravelMode.NONE_AVAILABLE:
            await commands.make_transition(first.id, Transition.SET_OUT, MakeTransition.model_validate(way), tx, edge.here,
                                           visit.actor)  # fmt: skip
        return f"/referrals/{first.id}/card" if asked.carries != "nothing" else f"/referrals/{first.id}"

    try:
        return await submit(request, edge, visit, values, work)
    except ConsentMissing:
        form.error("place", _("Nobody agreed that this place may know. Ask first, then send."))
    except Conflict as error:
        form.error("place", error)
    return await _refer_page(case_id, request, edge, visit, form, status=422)


def _expected(edge: Edge, tx: Transaction, asked: Sending) -> datetime:
    now = tx.clock.now()
    local = edge.pages.times("en", now).local(now)
    hour, minute = map(int, asked.expected.split(":"))
    when = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return when if when >= local - timedelta(hours=1) else when + timedelta(days=1)


def _issue(
    edge: Edge, tx: Transaction, case: Case, incident: Incident | None, asked: Sending, at: datetime | None
) -> IssueReferral:
    agency, facility = asked.place.split("/")
    offered = edge.here.network.facility(agency, facility)
    services = [s for s in WITH.get(asked.care, (asked.care,)) if offered is None or s in offered.services or s is asked.care]
    is_acute = asked.care in {ServicePackage.ACUTE_CARE, ServicePackage.INJURY_CARE} or bool(incident and incident.hurt_now)
    return IssueReferral(
        case_id=case.id, incident_id=incident.id if incident else None, to_agency=agency, to_facility=facility,
        services=tuple(services), urgency=asked.urgency or (Urgency.ACUTE if is_acute else Urgency.URGENT),
        travel=events.Travel(mode=asked.mode, escort=asked.escort, expected_at=_expected(edge, tx, asked)),
        report_form=_report_form(edge, services), occurred_at=at,
    )  # fmt: skip


def _report_form(edge: Edge, services: list[ServicePackage]) -> events.ReportForm | None:
    """The programme's form, where an examination goes along."""
    form = next(iter(edge.here.programme.report_forms.items()), None)
    if form is None or ServicePackage.EXAMINATION_AND_REPORT not in services:
        return None
    return events.ReportForm(form=form[0], form_version=form[1])


def _issue_also(case: Case, incident: Incident | None, key: str, values: Values, at: datetime | None) -> IssueReferral:
    agency, _slash, facility = key.partition("/")
    services = tuple(ServicePackage(s) for s in values.get(f"also_{agency}", []) if s in set(ServicePackage))
    return IssueReferral(
        case_id=case.id, incident_id=incident.id if incident else None, to_agency=agency, to_facility=facility,
        services=services, urgency=Urgency.URGENT, occurred_at=at,
    )  # fmt: skip


# --- one referral ------------------------------------------------------------------------------------------------------


async def _load(tx: Transaction, referral_id: UUID, visit: Visit) -> Referral:
    return await commands.load_referral(tx, referral_id, visit.actor)


@router.get("/referrals/{referral_id}")
async def show_referral(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One referral: where it stands, in a sentence, ticks and lines; at the recipient with the acts."""
    return await _referral_page(referral_id, request, edge, visit, await draft_of(request, visit))


async def _referral_page(
    referral_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    visit.actor.may_work()
    async with edge.database.write() as tx:
        referral = await _load(tx, referral_id, visit)
        await note_read(tx, referral.case_id, visit.actor, "referral")
        case = await tx.session.get(Case, referral.case_id)
        assert case is not None
        lines, _more = await story_of(tx, edge.here, case, None, PAGE_LINES)
        consent = await tx.session.get(Consent, referral.consent_id) if referral.consent_id else None
        until = care_until(referral)
        context: dict[str, Any] = {
            "r": referral, "case": case, "standing": story.standing_of(referral), "consent": consent, "until": until,
            "lines": [line for line in lines if line.referral == referral.id], "who": await _who(tx, referral),
            "unasked": await unasked(tx, case.id),
            "proposed": await _proposed(tx, referral), "on_paper": edge.here.on_paper(referral.desk),
        }  # fmt: skip
    name = "issued" if referral.direction == "out" else "received"
    return edge.pages.show(
        request, f"referrals/{name}.html", visit, here_now="/cases", form=form, errors=bool(form.errors), status=status,
        live=f"/live?after={await last_seen(edge)}", **context,
    )  # fmt: skip


async def last_seen(edge: Edge) -> int:
    """The number from which a page's stream goes on."""
    from shared.exchange.tables import Feed

    async with edge.database.read() as tx:
        feed = await tx.session.get(Feed, 1)
        return feed.last if feed else 0


def care_until(referral: Referral) -> datetime | None:
    """Until when care works best, as the referral says it; None where it says nothing."""
    windows = (referral.said or {}).get("windows") or []
    until = [w["until"] for w in windows if w["care"] == CareClock.PEP] or [w["until"] for w in windows]
    return datetime.fromisoformat(until[0].replace("Z", "+00:00")) if until else None


async def _who(tx: Transaction, referral: Referral) -> dict[str, bool]:
    """Which facts were entered for a place on paper: the tick says so."""
    query = select(ReferralFact).where(col(ReferralFact.referral_id) == referral.id)
    return {fact.type: fact.entered_for is not None for fact in (await tx.session.execute(query)).scalars()}


async def _proposed(tx: Transaction, referral: Referral) -> tuple[str, str | None] | None:
    """Where the recipient proposes that she goes: the issuer asks her, software never re-addresses."""
    query = select(ReferralFact).where(
        col(ReferralFact.referral_id) == referral.id, col(ReferralFact.type).in_([events.Declined.type, events.Suggested.type])
    )
    fact = (await tx.session.execute(query.order_by(col(ReferralFact.position).desc()).limit(1))).scalar_one_or_none()
    agency = None if fact is None else fact.data.get("next_agency") or fact.data.get("to_agency")
    return None if fact is None or agency is None else (agency, fact.data.get("next_facility") or fact.data.get("to_facility"))


class Act(BaseModel):
    """What an act's page may send."""

    reason_code: str | None = None
    outcome_code: codes.OutcomeCode | None = None
    next_place: str | None = None
    to_facility: str | None = None
    to_agency: str | None = None
    post: str | None = None
    feedback: Literal["yes", "no", "not_asked"] | None = None
    back: str | None = None
    what: Literal["acknowledge", "accept", "arrive", "not-attended", "start", "resume"] | None = None
    on_date: date | None = None
    at_time: time | None = None


ACT_WORDS = {
    "outcome_code": _("Choose how it ended."), "reason_code": _("Choose a reason."), "what": _("Choose what happened."),
    "post": _("Say who answered."), "next_place": _("Choose another place that offers what was asked for."),
    "on_date": _("Choose the day, or leave day and time empty."),
    "at_time": _("Type both the day and the time, such as 08:15; or leave both empty."),
}  # fmt: skip
ENTERED = "entered"  # what a place without a line has done, entered for it: its form stands on the referral's own page
TIMES = {"occurred_at": "at_time"}  # what a command calls it, and which field of a page says it
ACT_PAGES = {"decline", "send-on", "cancel", "told-by-phone", "close", "hold", "refuse-cancel"}


@router.get("/referrals/{referral_id}/{act}")
async def show_act(referral_id: UUID, act: str, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """The page of an act that needs a reason, a place or an outcome."""
    if act not in ACT_PAGES:
        raise NotFound("There is no such page.")
    return await _act_page(referral_id, act, request, edge, visit, await draft_of(request, visit))


async def _act_page(
    referral_id: UUID, act: str, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    visit.actor.may_work()
    here = edge.here
    async with edge.database.write() as tx:  # the look is kept
        referral = await _load(tx, referral_id, visit)
        await note_read(tx, referral.case_id, visit.actor, "referral")
        now = tx.clock.now()
        local = edge.pages.times("en", now).local(now)
        standing = story.standing_of(referral)
        others = await places(tx, here, (here.agency, *here.peers), referral.desk, local) if act in {"decline", "send-on"} else []
    wanted = set(referral.services)
    fitting = [p for p in others if wanted & set(p.facility.services) and (p.agency, p.id) != (here.agency, standing.facility)]
    told = here.network.facility(referral.recipient, standing.facility)
    return edge.pages.show(
        request, "referrals/act.html", visit, status=status, errors=bool(form.errors), form=form, act=act, r=referral,
        places=fitting, told=told, declines=list(codes.DeclineReason), holds=list(codes.HoldReason),
        cancels=[c for c in codes.CancelReason if c is not codes.CancelReason.CONSENT_TAKEN_BACK],
        outcomes=_outcomes(standing.state), on_paper=here.on_paper(referral.desk), here_now="/cases",
    )  # fmt: skip


def _outcomes(state: codes.ReferralState) -> list[codes.OutcomeCode]:
    came = state in {codes.ReferralState.ARRIVED, codes.ReferralState.IN_SERVICE, codes.ReferralState.ON_HOLD}
    return [o for o in codes.OutcomeCode if came or o not in codes.NEEDS_ARRIVAL]


@router.post("/referrals/{referral_id}/{act}")
async def post_act(referral_id: UUID, act: str, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """An act: one tap, or the answer of its page."""
    form = fill(Act, values, ACT_WORDS)
    if form.model is None:
        return await _act_again(referral_id, act, request, edge, visit, form)
    asked = form.model
    feedback = {"yes": True, "no": False}.get(asked.feedback or "")

    async def work(tx: Transaction) -> str:
        desk = (await _load(tx, referral_id, visit)).desk
        entered = {"entered_for": edge.here.on_paper(desk), "occurred_at": _happened_at(edge, tx, asked)}
        for transition, body in _steps(edge, act, asked, feedback):
            body = body.model_copy(update=entered)
            referral = await commands.make_transition(referral_id, transition, body, tx, edge.here, visit.actor)
            if transition is Transition.ACCEPT and visit.actor.role is codes.Role.SOCIAL_WORKER:
                # Whoever takes a request is told from then on how the case goes.
                await follow(Follow(case_id=referral.case_id), tx, edge.here, visit.actor)
        return asked.back if asked.back in {"/work", "/here-now"} else f"/referrals/{referral.id}"

    try:
        return await submit(request, edge, visit, values, work)
    except (MissingDetail, InTheFuture, IllegalTransition, Conflict) as error:
        if act not in {*ACT_PAGES, ENTERED}:
            raise
        name = str(getattr(error, "field", "what" if act == ENTERED else "reason_code"))
        form.error(TIMES.get(name, name), ACT_WORDS.get(name, error) if isinstance(error, MissingDetail) else error)
        return await _act_again(referral_id, act, request, edge, visit, form)


async def _act_again(referral_id: UUID, act: str, request: Request, edge: Edge, visit: Visit, form: Filled[Any]) -> Response:
    """What was wrong, on the page that the form stands on."""
    page = _referral_page(referral_id, request, edge, visit, form, 422) if act == ENTERED else None
    return await (page or _act_page(referral_id, act, request, edge, visit, form, 422))


def _happened_at(edge: Edge, tx: Transaction, asked: Act) -> datetime | None:
    if asked.on_date is None and asked.at_time is None:
        return None
    if asked.on_date is None or asked.at_time is None:
        raise MissingDetail("at_time", "Give both the day and the time, or leave both empty.")
    return edge.pages.times("en", tx.clock.now()).moment(asked.on_date, asked.at_time)


def _steps(edge: Edge, act: str, asked: Act, feedback: bool | None) -> list[tuple[Transition, MakeTransition]]:
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
    if act == ENTERED:
        act = asked.what or ""
    if act not in set(Transition):
        raise NotFound("There is no such page.")
    body = MakeTransition(
        reason_code=asked.reason_code, outcome_code=asked.outcome_code, next_place=asked.next_place, post=asked.post,
        feedback=feedback,
    )  # fmt: skip
    return [(Transition(act), body)]
