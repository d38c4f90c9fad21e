"""Afghanistan, Family Response Units (domain guide 4.5): history, and for simulation only. Each story on the network that the
profile makes, over a real Kafka; the rehearsal of the seizure beside it, where each agency has a keystore of its own.

| story | test |
|---|---|
| acceptance: Herat, Dari, emergency mobile, the hospital only; codes and phones left to right | `test_herat_...` |
| with her yes a shelter takes her, and nobody else learns it | `test_a_shelter_takes_her_...` |
| said on every page; not on a network with real people | `test_it_is_said...`, `test_it_starts_on_no_network...` |
| a unit without what is required gets no calls, and says what is missing | `test_a_site_that_lacks_something_...` |
| a "family dispute" with violence is violence, and nobody mediates | `test_a_family_dispute_with_violence_is_violence` |
| whoever complains is entered as accused nowhere; no moral offence; no address | `test_nobody_is_entered_as_accused...` |
| days of the Solar Hijri calendar, shown and typed | `test_days_are_shown_and_typed_in_the_programmes_calendar` |
| a province with few reports is hidden, and another number for its sake | `test_a_province_with_few_...` |
| the seizure plan, rehearsed | `test_after_a_seizure_...` |
| the whole scenario to its end, with a hospital on paper and with feedback refused (long tier) | `test_herat_...` |
| a party on paper; feedback refused | `test_a_hospital_on_paper...`, `test_she_refuses_feedback...` |

Days and months against a table of conversions: `tests/unit/test_calendars.py`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from agencies import SECRET, Desk, Refused, TestAgency, World, purpose_of
from overseen import later
from programme_town import ProgrammeTown, WallClock, programme_town
from records import ends, events_in, records_below
from reported import report
from schema import sqlite_at_head
from servers import kafka_of
from signing_in import settled_account, sign_in
from sqlalchemy import select
from sqlmodel import col
from visitor import Visitor

from services.escrow import HOLDERS, deposit, read_held, shred
from services.keys import KeyFolder, load_keyring, make_new
from services.kinds import parts_of
from services.runtime import here_of
from services.settings import Settings
from services.simulate.overseen import ids_in, tables_of
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.tables import Duty
from shared.casework.cases.tables import Case, Incident
from shared.casework.directory.network import Network
from shared.casework.directory.of_programme import network_of
from shared.casework.figures.commands import tables_of as released
from shared.casework.figures.domain import HIDDEN, TOTAL, key
from shared.casework.figures.suppression import WIDTH_MIN
from shared.casework.figures.tables import FigureRelease
from shared.casework.here import Here
from shared.casework.holds.commands import PlaceHold, place_hold
from shared.contracts.casework.codes import AgeBand, AgencyKind, IncidentType, Role, Sex
from shared.contracts.wire.envelope import Unopenable
from shared.exchange.access import provision
from shared.exchange.keyring import KeyAway
from shared.exchange.seal import KeyedSeal
from shared.exchange.tables import InboxRow
from shared.kit.calendars import written_solar
from shared.kit.db import Database
from shared.kit.errors import RefnetError
from shared.kit.ids import new_id
from shared.kit.keystore import HELD_S, Keystore
from shared.kit.local.cache import default_cache
from shared.kit.local.kafka import KafkaNode
from shared.kit.local.postgres_databases import PostgresDatabases
from shared.programmes.profile import load_programme

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]  # the first one starts the broker

HERAT, HOSPITAL, SHELTER = "herat_fru", "herat_hospital", "shelter_house_1"
PAPER_HOSPITAL, HUB = "hospital_2", "hospital_3"
SITE = ["separate_entrance", "interview_room", "emergency_mobile"]
HISTORY = "History, for simulation only"
CALL: dict[str, Any] = {"channel": "voice", "what": "report", "need": "protection", "language": "fa-AF"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(postgres: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProgrammeTown]:
    on_paper = {PAPER_HOSPITAL: {"mode": "paper", "hub": HUB}}
    async with programme_town("af-fru", postgres, tmp_path_factory.mktemp("afghanistan"), on_paper) as made:
        yield made


async def refused(work: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem["detail"]


async def agrees(desk: Desk, case_id: str, recipient: str, *items: str) -> Any:
    body = {
        "recipient": recipient,
        "purpose": purpose_of(recipient),
        "items": ["req", *items],
        "how": "spoken",
        "language": "fa-AF",
    }
    return await desk.post(f"/cases/{case_id}/consents", body)


async def came(desk: Desk, **more: Any) -> tuple[str, str]:
    case_id = (await desk.post("/cases", {"needs": {"age_band": "25-49", "sex": "female", "language": "fa-AF"}}))["id"]
    body = {"incident_type": "physical_assault", "contexts": ["domestic_violence"], **more}
    return case_id, (await desk.post(f"/cases/{case_id}/incidents", body))["id"]


async def sends(desk: Desk, case: tuple[str, str], place: str = HOSPITAL, **more: Any) -> Any:
    body = {"case_id": case[0], "incident_id": case[1], "to_agency": "health", "to_facility": place, "services": ["injury_care"]}
    return await desk.post("/referrals", {**body, "urgency": "acute", **more})


async def at_pages(world: World, agency: str, place: str | None, role: Role, name: str) -> Visitor:
    issued = await settled_account(world[agency], name, role)
    async with world[agency].database.write() as tx:
        (await find_account(tx, name)).facility = place
    visitor = Visitor(world[agency].app)
    await sign_in(visitor, issued, name)
    return visitor


async def on_duty(town: ProgrammeTown, place: str) -> Desk:
    """An officer who stands on the unit's roster for a day."""
    name, now = town.name(), town.clock.now()
    desk = await town["police"].sign_in(name, Role.OFFICER, place)
    async with town["police"].database.write() as tx:
        account = await find_account(tx, name)
        begins, ends = now - timedelta(hours=1), now + timedelta(days=1)
        duty = Duty(
            id=new_id(), facility=place, post="duty_officer", account_id=account.id, from_at=begins, until_at=ends,
            entered_by=account.id,
        )  # fmt: skip
        tx.session.add(duty)
    return desk


