"""Every page that somebody reaches by following links at a centre, a partner, a prosecutor's office, the oversight body, a station
without a line and its mother station, and a desk that asks what an incident was part of, looked at as `test_every_page` looks at
those of the first three agencies. The agencies run in this process; the browser is given what they answered."""

import re
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from agencies import World, consent, open_case, refer
from atoll import JETTY, WHOLE, a_case, atoll_world, captain
from centre import CENTRE, came, centre_world, stays
from centre import officer as desk_of
from coast import INSTITUTE, OFFICE, REFUGE, STATION, ask, at, coast_world, complaint, world_of
from looking import WEIGHT_MAX_BYTES, Look, look_at
from overseen import overseen
from people import apart, chromium
from playwright.sync_api import Page, Route
from reported import report
from shift import at_work
from stations import STATION as STATION_ABROAD
from stations import Sticks, world_with_stations
from visitor import Visitor

from shared.casework.pages.frame import STATIC
from shared.contracts.casework.codes import AgeBand, AgencyKind, IncidentType, Role, Sex
from shared.programmes.profile import load_programme

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
PAGES_MAX = 80  # of one person: more kinds of pages than any has
NO_PAGES = re.compile(r"^/(static|api|events|sign-out|blank|info)|\.pdf$|/print$|/text$")
HER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-(?:\d\d|Q\d)|\d+")
KINDS = (AgencyKind.POLICE, AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE, AgencyKind.PARTNER)
Seen = dict[str, str]  # what was answered, by who and which kind of page


def kind_of(path: str) -> str:
    """The page without whose it is."""
    return HER_ID.sub("x", urlsplit(path).path)


async def walk(visitor: Visitor, who: str, language: str, starts: list[str], into: Seen) -> None:
    """Follows every link to a kind of page that was not seen yet; and sends each form of it empty, where that is answered with what
    is missing and changes nothing."""
    if language != "en":
        await visitor.send((await visitor.open("/me")).form("/me/language"), button=("language", language))
    waiting, known = deque(["/work", *starts]), set[str]()
    while waiting and len(known) < PAGES_MAX:
        path = waiting.popleft()
        if kind_of(path) in known or NO_PAGES.search(urlsplit(path).path):
            continue
        known.add(kind_of(path))
        page = await visitor.open(path)
        if page.status != 200 or not page.headers["content-type"].startswith("text/html"):
            continue
        into[f"{who}{kind_of(path)}"] = page.text
        waiting += [link for link in page.links if link.startswith("/")]
        for form in page.forms:
            if form.action == kind_of(path) or form.action == urlsplit(path).path:
                form.choices.clear()
                empty: dict[str, Any] = {name: "" for name in form.fields if name not in {"csrf", "once", "page"}}
                asked = await visitor.send(form, **empty)
                if asked.status == 422:
                    into[f"{who}{kind_of(path)} with a mistake"] = asked.text


async def at_a_centre(folder: Path, language: str, seen: Seen) -> None:
    async with centre_world(folder) as world:
        desk = await desk_of(world)
        case_id = await came(desk)
        await stays(desk, case_id, "0-9")
        thing = {"kind": "jewellery", "note": "One ring.", "post": "desk_officer", "name": "S. Synthetic"}
        await desk.post(f"/cases/{case_id}/property", thing)
        world.clock.advance(timedelta(days=3, hours=1))
        visitor = await at_work(world, "police", "somebody", Role.OFFICER, CENTRE)
        await walk(visitor, "centre", language, [f"/cases/{case_id}", "/stays", "/enquiry"], seen)
        head = await at_work(world, "police", "head", Role.SUPERVISOR, CENTRE)
        await walk(head, "head of a centre", language, [f"/cases/{case_id}"], seen)


async def on_a_coast(folder: Path, language: str, seen: Seen) -> None:
    async with coast_world(folder) as world:
        desk, clerk = await at(world, "police", STATION), await at(world, "justice", OFFICE)
        case_id, incident_id, _complaint = await complaint(desk)
        sent = await ask(desk, case_id, incident_id, f"justice/{OFFICE}", "prosecution")
        await world.settle()
        await clerk.post(f"/referrals/{sent['id']}/accept")
        there = (await clerk.get(f"/referrals/{sent['id']}"))["case_id"]
        day = (world.clock.now().date() + timedelta(days=3)).isoformat()
        await clerk.post(f"/cases/{there}/hearings", {"on_date": day})
        for who, agency, place, role in (
            ("station", "police", STATION, Role.OFFICER), ("prosecutor", "justice", OFFICE, Role.OFFICER),
            ("institute", "justice", INSTITUTE, Role.OFFICER), ("refuge", "partner", REFUGE, Role.SOCIAL_WORKER),
            ("head of a partner", "partner", REFUGE, Role.SUPERVISOR),
        ):  # fmt: skip
            visitor = await at_work(world, agency, who.replace(" ", "-"), role, place)
            case = {"police": [f"/cases/{case_id}"], "justice": [f"/cases/{there}"]}.get(agency, [])
            await walk(visitor, who, language, case, seen)


