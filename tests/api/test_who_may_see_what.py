"""What is not for an account is not there: every route of every agency, for every role, about things of another desk's case.

The routes are the applications' own: one that is new and takes an id must say here what kind of thing it is about. On PostgreSQL
the application owns nothing, and the same is asked again with the query filter switched off: the database alone shows nothing.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import yaml
from agencies import Desk, TestAgency, World, consent, database_at, open_case, refer
from centre import keeps_as_a_centre
from coast import BESIDE
from fastapi.routing import APIRoute
from hotline import answered_at_every_unit
from schema import as_application, postgres_at_head, sqlite_at_head
from sqlalchemy import delete, func, select, text, true
from sqlmodel import SQLModel, col

import services.demo
from services.kinds import parts_of
from services.police.enquiries.tables import Enquiry
from services.police.hotline.tables import Call
from services.police.offenders.tables import Offender
from services.police.property.tables import Property
from services.police.stays.tables import Stay
from services.social_welfare.returns.domain import Question
from shared.casework import scope
from shared.casework.accounts import sessions
from shared.casework.accounts.barred import kept
from shared.casework.accounts.commands import add_account, find_account, make_token
from shared.casework.accounts.tables import Attempt, CaseRead, Duty, HandOver
from shared.casework.alarms.commands import raise_alarm
from shared.casework.cases.looks import ids_of
from shared.casework.cases.tables import Case
from shared.casework.conferences.tables import Conference
from shared.casework.directory.network import parse_network
from shared.casework.exports.tables import Export
from shared.casework.eyes.tables import Opening
from shared.casework.here import Actor
from shared.casework.holds.tables import Hold
from shared.casework.migrate import SHARED_PREFIXES
from shared.casework.paper.tables import Sheet
from shared.casework.referrals.tables import Referral, WalkIn
from shared.casework.registers.tables import RegisterEntry
from shared.casework.shown import Shown
from shared.casework.work import views as work_views
from shared.contracts.casework.codes import ROLES_OF, Role, Urgency
from shared.kit.db import MACHINE, NOBODY
from shared.kit.ids import new_id
from shared.kit.sealed import Sealed

# Ids in addresses that stand for something of a case or of another person, and those that do not, each with what it is.
OF_A_CASE = {"case_id", "referral_id", "consent_id", "arrival_id", "message_id", "alarm_id", "opening_id", "hold_id", "export_id",
             "call_id", "complaint_id", "offender_id", "stay_id", "property_id", "enquiry_id", "report_id", "visit_id",
             "specimen_id", "medical_certificate_id", "hearing_id", "examination_id", "conference_id", "entry_id"}  # fmt: skip
OF_NO_CASE = {
    "agency": "an agency of the network file, which published a protocol",
    "topic": "what a public protocol is about",
    "version": "of a public protocol",
    "account_id": "a colleague's account", "duty_id": "a line of the roster", "hand_over_id": "how many of what a shift left",
    "batch": "sheets that nobody has written on", "subscription_id": "the account's own", "event_id": "a letter that nobody opened",
    "certificate_id": "a colleague's certificate", "count_id": "a count of a box", "request_id": "a request for supplies",
    "sender": "an agency", "path": "a file of the pages", "period_name": "a month or a quarter",
}  # fmt: skip
CODES = {
    "register": {"GET": "tide_log", "POST": "tide_log"},
    "stay_act": {"GET": "admit", "POST": "hospital_out"},
    "property_act": {"GET": "returned", "POST": "asked_back"},
    "report_step": {"GET": "collected", "POST": "fee_paid"},
    "act": {"GET": "cancel", "POST": "acknowledge"},
    "transition": {"POST": "acknowledge"},
}
BODIES: dict[str, dict[str, Any]] = {  # what a route needs before it looks for anything
    "/api/v1/cases/{case_id}/incidents": {"incident_type": "rape"},
    "/api/v1/cases/{case_id}/consents": {
        "recipient": "health", "purpose": "care", "items": ["req"], "how": "spoken", "language": "bem",
    },
    "/api/v1/cases/{case_id}/refusals": {"recipient": "health", "how": "spoken", "language": "bem"},
    "/api/v1/cases/{case_id}/progress": {"code": "pressure_to_settle"},
    "/api/v1/cases/{case_id}/docket": {"number": "OB/9/26"},
    "/api/v1/cases/{case_id}/doses": {"product": "emergency_contraception", "incident_id": str(UUID(int=1))},
    "/api/v1/cases/{case_id}/complaints/{complaint_id}/steps": {"code": "charged"},
    "/api/v1/cases/{case_id}/complaints/{complaint_id}/withdrawals": {"asked_by": "she", "pressure": "no", "asked_alone": False},
    "/api/v1/cases/{case_id}/complaints/{complaint_id}/reopenings": {"reason": "she_asks"},
    "/api/v1/cases/{case_id}/legal-information": {
        "topics": ["costs"], "language": "bem", "interpreter": False, "post": "duty_officer",
    },
    "/api/v1/cases/{case_id}/told": {"step": 1, "outcome": "not_safe"},
    "/api/v1/cases/{case_id}/hearing-off": {"step": 1},
    "/api/v1/cases/{case_id}/breaches": {"code": "fee_demanded", "by_whom": "health"},
    "/api/v1/cases/{case_id}/specimens": {"kind": "swab", "post": "duty_nurse"},
    "/api/v1/specimens/{specimen_id}/entries": {"act": "sealed", "post": "duty_nurse", "seal": "A1"},
    "/api/v1/hearings/{hearing_id}/answer": {"state": "cancelled"},
    "/hearings/{hearing_id}/answer": {"state": "cancelled"},
    "/api/v1/cases/{case_id}/hearings": {"on_date": "2026-02-20"},
    "/cases/{case_id}/hearings": {"hearing_on": "2026-02-20"},
    "/api/v1/cases/{case_id}/verdicts": {"outcome": "other"},
    "/cases/{case_id}/verdicts": {"outcome": "other"},
    "/api/v1/cases/{case_id}/examinations": {"agreed": True, "post": "examiner"},
    "/cases/{case_id}/examinations": {"agreed": "yes", "post": "examiner"},
    "/api/v1/examinations/{examination_id}/order-asked": {"asked_of": "police"},
    "/examinations/{examination_id}/order-asked": {"asked_of": "police"},
    "/api/v1/examinations/{examination_id}/order-came": {"order_number": "ORD/1"},
    "/examinations/{examination_id}/order-came": {"came_number": "ORD/1"},
    "/api/v1/referrals/{referral_id}/afterwards": {"plan": "goes_on_here"},
    "/referrals/{referral_id}/afterwards": {"plan": "goes_on_here"},
    "/cases/{case_id}/prosecutor": {"place": "justice/office"},
    "/api/v1/cases/{case_id}/medical-certificates": {"number": "MC/2", "post": "duty_nurse", "copy_kept": True},
    "/api/v1/cases/{case_id}/follow-ups": {"which": "other", "due_on": "2026-01-20"},
    "/api/v1/follow-ups/{visit_id}/answer": {"state": "kept"},
    "/api/v1/cases/{case_id}/conferences": {
        "on_date": "2026-01-20", "part": "morning", "agenda": ["needs"], "agencies": ["police"],
    },
    "/api/v1/conferences/{conference_id}/answer": {"answer": "will_come"},
    "/conferences/{conference_id}/answer": {"answer": "will_come"},
    "/api/v1/conferences/{conference_id}/conclude": {"outcome": "called_off"},
    "/conferences/{conference_id}": {"outcome": "called_off"},
    "/cases/{case_id}/conferences": {"on_date": "2026-01-20", "part": "morning", "agenda": "needs", "agencies": "police"},
    "/api/v1/cases/{case_id}/plan": {"needs": ["safety"], "review_on": "2026-01-20"},
    "/cases/{case_id}/plan/change": {"needs": "safety", "review_on": "2026-01-20"},
    "/api/v1/cases/{case_id}/plan/answer": {"number": 1, "agrees": True, "how": "spoken", "language": "bem"},
    "/cases/{case_id}/plan/answer": {"number": "1", "agrees": "yes", "how": "spoken", "language": "bem"},
    "/api/v1/cases/{case_id}/plan/steps": {"step": str(UUID(int=1)), "state": "done"},
    "/cases/{case_id}/plan/steps": {"step": str(UUID(int=1)), "state": "done"},
    "/api/v1/cases/{case_id}/plan/close": {"why": "she_asks"},
    "/cases/{case_id}/plan/close": {"why": "she_asks"},
    "/api/v1/cases/{case_id}/visits": {"due_on": "2026-01-20"},
    "/cases/{case_id}/visits": {"due_on": "2026-01-20", "kind": "office"},
    "/api/v1/cases/{case_id}/visiting": {"is_safe": False, "language": "bem"},
    "/cases/{case_id}/visiting": {"is_safe": "no", "language": "bem"},
    "/api/v1/visits/{visit_id}/set-out": {"back_by": "2026-01-05T12:00:00Z"},
    "/visits/{visit_id}/set-out": {"out_hours": "1"},
    "/api/v1/visits/{visit_id}/answer": {"state": "kept", "outcome": "met_and_safe"},
    "/visits/{visit_id}/answer": {"state": "kept", "outcome": "met_and_safe"},
    "/api/v1/cases/{case_id}/returns": {"where": "family", "answers": {str(one): "no" for one in Question}},
    "/cases/{case_id}/return": {"where": "family", **{str(one): "no" for one in Question}},
    "/api/v1/cases/{case_id}/returns/answer": {"agrees": True, "how": "spoken", "language": "bem"},
    "/cases/{case_id}/return/answer": {"agrees": "yes", "how": "spoken", "language": "bem"},
    "/api/v1/cases/{case_id}/returns/end": {"why": "she_asks"},
    "/cases/{case_id}/return/end": {"why": "she_asks"},
    "/follow-ups/{visit_id}/answer": {"state": "kept"},
    "/api/v1/follow-ups/{visit_id}/move": {"due_on": "2026-01-21"},
    "/follow-ups/{visit_id}/move": {"due_on": "2026-01-21"},
    "/api/v1/cases/{case_id}/reports": {"form": "zp_form_32", "form_version": 1},
    "/api/v1/reports/{report_id}/steps": {"step": "fee_paid", "amount": 1},
    "/reports/{report_id}/steps/{report_step}": {"amount": "1"},
    "/cases/{case_id}/reports": {"form": "zp_form_32", "form_version": "1"},
    "/api/v1/referrals/{referral_id}/care": {"care": "pep", "result": "given"},
    "/api/v1/arrivals/{arrival_id}/care": {"care": "pep", "result": "given"},
    "/api/v1/referrals/{referral_id}/messages": {"code": "bring_card"},
    "/api/v1/arrivals/{arrival_id}/match": {"referral_id": str(UUID(int=1))},
    "/api/v1/messages/{message_id}/answer": {"answer": "passed_on"},
    "/api/v1/calls/{call_id}/merge": {"into": str(UUID(int=1))},
    "/api/v1/offenders/{offender_id}/entries": {"what": "warned", "on": "2026-01-05"},
    "/offenders/{offender_id}": {"what": "warned", "on": "2026-01-05"},
    "/api/v1/cases/{case_id}/stays": {"post": "duty_officer"},
    "/api/v1/stays/{stay_id}/facts": {"kind": "hospital_out"},
    "/api/v1/cases/{case_id}/property": {"kind": "money", "post": "duty_officer", "name": "synthetic"},
    "/api/v1/property/{property_id}/entries": {"act": "asked_back"},
    "/api/v1/cases/{case_id}/own-word": {"word": "synthetic", "phone_is_safe": True},
    "/api/v1/cases/{case_id}/counsellings": {
        "what": "session", "language": "bem", "interpreter": False, "post": "duty_officer",
    },
    "/enquiry/{enquiry_id}/told": {"step": "1"},
    "/api/v1/records/{register}/{entry_id}/corrections": {"fields": {}},
    "/api/v1/cases/{case_id}/place": {"facility": "ndola_clinic"},
    "/cases/{case_id}/place": {"facility": "ndola_clinic"},
    "/api/v1/cases/{case_id}/holds": {"order": "A synthetic order."},
    "/cases/{case_id}/hold": {"order": "A synthetic order."},
    "/messages/{message_id}/answer": {"answer": "passed_on"},
    "/work/taken-back/{referral_id}/read": {},
}  # fmt: skip
NO_LISTS = {"/live", "/api/v1/events/stream", "/asyncapi"}  # streams do not end, and a document is the same for all
HERE = {"police": "ndola_central_vsu", "health": "ndola_clinic", "social_welfare": "ndola_district_office",
        "partner": "refuge", "justice": "office"}  # fmt: skip
ELSEWHERE = {"police": "masaiti_vsu", "health": "ndola_hospital", "social_welfare": "masaiti_office",
             "partner": "law_clinic", "justice": "court"}  # fmt: skip


# What is about nobody of a case, and what an agency has routes for and `a_case` makes nothing of.
NOT_THERE = {
    "police": {"offender_id", "arrival_id"}, "health": {"arrival_id", "message_id"},
    **{name: {"arrival_id", "message_id", "report_id"} for name in ("social_welfare", "partner", "justice")},
}  # fmt: skip


@dataclass(frozen=True)
class Things:
    """What one agency has of one case: its ids by the names that addresses give them, and words that stand for it anywhere."""

    ids: dict[str, str]
    words: set[str]


@pytest.fixture
async def town(world: World, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """An agency of each kind, each with a second place that has nothing to do with the first."""
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text()) | {"purpose": "test"}
    offices = content["agencies"]["social_welfare"]["facilities"]
    offices["masaiti_office"] = {**offices["ndola_district_office"], "name": "Masaiti office"}
    content["agencies"] |= BESIDE
    content["pairs"] += [[kind, other] for kind in BESIDE for other in ("police", "health", "social_welfare")]
    net = parse_network(content, "the test's")
    for name, agency in world.agencies.items():
        world.agencies[name] = TestAgency(replace(agency.here, network=net), agency.parts, agency.database)
    made: list[str] = []
    for name in BESIDE:
        if world["police"].database.dialect == "sqlite":
            url = await asyncio.to_thread(sqlite_at_head, tmp_path / f"{name}.db", name)
        else:
            made.append(await asyncio.to_thread(postgres_at_head, request.getfixturevalue("postgres"), name))
            url = as_application(made[-1])
        here = replace(world["police"].here, agency=name, network=net)
        world.agencies[name] = TestAgency(here, parts_of(here.kind), database_at(url, world.clock))
    yield world
    for name in BESIDE:
        await world.agencies.pop(name).close()
    for url in made:
        await asyncio.to_thread(request.getfixturevalue("postgres").drop_database, url.rpartition("/")[2])


async def a_case(town: World) -> dict[str, Things]:
    """One case as far as a case goes, by agency."""
    desk = await town["police"].sign_in("a-desk", facility=HERE["police"])
    person = {"age_band": "10-14", "sex": "female", "language": "bem"}
    case_id = (await desk.post("/cases", {"needs": person, "relay": {"safe_hours": "morning"}}))["id"]
    incident_id = (await desk.post(f"/cases/{case_id}/incidents", {"incident_type": "rape"}))["id"]
    agreed = await consent(desk, case_id, "health", "fb", "needs", "relay")
    rid = (await refer(desk, case_id, incident_id, "health"))["id"]
    await consent(desk, case_id, "social_welfare", "needs", "relay")
    other = (await refer(desk, case_id, incident_id, "social_welfare"))["id"]
    sent = {}
    for name, service in (("partner", "shelter"), ("justice", "prosecution")):
        await consent(desk, case_id, name, "needs")
        asked_for = {"to_agency": name, "to_facility": HERE[name], "services": [service], "urgency": "urgent"}
        sent[name] = (await desk.post("/referrals", {"case_id": case_id, "incident_id": incident_id, **asked_for}))["id"]
    await town.settle()
    beside = {name: await town[name].sign_in(f"at-{name}", facility=HERE[name]) for name in BESIDE}
    nurse = await town["health"].sign_in("a-nurse", facility=HERE["health"])
    worker = await town["social_welfare"].sign_in("a-worker", facility=HERE["social_welfare"])
    message = await nurse.post(f"/referrals/{rid}/messages", {"code": "bring_card"})
    await nurse.post(f"/referrals/{rid}/arrive")
    await town.settle()
    return {
        "police": await things(town["police"], desk, case_id, rid, agreed["id"], message["id"]),
        "health": await things(town["health"], nurse, (await nurse.get(f"/referrals/{rid}"))["case_id"], rid),
        "social_welfare": await things(
            town["social_welfare"], worker, (await worker.get(f"/referrals/{other}"))["case_id"], other
        ),
        **{
            name: await things(town[name], by, (await by.get(f"/referrals/{sent[name]}"))["case_id"], sent[name])
            for name, by in beside.items()
        },
    }  # fmt: skip


async def things(
    agency: TestAgency, desk: Desk, case_id: str, referral_id: str, consent_id: str | None = None, message_id: str | None = None
) -> Things:
    name = agency.here.agency
    if consent_id is None:
        consent_id = (await consent(desk, case_id, "social_welfare" if name == "health" else "health"))["id"]
    arrival = await desk.post("/arrivals", {"facility": HERE[name]})
    async with agency.database.write() as tx:
        about = new_id()
        case = (await tx.session.execute(select(Case).where(col(Case.id) == UUID(case_id)))).scalar_one()
        await raise_alarm(tx, agency.here, "stalled", about, HERE[name], Urgency.ACUTE, case.id)
        now = tx.clock.now()
        opening = Opening(id=new_id(), case_id=case.id, account_id=new_id(), why="life_threat", opened_at=now, until_at=now)
        hold = Hold(id=new_id(), case_id=case.id, order="A synthetic order.", placed_at=now, placed_by=new_id())
        export = Export(id=new_id(), account_id=new_id(), what="looks", case_id=case.id, purpose="she_asked", because="synthetic",
                        recipient_key="age1", digest="", made_at=now)  # fmt: skip
        conference = Conference(id=new_id(), case_id=case.id, key_name=case.id, caller="social_welfare", desk=HERE[name],
                                facility="ndola_district_office", on_date=now.date(), part="morning", agenda=["needs"],
                                state="called", called_at=now)  # fmt: skip
        entry_id = new_id()
        entry = RegisterEntry(id=entry_id, entry_id=entry_id, version=1, record="tide_log", case_id=case.id, facility=HERE[name],
                              key_name=case.id, said={"people": 3}, recorded_at=now, recorded_by=new_id())  # fmt: skip
        tx.session.add_all([opening, hold, export, conference, entry])
        call = Call(id=new_id(), what="report", channel="voice", facility=HERE[name], desk=HERE[name], step="fits", seen_at=now,
                    key_name=case.id,
                    said={"need": "protection", "needs": ["protection"], "language": None, "is_child": False,
                          "needs_vehicle": False, "may_call_back": False},
                    came_at=now, taken_by=new_id(), case_id=case.id)  # fmt: skip
        offender = Offender(id=new_id(), facility=HERE[name], entered_at=now, entered_by=new_id())
        stay = Stay(id=new_id(), case_id=case.id, facility=HERE[name], post="duty_officer", with_her=["0-9"], came_at=now,
                    recorded_at=now, recorded_by=new_id())  # fmt: skip
        thing = Property(id=new_id(), case_id=case.id, facility=HERE[name], number=1, kind="money", recorded_at=now,
                         recorded_by=new_id())  # fmt: skip
        enquiry = Enquiry(id=new_id(), case_id=case.id, key_name=case.id, said={"claims_to_be": "husband"}, is_answered=True,
                          facility=HERE[name], occurred_at=now, recorded_by=new_id())  # fmt: skip
        tx.session.add_all([call, offender, stay, thing, enquiry] if name == "police" else [])
    alarm = next(one for one in (await desk.get("/alarms"))["items"] if one["about"] == str(about))
    complaint = (
        (await desk.post(f"/cases/{case_id}/complaints", {"number": "FIR/1/26"}))["id"] if name == "police" else str(new_id())
    )
    form = {"form": "zp_form_32", "form_version": 1}
    report = (await desk.post(f"/cases/{case_id}/reports", form))["id"] if name in ("police", "health") else str(new_id())
    visit = {"which": "other", "due_on": "2026-02-20"}
    follow_up = (await desk.post(f"/cases/{case_id}/follow-ups", visit))["id"] if name == "health" else str(new_id())
    if name == "social_welfare":
        follow_up = (await desk.post(f"/cases/{case_id}/visits", {"due_on": "2026-02-20"}))["id"]
        await desk.post(f"/cases/{case_id}/plan", {"needs": ["safety"], "review_on": "2026-02-20"})
        await desk.post(f"/cases/{case_id}/visiting", {"is_safe": False, "language": "bem"})
        await desk.post(f"/cases/{case_id}/returns", {"where": "family", "answers": {str(one): "no" for one in Question}})
    sample, paper = str(new_id()), str(new_id())
    if name == "health":
        sample = (await desk.post(f"/cases/{case_id}/specimens", {"kind": "swab", "post": "duty_nurse"}))["id"]
        paper_of = {"number": "MC/1", "post": "duty_nurse", "copy_kept": True}
        paper = (await desk.post(f"/cases/{case_id}/medical-certificates", paper_of))["id"]
    hearing, examination = str(new_id()), str(new_id())
    if name == "justice":
        hearing = (await desk.post(f"/cases/{case_id}/hearings", {"on_date": "2026-02-20"}))["id"]
        examination = (await desk.post(f"/cases/{case_id}/examinations", {"agreed": True, "post": "examiner"}))["id"]
        sample = (await desk.post(f"/cases/{case_id}/specimens", {"kind": "swab", "post": "examiner"}))["id"]
    ids = {
        "hearing_id": hearing, "examination_id": examination,
        "specimen_id": sample, "medical_certificate_id": paper,
        "visit_id": follow_up, "conference_id": str(conference.id),
        "complaint_id": complaint, "report_id": report,
        "case_id": case_id, "referral_id": referral_id, "consent_id": consent_id, "arrival_id": arrival["arrival_id"],
        "message_id": message_id or str(new_id()), "alarm_id": alarm["id"],
        "opening_id": str(opening.id), "hold_id": str(hold.id), "export_id": str(export.id), "call_id": str(call.id),
        "offender_id": str(offender.id), "stay_id": str(stay.id), "property_id": str(thing.id), "enquiry_id": str(enquiry.id),
        "entry_id": str(entry.entry_id),
    }  # fmt: skip
    return Things(ids, {*ids.values(), case.number, str(case.circle)} - {message_id if message_id is None else ""})


def routes(app: Any) -> list[tuple[str, str]]:
    routers = [app.router, *(one.original_router for one in app.routes if hasattr(one, "original_router"))]
    found = {(m, r.path) for router in routers for r in router.routes if isinstance(r, APIRoute) for m in r.methods or ()}
    return sorted((method, path) for method, path in found if method != "HEAD")


class Reader:
    """One account of an agency, with a token for the API and a session for the pages."""

    def __init__(self, agency: TestAgency, name: str, token: str, cookie: str, csrf: str) -> None:
        self.agency, self.name, self.token, self.csrf = agency, name, token, csrf
        self.cookies = {agency.edge.pages.cookie: cookie}

    @classmethod
    async def make(
        cls, agency: TestAgency, name: str, role: Role, facility: str | None,
        never: frozenset[UUID] = frozenset(), opened: UUID | None = None,
    ) -> "Reader":  # fmt: skip
        """`never`: cases that it may not see; `opened`: one that is open to it for an hour, because a life is in danger."""
        async with agency.database.write() as tx:
            account = await add_account(tx, agency.here, name, role, facility)
            account.pin_hash, account.never = "chosen by herself", kept(never)
            if opened is not None:
                now = tx.clock.now()
                tx.session.add(Opening(id=new_id(), case_id=opened, account_id=account.id, why="life_threat", opened_at=now,
                                       until_at=now + timedelta(hours=1)))  # fmt: skip
            cookie = await sessions.open_session(tx, account, new_id(), needs_code=False)
            token = await make_token(tx, name)
            visit = await sessions.visit(tx, agency.here, cookie)
            assert visit is not None
        return cls(agency, name, token, cookie, visit.csrf)

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Asks as a program or, where the address is a page's, as a browser."""
        own = {"Sec-Fetch-Site": "same-origin"}
        if path.startswith("/api/"):
            own = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": str(new_id()), "If-Match": '"1"'}
            sent: dict[str, Any] = {} if method == "GET" else {"json": body or {}}
        else:
            self.agency.client.cookies.update(self.cookies)
            sent = {} if method == "GET" else {"data": {"csrf": self.csrf, **(body or {})}}
        try:
            return await self.agency.client.request(method, path, headers=own, **sent)
        finally:
            self.agency.client.cookies.clear()

    async def attempts(self) -> int:
        """How often the log says that this account asked for what is not there or not for it."""
        async with self.agency.database.read() as tx:
            account = await find_account(tx, self.name)
            query = select(func.count()).select_from(Attempt).where(col(Attempt.account_id) == account.id)
            return int((await tx.session.execute(query)).scalar_one())