async def all_of(desk: Desk) -> str:
    return json.dumps([(await desk.get(f"/{what}?limit=200"))["items"] for what in ("cases", "referrals", "alarms")])


async def found_at(town: ProgrammeTown, agency: str, words: list[str]) -> set[str]:
    """Those of some words, ids among them, that stand anywhere in what an agency holds, opened."""
    whole = repr(await tables_of(town[agency].database))
    ids = ids_in(whole)
    return {word for word in words if word in whole or word.replace("-", "") in ids}


def left_to_right(number: str) -> str:
    return f'<bdi class="app-code" dir="ltr">{number}</bdi>'


@pytest.mark.parametrize(
    ("hospital", "works_at", "tells_back"),
    [
        pytest.param(HOSPITAL, HOSPITAL, True, id="as she says"),
        pytest.param(PAPER_HOSPITAL, HUB, True, id="a hospital on paper", marks=pytest.mark.long),
        pytest.param(HOSPITAL, HOSPITAL, False, id="feedback refused", marks=pytest.mark.long),
    ],
)
async def test_herat_takes_her_call_and_the_hospital_alone_learns_a_code_and_how_urgent_it_is(
    town: ProgrammeTown, hospital: str, works_at: str, tells_back: bool
) -> None:
    desk, doctor = await on_duty(town, HERAT), await town.at_work("health", works_at)
    await desk.post("/hotline/desk", {"assets": SITE, "has_female_staff": True, "languages": ["fa-AF"]})
    others = [await town.whole(agency) for agency in ("social_welfare", "shelter")]
    before = [await all_of(one) for one in others]
    call = await desk.post("/calls", {**CALL, "district": "herat"})
    assert (call["desk"], call["step"]) == (HERAT, "fits")
    assert "000 100" not in json.dumps(call)  # no caller's number is kept
    case = await desk.post(f"/calls/{call['id']}/case")
    incident = await desk.post(f"/cases/{case['id']}/incidents", {"incident_type": "physical_assault", "contexts": []})
    await agrees(desk, case["id"], "health", "fb")  # the request itself, and nothing beside it but whether they may tell back
    sent = await sends(desk, (case["id"], incident["id"]), hospital)
    there = await town.stands(doctor, sent, "issued")
    assert (there["content"]["urgency"], there["services"], len(there["content"]["pairwise_code"]) > 0) == (
        "acute", ["injury_care"], True,
    )  # fmt: skip
    said = {name for name, value in there["content"].items() if value not in (None, [], {}, False)}
    assert said <= {
        "circle", "pairwise_code", "from_facility", "to_facility", "services", "urgency", "respond_by", "basis",
        "arrival_code_hash", "windows", "feedback_agreed",
    }  # fmt: skip
    came_at, written = town.clock.now(), {}
    if hospital == PAPER_HOSPITAL:  # told by phone, and entered by another hospital afterwards, with its own times
        await desk.post(f"/referrals/{sent['id']}/told-by-phone", {"post": "duty_doctor"})
        town.clock.advance(timedelta(hours=8))
        written = {"entered_for": hospital, "occurred_at": came_at.isoformat()}
    await doctor.post(f"/referrals/{sent['id']}/arrive", {"feedback": tells_back, **written})
    await doctor.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served", **written})
    if tells_back:
        ended = await town.stands(desk, sent, "closed")
        assert (ended["outcome_code"], datetime.fromisoformat(ended["arrived_at"])) == ("served", came_at)
    await town.settle()
    mine = await desk.get(f"/referrals/{sent['id']}")
    assert (mine["arrived_at"] is not None, mine["outcome_code"] is not None) == (tells_back, tells_back)
    known = [case["id"], incident["id"], sent["id"], there["content"]["pairwise_code"], case["number"]]
    assert await found_at(town, "health", known) == {sent["id"], there["content"]["pairwise_code"]}  # it can be found
    for nobody in ("social_welfare", "shelter"):  # the ministry and the shelters see nothing, from the first to the last
        assert await found_at(town, nobody, [*known, there["case_id"]]) == set(), nobody
    assert [await all_of(one) for one in others] == before
    pages = await at_pages(town, "police", HERAT, Role.OFFICER, town.name())
    for language, hide in (("fa_AF", "پنهان"), ("ps", "پټ")):  # Dari, then Pashto
        await pages.send((await pages.open("/me")).form("/me/language"), button=("language", language))
        page = await pages.open(f"/referrals/{sent['id']}")
        assert (f'lang="{language.replace("_", "-")}"' in page.text, 'dir="rtl"' in page.text, hide in page.words) == (
            True,
            True,
            True,
        )
        assert left_to_right(case["number"]) in page.text
        assert left_to_right("000 200 003") in (await pages.open("/directory")).text  # a telephone keeps its order as a code does


