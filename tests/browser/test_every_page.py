"""Every page, empty, full and with an error on it, in both directions: no fault that axe finds, nothing too wide or too heavy.

With REFNET_SCREENS=folder it also keeps a picture of each page at three widths, which is how docs/screens is made.
"""

import gzip
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from npm import installed
from people import Person
from PIL import Image
from town import Town

from shared.casework.pages.frame import ROOM, STATIC

pytestmark = pytest.mark.timeout(600)
WEIGHT_MAX_BYTES = 60 * 1024  # of a page with its style and script, compressed
WIDTHS = (1280, 390, 320)
DIRECTIONS = {"ltr": "en", "rtl": "fa_AF"}
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# By person: what is opened before anything has happened, and once a day's work is there. {…} are filled in from that work.
EMPTY = {
    "officer": ["/work", "/cases", "/cases/new", "/directory", "/hand-over", "/paper", "/me", "/me/secrets"],
    "nurse": ["/work", "/here-now", "/cases", "/arrivals/new", "/hand-over", "/paper", "/directory"],
    "worker": ["/work", "/cases", "/hand-over"],
    "in-charge": ["/alarms", "/overdue", "/posts", "/accounts", "/accounts/new", "/parked"],
    "": ["/sign-in", "/info", "/calendar", "/blank"],
}
FULL = {
    "officer": [
        "/work", "/cases", "/cases/{case}", "/cases/{case}/consent", "/cases/{case}/refer", "/cases/{case}/again",
        "/cases/{case}/looked", "/cases/{case}/consents/{consent}/take-back", "/referrals/{unseen}", "/referrals/{closed}",
        "/referrals/{declined}", "/referrals/{unseen}/card", "/referrals/{unseen}/cancel", "/referrals/{unseen}/told-by-phone",
        "/hand-over", "/paper", "/nothing-here",
    ],
    "nurse": [
        "/work", "/here-now", "/cases", "/cases/{clinic_case}", "/arrivals/{arrival}/match", "/referrals/{unseen}",
        "/referrals/{paper}", "/referrals/{here}", "/referrals/{unseen}/decline", "/referrals/{unseen}/send-on",
        "/referrals/{here}/close", "/referrals/{here}/hold", "/care/{here}", "/care/{paper_here}", "/hand-over",
        "/care/arrivals/{arrival}", "/referrals/{unseen}/messages/new",
    ],
    "worker": ["/work", "/cases", "/cases/{office_case}"],
    "in-charge": ["/alarms", "/alarms/{alarm}/resolve", "/overdue", "/posts", "/accounts", "/parked"],
}  # fmt: skip
# Pages that are sent with nothing filled in: each says what is missing.
ERRORS = {
    "officer": [
        ("/cases/new", ""), ("/cases/{case}/consent", ""), ("/cases/{case}/refer", ""), ("/cases/{case}/again", ""),
        ("/referrals/{unseen}/cancel", ""), ("/referrals/{unseen}/told-by-phone", ""), ("/paper", "/enter"), ("/paper", "/print"),
        ("/me/secrets", ""), ("/cases/{case}", "/progress"),
    ],
    "nurse": [("/referrals/{unseen}/decline", ""), ("/referrals/{unseen}/send-on", ""), ("/referrals/{here}/close", ""),
              ("/arrivals/{arrival}/match", "")],
    "in-charge": [("/accounts/new", ""), ("/posts", ""), ("/alarms/{alarm}/resolve", "")],
    "": [("/sign-in", "")],
}  # fmt: skip


# By the numbers of the drawings that they were built after.
PICTURED = {
    "officer-work-full": "01-police-work-list", "officer-work-empty": "01b-police-work-list-empty",
    "officer-cases-new-empty": "02-new-case", "officer-cases-new-error": "02b-new-case-error",
    "officer-cases-case-consent-full": "03-consent", "officer-cases-case-refer-full": "04-care-and-place",
    "officer-referrals-unseen-full": "05-referral-issuer", "nurse-work-full": "06-clinic-inbox",
    "nurse-care-here-full": "07-what-was-given", "worker-work-full": "08a-social-worker-cases",
    "officer-cases-case-full": "08b-case-timeline", "in-charge-alarms-full": "09-supervisor-alarms",
    "officer-referrals-unseen-card-full": "11-card", "anybody-sign-in-empty": "14-sign-in", "officer-paper-full": "15-paper",
    "anybody-info-empty": "16-survivor", "in-charge-accounts-full": "17-accounts", "nurse-referrals-paper-full": "18-hub",
}  # fmt: skip


@dataclass
class Look:
    """What was found wrong, page by page, and how heavy the heaviest was."""

    faults: list[str] = field(default_factory=list)
    heaviest: tuple[int, str] = (0, "")
    seen: int = 0


@pytest.fixture(scope="module")
def axe() -> str:
    home = installed("pages-assets", ROOM / "assets", "build.mjs", "scripts", "styles", scripts=True)
    return (home / "node_modules" / "axe-core" / "axe.min.js").read_text()


def look_at(person: Person, name: str, axe: str, look: Look, direction: str) -> None:
    """Checks the page that stands in the window, at every width."""
    page = person.page
    look.seen += 1
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            look.faults.append(f"{name} {direction} {width} px: {wide} px too wide ({widest(person)})")
        if width != WIDTHS[1]:
            look.faults += [f"{name} {direction} {width} px: {fault}" for fault in axe_faults(person, axe)]
        keep_picture(person, name, direction, width)
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    weight = len(gzip.compress(page.content().encode())) + assets_weight(direction)
    look.heaviest = max(look.heaviest, (weight, f"{name} {direction}"))


