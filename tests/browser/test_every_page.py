"""Every page, empty, full and with an error on it, in both directions: no fault that axe finds, nothing too wide or too heavy.

`make test` opens each once, in one direction, full where it can be; the long tier opens it in every state and both directions.

With REFNET_SCREENS=folder it also keeps a picture of each page at three widths, which is how docs/screens is made.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from box import BATCH, EC, EXPIRES, STATION
from looking import WEIGHT_MAX_BYTES, Look, look_at, name_of
from people import Person, apart
from processes import free_port, today, until
from signing_in import PASSWORD, PIN
from sqlalchemy import select
from sqlmodel import col
from town import Town

from services.demo.start import serving, start_app
from services.police.dispensing.tables import HeldCertificate
from services.runtime import build
from services.social_welfare.returns.domain import Question
from shared.casework.accounts.tables import Account
from shared.kit.ids import new_id

DIRECTIONS = {"ltr": "en", "rtl": "fa_AF"}
# By person: what is opened before anything has happened, and once a day's work is there. {…} are filled in from that work.
EMPTY = {
    "officer": [
        "/work",
        "/cases",
        "/cases/new",
        "/directory",
        "/hand-over",
        "/paper",
        "/paper/print",
        "/look-up",
        "/dispensing",
        "/dispensing/count",
        "/dispensing/not-alike",
        "/offenders",
        "/reports",
        "/me",
        "/me/secrets",
    ],
    "inspector": ["/certificates", "/complaints", "/registers"],
    "nurse": [
        "/work",
        "/here-now",
        "/cases",
        "/supplies",
        "/reports",
        "/waits",
        "/arrivals/new",
        "/hand-over",
        "/paper",
        "/directory",
    ],
    "worker": ["/work", "/cases", "/hand-over", "/following", "/conferences", "/outreach"],
    "in-charge": [
        "/alarms",
        "/overdue",
        "/posts",
        "/accounts",
        "/accounts/new",
        "/eyes",
        "/parked",
        "/lines",
        "/figures",
        "/figures/programme",
        "/exports",
        "/figures/2026-01/export",
        "/supplies/stations",
    ],
    "": ["/sign-in", "/info", "/calendar", "/blank"],
}
FULL = {
    "officer": [
        "/work", "/cases", "/cases/{case}", "/cases/{case}/consent", "/cases/{case}/refer", "/cases/{case}/again",
        "/cases/{case}/looked", "/cases/{case}/consents/{consent}/take-back", "/referrals/{unseen}", "/referrals/{closed}",
        "/referrals/{late}", "/referrals/{declined}",
        "/referrals/{unseen}/card", "/referrals/{unseen}/cancel", "/referrals/{unseen}/told-by-phone",
        "/hand-over", "/paper", "/nothing-here", "/cases/{case}/docket", "/cases/{case}/cannot-answer",
        "/cases/{unasked_case}", "/cases/{unasked_case}/cannot-answer", "/referrals/{unasked}", "/cases/{drafted_case}",
        "/cases/{drafted_case}/refer", "/cases/{case}/dispense", "/cases/{given_case}/dispense", "/dispensing", "/dispensing/entry",
        "/dispensing/count", "/dispensing/counts/{count}", "/dispensing/ask", "/dispensing/report", "/dispensing/requests/{sent}",
        "/cases/{case}/complaint", "/cases/{case}/complaint/register", "/cases/{case}/complaint/step",
        "/cases/{case}/complaint/withdraw", "/cases/{case}/complaint/reopen", "/cases/{case}/complaint/explained",
        "/cases/{case}/breach", "/cases/{case}/pressure", "/cases/{drafted_case}/complaint", "/offenders", "/offenders/{offender}",
        "/cases/{case}/breach", "/cases/{drafted_case}/complaint", "/reports", "/cases/{case}/reports", "/reports/{report}",
        "/reports/{report}/steps/collected", "/reports/{report}/steps/held",
    ],
    "inspector": ["/certificates", "/complaints", "/fast-track", "/figures/programme"],
    "nurse": [
        "/work", "/here-now", "/cases", "/cases/{clinic_case}", "/arrivals/{arrival}/match", "/referrals/{unseen}",
        "/referrals/{paper}", "/referrals/{here}", "/referrals/{unseen}/decline", "/referrals/{unseen}/send-on",
        "/referrals/{here}/close", "/referrals/{here}/hold", "/referrals/{here}/refuse-cancel", "/care/{here}",
        "/referrals/{here}/not-here",
        "/referrals/{here}/asked/again",
        "/care/arrivals/{arrival}", "/care/{paper_here}", "/paper/batches/{batch}", "/hand-over",
        "/referrals/{unseen}/messages/new", "/referrals/{unasked}", "/care/arrivals/{sheet_arrival}?sheet={sheet}",
        "/supplies", "/supplies/requests/{sent}", "/reports", "/waits", "/cases/{clinic_case}/follow-ups",
        "/follow-ups/{planned}/move",
        "/cases/{clinic_case}/specimens", "/specimens/{sample}", "/cases/{clinic_case}/medical-certificates",
        "/reports/{written}", "/reports/{written}/steps/signed",
        "/reports/{written}/steps/collected", "/reports/{written}/steps/travelled",
    ],
    "worker": [
        "/work", "/cases", "/cases/{office_case}", "/following", "/conferences", "/cases/{office_case}/conferences",
        "/conferences/{conference}", "/cases/{office_case}/plan", "/cases/{office_case}/plan/change",
        "/cases/{office_case}/plan/close",
        "/cases/{office_case}/visits", "/cases/{office_case}/visiting", "/visits/{visit}", "/cases/{office_case}/return",
        "/outreach",
    ],
    "in-charge": [
        "/alarms", "/alarms/{alarm}/resolve", "/overdue", "/posts", "/accounts", "/accounts/{account}/disable", "/parked", "/lines",
        "/cases/{clinic_case}/hold", "/figures", "/figures/programme", "/figures/2026/programme/export", "/figures/2026-01/export",
        "/exports", "/eyes", "/supplies/stations",
    ],
}  # fmt: skip
NEVER_FULL = {who: [path for path in pages if path not in FULL.get(who, ())] for who, pages in EMPTY.items()}
# Pages that are sent with nothing filled in: each says what is missing.
ERRORS = {
    "officer": [
        ("/cases/new", ""), ("/cases/{case}/consent", ""), ("/cases/{case}/refer", ""), ("/cases/{case}/again", ""),
        ("/referrals/{unseen}/cancel", ""), ("/referrals/{unseen}/told-by-phone", ""), ("/paper", "/enter"), ("/paper/print", ""),
        ("/me/secrets", ""), ("/cases/{case}", "/progress"), ("/cases/{case}/docket", ""),
        ("/cases/{given_case}/dispense", ""), ("/dispensing/report", ""), ("/dispensing/entry", ""), ("/dispensing/count", ""),
        ("/dispensing/counts/{count}", ""), ("/dispensing/ask", ""), ("/dispensing/requests/{sent}", ""),
        ("/cases/{case}/complaint/step", ""), ("/cases/{case}/complaint/withdraw", ""), ("/cases/{case}/complaint/reopen", ""),
        ("/cases/{case}/complaint/explained", ""), ("/cases/{case}/breach", ""), ("/offenders", ""), ("/offenders/{offender}", ""),
        ("/cases/{case}/complaint/explained", ""), ("/cases/{case}/breach", ""), ("/reports/{report}/steps/collected", ""),
    ],
    "inspector": [("/certificates", "")],
    "nurse": [
        ("/referrals/{unseen}/decline", ""), ("/referrals/{unseen}/send-on", ""), ("/referrals/{here}/close", ""),
        ("/directory", "/ours"), ("/referrals/{unseen}/messages/new", ""), ("/referrals/{here}/asked/again", ""),
        ("/arrivals/{arrival}/match", ""), ("/reports/{written}/steps/collected", ""), ("/cases/{clinic_case}/follow-ups", ""),
        ("/follow-ups/{planned}/move", ""),
        ("/specimens/{sample}", ""), ("/cases/{clinic_case}/medical-certificates", ""),
    ],
    "worker": [
        ("/cases/{office_case}/conferences", ""), ("/conferences/{conference}", ""), ("/cases/{office_case}/plan/change", ""),
        ("/cases/{office_case}/plan/close", ""), ("/cases/{office_case}/visits", ""), ("/cases/{office_case}/visiting", ""),
        ("/cases/{office_case}/return", "/answer"), ("/visits/{visit}", "/answer"),
    ],
    "in-charge": [
        ("/supplies/stations", ""), ("/accounts/new", ""), ("/posts", ""), ("/alarms/{alarm}/resolve", ""),
        ("/figures/2026-01/export", ""),
    ],
    "": [("/sign-in", "")],
}  # fmt: skip


@pytest.fixture
def windows(town: Town) -> Iterator[dict[str, Person]]:
    """A window for each person."""
    nobody = Person(town.browser, town.processes["police"], "", None)  # type: ignore[arg-type]
    made = {who: town.person(who) if who else nobody for who in EMPTY}
    yield made
    for person in made.values():
        person.leave()


def hours_ago(hours: int) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def a_days_work(town: Town) -> dict[str, str]:
    """Referrals in every state that a work list shows, through the API; returns what the paths need."""
    police, health, office = (town.processes[kind] for kind in ("police", "health", "social_welfare"))
    names = town.network.names
    ids: dict[str, str] = {}

    def case(*services: str, facility: str = "ndola_clinic", seconds: int | None = None) -> tuple[str, str, str]:
        """The case, what she agreed to, and the request, which is answered within as many seconds or becomes red."""
        needs = {"age_band": "10-14", "sex": "female", "language": "bem"}
        child = {"safe_adult_present": "yes", "assent": "yes"}
        relay = {"safe_hours": "morning"}
        case_id = police.post("/cases", {"facility": "ndola_central_vsu", "needs": needs, "child": child, "relay": relay})["id"]
        items = ["req", "fb", "needs", "prog", "safety", "relay"]
        body = {"recipient": names["health"], "purpose": "care", "items": items, "how": "spoken", "language": "bem"}
        agreed = police.post(f"/cases/{case_id}/consents", body)
        police.post(f"/cases/{case_id}/consents", {**body, "recipient": names["social_welfare"], "purpose": "support"})
        happened = {"earliest_at": hours_ago(22), "latest_at": hours_ago(18)}
        incident = police.post(f"/cases/{case_id}/incidents", {"incident_type": "rape", **happened})["id"]
        place = {"to_agency": names["health"], "to_facility": facility, "services": list(services), "urgency": "acute"}
        if seconds is not None:
            place["respond_by"] = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        return case_id, agreed["id"], police.post("/referrals", {"case_id": case_id, "incident_id": incident, **place})["id"]

    def unconscious() -> tuple[str, str]:
        needs = {"age_band": "18-24", "sex": "female", "language": "bem"}
        case_id = police.post("/cases", {"facility": "ndola_central_vsu", "needs": needs})["id"]
        basis = {"basis": "vital_interest", "how": "none_unconscious", "items": ["req", "needs"]}
        police.post(f"/cases/{case_id}/consents", {"recipient": names["health"], "purpose": "care", "language": "bem", **basis})
        place = {"to_agency": names["health"], "to_facility": "ndola_clinic", "services": ["injury_care"], "urgency": "acute"}
        return case_id, police.post("/referrals", {"case_id": case_id, **place})["id"]

    def arrived_at(process: Any, referral_id: str) -> None:
        until(lambda: any(r["id"] == referral_id for r in process.get("/referrals?limit=200")["items"]), "the referral to arrive")

    ids["case"], ids["consent"], ids["unseen"] = case("acute_care", "examination_and_report")
    travel = {"mode": "police_vehicle", "escort": "officer"}
    police.post(f"/referrals/{ids['unseen']}/set-out", travel)
    ids["drafted_case"], _, ids["closed"] = case("acute_care")
    _, _, ids["declined"] = case("acute_care")
    _, _, ids["here"] = case("acute_care", "mental_health_care")
    _, _, ids["paper"] = case("injury_care", facility="masaiti_clinic")
    _, _, ids["paper_here"] = case("injury_care", facility="masaiti_clinic")
    ids["unasked_case"], ids["unasked"] = unconscious()
    _, _, ids["late"] = case("acute_care", seconds=3)  # nobody sees it in time: it is red at the desk
    to_office = {
        "case_id": ids["case"], "to_agency": names["social_welfare"], "to_facility": "ndola_district_office",
        "services": ["child_protection", "psychosocial"], "urgency": "urgent",
    }  # fmt: skip
    ids["office"] = police.post("/referrals", to_office)["id"]
    made = police.post(f"/cases/{ids['case']}/complaints", {"number": "FIR/12/26"})
    complaint = f"/cases/{ids['case']}/complaints/{made['id']}"
    police.post(f"{complaint}/steps", {"code": "charged", "told_now": True})
    withdrawn = {"asked_by": "family", "pressure": "yes", "asked_alone": True, "is_safe": "no"}
    police.post(f"{complaint}/withdrawals", {**withdrawn, "occurred_at": hours_ago(1)})
    police.post(f"{complaint}/reopenings", {"reason": "was_pressed", "occurred_at": hours_ago(2)})  # a gap
    explained = {"topics": ["costs", "may_withdraw"], "language": "bem", "interpreter": True, "post": "duty_officer"}
    police.post(f"/cases/{ids['case']}/legal-information", explained)
    police.post(f"/cases/{ids['case']}/breaches", {"code": "police_report_demanded", "by_whom": "health"})
    warned = {"who": "Synthetic Mwamba, of the market", "what": "warned", "on": today(), "facility": STATION}
    ids["offender"] = police.post("/offenders", warned)["id"]
    for name in ("unseen", "closed", "declined", "here", "paper", "paper_here", "unasked"):
        arrived_at(health, ids[name])
    arrived_at(office, ids["office"])
    for name in ("closed", "here", "paper_here"):
        health.post(f"/referrals/{ids[name]}/arrive", {"feedback": True})
    health.post(f"/referrals/{ids['closed']}/start")
    health.post(f"/referrals/{ids['closed']}/close", {"outcome_code": "served"})
    health.post(f"/referrals/{ids['declined']}/decline", {"reason_code": "no_place"})
    form = {"form": "zp_form_32", "form_version": 1}
    ids["report"] = police.post(f"/cases/{ids['case']}/reports", form)["id"]
    police.post(f"/reports/{ids['report']}/steps", {"step": "collected", "post": "duty_officer"})  # a gap
    ids["written"] = health.post(f"/referrals/{ids['here']}/report")["id"]
    for step in ({"step": "examined", "post": "duty_nurse", "name": "Synthetic Name"}, {"step": "fee_asked", "amount": 40}):
        health.post(f"/reports/{ids['written']}/steps", step)
    ids["arrival"] = health.post("/arrivals", {"facility": "ndola_clinic"})["arrival_id"]
    ids["clinic_case"] = health.get(f"/referrals/{ids['here']}")["case_id"]
    taken = {"kind": "swab", "post": "duty_nurse", "name": "Synthetic Name"}
    ids["sample"] = health.post(f"/cases/{ids['clinic_case']}/specimens", taken)["id"]
    ids["planned"] = health.post(f"/cases/{ids['clinic_case']}/follow-ups", {"which": "other", "due_on": today()})["id"]
    handed = {
        "act": "handed_over",
        "post": "duty_nurse",
        "name": "A",
        "other_post": "duty_officer",
        "other_name": "B",
        "seal": "Z1",
    }
    health.post(f"/specimens/{ids['sample']}/entries", handed)  # a gap
    certificate = {"number": "MC/1", "post": "duty_nurse", "copy_kept": True}
    health.post(f"/cases/{ids['clinic_case']}/medical-certificates", certificate)
    ids["office_case"] = office.get(f"/referrals/{ids['office']}")["case_id"]
    ids |= at_the_office(town, f"/cases/{ids['office_case']}")
    until(
        lambda: "unacknowledged" in police.get(f"/referrals/{ids['late']}")["flags"], "the desk to be told that nobody has seen it"
    )
    ids["alarm"] = health.get("/alarms")["items"][0]["id"]
    return ids


def at_the_office(town: Town, case: str) -> dict[str, str]:
    """A plan in its second version, a worker who is out, questions before a return, a session and a conference."""
    office, names = town.processes["social_welfare"], town.network.names
    soon = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    spoken = {"how": "thumb", "language": "bem"}
    plan = {"needs": ["safety", "legal"], "review_on": soon, "goals": [{"need": "legal", "note": "Synthetic words"}],
            "steps": [{"what": "go_with_her", "who": "worker", "due_on": soon, "note": "Synthetic words"}]}  # fmt: skip
    office.post(f"{case}/plan", plan)
    office.post(f"{case}/plan/answer", {"number": 1, "agrees": True, **spoken})
    office.post(f"{case}/plan", {**plan, "needs": ["safety", "school"]})
    office.post(f"{case}/visiting", {"is_safe": True, "way": "at_home_alone", "hours": "morning", "language": "bem"})
    home = {"kind": "home", "which": "plan", "due_on": today(), "part": "morning", "knows": "social_worker_on_duty"}
    visit = office.post(f"{case}/visits", home)["id"]
    office.post(f"/visits/{visit}/set-out", {"back_by": (datetime.now(UTC) + timedelta(hours=3)).isoformat()})
    office.post(f"{case}/visits", {"due_on": today()})
    asked = {str(one): "yes" if one is Question.PRESSED_TO_GO else "no" for one in Question}
    office.post(f"{case}/returns", {"where": "family", "answers": asked})
    office.post("/outreach", {"kind": "school", "held_on": today(), "reached": {"female": {"10-14": 24}, "male": {"10-14": 17}},
                              "facility": "ndola_district_office"})  # fmt: skip
    agreed = {"recipient": names["police"], "purpose": "protection", "items": ["req", "needs", "safety"], **spoken}
    office.post(f"{case}/consents", agreed)
    called = {"on_date": soon, "part": "morning", "agenda": ["needs", "safety", "prog"], "agencies": [names["police"]]}
    return {"visit": visit, "conference": office.post(f"{case}/conferences", called)["id"]}


def a_box(town: Town) -> None:
    """The officer is certified, and the clinic's store and the station's box hold doses."""
    police, health = town.processes["police"], town.processes["health"]
    apart(lambda: certify(town))
    line = {"product": EC, "batch": BATCH, "expires_on": EXPIRES, "kind": "received", "quantity": 30}
    health.post("/supplies/entries", {**line, "facility": "ndola_clinic"})
    police.post("/dispensing/entries", {**line, "facility": STATION})


async def certify(town: Town) -> None:
    """The officer's certificate, and one of the account that the network's own requests are made with."""
    agency = build(town.network.settings("police"), town.network.names["police"])
    async with agency.database.write() as tx:
        for account in (await tx.session.execute(select(Account).where(col(Account.role) == "officer"))).scalars():
            row = HeldCertificate(
                id=new_id(), account_id=account.id, certificate="ec_provider", trained_on=date(2025, 6, 6),
                certified_on=date(2025, 6, 10), valid_until=date(2035, 6, 9), certified_by="health", entered_at=tx.clock.now(),
                entered_by=account.id,
            )  # fmt: skip
            tx.session.add(row)
    await agency.database.close()


def out_of_the_box(town: Town, ids: dict[str, str]) -> dict[str, str]:
    """One dose that was given, a first count, and a parcel on its way."""
    police, health = town.processes["police"], town.processes["health"]
    case = ids["case"]
    incident = police.get(f"/cases/{case}/incidents")["items"][0]["id"]
    police.post(f"/cases/{case}/doses", {"product": EC, "incident_id": incident, "facility": STATION})
    asked = {"product": EC, "quantity": 10, "reason": "low", "facility": STATION, "to_agency": town.network.names["health"],
             "to_facility": "ndola_clinic"}  # fmt: skip
    request = police.post("/dispensing/requests", asked)["id"]
    until(lambda: health.get("/supplies/requests?facility=ndola_clinic")["items"], "the request to arrive")
    parcel = [{"batch": BATCH, "expires_on": EXPIRES, "quantity": 10}]
    health.post(f"/supplies/requests/{request}/send", {"batches": parcel})
    until(lambda: police.get(f"/dispensing/requests?facility={STATION}")["items"][0]["state"] == "sent", "the parcel to be told of")
    counted = [{"product": EC, "batch": BATCH, "quantity": 29}]
    counting = police.post("/dispensing/counts", {"counted": counted, "facility": STATION})["id"]
    return {"given_case": case, "sent": request, "count": counting}


def at_desks(nurse: Person, in_charge: Person) -> dict[str, str]:
    """What only pages make: a printed pad, and an account to look after."""
    nurse.open("/paper/print")
    nurse.write("#count", "2")
    nurse.press('form[action="/paper/print"] button')
    batch = nurse.path.rsplit("/", 1)[1]
    number = nurse.page.inner_text("main .app-code")
    nurse.open("/paper")
    nurse.write("#number", number)
    nurse.write("#at_time", "00:00")  # today: it has come, whenever the test runs
    nurse.press('form[action="/paper/enter"] button')
    in_charge.open("/accounts")
    disable = in_charge.page.get_attribute('a[href$="/disable"]', "href") or ""
    arrival = nurse.path.rsplit("/", 1)[1]
    return {"batch": batch, "account": disable.split("/")[2], "sheet": number, "sheet_arrival": arrival}


def time_to_think(officer: Person, case: str) -> None:
    """She stopped on the page that chooses the place."""
    officer.open(f"/cases/{case}/refer")
    officer.press('button[name="think"]')


def follow_everything(worker: Person, case: str) -> None:
    """A case, a place and a service."""
    worker.open(f"/cases/{case}")
    worker.press('form[action$="/follow"] button')
    worker.open("/following")
    for field_ in ("facility", "service"):
        worker.press(f'form:has(select[name="{field_}"]) button')


def between_pages(town: Town, language: str, direction: str, axe: str, look: Look) -> None:
    """Pages that stand between others: the code after the password, a new account's card, the lock, and what was kept."""
    person = Person(town.browser, town.processes["health"], "in-charge", town.cards["in-charge"], language=language)

    def seen(name: str) -> None:
        look_at(person, f"in-charge-{name}", axe, look, direction)

    person.open("/sign-in")
    person.write("#name", person.name)
    person.write("#password", PASSWORD)
    person.press('form[action="/sign-in"] button')
    assert person.path == "sign-in/code"
    seen("sign-in-code-full")
    number = person.page.get_attribute("form", "data-number") or ""
    person.write("#code", "000000")
    person.press('form[action="/sign-in/code"] button')
    seen("sign-in-code-error")
    person.write("#code", dict(person.card.codes)[int(number)])
    person.press('form[action="/sign-in/code"] button')
    person.open("/accounts/new")
    person.write("#name", f"new-{direction}")
    person.choose("#role")
    person.press("#page-form .govuk-button")
    assert person.path.endswith("/card"), person.page.inner_text("main")
    seen("accounts-card-full")
    person.open("/accounts/new")
    person.write("#name", "half written")
    person.press(".app-wide .app-hide")
    person.open("/locked")
    seen("locked-full")
    person.write("#pin-1", "000000")
    person.press('form[action="/locked"] button')
    seen("locked-error")
    person.write("#pin-1", PIN)
    person.press('form[action="/locked"] button')
    assert person.page.input_value("#name") == "half written"
    seen("kept-full")
    person.open("/accounts/new")
    seen("kept-offered")
    look.complaints += [c for c in person.complaints if "status of 4" not in c]
    person.leave()