async def test_a_shelter_takes_her_with_her_yes_and_nobody_else_learns_it(town: ProgrammeTown) -> None:
    desk, warden = await town.at_work("police", HERAT), await town.at_work("shelter", SHELTER)
    case = await came(desk)
    body = {"case_id": case[0], "to_agency": "shelter", "to_facility": SHELTER, "services": ["shelter"], "urgency": "urgent"}
    assert (await refused(desk.post("/referrals", body)))[0] == 422  # nothing goes without her yes
    await agrees(desk, case[0], "shelter", "fb")
    sent = await desk.post("/referrals", body)
    there = await town.stands(warden, sent, "issued")
    for act, more in (("accept", {}), ("arrive", {"feedback": True}), ("start", {}), ("close", {"outcome_code": "served"})):
        await warden.post(f"/referrals/{sent['id']}/{act}", more)
    assert (await town.stands(desk, sent, "closed"))["outcome_code"] == "served"
    await town.settle()
    known = [case[0], sent["id"], there["case_id"], there["content"]["pairwise_code"]]
    assert sent["id"] in await found_at(town, "shelter", known)
    for nobody in ("health", "social_welfare"):
        assert await found_at(town, nobody, known) == set(), nobody


async def test_it_is_said_on_every_page(town: ProgrammeTown) -> None:
    police, health = (
        await at_pages(town, "police", HERAT, Role.OFFICER, town.name()),
        await at_pages(town, "health", HOSPITAL, Role.CLINICIAN, town.name()),
    )  # fmt: skip
    for visitor, paths in (
        (police, ("/work", "/cases", "/cases/new", "/hotline/desk", "/directory", "/me")),
        (health, ("/work", "/cases")),
    ):
        for path in paths:
            page = await visitor.open(path)
            assert (page.status, HISTORY in page.words) == (200, True), path
    assert HISTORY in (await Visitor(town["police"].app).open("/sign-in")).words


