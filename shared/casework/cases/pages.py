"""Pages: a new case, the cases of a desk, and one case with its timeline."""

import math
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.sessions import Visit
from shared.casework.cases import commands, more, views
from shared.casework.cases.commands import AddIncident, OpenCase
from shared.casework.cases.placing import PlaceCase, place_case
from shared.casework.cases.recovering import awaited, release_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.cases.web import CaseCursor, Cursor
from shared.casework.circles.commands import RecordProgress, record_progress
from shared.casework.conferences.views import case_ways as conference_ways
from shared.casework.consents.her_own import is_child
from shared.casework.consents.tables import Consent
from shared.casework.consents.views import erasures_of, refusals_of, unasked
from shared.casework.edge import Edge, OneEdge
from shared.casework.following.commands import Follow, follow, unfollow
from shared.casework.following.tables import FollowedThing
from shared.casework.here import NOWHERE
from shared.casework.holds.commands import holds_of, set_aside
from shared.casework.pages.visits import Posted, Visitor, draft_of, submit
from shared.casework.paper import commands as paper
from shared.casework.paper.commands import SheetKind
from shared.casework.paper.pages import SheetNumber
from shared.casework.paper.tables import Sheet
from shared.casework.referrals.asked_again import refused_of_case
from shared.casework.referrals.drafts import drafts_of
from shared.casework.referrals.offers import Offer, offers_of
from shared.casework.referrals.pages import last_seen
from shared.casework.referrals.tables import Referral, WalkIn
from shared.casework.registers.pages import of_case
from shared.casework.timeline.pages import PAGE_LINES, story_of
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import AgeBand, CareClock, IncidentType, Sex, Ternary
from shared.exchange.clearing import BACKUP_WINDOW
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.forms import Filled, Values, fill
from shared.kit.i18n import mark as _
from shared.kit.sealed import shut_shown

router = APIRouter(include_in_schema=False)

HOURS_MAX = 24 * 365  # a year: beyond it hours say nothing
LIST_LIMIT = 50
CHOOSE_PLACE = _("Choose the place that looks after this case.")

Done = Literal["followed", "unfollowed", "pressure", "taken_back"]
DONE: dict[Done, str] = {  # what one tap has done, for who taps where several lie side by side
    "followed": _("You follow this case now."), "unfollowed": _("You do not follow this case any more."),
    "pressure": _("Pressure to settle is written down."), "taken_back": _("It is taken back. They are told at once."),
}  # fmt: skip
Hours = Annotated[int, Field(ge=0, le=HOURS_MAX)]
SAFE_ADULT = {"here": Ternary.YES, "not_here": Ternary.NO, "no": Ternary.NO}


def _hours_or_not(asked: Any) -> Any:
    """Hours from and to, or "not known"; a guess is enough."""
    if asked.hours_unknown is None and (asked.at_least is None or asked.at_most is None):
        raise ValueError("hours")
    if asked.at_least is not None and asked.at_most is not None and asked.at_least > asked.at_most:
        raise ValueError("order")
    return asked


class NewCase(more.GivenBefore, more.WhoComesAlong):
    """Page 1 of a new case: who needs help, and what may not wait."""

    hurt_now: Literal["yes", "no"]
    age_band: AgeBand
    sex: Sex
    at_least: Hours | None = None
    at_most: Hours | None = None
    hours_unknown: Literal["yes"] | None = None
    language: events.LanguageTag
    came_with: Literal["nobody", "relative", "other"]
    safe_adult: Literal["here", "not_here", "no"] | None = None
    incident_type: IncidentType = IncidentType.GBV
    contexts: tuple[codes.IncidentContext, ...] = ()
    staff_preference: codes.StaffPreference = codes.StaffPreference.NO_PREFERENCE
    access: codes.AccessNeed = codes.AccessNeed.NONE
    safe_to_return: Ternary | None = None
    sheet: str | None = Field(default=None, max_length=20)

    _order = model_validator(mode="after")(_hours_or_not)


class Again(more.GivenBefore):
    """Another incident of a known case."""

    hurt_now: Literal["yes", "no"]
    age_band: AgeBand = AgeBand.UNKNOWN  # this and the next where nobody asked before
    sex: Sex | None = None
    at_least: Hours | None = None
    at_most: Hours | None = None
    hours_unknown: Literal["yes"] | None = None
    incident_type: IncidentType = IncidentType.GBV
    contexts: tuple[codes.IncidentContext, ...] = ()

    _order = model_validator(mode="after")(_hours_or_not)