@dataclass
class Door:
    """What a window needs to know of the demo's start page: its port."""

    port: int


def demo_start(town: Town, language: str, direction: str, axe: str, look: Look) -> None:
    """The page that `make demo` opens with, before anybody signs in."""
    addresses = {kind: f"http://127.0.0.1:{process.port}" for kind, process in town.processes.items()}
    people = {kind: [("one", "officer"), ("two", "supervisor")] for kind in addresses}
    door = Door(free_port())
    with serving(start_app(addresses, people, "Kafka 4 on this computer", forgets=True), door.port):
        until(lambda: answers(door.port), "the start page to answer")
        person = Person(town.browser, door, "", None, language=language)  # type: ignore[arg-type]
        person.open(f"/?language={language}")
        look_at(person, "anybody-demo-start", axe, look, direction)
        look.complaints += person.complaints
        person.leave()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_its_turn(n: int, direction: str) -> bool:
    """Which pages the quick walk opens: each in one direction, by turns."""
    return n % 2 == (0 if direction == "rtl" else 1)


def speak(person: Person, language: str) -> None:
    """Chooses the language of the pages, as anybody does who opens one."""
    person.open("/me" if person.name else "/sign-in")
    if person.page.get_attribute("html", "lang") != language.replace("_", "-"):
        person.press(f'form[action="/me/language"] button[value="{language}"]')
    assert person.page.get_attribute("html", "lang") == language.replace("_", "-")