def axe_faults(person: Person, axe: str) -> list[str]:
    person.page.evaluate(axe)
    run = "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})"
    found = person.page.evaluate(run, AXE_TAGS)["violations"]
    return [f"{v['id']}: {v['help']} at {[n['target'] for n in v['nodes'][:3]]}" for v in found]


def widest(person: Person) -> Any:
    return person.page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
        || e.getBoundingClientRect().left < -1).slice(0, 3).map(e => e.tagName + '.' + e.className)"""
    )


def assets_weight(direction: str) -> int:
    names = ("refnet.css" if direction == "ltr" else "refnet.rtl.css", "refnet.js")
    return sum(len(gzip.compress((STATIC / name).read_bytes())) for name in names)


def keep_picture(person: Person, name: str, direction: str, width: int) -> None:
    """Where REFNET_SCREENS names a folder: the pages that were drawn before they were built, in 64 colours."""
    folder, shown = os.environ.get("REFNET_SCREENS"), PICTURED.get(name)
    if not folder or shown is None:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    picture = Image.open(io.BytesIO(person.page.screenshot(full_page=True)))
    picture.convert("RGB").quantize(64).save(f"{folder}/{shown}-{direction}-{width}.png", optimize=True)


def name_of(who: str, path: str, state: str) -> str:
    plain = re.sub(r"[{}]", "", path).strip("/").replace("/", "-") or "home"
    return f"{who or 'anybody'}-{plain}-{state}"


@pytest.fixture
def windows(town: Town) -> Iterator[dict[tuple[str, str], Person]]:
    """A window for each person and direction."""
    made = {}
    for direction, language in DIRECTIONS.items():
        for who in EMPTY:
            if who:
                made[(who, direction)] = town.person(who, language=language)
            else:
                made[(who, direction)] = Person(town.browser, town.processes["police"], "", None, language=language)  # type: ignore[arg-type]
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

    def case(*services: str, facility: str = "ndola_clinic", urgency: str = "acute") -> tuple[str, str, str]:
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
        place = {"to_agency": names["health"], "to_facility": facility, "services": list(services), "urgency": urgency}
        return case_id, agreed["id"], police.post("/referrals", {"case_id": case_id, "incident_id": incident, **place})["id"]

    def arrived_at(process: Any, referral_id: str) -> None:
        from processes import until

        until(lambda: any(r["id"] == referral_id for r in process.get("/referrals?limit=200")["items"]), "the referral to arrive")

    ids["case"], ids["consent"], ids["unseen"] = case("acute_care", "examination_and_report")
    travel = {"mode": "police_vehicle", "escort": "officer"}
    police.post(f"/referrals/{ids['unseen']}/set-out", travel)
    _, _, ids["closed"] = case("acute_care")
    _, _, ids["declined"] = case("acute_care")
    _, _, ids["here"] = case("acute_care", "mental_health_care")
    _, _, ids["paper"] = case("injury_care", facility="masaiti_clinic")
    _, _, ids["paper_here"] = case("injury_care", facility="masaiti_clinic")
    to_office = {
        "case_id": ids["case"], "to_agency": names["social_welfare"], "to_facility": "ndola_district_office",
        "services": ["child_protection", "psychosocial"], "urgency": "urgent",
    }  # fmt: skip
    ids["office"] = police.post("/referrals", to_office)["id"]
    for name in ("unseen", "closed", "declined", "here", "paper", "paper_here"):
        arrived_at(health, ids[name])
    arrived_at(office, ids["office"])
    for name in ("closed", "here", "paper_here"):
        health.post(f"/referrals/{ids[name]}/arrive", {"feedback": True})
    health.post(f"/referrals/{ids['closed']}/start")
    health.post(f"/referrals/{ids['closed']}/close", {"outcome_code": "served"})
    health.post(f"/referrals/{ids['declined']}/decline", {"reason_code": "no_place"})
    ids["arrival"] = health.post("/arrivals", {"facility": "ndola_clinic"})["arrival_id"]
    ids["clinic_case"] = health.get(f"/referrals/{ids['here']}")["case_id"]
    ids["office_case"] = office.get(f"/referrals/{ids['office']}")["case_id"]
    ids["alarm"] = health.get("/alarms")["items"][0]["id"]
    return ids


def test_every_page_in_every_state_and_direction(town: Town, windows: dict[tuple[str, str], Person], axe: str) -> None:
    look = Look()

    def walk(pages: dict[str, list[str]], state: str, ids: dict[str, str]) -> None:
        for (who, direction), person in windows.items():
            for path in pages.get(who, []):
                person.open(path.format(**ids))
                assert person.page.query_selector("h1"), f"{path}: {person.page.url}"
                look_at(person, name_of(who, path, state), axe, look, direction)

    walk(EMPTY, "empty", {})
    ids = a_days_work(town)
    walk(FULL, "full", ids)
    for (who, direction), person in windows.items():
        for path, beneath in ERRORS.get(who, []):
            person.open(path.format(**ids))
            empty_and_send(person, (path + beneath).format(**ids))
            said = person.page.query_selector(".govuk-error-summary, .govuk-error-message")
            assert said, f"{path}{beneath} says nothing of what is missing"
            look_at(person, name_of(who, path + beneath, "error"), axe, look, direction)
    assert not look.faults, "\n".join(look.faults[:60])
    assert look.heaviest[0] <= WEIGHT_MAX_BYTES, look.heaviest
    complaints = {c for person in windows.values() for c in person.complaints if "status of 4" not in c}
    assert not complaints


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