def asked(method: str, path: str, ids: dict[str, str]) -> tuple[str, dict[str, Any] | None]:
    def value(found: re.Match[str]) -> str:
        return CODES[found[1]][method] if found[1] in CODES else ids[found[1]]

    return re.sub(r"{(\w+)}", value, path), BODIES.get(path)


def answered(answer: httpx.Response) -> tuple[Any, ...]:
    return answer.status_code, sorted(answer.headers.items()), answer.text


async def walk(town: World, foreign: dict[str, Things]) -> None:
    """Every role × every route with an id × what is another desk's: answered as what nobody has is answered, and kept once."""
    wrong: list[tuple[Any, ...]] = []
    for name, agency in town.agencies.items():
        found = [(m, p) for m, p in routes(agency.app) if set(re.findall(r"{(\w+)}", p)) & OF_A_CASE]
        assert len(found) > 40, found
        nothing: dict[tuple[str, str], tuple[Any, ...]] = {}  # how what nobody has is answered, to the first role
        for role in sorted(ROLES_OF[agency.here.kind], key=lambda one: one is Role.ADMINISTRATOR):
            reader = await Reader.make(agency, f"reader-{role}", role, ELSEWHERE[name])
            for method, path in found:
                before = await reader.attempts()
                answer = answered(await reader.ask(method, *asked(method, path, foreign[name].ids)))
                attempts = await reader.attempts() - before
                if (method, path) not in nothing:
                    unknown = {kind: str(new_id()) for kind in foreign[name].ids}
                    nothing[method, path] = answered(await reader.ask(method, *asked(method, path, unknown)))
                    is_alike = answer == nothing[method, path]
                elif path.startswith("/api/") and role is not Role.ADMINISTRATOR:
                    is_alike = answer == nothing[method, path]
                else:  # pages have each role's own ways above the words, and an administrator is not even looked for
                    is_alike = "There is no" in answer[-1] and not any(word in answer[-1] for word in foreign[name].words)
                if not is_alike or answer[0] != 404 or attempts != 1:
                    wrong.append((name, role.value, method, path, answer[0], attempts, is_alike))
        named = {kind for _method, path in found for kind in re.findall(r"{(\w+)}", path)} & OF_A_CASE
        wrong += [(name, "not in her log", kind) for kind in await unseen(agency, foreign[name], named - NOT_THERE[name])]
    assert not wrong, "\n".join(map(str, wrong))


