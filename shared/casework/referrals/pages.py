"""Pages: care and place, and a referral at either end."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import exists, select
from sqlmodel import col

from shared.casework import scope, sharing
from shared.casework.accounts.sessions import Visit
from shared.casework.acts import advice
from shared.casework.agreements import views as agreements
from shared.casework.alarms.commands import CAME_IN_ERROR, alarms_about
from shared.casework.cases.commands import load_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.cases.views import note_read
from shared.casework.consents.her_own import Caregiver, keep_adult_there
from shared.casework.consents.tables import Consent
from shared.casework.consents.views import is_no, last_answers, unasked
from shared.casework.directory.mandates import elsewhere
from shared.casework.directory.network import Facility
from shared.casework.directory.places import Path, Place, places
from shared.casework.directory.seats import NO_SEATS, Instead, by_seats, instead_of
from shared.casework.edge import Edge, OneEdge
from shared.casework.here import NOWHERE, lies_nowhere
from shared.casework.holds.commands import is_set_aside
from shared.casework.pages.frame import KeptList
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.paper.commands import sheet_of_request, sheets_of
from shared.casework.paper.tables import Sheet
from shared.casework.referrals import commands, drafts, story
from shared.casework.referrals.asked_again import answers_of, items_of, refused_fields
from shared.casework.referrals.choices import CARE_ORDER, ESCORTS, MODES
from shared.casework.referrals.commands import IssueReferral, MakeTransition
from shared.casework.referrals.drafts import THINK, Step, as_drafted
from shared.casework.referrals.offers import offers_of
from shared.casework.referrals.pathways import ends_before, paths, ways
from shared.casework.referrals.tables import Referral, ReferralFact, WalkIn
from shared.casework.referrals.unanswered import is_unanswered, other_places
from shared.casework.sharing import ConsentMissing, Releases, may_ask, releases, windows_of_care
from shared.casework.situations import situation_of
from shared.casework.timeline.pages import PAGE_LINES, story_of
from shared.contracts.casework import events
from shared.contracts.casework.codes import (
    PROVIDED_BY,
    AgencyKind,
    Basis,
    CareClock,
    ConsentItem,
    Escort,
    ServicePackage,
    Ternary,
    TravelMode,
    Urgency,
)  # fmt: skip
from shared.contracts.casework.lifecycle import Transition
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound, Sentence
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import comma
from shared.kit.i18n import mark as _
from shared.programmes.care import Pathway
from shared.programmes.rules import answers
from shared.programmes.situation import Answer, Message
from shared.programmes.terms import Act

router = APIRouter(include_in_schema=False)

EXPECTED_DEFAULT = timedelta(minutes=40)  # where the way's length is not known; whoever knows better types the time
WALKED_KM_MINUTES = 12  # five kilometres an hour, an assumption: the time beside a place is a vehicle's
ADDED = frozenset({Message.CHILD_ADDS, Message.SUGGESTED})  # what rules propose beside what is asked for
WITH = {ServicePackage.ACUTE_CARE: (ServicePackage.ACUTE_CARE, ServicePackage.EXAMINATION_AND_REPORT)}  # what comes along
LAST_SEEN = "SELECT last FROM exchange_feed WHERE id = 1"


class NobodyThere(Conflict):
    """Somebody is hurt, and the place that was chosen is closed now, or has no screen."""

    field = "anyway"


class Sending(Body):
    """Page 3: which care, where, and how she gets there."""

    care: ServicePackage
    place: str = Field(pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_-]*$")
    mode: TravelMode
    escort: Escort
    adult_there: Literal["yes"] | None = None  # a safe adult is there after all, though it was answered that none is
    expected: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")  # else as far as the place is
    carries: Literal["card", "code", "nothing"]
    anyway: Literal["yes"] | None = None  # somebody is hurt, and it goes all the same to where nobody reads a screen now
    urgency: Urgency | None = None
    instead: UUID | None = None  # the referral that this one takes the place of
    incident: UUID | None = None  # what the page was about: it may have happened again since


WORDS = {
    "care": _("Choose the care."),
    "place": _("Choose a place."),
    "mode": _("Say how the way is made; “None found” is an answer too."),
    "escort": _("Say who goes along."),
    "expected": _("Type the time as 08:15."),
    "carries": _("Ask what can be carried safely, and choose it."),
}


class NoSafeAdult(Conflict):
    """A safe adult is to go along with a child who has none here, or whose own is doubted: asked once more, and never refused."""

    field = "adult_there"


# --- page 3 ------------------------------------------------------------------------------------------------------------


@router.get("/cases/{case_id}/refer")
async def show_refer(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, instead: UUID | None = None) -> Response:
    """Which care, and where; `instead` names the referral that the new one takes the place of."""
    visit.actor.may_work()
    form = await draft_of(request, visit)  # after Hide, the form knows it and the address no longer does
    return await _refer_page(case_id, request, edge, visit, form, instead)


async def _refer_page(
    case_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], instead: UUID | None = None, status: int = 200
) -> Response:
    here = edge.here
    async with edge.database.write() as tx:  # consents are looked at under their lock, as when something is said
        case = await load_case(tx, case_id, visit.actor)
        await note_read(tx, case.id, visit.actor, "case")
        drafted = await drafts.draft_at(tx, case.id, Step.REFER)
        form = as_drafted(form, drafted)
        told = {p: r for p, r in (await releases(tx, here, case.id, here.serving)).items() if ConsentItem.REQ in r.items}
        agreed = list(told)
        incident = await _last_incident(tx, case)
        outside_mandate = await elsewhere(tx, here, case)
        try:
            _still_about(_id_in(form, "incident"), incident)  # also where it was kept unsent, and is sent from here
        except Conflict as error:
            form.error("place", error)
        former = await _former_shown(tx, case, incident, instead, form, visit)
        proposed = await proposed_place(tx, former) if former else None
        now = tx.clock.now()
        local = edge.pages.times("en", now).local(now)
        kinds = [here.kind_of(peer) for peer in agreed]
        may = {peer: may_ask(told[peer], CARE_ORDER.get(here.kind_of(peer), ())) for peer in agreed}
        again = set(former.services) if former else set()  # of which another place is sought, whoever comes first otherwise
        asked = [
            p for p in agreed if _is_first(here.kind_of(p), kinds) or (proposed and p == proposed[0]) or again.intersection(may[p])
        ]
        care = {peer: may[peer] for peer in asked}
        sheet = await sheet_of_request(tx, case.id, visit.actor)
        sheets = await sheets_of(tx, case.id)
        set_out, desk = _leaving(edge, sheet, visit, now)
        seats = await edge.pages.look.seats(tx, here, desk) if edge.pages.look.seats is not None else NO_SEATS
        instead_of_seats = instead_of(here.programme, here.kind_of_place(desk), seats, _every(told, edge), now)
        start = desk or case.facility  # whoever has no desk of her own sends from the case's
        said_of = await paths(tx, here, here.serving, start, local, _every(told, edge))
        found = by_seats(here, await places(tx, here, asked, desk, local, paths=said_of), desk, instead_of_seats)
        said = answers(here.programme, situation_of(here, Act.REFER, now, start, case, incident))
        others = {p: r for p, r in told.items() if p not in asked}
        also = await _also(tx, edge, case, incident, others, visit, local, instead_of_seats, said_of, said)
        form = _with_new_offers(form, also)
        last = await last_answers(tx, case.id)
        not_care = [p for p in here.serving if here.kind_of(p) is AgencyKind.HEALTH and p not in told and is_no(last.get(p))]
        by_law = {peer for peer, release in told.items() if release.basis is Basis.LEGAL_BASIS}
        said_no = all(peer in by_law or is_no(last.get(peer)) for peer in here.serving)
        along = (
            await places(tx, here, [p for p in here.serving if is_no(last.get(p))], desk, local, paths=said_of) if said_no else []
        )
        offered = await offers_of(tx, here, case, incident, start)
        ends_at = await ends_before(tx, here, _ways_to(edge, start, found, care), case.id)
    until = _care_until(edge, incident, now)
    services = list(dict.fromkeys(service for asked_for in care.values() for service in asked_for))
    always = {package for offer in offered for package in offer.packages}
    services.sort(key=lambda service: service not in always)  # what is always offered is asked first
    before = next((service for service in services if former is not None and service in former.services), None)
    before_at = _place_of(former) if former is not None else None
    cannot = before_at if former is not None and not former.is_open else None
    found.sort(
        key=lambda p: (p.key == before_at, bool(before) and before not in p.facility.services, (p.agency, p.id) != proposed)
    )  # and within it, as it was: open ones first, then by distance
    outside = _outside(edge, found, care, now)
    lacks = {p.key: [s for s in care[p.agency] if s not in p.facility.services] for p in found}
    return edge.pages.show(
        request, "referrals/refer.html", visit, status=status, errors=bool(form.errors), form=form, case=case, care=services,
        places=[p for p in found if set(p.facility.services).intersection(care[p.agency])], also=also, until=until, agreed=agreed,
        modes=MODES, escorts=ESCORTS, former=former, proposed=proposed, before=before, cannot=cannot, lacks=lacks, outside=outside,
        there={p.key: (set_out + way_to(p.facility, desk)).strftime("%H:%M") for p in found},
        offers=offered, ends_at=ends_at, advice=advice(here, said, edge.pages.language(request, visit.language)),
        incident=incident, here_now="/cases", drafted=drafted, by_law=by_law, said_no=said_no, along=along, sheets=sheets,
        walked=WALKED_KM_MINUTES,
        ask_again_first=bool(not_care),
        needs_place=lies_nowhere() if case.facility == NOWHERE and visit.actor.facility is None else None,
        from_sheet=sheet is not None,  # who left with a sheet took no number along
        unsaid=_staff(edge, request, visit, seats.unsaid) if AgencyKind.SOCIAL_WELFARE in kinds else [],
        mandates=[[place.name for _a, _f, place in one.places] for one in outside_mandate if not one.referral_id],
        empty=[(*_staff(edge, request, visit, [one.staff]), _kinds(edge, request, visit, one)) for one in instead_of_seats],
    )  # fmt: skip


def _outside(edge: Edge, found: list[Place], care: Mapping[str, Collection[ServicePackage]], now: datetime) -> dict[str, Sentence]:
    """Of each place what its agreement does not cover today, in a sentence: it would be refused when it is sent."""
    today = edge.here.day_of(now)
    asked = {
        p.key: agreements.refusal(edge.here, p.agency, p.id, set(p.facility.services) & set(care[p.agency]), today) for p in found
    }
    return {key: said for key, said in asked.items() if said is not None}


def _ways_to(edge: Edge, desk: str, found: list[Place], care: Mapping[str, Collection[ServicePackage]]) -> list[Pathway]:
    here = edge.here
    return [way for p in found for way in ways(here, here.agency, desk, p.agency, p.id, care[p.agency])]


def _staff(edge: Edge, request: Request, visit: Visit, whose: Iterable[str]) -> list[str]:
    language = edge.pages.language(request, visit.language)
    return [edge.here.programme.staff[one].name.in_(language, "en") for one in sorted(whose)]


def _kinds(edge: Edge, request: Request, visit: Visit, one: Instead) -> str:
    language = edge.pages.language(request, visit.language)
    return comma(language).join(edge.here.programme.facilities[kind].name.in_(language, "en") for kind in one.to_kinds)


def _every(told: Releases, edge: Edge) -> set[ServicePackage]:
    """Whatever may be asked of whoever may know."""
    return {service for peer, release in told.items() for service in may_ask(release, CARE_ORDER.get(edge.here.kind_of(peer), ()))}


def _place_of(former: Referral) -> str:
    """Where it is, as forms name it, that gets another place now."""
    return f"{former.recipient}/{story.standing_of(former).facility or former.to_facility}"


def _leaving(edge: Edge, sheet: Sheet | None, visit: Visit, now: datetime) -> tuple[datetime, str | None]:
    """When, by the clock here, and from which desk she sets out: as the sheet says that is entered, else now, from this one."""
    left_at = (sheet.written_at if sheet else None) or now
    return edge.pages.times("en", now).local(left_at), sheet.facility if sheet else visit.actor.facility


def way_to(facility: Facility | None, desk: str | None, mode: TravelMode | None = None) -> timedelta:
    """How long the way from a desk takes: as the network file says of a vehicle, or on foot."""
    journey = facility.journeys.get(desk or "") if facility else None
    if journey is None:
        return EXPECTED_DEFAULT
    return timedelta(minutes=journey.km * WALKED_KM_MINUTES if mode is TravelMode.ON_FOOT else journey.minutes)


async def _former(tx: Transaction, case: Case, incident: Incident | None, instead: UUID | None, visit: Visit) -> Referral | None:
    """The referral that gets another place: the one that was named, else the one that its recipient would have sent elsewhere."""
    if instead is not None:
        named = await _load(tx, instead, visit)
        if named.case_id != case.id or named.direction != "out":
            raise scope.OutOfSight("There is no such referral.", instead)
        return named
    suggested = exists().where(col(ReferralFact.referral_id) == col(Referral.id), col(ReferralFact.type) == events.Suggested.type)
    query = select(Referral).where(
        col(Referral.case_id) == case.id, col(Referral.direction) == "out", col(Referral.is_open), suggested,
        col(Referral.incident_id) == incident.id if incident else col(Referral.incident_id).is_(None),
    )  # fmt: skip
    rows = (await tx.session.execute(query.order_by(col(Referral.issued_at).desc()))).scalars()
    return next(
        (
            row
            for row in rows
            if scope.is_at_desk(visit.actor, row.desk, row.case_id) and story.standing_of(row).cancel_pending is None
        ),
        None,
    )


async def _former_shown(
    tx: Transaction, case: Case, incident: Incident | None, instead: UUID | None, form: Filled[Any], visit: Visit
) -> Referral | None:
    """The same, for the page: what another desk kept may name a referral that is not this account's, and it counts for nothing."""
    if instead is None and (kept := _id_in(form, "instead")) is not None:
        try:
            return await _former(tx, case, incident, kept, visit)
        except NotFound:
            pass
    return await _former(tx, case, incident, instead, visit)