QUICK = pytest.mark.timeout(900)  # four minutes when quiet
THOROUGH = pytest.mark.timeout(2_400)  # a quarter of an hour, beside whatever else the machine does


@pytest.mark.parametrize(
    "thorough",
    [pytest.param(False, id="quick", marks=QUICK), pytest.param(True, id="thorough", marks=[pytest.mark.long, THOROUGH])],
)
def test_every_page_in_every_state_and_direction(town: Town, windows: dict[str, Person], axe: str, thorough: bool) -> None:
    look = Look(thorough)

    def walk(pages: dict[str, list[str]], state: str, ids: dict[str, str]) -> None:
        for direction, language in DIRECTIONS.items():
            for who, person in windows.items():
                speak(person, language)
                for path in (path for n, path in enumerate(pages.get(who, [])) if thorough or is_its_turn(n, direction)):
                    person.open(path.format(**ids))
                    assert person.page.query_selector(f"html[dir={direction}] h1"), f"{path}: {person.page.url}"
                    look_at(person, name_of(who, path, state), axe, look, direction)

    a_box(town)
    walk(EMPTY if thorough else NEVER_FULL, "empty", {})
    ids = a_days_work(town) | at_desks(windows["nurse"], windows["in-charge"])
    ids |= out_of_the_box(town, ids)
    time_to_think(windows["officer"], ids["drafted_case"])
    follow_everything(windows["worker"], ids["office_case"])
    walk(FULL, "full", ids)
    for direction, language in DIRECTIONS.items():
        if thorough or direction == "rtl":
            between_pages(town, language, direction, axe, look)
            demo_start(town, language, direction, axe, look)
        for who, person in windows.items() if thorough else ():
            speak(person, language)
            for path, beneath in ERRORS.get(who, []):
                person.open(path.format(**ids))
                empty_and_send(person, (path + beneath).format(**ids))
                said = person.page.query_selector(".govuk-error-summary, .govuk-error-message")
                assert said, f"{path}{beneath} says nothing of what is missing"
                look_at(person, name_of(who, path + beneath, "error"), axe, look, direction)
    assert not look.faults, "\n".join(look.faults[:60])
    assert look.heaviest[0] <= WEIGHT_MAX_BYTES, look.heaviest
    complaints = {c for person in windows.values() for c in person.complaints if "status of 4" not in c}
    assert not complaints | set(look.complaints)


def empty_and_send(person: Person, action: str) -> None:
    """Sends a form with every answer taken out of it, as its own button would."""
    with person.page.expect_navigation():
        person.page.evaluate(
            """action => {
              const form = [...document.forms].find(f => f.getAttribute('action') === action);
              for (const e of form.elements) {
                if (e.type === 'hidden') continue;
                if (e.type === 'radio' || e.type === 'checkbox') e.checked = false; else if (e.tagName !== 'BUTTON') e.value = '';
              }
              form.submit();
            }""",
            action,
        )