async def unseen(agency: TestAgency, things: Things, kinds: set[str]) -> list[str]:
    """Of what was tried at, what the survivor is not told of when she asks who tried."""
    async with agency.database.read() as tx:
        hers = set((await tx.session.execute(ids_of(agency.here, UUID(things.ids["case_id"])))).scalars())
        tried = set((await tx.session.execute(select(col(Attempt.about)))).scalars())
    assert {UUID(things.ids[kind]) for kind in kinds} <= tried
    return sorted(kind for kind in kinds if UUID(things.ids[kind]) not in hers)


async def test_every_id_in_an_address_says_what_it_stands_for(town: World) -> None:
    for agency in town.agencies.values():
        for _method, path in routes(agency.app):
            named = set(re.findall(r"{(\w+)", path))
            assert named <= OF_A_CASE | OF_NO_CASE.keys() | CODES.keys() | {"what"}, path


@pytest.fixture
def unfiltered(town: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """On PostgreSQL the queries leave nothing out: what is not shown is what the database keeps back by itself."""
    if town["police"].database.dialect == "postgresql":
        for name in ("this_case", "sees_case", "at_desk"):
            monkeypatch.setattr(scope, name, lambda *_asked: true())
        monkeypatch.setattr(scope, "is_at_desk", lambda *_asked: True)
    work_views._questions.cache_clear()
    yield
    work_views._questions.cache_clear()


# What names a case or a thing of one, or holds something sealed, and is not kept back by the database itself.
NAMING = {"case_id", "circle", "referral_id", "incident_id", "consent_id", "about", "subject", "opening_id", "export_id", "call_id",
          "offender_id", "complaint_id", "stay_id", "property_id", "report_id", "open_items", "event_id"}  # fmt: skip
UNGUARDED = {
    "casework_attempts": "which account asked for which id and was shown nothing; of which case an id is, it does not say",
    "casework_export_files": "encrypted to its reader; the export is kept back, and whoever makes the next takes old files away",
    "casework_hand_overs": "ids of what a shift left open, by place: signing in asks for one's own",
    "casework_opening_reviews": "what was found of an opening, by its id",
    "exchange_slots": "which slot of a peer has which event, by id: the worker's",
    "exchange_tombstones": "that a peer's consent was taken back, by id: the worker's, which must find it whoever asks",
    "police_station_entries": "numbers of a station and when they were given, by the id of an event",
    "casework_accounts": "colleagues; what is sealed is the account's own list, which signing in reads",
    "casework_decoys": "which ones they are lies sealed under the agency's key",
    "casework_subscriptions": "which cases an account follows, by id: asked by account",
    "casework_idempotency": "an account's own answers, by account and key; whoever takes consent back clears them of all accounts",
    "casework_figure_releases": "sums of a month, a quarter or a year: of nobody in particular",
    "casework_openings": "who opened which case, by id: signing in asks for one's own",
    "casework_releases": "that a case may go on after a restore, by id",
    "casework_sheets": "which sheet was entered into which case, by id: the sheet says nothing else",
    "exchange_forks": "words of peers in two versions, sealed: evidence for whoever looks after lines",
    "exchange_outbox": "words to peers, sealed: the relay's; a page joins when they left",
    "exchange_inbox": "words of peers, sealed: the worker's; nobody is shown them",
}  # fmt: skip


async def test_every_table_that_tells_of_a_case_is_kept_back_by_the_database(town: World) -> None:
    seen: set[str] = set()
    for agency in town.agencies.values():
        if agency.database.dialect != "postgresql":
            continue
        query = "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relowner <> current_user::regrole"
        async with agency.database.read() as tx:
            guarded = {str(name) for name in (await tx.session.execute(text(query))).scalars()}
            mine = (SHARED_PREFIXES[0], SHARED_PREFIXES[1], f"{agency.here.kind}_")
        tables = {name: one for name, one in SQLModel.metadata.tables.items() if name.startswith(mine)}
        personal = {
            name for name, one in tables.items()
            if NAMING & set(one.c.keys()) or any(isinstance(column.type, Sealed) for column in one.c)
        }  # fmt: skip
        assert personal - guarded - UNGUARDED.keys() == set(), "call row_security.protect in a migration, or say here why not"
        assert guarded & UNGUARDED.keys() == set()
        seen |= personal
    assert UNGUARDED.keys() <= seen or not seen


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
async def test_the_database_alone_shows_a_case_to_its_desk_and_to_nobody_who_may_not_see_it(town: World) -> None:
    """Whatever a query asks for. Whoever is barred is kept from it at its own desk too, with the whole agency, and within an hour
    for which it was opened."""
    every = await a_case(town)
    for name, agency in town.agencies.items():
        case_id, nobody = UUID(every[name].ids["case_id"]), Actor(new_id(), "x", Role.ADMINISTRATOR, None)
        clerk = replace(nobody, role=min(ROLES_OF[agency.here.kind] - {Role.ADMINISTRATOR, Role.SUPERVISOR}), facility=HERE[name])
        there, never = replace(clerk, facility=ELSEWHERE[name]), frozenset({case_id})
        all_of_it = await rows_of(agency, case_id, MACHINE)
        assert {"casework_cases", "casework_referrals", "casework_referral_facts", "casework_circle_members"} <= all_of_it.keys()
        for by in (clerk, replace(clerk, facility=None), replace(there, opened=never)):
            assert await rows_of(agency, case_id, scope.told(by)) == all_of_it, (name, by)
        for by in (
            there, nobody, replace(clerk, never=never), replace(clerk, facility=None, never=never),
            replace(there, opened=never, never=never),
        ):  # fmt: skip
            assert await rows_of(agency, case_id, scope.told(by)) == {}, (name, by)
        assert await rows_of(agency, case_id, NOBODY) == {}


async def rows_of(agency: TestAgency, case_id: UUID, asks: Mapping[str, str]) -> dict[str, int]:
    """How many rows of a case the database shows to whoever asks, in each table that it keeps back."""
    async with agency.database.read() as tx:
        guarded = {
            str(one) for one in (await tx.session.execute(text("SELECT relname FROM pg_class WHERE relrowsecurity"))).scalars()
        }
        case = (await tx.session.execute(select(Case).where(col(Case.id) == case_id))).scalar_one()
        referrals = (await tx.session.execute(select(col(Referral.id)).where(col(Referral.case_id) == case_id))).scalars().all()
        await tx.tell(asks)
        found = {}
        for name in guarded & SQLModel.metadata.tables.keys():
            table = SQLModel.metadata.tables[name]
            named = {"case_id": [case_id], "circle": [case.circle], "referral_id": referrals}
            by = next((one for one in named if one in table.c), "id" if name == "casework_cases" else None)
            if by is not None:
                query = select(func.count()).select_from(table).where(table.c[by].in_(named.get(by, [case_id])))
                found[name] = int((await tx.session.execute(query)).scalar_one())
        return {name: count for name, count in found.items() if count}


@pytest.mark.long
@pytest.mark.timeout(3_600)
async def test_whoever_may_not_see_a_case_is_answered_to_the_letter_as_of_what_nobody_has(
    town: World, request: pytest.FixtureRequest
) -> None:
    """Page by page, as each role has it: every role of another desk, and whoever has another case open for an hour. And whoever is
    barred: at the desk where it lies, with the whole agency, and within an hour for which it was opened."""
    foreign = await a_case(town)
    request.getfixturevalue("unfiltered")
    wrong: list[tuple[Any, ...]] = []
    for name, agency in town.agencies.items():
        found = [(m, p) for m, p in routes(agency.app) if set(re.findall(r"{(\w+)}", p)) & OF_A_CASE]
        unknown = {kind: str(new_id()) for kind in foreign[name].ids}
        for reader, is_barred in await kept_from(agency, UUID(foreign[name].ids["case_id"])):
            for method, path in found:
                if is_barred and set(re.findall(r"{(\w+)}", path)) & NOT_THERE[name]:
                    continue  # of no case, or of another: at her own desk it is shown to her
                answers = []
                for ids in (foreign[name].ids, unknown):
                    before = await reader.attempts()
                    answer = answered(await reader.ask(method, *asked(method, path, ids)))
                    answers.append((*answer, await reader.attempts() - before))
                if answers[0] != answers[1] or (answers[0][0], answers[0][-1]) != (404, 1):
                    wrong.append((reader.name, method, path, answers[0][0], answers[0][-1], answers[1][0], answers[1][-1]))
    assert not wrong, "\n".join(map(str, wrong))


async def kept_from(agency: TestAgency, case_id: UUID) -> list[tuple[Reader, bool]]:
    """Accounts that may not see a case, and whether that is because they are barred."""
    name, never, roles = agency.here.agency, frozenset({case_id}), sorted(ROLES_OF[agency.here.kind])
    clerk = min(set(roles) - {Role.ADMINISTRATOR, Role.SUPERVISOR})
    desk = await agency.sign_in("somebody", facility=HERE[name])
    arrival = (await desk.post("/arrivals", {"facility": HERE[name]}))["arrival_id"]
    async with agency.database.read() as tx:
        another = (await tx.session.execute(select(col(WalkIn.case_id)).where(col(WalkIn.id) == UUID(arrival)))).scalar_one()
    return [
        *[(await Reader.make(agency, f"elsewhere-{role}", role, ELSEWHERE[name]), False) for role in roles],
        (await Reader.make(agency, "guest-of-another", clerk, ELSEWHERE[name], opened=another), False),
        (await Reader.make(agency, "barred-at-desk", clerk, HERE[name], never), True),
        (await Reader.make(agency, "barred-everywhere", Role.SUPERVISOR, None, never), True),
        (await Reader.make(agency, "barred-guest", clerk, ELSEWHERE[name], never, case_id), True),
    ]


@pytest.mark.timeout(600)  # every role at every route: a minute when quiet
async def test_what_is_another_desks_is_answered_as_what_nobody_has_and_kept_once(
    town: World, request: pytest.FixtureRequest
) -> None:
    foreign = await a_case(town)
    request.getfixturevalue("unfiltered")
    await walk(town, foreign)


AT_A_STATION = ("police", "health", "social_welfare", "partner", "justice")  # where a route is asked: at the first that has it


@pytest.mark.timeout(600)  # twelve seconds of one core when quiet
@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_on_a_database_without_guards_of_its_own_the_queries_keep_it_back_on_every_route(town: World) -> None:
    """As at a station: SQLite has no row-level security, and what a query forgets it shows. Each route once, by a clerk of another
    desk; the walks above ask for every role."""
    foreign, wrong, asked_for = await a_case(town), list[tuple[Any, ...]](), set[tuple[str, str]]()
    lacks = defaultdict[str, set[str]](set, police={"specimen_id"})  # which has the route, and nothing of the kind
    for name in AT_A_STATION:
        agency, things = town[name], foreign[name]
        clerk = min(ROLES_OF[agency.here.kind] - {Role.ADMINISTRATOR, Role.SUPERVISOR})
        reader = await Reader.make(agency, "elsewhere", clerk, ELSEWHERE[name])
        fresh = [(m, p) for m, p in routes(agency.app) if (m, p) not in asked_for]
        about = [(m, p) for m, p in fresh if (kinds := set(re.findall(r"{(\w+)}", p)) & OF_A_CASE) and not kinds & lacks[name]]
        for method, path in about:
            answer = await reader.ask(method, *asked(method, path, things.ids))
            wrong += [] if answer.status_code == 404 else [(name, method, path, answer.status_code)]
        if await reader.attempts() != len(about):
            wrong.append((name, "kept attempts", await reader.attempts(), "of", len(about)))
        lists = [("GET", p) for m, p in fresh if m == "GET" and "{" not in p and p not in NO_LISTS]
        for method, path in lists:
            answer = await reader.ask(method, path)
            wrong += [(name, method, path, word) for word in things.words if word in answer.text]
        asked_for |= {*about, *lists}
    assert not wrong, "\n".join(map(str, wrong))
    assert len(asked_for) > 250


async def test_no_list_of_another_desk_tells_of_it(town: World, request: pytest.FixtureRequest) -> None:
    foreign = await a_case(town)
    request.getfixturevalue("unfiltered")
    for name, agency in town.agencies.items():
        for role in sorted(ROLES_OF[agency.here.kind]):
            reader = await Reader.make(agency, f"reader-{role}", role, ELSEWHERE[name])
            for method, path in routes(agency.app):
                if method == "GET" and "{" not in path and path not in NO_LISTS:
                    answer = await reader.ask(method, path)
                    told = {word for word in foreign[name].words if word in answer.text}
                    assert not told, (name, role, path, told)


async def test_a_thing_of_another_desk_is_not_reached_through_ones_own(town: World) -> None:
    """Ids in bodies, and beside an id of one's own."""
    foreign = (await a_case(town))["police"].ids
    reader = await Reader.make(town["police"], "reader", Role.OFFICER, ELSEWHERE["police"])
    own = Desk(town["police"].client, reader.token)
    case_id, incident_id = await open_case(own)
    walk_in = (await own.post("/arrivals", {}))["arrival_id"]
    await consent(own, case_id, "health", "needs")
    sent = {"to_agency": "health", "to_facility": "ndola_clinic", "services": ["acute_care"], "urgency": "acute"}
    incident = (await town["police"].client.get(
        f"/api/v1/cases/{foreign['case_id']}/incidents", headers={"Authorization": f"Bearer {(await other(town)).token}"}
    )).json()["items"][0]["id"]  # fmt: skip
    for method, path, thing, more in (
        ("POST", "/api/v1/referrals", "case_id", sent),
        ("POST", "/api/v1/referrals", "incident_id", {**sent, "case_id": case_id}),
        ("POST", "/api/v1/referrals", "in_place_of", {**sent, "case_id": case_id, "incident_id": incident_id}),
        ("POST", f"/api/v1/arrivals/{walk_in}/match", "referral_id", {}),
        ("POST", "/api/v1/subscriptions", "case_id", {}),
        ("DELETE", f"/api/v1/cases/{case_id}/consents/{{}}", "consent_id", {}),
        ("GET", f"/cases/{case_id}/consents/{{}}/take-back", "consent_id", {}),
        ("GET", f"/cases/{case_id}/refer?instead={{}}", "referral_id", {}),
    ):
        theirs = {"incident_id": incident, "in_place_of": foreign["referral_id"]}.get(thing) or foreign[thing]
        answers = []
        for id_ in (theirs, str(new_id())):
            before = await reader.attempts()
            body = {**more, thing: id_} if method == "POST" else None
            answers.append((*answered(await reader.ask(method, path.format(id_), body)), await reader.attempts() - before))
        assert answers[0] == answers[1], (path, thing, answers)
        assert (answers[0][0], answers[0][-1]) == (404, 1), (path, thing, answers[0])


async def other(town: World) -> Desk:
    return await town["police"].sign_in("another-desk", facility=HERE["police"])


async def test_what_another_place_keeps_beside_its_cases_is_not_there_either(town: World) -> None:
    """Colleagues, the roster, shifts, printed sheets and what somebody else follows."""
    clinic = town["health"]
    nurse = await clinic.sign_in("a-nurse", facility=HERE["health"])
    followed = await nurse.post("/subscriptions", {"facility": HERE["health"]})
    async with clinic.database.write() as tx:
        account, now = await find_account(tx, "a-nurse"), tx.clock.now()
        sheet = Sheet(number="V-00001-X", facility=HERE["health"], kind="visit", batch=new_id(), printed_at=now,
                      printed_by=account.id)  # fmt: skip
        duty = Duty(id=new_id(), facility=HERE["health"], post="duty_nurse", account_id=account.id, from_at=now,
                    until_at=now + timedelta(hours=1), entered_by=account.id)  # fmt: skip
        shift = HandOver(id=new_id(), facility=HERE["health"], given_by=account.id, open_items={}, written_at=now)
        tx.session.add_all([sheet, duty, shift])
        theirs = {"account_id": account.id, "duty_id": duty.id, "hand_over_id": shift.id, "batch": sheet.batch}
    ids = {name: str(id_) for name, id_ in theirs.items()} | {"subscription_id": followed["id"]}
    reader = await Reader.make(clinic, "matron", Role.SUPERVISOR, ELSEWHERE["health"])
    found = [(m, p) for m, p in routes(clinic.app) if set(re.findall(r"{(\w+)}", p)) & ids.keys()]
    assert len(found) > 8
    for method, path in found:
        answers = []
        for given in (ids, {name: str(new_id()) for name in ids}):
            before = await reader.attempts()
            answers.append((*answered(await reader.ask(method, *asked(method, path, given))), await reader.attempts() - before))
        assert answers[0] == answers[1], (method, path, answers)
        assert (answers[0][0], answers[0][-1]) == (404, 1), (method, path, answers[0])


# What of these addresses is no look at a case: the list of looks itself, which she asks for, and what shows nothing of hers.
NO_LOOKS = {"/cases/{case_id}/looked", "/api/v1/cases/{case_id}/access-log", "/cases/{case_id}/export",
            "/alarms/{alarm_id}/resolve", "/offenders/{offender_id}", "/api/v1/offenders/{offender_id}"}  # fmt: skip


# What nobody of `a_case` is shown: doses are certified officers', a file is whoever's took it, no docket or own word was entered.
NOT_SHOWN_HERE = {"/cases/{case_id}/dispense", "/api/v1/cases/{case_id}/doses", "/api/v1/cases/{case_id}/docket",
                  "/exports/{export_id}", "/exports/{export_id}/file", "/enquiry/{enquiry_id}"}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("world", ["sqlite"], indirect=True)  # what is kept is kept in the same way on both
async def test_whoever_opens_anything_of_a_case_at_its_own_desk_has_looked_at_it(town: World) -> None:
    """Every agency's every address, by a clerk and by a supervisor. The police keep what those of other programmes keep too: calls
    to a hotline, stays, things, counselling, enquiries."""
    answered_at_every_unit(town)
    keeps_as_a_centre(town)
    own, shown, every = await a_case(town), set(), set()
    silent: list[tuple[Any, ...]] = []
    for name, agency in town.agencies.items():
        for role in sorted(ROLES_OF[agency.here.kind] - {Role.ADMINISTRATOR}):
            reader = await Reader.make(agency, f"own-{role}", role, HERE[name])
            for method, path in routes(agency.app):
                if method != "GET" or not set(re.findall(r"{(\w+)}", path)) & OF_A_CASE or path in NO_LOOKS:
                    continue
                every.add(path)
                async with agency.database.write() as tx:
                    await tx.session.execute(delete(CaseRead))
                answer = await reader.ask("GET", *asked(method, path, own[name].ids))
                async with agency.database.read() as tx:
                    looked = (await tx.session.execute(select(col(CaseRead.id)).limit(1))).first() is not None
                if answer.status_code == 200:
                    shown.add(path)
                    silent += [(name, role.value, path)] if not looked else []
                elif answer.status_code not in {303, 403, 404, 409, 422}:
                    silent.append((name, role.value, path, answer.status_code))
    assert (silent, every - shown) == ([], NOT_SHOWN_HERE)


def commands_of(app: Any) -> dict[tuple[str, str], Any]:
    """What each command of the API answers, by method and path."""
    routers = [app.router, *(one.original_router for one in app.routes if hasattr(one, "original_router"))]
    every = [r for router in routers for r in router.routes if isinstance(r, APIRoute) and r.path.startswith("/api/")]
    return {(m, r.path): r.response_model for r in every for m in sorted((r.methods or set()) - {"GET", "HEAD"})}


LOOKS = ("casework_case_reads", "police_call_looks", "police_offender_looks")


async def kept_looks(agency: TestAgency) -> int:
    """How many looks an agency has kept, at cases, calls and offenders."""
    async with agency.database.read() as tx:
        there = [SQLModel.metadata.tables[name] for name in LOOKS if name.startswith(("casework", agency.here.kind))]
        return sum([(await tx.session.execute(select(func.count()).select_from(table))).scalar_one() for table in there])


@pytest.mark.long
@pytest.mark.parametrize("world", ["sqlite"], indirect=True)  # what is kept is kept in the same way on both
async def test_each_answer_of_a_command_is_one_look_and_a_repeated_one_another(town: World) -> None:
    """Whatever a clerk or a supervisor can have done at once with a case of the own desk: the others need more of a story, and
    answer by the same path (tests/architecture/test_answers_are_looks.py)."""
    answered_at_every_unit(town)
    keeps_as_a_centre(town)
    own, done, wrong = await a_case(town), set(), []
    for name, agency in town.agencies.items():
        for role in sorted(ROLES_OF[agency.here.kind] - {Role.ADMINISTRATOR}):
            reader = await Reader.make(agency, f"own-{role}", role, HERE[name])
            for (method, path), model in commands_of(agency.app).items():
                if not (isinstance(model, type) and issubclass(model, Shown)):
                    continue
                ids = {**{kind: str(new_id()) for kind in OF_NO_CASE}, **own[name].ids}
                where, body = asked(method, path, ids)
                headers = {"Authorization": f"Bearer {reader.token}", "Idempotency-Key": str(new_id())}
                headers |= {"If-Match": '"1"'} if method == "DELETE" else {}
                before = await kept_looks(agency)
                answer = await agency.client.request(method, where, headers=headers, json=body or {})
                looked = await kept_looks(agency) - before
                if answer.status_code not in {200, 201}:
                    assert answer.status_code in {403, 404, 409, 412, 422}, (path, answer.text)
                    wrong += [(name, role.value, method, path, answer.status_code, looked)] if looked else []
                    continue
                done.add(path)
                again = await agency.client.request(method, where, headers=headers, json=body or {})
                repeated = await kept_looks(agency) - before - looked
                is_alike = method == "DELETE" or (again.text == answer.text and repeated == 1)
                wrong += [] if looked == 1 and is_alike else [(name, role.value, method, path, looked, repeated)]
    assert not wrong, "\n".join(map(str, wrong))
    assert len(done) > 45, sorted(done)