WORDS = {
    **more.WORDS,
    "hurt_now": _("Say whether she or he is hurt or bleeding now."),
    "age_band": _("Choose the age group; a guess is enough."),
    "sex": _("Choose girl or woman, boy or man, or other."),
    "language": _("Choose the language that is understood best."),
    "came_with": _("Say who came along."),
    "at_least": _("Type hours as a number, or tick “Not known”."),
    "at_most": _("Type hours as a number, or tick “Not known”."),
}
DATES_MISSING: dict[str, str] = {
    codes.ProgressCode.HEARING_DATE: _("Give the date of the hearing."),
    codes.ProgressCode.NEXT_CLINIC_DATE: _("Give the date of the visit."),
}
NO_DATE = _("This step has no date of its own: leave the date empty.")
HOURS_MISSING = _("Type at least and at most how many hours ago, or tick “Not known”.")
HOURS_ORDER = _("“At least” must not be more than “at most”.")


Asked = TypeVar("Asked", bound=BaseModel)


def _checked(form: Filled[Asked]) -> Filled[Asked]:
    if "" in form.errors:  # a fault between fields
        form.error("at_least", HOURS_ORDER if "order" in str(form.errors.pop("")) else HOURS_MISSING)
    return form


def _filled(values: Values) -> Filled[NewCase]:
    form = _checked(fill(NewCase, values, WORDS))
    child = values.get("age_band", [""])[-1] in {str(band) for band in codes.CHILD_BANDS}
    if child and form.model is not None and form.model.safe_adult is None:
        form.model = None
        form.error("safe_adult", _("For a child: say whether there is a safe adult."))
    if form.model is not None and form.model.is_too_many():
        form.error(next(iter(more.BANDS)), more.TOO_MANY)
    return form


def _asks(edge: Edge, form: Filled[Any], sheet: Sheet | None = None) -> dict[str, Any]:
    """What the two forms about an incident show beside their answers."""
    return {
        "form": form, "left": _hours_left(edge, form, sheet), "gives": more.may_give(edge.here),
        "keeps_a_box": more.keeps_a_box(edge.here), "contexts": more.CONTEXTS if edge.here.programme.uses_contexts else (),
        "bands": more.BANDS, "more_is_wrong": bool(more.WORDS.keys() & form.errors.keys()),
    }  # fmt: skip


@router.get("/cases/new")
async def show_new(request: Request, edge: OneEdge, visit: Visitor, sheet: SheetNumber = None) -> Response:
    """Page 1 of 3: who needs help."""
    visit.actor.may_work()
    form = await draft_of(request, visit)
    return await _new_page(request, edge, visit, form, sheet or form.value("sheet"))


async def _new_page(request: Request, edge: Edge, visit: Visit, form: Filled[Any], number: str, status: int = 200) -> Response:
    async with edge.database.read() as tx:
        written = await paper.sheet_to_enter(tx, visit.actor, number)
        entered = await paper.case_of_sheet(tx, visit.actor, number)
    return edge.pages.show(
        request, "cases/new.html", visit, status=status, errors=bool(form.errors), sheet=number, written=written, entered=entered,
        **_asks(edge, form, written),
    )  # fmt: skip


def _hours_left(edge: Edge, form: Filled[Any], sheet: Sheet | None) -> int | None:
    """Hours in which care works best, from the earliest moment; None where it is not known. What stands on a sheet was as long ago
    when the sheet was written, and is longer ago now."""
    windows, most = edge.here.programme.windows, form.value("at_most")
    ends = {care: window.hours for care, window in windows.items() if window.hours is not None}
    if not ends or not most.isdigit() or len(most) > len(str(HOURS_MAX)):
        return None
    now = edge.database.clock.now()
    since = now - sheet.written_at if sheet is not None and sheet.written_at is not None else timedelta(0)
    ago = int(most) + math.ceil(since / timedelta(hours=1))
    first = sorted(ends, key=lambda care: care != CareClock.PEP)  # as the request will say it
    return next((int(ends[care]) - ago for care in first if ends[care] > ago), 0)