async def at_the_oversight_body(folder: Path, language: str, seen: Seen) -> None:
    world: World = await overseen(folder)
    try:
        await report(world["police"], [(IncidentType.RAPE, AgeBand.A10_14, Sex.FEMALE, "ndola_central_vsu")] * 14)
        head = await world["oversight"].sign_in("first")
        today = world["oversight"].here.day_of(world.clock.now()).isoformat()
        await head.post("/protocols", {"topic": "care_first", "text": "Care first.", "from_on": today})
        world.clock.advance(timedelta(days=105))
        for _ in range(2):
            world.clock.advance(timedelta(hours=1))
            for agency in world.agencies.values():
                await agency.watcher.tick()
            await world.settle()
        visitor = await at_work(world, "oversight", "head", Role.SUPERVISOR, None)
        await walk(visitor, "oversight", language, ["/national", "/protocols"], seen)
    finally:
        await world.close()


async def on_an_atoll(folder: Path, language: str, seen: Seen) -> None:
    async with atoll_world(folder) as world:
        desk = await captain(world)
        case_id = await a_case(desk)
        entry = await desk.post("/records/tide_log", {"case_id": case_id, "fields": WHOLE})
        await desk.post(f"/records/tide_log/{entry['entry_id']}/corrections", {"fields": {**WHOLE, "people": 4}})
        head = await at_work(world, "guardians", "head", Role.SUPERVISOR, JETTY)
        await walk(head, "head of an atoll", language, [f"/cases/{case_id}", "/registers"], seen)


async def far_from_any_line(folder: Path, language: str, seen: Seen) -> None:
    world = await world_with_stations(folder / "world", STATION_ABROAD)
    try:
        desk = await world[STATION_ABROAD].sign_in("first")
        case_id, incident_id = await open_case(desk)
        await desk.post(f"/cases/{case_id}/complaints")
        await consent(desk, case_id, "health")
        await refer(desk, case_id, incident_id, "health")
        await Sticks(world, folder).round(STATION_ABROAD, "police")
        corporal = await at_work(world, STATION_ABROAD, "corporal", Role.OFFICER)
        await walk(corporal, "station", language, ["/register"], seen)
        inspector = await at_work(world, "police", "inspector", Role.SUPERVISOR, None)
        await walk(inspector, "mother station", language, ["/stations"], seen)
    finally:
        await world.close()


async def at_a_site(folder: Path, language: str, seen: Seen) -> None:
    async with world_of(load_programme("af-fru"), KINDS, folder) as world:
        officer = await at_work(world, "police", "officer", Role.OFFICER, "herat_fru")
        await walk(officer, "site", language, ["/cases/new"], seen)


def answered(page: Page, html: str) -> None:
    """The browser is given a page that was answered before, and its styles."""

    def give(route: Route) -> None:
        path = urlsplit(route.request.url).path
        file = STATIC / path.removeprefix("/static/")
        if path == "/looked-at":
            route.fulfill(body=html, content_type="text/html; charset=utf-8")
        elif path.startswith("/static/") and file.is_file():
            route.fulfill(path=file)
        else:
            route.fulfill(status=204)

    page.unroute("**/*")
    page.route("**/*", give)
    page.goto("http://agency.test/looked-at")


class Window:
    """A window in which somebody looks."""

    def __init__(self, page: Page) -> None:
        self.page = page


@pytest.fixture
def window() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


@pytest.mark.parametrize(("direction", "language"), [("ltr", "en"), ("rtl", "fa_AF")])
def test_every_page_of_centres_courts_partners_and_the_oversight_body(
    direction: str, language: str, tmp_path: Path, window: Page, axe: str
) -> None:
    seen: Seen = {}
    for name, gather in (
        ("centre", at_a_centre),
        ("coast", on_a_coast),
        ("oversight", at_the_oversight_body),
        ("atoll", on_an_atoll),
        ("far", far_from_any_line),
        ("site", at_a_site),
    ):
        (tmp_path / name).mkdir()
        apart(lambda name=name, gather=gather: gather(tmp_path / name, language, seen))  # type: ignore[misc]
    for reached in (
        "centre/cases/x/stay", "centre/cases/x/property", "centre/enquiry", "prosecutor/cases/x/proceedings",
        "prosecutor/cases/x/examinations", "prosecutor/hearings", "oversight/national", "oversight/protocols",
        "station/register", "mother station/stations", f"mother station/stations/{STATION_ABROAD}/stated", "site/cases/new",
        "head of an atoll/registers", "head of an atoll/cases/x/registers/tide_log", "head of an atoll/registers/entries/x",
    ):  # fmt: skip
        assert reached in seen, f"{reached} is not among {sorted(seen)}"
    look = Look(thorough=False)  # axe at one width of each, in turn: there are two hundred
    for name, html in seen.items():
        answered(window, html)
        assert window.query_selector("h1"), name
        look_at(Window(window), name.replace("/", "-"), axe, look, direction)
    assert not look.faults, "\n".join(look.faults[:60])
    assert look.heaviest[0] <= WEIGHT_MAX_BYTES, look.heaviest