async def test_it_starts_on_no_network_with_real_people(tmp_path: Path) -> None:
    network = network_of(load_programme("af-fru"), "test", (AgencyKind.POLICE, AgencyKind.HEALTH)).model_dump(mode="json")
    for purpose, starts in (("simulation", True), ("trial", False), ("production", False)):
        for agency in network["agencies"].values():
            agency["root"] = "0" * 64
        (tmp_path / "network.yaml").write_text(json.dumps({**network, "purpose": purpose}))
        settings = Settings.model_validate(
            {"REFNET_HOME": str(tmp_path), "REFNET_SECRET_KEY": "s" * 32, "REFNET_NETWORK": str(tmp_path / "network.yaml")}
        )
        if starts:
            assert here_of(settings, "police").programme.id == "af-fru"
        else:
            with pytest.raises(RefnetError, match="simulation only"):
                here_of(settings, "police")


async def test_a_site_that_lacks_something_gets_no_calls_and_its_page_says_what(town: ProgrammeTown) -> None:
    """Two units of one province: what is required decides, and whoever comes to the door is received all the same."""
    facilities = town["police"].here.entry.facilities
    one, other = [id_ for id_, place in facilities.items() if place.district == "balkh"][:2]
    first, second = await on_duty(town, one), await on_duty(town, other)
    await second.post("/hotline/desk", {"assets": SITE, "has_female_staff": True})
    pages = await at_pages(town, "police", one, Role.OFFICER, town.name())
    for assets, woman, missing in (
        (SITE[1:], True, "Separate entrance for women"), (SITE[::2], True, "Room for interviews"),
        (SITE[:2], True, "Emergency mobile"),
        (SITE, False, "A woman officer on duty"),
    ):  # fmt: skip
        await first.post("/hotline/desk", {"assets": assets, "has_female_staff": woman})
        call = await first.post("/calls", {**CALL, "district": "balkh"})
        assert call["desk"] == other, missing
        assert f"No calls are sent here. Missing: {missing}." in (await pages.open("/hotline/desk")).words
    await first.post("/hotline/desk", {"assets": SITE, "has_female_staff": True})
    assert "Missing:" not in (await pages.open("/hotline/desk")).words
    await second.post("/hotline/desk", {"assets": [], "has_female_staff": False})
    assert (await first.post("/calls", {**CALL, "district": "balkh"}))["desk"] == one
    assert await second.post("/cases", {})  # she stands at its door