def _is_first(kind: AgencyKind, kinds: list[AgencyKind]) -> bool:
    # Care first: where a clinic may know, page 3 is about the clinic, and the others are told along with it.
    return kind is AgencyKind.HEALTH or AgencyKind.HEALTH not in kinds


async def _last_incident(tx: Transaction, case: Case) -> Incident | None:
    query = select(Incident).where(col(Incident.case_id) == case.id).order_by(col(Incident.recorded_at).desc()).limit(1)
    return (await tx.session.execute(query)).scalar_one_or_none()


def _care_until(edge: Edge, incident: Incident | None, now: datetime) -> datetime | None:
    range_ = (incident.earliest_at, incident.latest_at) if incident else (None, None)
    open_windows = windows_of_care(edge.here, *range_, now)
    found = [w["until"] for w in open_windows if w["care"] == CareClock.PEP] or [w["until"] for w in open_windows]
    return found[0] if found else None


async def _also(
    tx: Transaction,
    edge: Edge,
    case: Case,
    incident: Incident | None,
    others: Releases,
    visit: Visit,
    local: datetime,
    seats: Sequence[Instead],
    said_of: Mapping[str, Path],
    said: Sequence[Answer],
) -> list[tuple[Place, list[ServicePackage]]]:
    """Who else is told along with it: the nearest office of each other agency that may know, and what is not asked of it yet."""
    told = []
    for peer, release in others.items():
        kind = edge.here.kind_of(peer)
        taken = await commands.open_services(tx, case.id, incident.id if incident else None, peer)
        desk = visit.actor.facility
        found = by_seats(edge.here, await places(tx, edge.here, [peer], desk, local, paths=said_of), desk, seats)
        asks = [s for one in said if one.message in ADDED for s in one.packages if s in PROVIDED_BY[kind]]
        today = edge.here.day_of(tx.clock.now())
        there = {
            s for p in found for s in p.facility.services if not agreements.gap(edge.here, peer, p.id, [s], today)
        }  # fmt: skip
        asks += [s for s in may_ask(release, CARE_ORDER.get(kind, ())) if s in there][:1]
        asks = list(dict.fromkeys(asks))
        fitting = [
            (
                p,
                [
                    s
                    for s in asks
                    if s in p.facility.services and s not in taken and not agreements.gap(edge.here, peer, p.id, [s], today)
                ],
            )
            for p in found
        ]
        told += [(p, services) for p, services in fitting if services][:1]
    return told