@router.post("/cases/clock")
async def post_clock(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """What the hours that were typed mean, while they are typed."""
    form = Filled[BaseModel](values)
    async with edge.database.read() as tx:
        written = await paper.sheet_to_enter(tx, visit.actor, form.value("sheet"))
    left = _hours_left(edge, form, written)
    return edge.pages.show(request, "cases/clock.html", visit, left=left)


@router.post("/cases/new")
async def post_new(request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Opens the case and its incident; page 2 asks her."""
    form = _filled(values)
    asked = form.model
    if asked is None or form.errors:
        return await _new_page(request, edge, visit, form, form.value("sheet"), status=422)

    async def work(tx: Transaction) -> str:
        is_childs = asked.age_band in codes.CHILD_BANDS
        adult = SAFE_ADULT[asked.safe_adult] if asked.safe_adult else Ternary.UNKNOWN
        sheet = await paper.open_sheet(tx, visit.actor, asked.sheet, SheetKind.REQUEST) if asked.sheet else None
        written_at = sheet.written_at if sheet else None
        case = await commands.open_case(
            OpenCase(
                facility=sheet.facility if sheet else None,
                needs=events.PersonNeeds(
                    age_band=asked.age_band, sex=asked.sex, language=asked.language, access=asked.access,
                    staff_preference=asked.staff_preference,
                ),
                child=events.ChildFacts(assent=Ternary.UNKNOWN, safe_adult_present=adult) if is_childs else None,
                safety=events.Safety(safe_to_return=asked.safe_to_return, alone_on_phone=Ternary.UNKNOWN)
                if asked.safe_to_return else None,
                dependants=asked.dependants(), came_with=asked.came_with,
            ),
            tx, edge.here, visit.actor, written_at,
        )  # fmt: skip
        said_at = written_at or tx.clock.now()
        await commands.add_incident(case.id, _incident(edge, asked, said_at, is_childs), tx, edge.here, visit.actor, written_at)
        if sheet is not None:
            await paper.keep_entered(tx, sheet, visit.actor, case.id, said_at)
        return f"/cases/{case.id}/consent"

    try:
        return await submit(request, edge, visit, values, work)
    except (Conflict, NotFound) as error:
        if not asked.sheet:
            raise
        return await _new_page(request, edge, visit, form.error("sheet", error), asked.sheet, status=422)


def _incident(edge: Edge, asked: NewCase | Again, said_at: datetime, is_childs: bool) -> AddIncident:
    is_known = asked.hours_unknown is None and asked.at_least is not None and asked.at_most is not None
    contexts = [one for one in more.CONTEXTS if one in asked.contexts]
    if is_childs and asked.incident_type in codes.SEXUAL_VIOLENCE:
        contexts.append(codes.IncidentContext.CHILD_SEXUAL_ABUSE)
    return AddIncident(
        incident_type=asked.incident_type,
        contexts=tuple(contexts),
        earliest_at=said_at - timedelta(hours=asked.at_most or 0) if is_known else None,
        latest_at=said_at - timedelta(hours=asked.at_least or 0) if is_known else None,
        given=asked.products(edge.here, edge.pages.times("en", said_at), said_at), hurt_now=asked.hurt_now == "yes",
    )  # fmt: skip


@router.get("/cases")
async def show_cases(request: Request, edge: OneEdge, visit: Visitor, cursor: CaseCursor = None) -> Response:
    """The cases of this desk, newest first."""
    visit.actor.may_work()
    async with edge.database.write() as tx:
        with shut_shown():  # one whose key is missing keeps none of the others from being shown
            rows, following = await views.case_rows(tx, visit.actor, cursor, LIST_LIMIT)
        await views.note_listed(tx, [row.id for row in rows], visit.actor)
    return edge.pages.show(request, "cases/list.html", visit, rows=rows, following=following)


@router.get("/cases/{case_id}")
async def show_case(
    case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, cursor: Cursor = None, done: Done | None = None
) -> Response:
    """One case: what is next, what not to do, one timeline with its basis by each line. Its newest page changes by itself.
    `done`: what one tap has just done."""
    return await _case_page(case_id, request, edge, visit, await draft_of(request, visit), cursor, done=done)


async def _case_page(
    case_id: UUID,
    request: Request,
    edge: Edge,
    visit: Visit,
    form: Filled[Any],
    cursor: str | None = None,
    status: int = 200,
    done: Done | None = None,
) -> Response:
    visit.actor.may_work()
    after = await last_seen(edge)  # before anything is read: what comes between is told again, never missed
    async with edge.database.write() as tx:  # the look is kept: she may ask who looked
        case = await commands.load_case(tx, case_id, visit.actor)
        await views.note_read(tx, case.id, visit.actor, "case")
        lines, following = await story_of(tx, visit.actor, case, cursor, PAGE_LINES)
        context: dict[str, Any] = {
            "case": case,
            "incidents": await _incidents(tx, case),
            "consents": await _consents(tx, case),
            "erasures": await erasures_of(tx, case.id),
            "copies_kept": BACKUP_WINDOW,
            "refusals": await refusals_of(tx, case.id),
            "not_used": await refused_of_case(tx, edge.here, case.id),
            "referrals": await _referrals(tx, case, visit),
            "walk_ins": await _walk_ins(tx, case, visit),
            "follows": await _follows(tx, case, visit),
            "notes": await views.notes_of(tx, case.id),
            "unasked": await unasked(tx, case.id),
            "awaited": await awaited(tx, case.id),
            "holds": await holds_of(tx, case.id),
            "set_aside": await _set_aside(tx, case),
            "drafted": await drafts_of(tx, case.id),
            "sheets": await paper.sheets_of(tx, case.id),
            "own_ways": [
                way
                for ways in (*edge.pages.look.case_ways, conference_ways)
                for way in await ways(tx, edge.here, visit.actor, case)
            ],
            "registers": await of_case(tx, edge, visit.actor, case, edge.pages.language(request, visit.language)),
            "offers": await _offers(tx, edge, case),
            "kept_here": await edge.pages.look.case_facts(tx, case.id) if edge.pages.look.case_facts else (),
        }
    own = codes.PROGRESS_OF[edge.here.kind] - edge.pages.look.steps_apart
    progress = [code for code in codes.ProgressCode if code in own]
    return edge.pages.show(
        request, "cases/case.html", visit, status=status, form=form, errors=bool(form.errors), lines=lines, following=following,
        progress=progress, dated=codes.DATED, here_now="/cases", done=DONE[done] if done else None,
        live=None if cursor or form.errors else f"/live?after={after}", is_nowhere=case.facility == NOWHERE, **context,
    )  # fmt: skip


async def _has_none_yet(tx: Transaction, case: Case) -> bool:
    """Whether nothing that happened is recorded yet; of a case that another agency sent something happened before."""
    return not case.is_received and not await _incidents(tx, case)


async def _incidents(tx: Transaction, case: Case) -> list[Incident]:
    query = select(Incident).where(col(Incident.case_id) == case.id).order_by(col(Incident.recorded_at))
    return list((await tx.session.execute(query)).scalars())


async def _offers(tx: Transaction, edge: Edge, case: Case) -> list[Offer]:
    """Of what happened last; a case that another agency's words opened is offered what its own desk there offers."""
    query = select(Incident).where(col(Incident.case_id) == case.id).order_by(col(Incident.recorded_at).desc()).limit(1)
    last = (await tx.session.execute(query)).scalar_one_or_none()
    return [] if case.is_received else await offers_of(tx, edge.here, case, last, case.facility)


async def _consents(tx: Transaction, case: Case) -> list[Consent]:
    query = select(Consent).where(col(Consent.case_id) == case.id).order_by(col(Consent.given_at).desc(), col(Consent.id).desc())
    return list((await tx.session.execute(query)).scalars())


async def _referrals(tx: Transaction, case: Case, visit: Visitor) -> list[Referral]:
    query = select(Referral).where(col(Referral.case_id) == case.id).order_by(col(Referral.issued_at).desc())
    return [row for row in (await tx.session.execute(query)).scalars() if scope.is_at_desk(visit.actor, row.desk, case.id)]


async def _walk_ins(tx: Transaction, case: Case, visit: Visitor) -> list[WalkIn]:
    query = select(WalkIn).where(col(WalkIn.case_id) == case.id).order_by(col(WalkIn.came_at))
    return [row for row in (await tx.session.execute(query)).scalars() if scope.is_at_desk(visit.actor, row.facility, case.id)]


async def _set_aside(tx: Transaction, case: Case) -> set[UUID]:
    """Of the referrals whose care goes on here without them, those of which a court keeps what was told."""
    after = select(col(WalkIn.after_referral)).where(col(WalkIn.case_id) == case.id)
    found = (await tx.session.execute(select(Referral).where(col(Referral.id).in_(after)))).scalars().all()
    return await set_aside(tx, found)


async def _follows(tx: Transaction, case: Case, visit: Visitor) -> FollowedThing | None:
    query = select(FollowedThing).where(
        col(FollowedThing.account_id) == visit.actor.account_id, col(FollowedThing.case_id) == case.id
    )
    return (await tx.session.execute(query)).scalars().first()


@router.post("/cases/{case_id}/progress")
async def post_progress(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """A coded step; told to whom consent allows."""
    words = {"code": _("Choose what happened."), "on_date": _("Type the date: year, month, day.")}
    form = fill(RecordProgress, values, words)
    if "" in form.errors:  # a fault between fields
        form.errors = {"on_date": DATES_MISSING.get(form.value("code"), NO_DATE)}
    asked = form.model
    if asked is None or form.errors:
        return await _case_page(case_id, request, edge, visit, form, status=422)

    async def work(tx: Transaction) -> str:
        await record_progress(case_id, asked, tx, edge.here, visit.actor)
        return f"/cases/{case_id}"

    return await submit(request, edge, visit, values, work)


@router.get("/cases/{case_id}/pressure")
async def show_pressure(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """What writing it down does, before it is done."""
    visit.actor.may_work()
    async with edge.database.write() as tx:  # the look is kept
        case = await commands.load_case(tx, case_id, visit.actor)
        await views.note_read(tx, case.id, visit.actor, "case")
    return edge.pages.show(request, "cases/pressure.html", visit, case=case, here_now="/cases")


@router.post("/cases/{case_id}/pressure")
async def post_pressure(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Somebody presses for a settlement: any agency may say so, and nobody else is told."""

    async def work(tx: Transaction) -> str:
        await record_progress(case_id, RecordProgress(code=codes.ProgressCode.PRESSURE_TO_SETTLE), tx, edge.here, visit.actor)
        return f"/cases/{case_id}?done=pressure"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/release")
async def post_release(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """After a restore: a supervisor has looked at the case, and it may be decided before the others have told what they know."""

    async def work(tx: Transaction) -> str:
        await release_case(case_id, tx, edge.here, visit.actor)
        return "/alarms" if values.get("back") == ["/alarms"] else f"/cases/{case_id}"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/place")
async def post_place(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Which place looks after a case that came here without one."""
    asked = fill(PlaceCase, values, {}).model
    if asked is None:
        raise Conflict(CHOOSE_PLACE)

    async def work(tx: Transaction) -> str:
        case = await place_case(case_id, asked, tx, edge.here, visit.actor)
        return f"/cases/{case_id}" if visit.actor.sees(case.facility) else "/cases"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/follow")
async def post_follow(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Changes of this case stand on one's own page from now on."""

    async def work(tx: Transaction) -> str:
        await follow(Follow(case_id=case_id), tx, edge.here, visit.actor)
        return f"/cases/{case_id}?done=followed"

    return await submit(request, edge, visit, values, work)


@router.post("/cases/{case_id}/unfollow")
async def post_unfollow(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """No longer."""

    async def work(tx: Transaction) -> str:
        case = await commands.load_case(tx, case_id, visit.actor)
        followed = await _follows(tx, case, visit)
        if followed is not None:
            await unfollow(followed.id, tx, visit.actor)
        return f"/cases/{case_id}?done=unfollowed"

    return await submit(request, edge, visit, values, work)


@router.get("/cases/{case_id}/again")
async def show_again(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor) -> Response:
    """It happened again: a repeated assault is a new incident with its own acute request. What was told of the first, where a case
    was opened without one, stands chosen."""
    visit.actor.may_work()
    form = await draft_of(request, visit)
    async with edge.database.write() as tx:  # the look is kept
        case = await commands.load_case(tx, case_id, visit.actor)
        await views.note_read(tx, case.id, visit.actor, "case")
        is_first = await _has_none_yet(tx, case)
        told = await edge.pages.look.told_before(tx, case.id) if is_first and edge.pages.look.told_before is not None else None
    if told is not None and not form.values:
        form = Filled({"incident_type": [told]})
    return edge.pages.show(
        request, "cases/again.html", visit, case=case, is_first=is_first, asks_who=commands.was_not_asked(case), here_now="/cases",
        **_asks(edge, form),
    )  # fmt: skip


@router.post("/cases/{case_id}/again")
async def post_again(case_id: UUID, request: Request, edge: OneEdge, visit: Visitor, values: Posted) -> Response:
    """Keeps the incident; care and place follow."""
    form = _checked(fill(Again, values, WORDS))
    asked = form.model
    if asked is None or form.errors:
        async with edge.database.read() as tx:
            case = await commands.load_case(tx, case_id, visit.actor)
            is_first = await _has_none_yet(tx, case)
        return edge.pages.show(
            request, "cases/again.html", visit, case=case, is_first=is_first, asks_who=commands.was_not_asked(case), errors=True,
            status=422, here_now="/cases", **_asks(edge, form),
        )  # fmt: skip

    async def work(tx: Transaction) -> str:
        if asked.age_band is not AgeBand.UNKNOWN or asked.sex is not None:
            await commands.say_who(case_id, asked.age_band, asked.sex, tx, visit.actor)
        incident = _incident(edge, asked, tx.clock.now(), is_child(await commands.load_case(tx, case_id, visit.actor)))
        await commands.add_incident(case_id, incident, tx, edge.here, visit.actor)
        return f"/cases/{case_id}/refer"

    return await submit(request, edge, visit, values, work)