async def test_a_family_dispute_with_violence_is_violence(town: ProgrammeTown) -> None:
    desk, pages = await town.at_work("police", HERAT), await at_pages(town, "police", HERAT, Role.OFFICER, town.name())
    for context, is_proposed in (("family_dispute", True), ("domestic_violence", False)):
        case = await came(desk, contexts=[context])
        for to in ("health", "social_welfare", "shelter"):
            await agrees(desk, case[0], to)
        page = await pages.open(f"/cases/{case[0]}/refer")  # page 3: which care, and where?
        offered = page.form(f"/cases/{case[0]}/refer").choices
        assert ("The programme proposes: Legal aid, A safe place to stay." in page.words) is is_proposed
        assert ("legal_aid" in offered["also_social_welfare"]) is is_proposed
        assert "shelter" in offered["also_shelter"]
    case = await came(desk, contexts=["family_dispute"])
    (incident,) = (await desk.get(f"/cases/{case[0]}/incidents"))["items"]
    assert (incident["incident_type"], incident["contexts"]) == ("physical_assault", ["family_dispute"])
    kept = await desk.post(f"/cases/{case[0]}/breaches", {"code": "mediation_attempted", "by_whom": "community"})
    assert kept["rules"] == ["no_mediation"]
    assert (
        await desk.ask("POST", f"/cases/{case[0]}/incidents", {"incident_type": "family_dispute"})
    ).status_code == 422  # no type
    await agrees(desk, case[0], "health", "needs")
    assert (await sends(desk, case))["status"] == "issued"  # and what is offered to anybody is offered


async def test_nobody_is_entered_as_accused_and_no_offence_of_morals_and_no_address_is_kept(town: ProgrammeTown) -> None:
    desk = await town.at_work("police", HERAT)
    case = await came(desk)
    entry = {"who": "Synthetic Complainant", "what": "warned", "on": town.clock.now().date().isoformat()}
    status, why = await refused(desk.post("/offenders", entry))
    assert (status, why) == (404, "This programme keeps no register of offenders.")
    pages = await at_pages(town, "police", HERAT, Role.OFFICER, town.name())
    assert (await pages.open("/offenders")).status == 404
    assert "/offenders" not in (await pages.open("/work")).links
    assert (await desk.ask("POST", f"/cases/{case[0]}/incidents", {"incident_type": "moral_offence"})).status_code == 422
    openapi = town["police"].app.openapi()
    schemas = openapi["components"]["schemas"]
    names = {field for schema in schemas.values() for field in schema.get("properties", {})}
    assert [name for name in names if "address" in name or name in ("street", "village", "home")] == []
    assert [
        code for schema in schemas.values() for code in schema.get("enum", []) if "moral" in str(code) or "zina" in str(code)
    ] == []


async def test_days_are_shown_and_typed_in_the_programmes_calendar(town: ProgrammeTown) -> None:
    desk, pages = await town.at_work("police", HERAT), await at_pages(town, "police", HERAT, Role.SUPERVISOR, town.name())
    case = await came(desk)
    complaint = await desk.post(f"/cases/{case[0]}/complaints", {})
    path = f"/cases/{case[0]}/breach"
    page = await pages.open(path)
    assert "Solar Hijri" in page.words
    assert 'type="date"' not in page.text
    now = town.clock.now() - timedelta(days=2)
    wrong = await pages.send(page.form(path), code="fee_demanded", by_whom="health", on_date="1404-12-30", at_time="08:00")
    assert (wrong.status, 'value="1404-12-30"' in wrong.text) == (422, True)  # no such day, and it stands as it was typed
    gregorian = await pages.send(wrong.form(path), on_date="2026-01-03")
    assert gregorian.status == 422  # nor is a day of the other calendar read as one of this
    solar = town["police"].edge.pages.times("en", now).dated(now)
    typed = written_day(now)
    done = await pages.send(gregorian.form(path), on_date=typed, at_time="08:00")
    assert done.status == 200, done.words
    (kept,) = (await desk.get(f"/cases/{case[0]}/breaches"))["items"]
    zone = town["police"].edge.pages.times("en", now)
    assert zone.local(datetime.fromisoformat(kept["occurred_at"])).date() == zone.local(now).date()  # kept as everywhere
    day, month, _year = solar.split()
    assert f"{day} {month}" in done.words
    assert complaint["id"]