def _with_new_offers(form: Filled[Any], also: list[tuple[Place, list[ServicePackage]]]) -> Filled[Any]:
    """What the page offers now and did not when the form was written is ticked, as on a fresh page: nobody has left it out."""
    if not form.values:
        return form
    ticked = dict(form.values)
    for place, services in also:
        name, offered = f"also_{place.agency}", form.values.get(f"offered_{place.agency}", [])
        ticked[name] = [*form.values.get(name, []), *(str(service) for service in services if service not in offered)]
    return Filled(ticked, form.errors, form.model)


@router.post("/cases/{case_id}/refer")
async def post_refer(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Sends, to the place and to whoever else agreed to be told; or keeps what is written, because she wants to think."""
    if THINK in values:
        return await submit(request, edge, visit, values, partial(_keep, case_id, edge, visit, values))
    form = fill(Sending, values, WORDS)
    asked = form.model
    if asked is None:
        return await _refer_page(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        case = await load_case(tx, case_id, visit.actor)
        await _safe_adult_is_there(tx, case, asked, visit)
        incident = await _last_incident(tx, case)
        _still_about(asked.incident, incident)
        sheet = await sheet_of_request(tx, case.id, visit.actor)
        await _somebody_is_there(tx, edge, case, incident, asked, sheet, visit)
        expected_at = _expected(edge, tx, asked, sheet, visit)
        asked_first = _issue(edge, case, incident, asked, sheet, expected_at)
        former = await _former(tx, case, incident, asked.instead, visit) if asked.instead else None
        if former is not None and commands.may_take_its_place(former, asked_first.to_agency, asked_first.to_facility):
            asked_first = asked_first.model_copy(update={"in_place_of": former.id})
        first = await commands.issue_referral(asked_first, tx, edge.here, visit.actor)
        first.carries = asked.carries
        for told in await _also_asked(tx, case, incident, values, sheet):
            await commands.issue_referral(told, tx, edge.here, visit.actor)
        if asked.mode is not TravelMode.NONE_AVAILABLE:
            way = MakeTransition(
                mode=asked.mode, escort=asked.escort, expected_at=expected_at,
                **(_as_written(sheet) or {"entered_for": edge.here.on_paper(first.desk)}),
            )  # fmt: skip
            await commands.make_transition(first.id, Transition.SET_OUT, way, tx, edge.here, visit.actor)
        await drafts.forget_drafts(tx, case.id)
        return f"/referrals/{first.id}/card" if asked.carries != "nothing" else f"/referrals/{first.id}"

    try:
        return await submit(request, edge, visit, values, work)
    except ConsentMissing:
        form.error("place", _("Nobody agreed that this place may know. Ask first, then send."))
    except Conflict as error:
        form.error(getattr(error, "field", "place"), error)
    except ValidationError:  # a place or an office that no form offers
        form.error("place", WORDS["place"])
    return await _refer_page(case_id, request, edge, visit, form, status=422)


async def _somebody_is_there(
    tx: Transaction, edge: Edge, case: Case, incident: Incident | None, asked: Sending, sheet: Sheet | None, visit: Visit
) -> None:
    """Raises NobodyThere where somebody is hurt, and the place is closed now or reads no screen; who left with a sheet has gone."""
    if incident is None or not incident.hurt_now or asked.anyway is not None or sheet is not None:
        return
    now = tx.clock.now()
    desk = visit.actor.facility or case.facility
    found = await places(tx, edge.here, [asked.place.partition("/")[0]], desk, edge.pages.times("en", now).local(now))
    place = next((one for one in found if one.key == asked.place), None)
    if place is not None and (place.by_phone or not place.is_open):
        raise NobodyThere(
            "Somebody is hurt, and at %(place)s nobody reads a screen now. Choose a place that is open, or tick below that it goes "
            "there all the same, and call.", place=Coded(asked.place, "place"),
        )  # fmt: skip


async def _safe_adult_is_there(tx: Transaction, case: Case, asked: Sending, visit: Visit) -> None:
    """Raises NoSafeAdult where what was answered of a child's adult says otherwise; a tick that one is there is kept as that."""
    if asked.escort is not Escort.SAFE_ADULT or case.child is None:
        return
    is_doubted = (case.adult or {}).get("caregiver") == Caregiver.NOT_THIS_ONE
    is_lacking = case.child.get("safe_adult_present") == Ternary.NO
    if asked.adult_there is not None:
        if is_lacking:
            await keep_adult_there(case.id, tx, visit.actor)
    elif is_doubted:
        raise NoSafeAdult(
            "The adult who looks after the child is not the safe one: choose who goes along, or tick that it is another, whom the "
            "child trusts."
        )
    elif is_lacking:
        raise NoSafeAdult("It was answered that no safe adult is there: choose who goes along, or tick that one is there now.")


async def _keep(case_id: UUID, edge: Edge, visit: Visit, values: Values, tx: Transaction) -> str:
    told = {"also", *(f"{part}_{peer}" for part in ("also", "offered") for peer in edge.here.serving)}
    of_now = {"expected", "incident", "anyway"}  # when she can be there is another time by then
    names = (Sending.model_fields.keys() - of_now) | told
    await drafts.keep_draft(case_id, Step.REFER, values, names, tx, edge.here, visit.actor)
    return f"/cases/{case_id}"


@router.post("/cases/{case_id}/drafted/forget")
async def post_forget(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """She does not want it, or not so: what was kept of one page is thrown away."""
    step = Filled[BaseModel](values).value("step")

    async def work(tx: Transaction) -> str:
        visit.actor.may_work()
        case = await load_case(tx, case_id, visit.actor)
        if step not in set(Step):
            raise NotFound("There is no such page.")
        await drafts.throw_away(tx, case.id, Step(step), Filled[BaseModel](values).value("kept_at"))
        return f"/cases/{case.id}"

    return await submit(request, edge, visit, values, work)


def _still_about(shown: UUID | None, incident: Incident | None) -> None:
    """Raises Conflict where it has happened again since the page was shown: windows of care and urgency are another's then."""
    if shown is not None and incident is not None and shown != incident.id:
        raise Conflict("Since this page was opened something else has happened, and it is about that now. Look, then send again.")


def _id_in(form: Filled[Any], name: str) -> UUID | None:
    try:
        return UUID(form.value(name))
    except ValueError:
        return None


def _as_written(sheet: Sheet | None) -> dict[str, Any]:
    """When and for which place it happened, where it is entered from a sheet."""
    return {"occurred_at": sheet.written_at, "entered_for": sheet.facility} if sheet is not None else {}


def _expected(edge: Edge, tx: Transaction, asked: Sending, sheet: Sheet | None, visit: Visit) -> datetime:
    local, desk = _leaving(edge, sheet, visit, tx.clock.now())
    if asked.expected is None:
        return local + way_to(edge.here.network.facility(*asked.place.split("/")), desk, asked.mode)
    hour, minute = map(int, asked.expected.split(":"))
    when = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return when if when >= local - timedelta(hours=1) else when + timedelta(days=1)


def _issue(
    edge: Edge, case: Case, incident: Incident | None, asked: Sending, sheet: Sheet | None, expected_at: datetime
) -> IssueReferral:
    agency, facility = asked.place.split("/")
    offered = edge.here.network.facility(agency, facility)
    services = [s for s in WITH.get(asked.care, (asked.care,)) if offered is None or s in offered.services or s is asked.care]
    is_acute = bool(incident and incident.hurt_now)
    return IssueReferral(
        case_id=case.id, incident_id=incident.id if incident else None, to_agency=agency, to_facility=facility,
        services=tuple(services), urgency=asked.urgency or (Urgency.ACUTE if is_acute else None),
        travel=events.Travel(mode=asked.mode, escort=asked.escort, expected_at=expected_at),
        report_form=_report_form(edge, services), **_as_written(sheet),
    )  # fmt: skip


def _report_form(edge: Edge, services: list[ServicePackage]) -> events.ReportForm | None:
    """The programme's form, where an examination goes along."""
    form = next(iter(edge.here.programme.report_forms.items()), None)
    if form is None or ServicePackage.EXAMINATION_AND_REPORT not in services:
        return None
    return events.ReportForm(form=form[0], form_version=form[1].version)


async def _also_asked(
    tx: Transaction, case: Case, incident: Incident | None, values: Values, sheet: Sheet | None
) -> list[IssueReferral]:
    """What is asked of whom along with it: what was left ticked and is not open already, because somebody was told before."""
    incident_id = incident.id if incident else None
    asked = []
    for key in values.get("also", []):
        agency, _slash, facility = key.partition("/")
        taken = await commands.open_services(tx, case.id, incident_id, agency)
        ticked = [ServicePackage(s) for s in values.get(f"also_{agency}", []) if s in set(ServicePackage) and s not in taken]
        if ticked:
            asked.append(
                IssueReferral(
                    case_id=case.id, incident_id=incident_id, to_agency=agency, to_facility=facility, services=tuple(ticked),
                    **_as_written(sheet),
                )
            )  # fmt: skip
    return asked


# --- one referral ------------------------------------------------------------------------------------------------------


async def _load(tx: Transaction, referral_id: UUID, visit: Visit) -> Referral:
    return await commands.load_referral(tx, referral_id, visit.actor)


@router.get("/referrals/{referral_id}")
async def show_referral(referral_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """One referral: where it stands, in a sentence, ticks and lines; at the recipient with the acts."""
    return await referral_page(referral_id, request, edge, visit, await draft_of(request, visit))


async def referral_page(
    referral_id: UUID, request: Request, edge: Edge, visit: Visit, form: Filled[Any], status: int = 200
) -> Response:
    """The page of a referral at either end."""
    visit.actor.may_work()
    after = await last_seen(edge)  # before anything is read: what comes between is told again, never missed
    async with edge.database.write() as tx:
        referral = await _load(tx, referral_id, visit)
        await note_read(tx, referral.case_id, visit.actor, "referral")
        case = await tx.session.get(Case, referral.case_id)
        assert case is not None
        lines, _more = await story_of(tx, visit.actor, case, None, PAGE_LINES)
        consent = await tx.session.get(Consent, referral.consent_id) if referral.consent_id else None
        context: dict[str, Any] = {
            "r": referral, "case": case, "standing": story.standing_of(referral), "consent": consent,
            "care_clock": care_clock(referral), "until": care_until(referral),
            "lines": [line for line in lines if line.referral == referral.id], "who": await _who(tx, referral),
            "unasked": await unasked(tx, case.id),
            "goes_on": await _goes_on(tx, referral), "is_held": await is_set_aside(tx, referral),
            "proposed": await proposed_place(tx, referral), "on_paper": edge.here.on_paper(referral.desk),
            "instead": await _sent_instead(tx, referral), "others": await _others(tx, edge, referral),
            "sheets": await sheets_of(tx, case.id),
            "entered_at": (await story.entered_at(tx, [referral.id])).get(referral.id, referral.issued_at),
            "not_used": await refused_fields(tx, edge.here, referral), "answers_again": await answers_of(tx, referral.id),
            "items_again": items_of(edge.here, referral) if referral.arrived_at else (),
            "was_another": await _was_another(tx, referral),
            "tells_of_others": sharing.tells_of_other_places(edge.here, referral.issuer, referral.recipient),
            "kept_list": await kept_list(tx, edge, visit, referral),
        }  # fmt: skip
    name = "issued" if referral.direction == "out" else "received"
    return edge.pages.show(
        request, f"referrals/{name}.html", visit, here_now="/cases", form=form, status=status, errors=bool(form.errors),
        live=None if form.errors else f"/live?after={after}", **context,
    )  # fmt: skip


async def kept_list(tx: Transaction, edge: Edge, visit: Visit, referral: Referral) -> KeptList | None:
    """What was kept here of the care on a referral; showing it is a look at that."""
    if edge.pages.look.kept_list is None or referral.direction != "in":
        return None
    now = tx.clock.now()
    found = await edge.pages.look.kept_list(tx, edge.here, referral, edge.pages.times("en", now).local(now))
    if found is not None:
        await note_read(tx, referral.case_id, visit.actor, "care")
    return found


async def last_seen(edge: Edge) -> int:
    """The number from which a page's stream goes on."""
    rows = await edge.database.glance(LAST_SEEN)
    return int(rows[0][0]) if rows else 0


def care_clock(referral: Referral) -> dict[str, str] | None:
    """The window of care that is shown, as the referral says it: that of PEP while it is open; None where it says nothing."""
    windows: list[dict[str, str]] = (referral.said or {}).get("windows") or []
    return next((w for w in windows if w["care"] == CareClock.PEP), windows[0] if windows else None)


def care_until(referral: Referral) -> datetime | None:
    """Until when care works best, as the referral says it; None where it says nothing."""
    clock = care_clock(referral)
    return datetime.fromisoformat(clock["until"].replace("Z", "+00:00")) if clock else None


async def _who(tx: Transaction, referral: Referral) -> dict[str, bool]:
    """Which facts were entered for a place on paper: the tick says so."""
    query = select(ReferralFact).where(col(ReferralFact.referral_id) == referral.id)
    return {fact.type: fact.entered_for is not None for fact in (await tx.session.execute(query)).scalars()}


async def _was_another(tx: Transaction, referral: Referral) -> bool:
    """Whether the desk that sent her is alarmed that who came was somebody else; nobody else ever is."""
    if referral.direction != "out":
        return False
    return any(one.kind == CAME_IN_ERROR and not one.resolved_at for one in await alarms_about(tx, [referral.id]))


async def _goes_on(tx: Transaction, referral: Referral) -> WalkIn | None:
    """The arrival as which her care goes on since its consent was taken back, until that is finished."""
    query = select(WalkIn).where(col(WalkIn.after_referral) == referral.id, col(WalkIn.ended_at).is_(None))
    return (await tx.session.execute(query)).scalar_one_or_none()


async def _others(tx: Transaction, edge: Edge, referral: Referral) -> list[Place] | None:
    """Where else she could go, where nobody has answered past the limit; None where there is no such question."""
    if not is_unanswered(referral):
        return None
    now = tx.clock.now()
    return await other_places(tx, edge.here, referral, edge.pages.times("en", now).local(now))


async def _sent_instead(tx: Transaction, referral: Referral) -> Referral | None:
    """The referral that took its place, where it has been sent elsewhere."""
    query = select(Referral).where(col(Referral.case_id) == referral.case_id, col(Referral.in_place_of) == referral.id)
    return (await tx.session.execute(query.order_by(col(Referral.id).desc()).limit(1))).scalar_one_or_none()


async def proposed_place(tx: Transaction, referral: Referral) -> tuple[str, str | None] | None:
    """Where the recipient proposes that she goes: the issuer asks her, software never re-addresses."""
    query = select(ReferralFact).where(
        col(ReferralFact.referral_id) == referral.id, col(ReferralFact.type).in_([events.Declined.type, events.Suggested.type])
    )
    fact = (await tx.session.execute(query.order_by(col(ReferralFact.position).desc()).limit(1))).scalar_one_or_none()
    agency = None if fact is None else fact.data.get("next_agency") or fact.data.get("to_agency")
    return None if fact is None or agency is None else (agency, fact.data.get("next_facility") or fact.data.get("to_facility"))