def written_day(moment: datetime) -> str:
    return written_solar(moment.astimezone(ZoneInfo("Asia/Kabul")).date().isoformat())


async def test_a_hospital_on_paper_is_written_for_by_its_hub(town: ProgrammeTown) -> None:
    desk, hub = await town.at_work("police", HERAT), await town.at_work("health", HUB)
    case = await came(desk)
    await agrees(desk, case[0], "health", "fb")
    sent = await sends(desk, case, PAPER_HOSPITAL)
    await town.stands(hub, sent, "issued")
    await desk.post(f"/referrals/{sent['id']}/told-by-phone", {"post": "duty_doctor"})
    at = {"entered_for": PAPER_HOSPITAL, "occurred_at": town.clock.now().isoformat()}
    await hub.post(f"/referrals/{sent['id']}/arrive", {**at, "feedback": True})
    await hub.post(f"/referrals/{sent['id']}/close", {**at, "outcome_code": "served"})
    assert (await town.stands(desk, sent, "closed"))["outcome_code"] == "served"


async def test_she_refuses_feedback_and_nobody_learns_where_she_went(town: ProgrammeTown) -> None:
    desk, doctor = await town.at_work("police", HERAT), await town.at_work("health", HOSPITAL)
    case = await came(desk)
    await agrees(desk, case[0], "health", "fb")
    sent = await sends(desk, case)
    await town.stands(doctor, sent, "issued")
    await doctor.post(f"/referrals/{sent['id']}/arrive", {"feedback": False})
    await doctor.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served"})
    await town.settle()
    mine = await desk.get(f"/referrals/{sent['id']}")
    assert (mine["arrived_at"], mine["ended_at"], mine["outcome_code"]) == (None, None, None)


async def test_a_province_with_few_reports_is_hidden_and_another_number_with_it(tmp_path: Path) -> None:
    """Figures are divided by unit: what is not told of a unit is not told of its province either."""
    programme = load_programme("af-fru")
    network = network_of(programme, "test", (AgencyKind.POLICE, AgencyKind.HEALTH))
    url = await asyncio.to_thread(sqlite_at_head, tmp_path / "police.db", "police")
    world = await World.make({"police": url}, programme, network)
    try:
        came_to = {HERAT: 3, "fru_2": 14, "fru_8": 22}  # of three provinces
        units = [unit for unit, many in came_to.items() for _ in range(many)]
        hurt = IncidentType.PHYSICAL_ASSAULT
        await report(world["police"], [(hurt, AgeBand.A25_49, Sex.FEMALE, unit) for unit in units])
        await later(world, "2026-04-15")
        head = await at_pages(world, "police", None, Role.SUPERVISOR, "head")
        page = await head.open("/figures?period=2026-Q1")
        page = await head.send(page.form("/figures/2026-Q1/release"))
        assert HIDDEN in page.words
        async with world["police"].database.read() as tx:
            release = (await tx.session.execute(select(FigureRelease))).scalar_one()
        shown = released(release.shown)["reports"].values or {}
        told = {unit: shown[key(("place", unit))] for unit in network.agencies["police"].facilities}
        assert shown[TOTAL] == len(units)
        assert {unit for unit, many in told.items() if many is None} == {HERAT, "fru_2"}  # the small one, and one for its sake
        assert told["fru_8"] == 22
        left = len(units) - sum(many or 0 for many in told.values())
        assert left >= WIDTH_MIN  # Herat may have anything up to it: none of its other units tells more
    finally:
        await world.close()


def seal_from(settings: Settings, agency: str, network: Network) -> KeyedSeal:
    """What signs and opens, as it lies in an agency's home now."""
    return KeyedSeal(load_keyring(settings.home, agency, dict.fromkeys(network.agencies)))


@asynccontextmanager
async def agencies_with_keys_of_their_own(
    network: Network, stations: dict[str, Settings], seconds: list[float], folder: Path
) -> AsyncIterator[ProgrammeTown]:
    """Each in a home of its own, with a keystore and with keys that `refnet keys` makes; over a Kafka of theirs."""
    programme, clock, node = load_programme("af-fru"), WallClock(), KafkaNode(folder / "kafka", cache=default_cache(folder))
    for settings in stations.values():
        settings.home.mkdir()
    directories = [make_new(KeyFolder(settings.home, id_), clock.now(), None) for id_, settings in stations.items()]
    agencies = {}
    for id_, settings in stations.items():
        for directory in directories:
            KeyFolder(settings.home, id_).save(directory)
        settings.make_keystore(id_)
        url = await asyncio.to_thread(sqlite_at_head, settings.home / f"{id_}.db", str(network.agencies[id_].kind))
        here = Here(id_, network, programme, SECRET)
        keys = Keystore(settings.home / "casekeys" / f"{id_}.db", settings.wrapping(id_).read, lambda: seconds[0])
        agencies[id_] = TestAgency(here, parts_of(here.kind), Database(url, clock, keys), seal_from(settings, id_, network))
    await asyncio.to_thread(node.start)
    town = ProgrammeTown(agencies, clock, node, folder)
    try:
        await provision(kafka_of(node).operator, network.topics(), network.partitions)
        await town.comes_online(*agencies)
        yield town
    finally:
        await town.goes_offline(*agencies)
        await town.close()
        await asyncio.to_thread(node.stop)


def on_the_disk(home: Path, words: Collection[bytes]) -> set[tuple[str, bytes]]:
    """Those of some words that stand open in any file of a home: (file, word)."""
    files = [(file.name, file.read_bytes()) for file in home.rglob("*") if file.is_file()]
    return {(name, word) for name, content in files for word in words if word in content}


async def test_after_a_seizure_nothing_opens_at_the_station_and_what_others_hold_stands(tmp_path: Path) -> None:
    """`refnet shred`, as it is rehearsed: before the station is entered its keys are destroyed, held cases' too; what is then read
    of its database is nothing, by its own program as by whoever has its files, and of what the broker keeps nothing that was for
    it. The court's escrow and the hospital's copy stand."""
    kinds = (AgencyKind.POLICE, AgencyKind.HEALTH, AgencyKind.SOCIAL_WELFARE)
    network, seconds = network_of(load_programme("af-fru"), "test", kinds), [0.0]
    stations = {id_: Settings.model_validate({"REFNET_HOME": str(tmp_path / id_)}) for id_ in network.agencies}
    async with agencies_with_keys_of_their_own(network, stations, seconds, tmp_path) as world:
        clock = world.clock
        desk, doctor = await world["police"].sign_in("desk", None, HERAT), await world["health"].sign_in("doctor", None, HOSPITAL)
        held, free = await came(desk), await came(desk)
        for case in (held, free):
            await agrees(desk, case[0], "health", "needs", "fb")
        sent = [await sends(desk, case) for case in (held, free)]
        for referral in sent:
            await world.stands(doctor, referral, "issued")
        await doctor.post(f"/referrals/{sent[1]['id']}/accept")
        await world.stands(desk, sent[1], "accepted")
        head = await world["police"].sign_in("head", Role.SUPERVISOR, None)
        async with world["police"].database.write() as tx:
            account = await find_account(tx, "head")
            by = world["police"].here.actor(account.id, "head", Role.SUPERVISOR, None)
            hold = await place_hold(UUID(held[0]), PlaceHold(order="of a court"), tx, world["police"].here, by)
        escrow = stations["police"].escrow("police")
        holders = {holder: tmp_path / f"{holder}.key" for holder in HOLDERS}
        for holder, file in holders.items():
            escrow.make_holder(holder, file)
        assert await deposit(world["police"].database, escrow) == []
        assert (await desk.get(f"/cases/{free[0]}"))["needs"]["age_band"] == "25-49"

        # "Unit closed", to the circles of its cases and to nobody else, while there are keys to say it with.
        assert (await refused(desk.post("/place-closed", {"facility": HERAT})))[0] == 403
        assert await head.post("/place-closed", {"facility": HERAT}) == {"cases": 2, "agencies": ["health"]}
        await world.settle()
        office = await world["social_welfare"].sign_in("office", Role.SUPERVISOR, None)
        assert json.loads(await all_of(office)) == [[], [], []]
        async with world["social_welfare"].database.read() as tx:
            assert (await tx.session.execute(select(col(InboxRow.event_id)))).all() == []
        for referral in sent:
            case_id = (await doctor.get(f"/referrals/{referral['id']}"))["case_id"]
            lines = (await doctor.get(f"/cases/{case_id}/timeline?limit=200"))["items"]
            (closed,) = [line for line in lines if line["kind"] == "circle.place_closed"]
            assert closed["detail"]["facility"] == HERAT
            assert (await doctor.get(f"/referrals/{referral['id']}"))["is_open"]  # what is open there goes on

        settings = stations["police"]
        private, access = settings.home / "keys" / "police", kafka_of(world.node).operator
        told = await records_below(access, await ends(access, "health", "police"))
        said = await records_below(access, await ends(access, "police", "health"))
        station = seal_from(settings, "police", network)
        assert len([event for topic, value in told for event in events_in(topic, value, lambda _agency: station)]) >= 1
        telling = (b'"25-49"', b"physical_assault", b"domestic_violence")
        await world.goes_offline("police")  # the plug is pulled
        assert shred(settings.keystore("police"), settings.wrapping("police"), private, clock.now()) >= 2
        assert [*private.iterdir(), *settings.wrapping("police").folder.glob("*.json")] == []
        station = seal_from(settings, "police", network)  # as whoever took the machine has it, and all that the broker keeps
        with pytest.raises(KeyAway):  # nobody speaks in its name
            load_keyring(settings.home, "police", dict.fromkeys(network.agencies)).signer()
        for topic, value in (*told, *said):
            with pytest.raises(Unopenable):
                events_in(topic, value, lambda _agency: station)
        copy = Database(f"sqlite:///{settings.home / 'police.db'}", clock, settings.keystore("police"))
        async with copy.read() as tx:
            query = select(col(Incident.incident_type), col(Incident.contexts), col(Case.needs)).join(Case)
            found = str((await tx.session.execute(query)).all())
        assert [word for word in ("'25-49'", "physical_assault", "domestic_violence") if word in found] == []
        await copy.close()
        assert on_the_disk(settings.home, telling) == set()
        seconds[0] += HELD_S  # so long a running program may still hold what it had opened
        answers = [await desk.ask("GET", f"/cases/{case[0]}") for case in (held, free)]
        assert [word for answer in answers for word in ('"25-49"', '"fa-AF"') if word in answer.text] == []

        for referral in sent:  # the hospital's copy is the hospital's: care goes on
            there = await doctor.get(f"/referrals/{referral['id']}")
            assert there["content"]["needs"]["age_band"] == "25-49"
        await doctor.post(f"/referrals/{sent[1]['id']}/arrive", {"feedback": False})
        assert (await doctor.post(f"/referrals/{sent[1]['id']}/close", {"outcome_code": "served"}))["status"] == "closed"
        async with world["police"].database.read() as tx:
            opened = await read_held(tx, escrow.open(hold.id, [holders["court"], holders["protection_officer"]]))
        values = str([one["value"] for one in opened])
        assert "physical_assault" in values  # two of three holders open the held case, and no other
