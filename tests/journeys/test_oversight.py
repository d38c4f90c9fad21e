"""The oversight body: protocols go out and confirmations come back; sums come in with nothing small in them; no case ever does."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pyrage
import pytest
from agencies import Desk, Refused, TestAgency, World, consent, open_case, refer
from attack import Attack, withstands
from canaries import everything
from contents import contents
from keys import seal_of
from overseen import SERVING, later, overseen, overseen_on_postgresql, watch
from reported import Report, report
from shift import at_work
from signing_in import PIN
from sqlalchemy import inspect, select, text
from sqlmodel import col

from services.oversight.figures.tables import HeardRelease
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.rosters import SetDuty, set_duty
from shared.casework.alarms.tables import Alarm
from shared.casework.cases.tables import Case
from shared.casework.circles.tables import CircleMember
from shared.casework.consents.tables import Consent
from shared.casework.directory.network import parse_network
from shared.casework.directory.news import SayPlaceNews, place_subject, say_place_news
from shared.casework.figures.commands import tables_of
from shared.casework.figures.domain import key, period
from shared.casework.figures.tables import FigureRelease
from shared.casework.figures.telling import NOBODY
from shared.casework.here import SYSTEM
from shared.casework.inside import INSIDE
from shared.casework.own_words import subject_of
from shared.casework.protocols.domain import ADOPT_WITHIN, digest_of
from shared.casework.protocols.tables import Adoption, Protocol
from shared.casework.referrals.tables import Referral
from shared.contracts import publish as publish_of
from shared.contracts.casework import events
from shared.contracts.casework.codes import AgeBand, IncidentType, Role, Sex
from shared.contracts.wire.envelope import Event, Header, Kind
from shared.exchange.inside import log_inside
from shared.exchange.tables import HeadState, InboxRow, Incarnation, Log, SignedHead
from shared.kit.ids import new_id
from shared.kit.local.postgres_databases import PostgresDatabases

CENTRAL, OUTLYING, CLINIC = "ndola_central_vsu", "masaiti_vsu", "ndola_clinic"
TEXT = "Care first.\n\nNo police report is needed before care.\nNobody asks for money."
RAPE, HIT = IncidentType.RAPE, IncidentType.PHYSICAL_ASSAULT
GIRL, WOMAN = AgeBand.A10_14, AgeBand.A25_49
MANY: list[Report] = [
    *[(RAPE, GIRL, Sex.FEMALE, CENTRAL)] * 14, *[(RAPE, AgeBand.A15_17, Sex.FEMALE, CENTRAL)] * 4,
    *[(HIT, WOMAN, Sex.FEMALE, OUTLYING)] * 22, *[(HIT, WOMAN, Sex.MALE, CENTRAL)] * 3,
]  # fmt: skip


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[World]:
    made = await overseen(tmp_path)
    yield made
    await made.close()


async def publish(world: World, name: str = "head", topic: str = "care_first", words: str = TEXT, **more: Any) -> Any:
    """Somebody at the oversight body publishes a version, and everybody is told."""
    desk = await world["oversight"].sign_in(name)
    day = world["oversight"].here.day_of(world.clock.now()).isoformat()
    made = await desk.post("/protocols", {"topic": topic, "text": words, "from_on": day, **more})
    await world.settle()
    return made


async def alarms(world: World, agency: str, kind: str) -> list[Alarm]:
    async with world[agency].database.read() as tx:
        query = select(Alarm).where(col(Alarm.kind) == kind, col(Alarm.resolved_at).is_(None))
        return list((await tx.session.execute(query)).scalars())


async def parked(world: World) -> list[str]:
    found = []
    for agency in world.agencies.values():
        async with agency.database.read() as tx:
            rows = (await tx.session.execute(select(InboxRow).where(col(InboxRow.state) == "parked"))).scalars()
            found += [f"{agency.here.agency}: {row.type}: {row.reason}" for row in rows]
    return found


# --- protocols ---------------------------------------------------------------------------------------------------------------


async def test_a_protocol_is_published_read_confirmed_by_a_post_and_seen_to_be(town: World) -> None:
    head = await at_work(town, "oversight", "head", Role.SUPERVISOR, None)
    page = await head.open("/protocols/new")
    day = town["oversight"].here.day_of(town.clock.now())
    page = await head.send(page.form("/protocols/new"), topic="care_first", from_on=day.isoformat(), text=TEXT)
    assert page.path == "/protocols/care_first/1", page.words
    await town.settle()
    inspector = await at_work(town, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    listed = await inspector.open("/protocols")
    assert "/protocols" in listed.links
    assert "2 places have not confirmed it" in listed.words, "its own, and the one on paper that it works for"
    address = "/protocols/oversight/care_first"
    one = await inspector.open(address)
    assert digest_of(TEXT) in one.words
    wrong = await inspector.send(one.form(f"{address}/text"), text=TEXT.replace("No police", "A police"))
    assert (wrong.status, "its digest differs" in wrong.words) == (409, True)
    public = (await head.client.get("/protocols/care_first/1/text")).text
    one = await inspector.send(one.form(f"{address}/text"), text=public)
    assert "No police report is needed before care." in one.words
    for place in (CENTRAL, OUTLYING):
        one = await inspector.send(one.form(f"{address}/adopt"), at=f"{place}/{town['police'].here.posts(place)[-1]}")
    assert not [form for form in one.forms if form.action == f"{address}/adopt"], "it has nothing left to confirm"
    await town.settle()
    seen = await head.open("/protocols/care_first/1")
    assert seen.words.count("not yet") == sum(len(town[agency].here.entry.facilities) for agency in SERVING) - 2
    assert "Confirmed by 2 of" in (await head.open("/protocols")).words
    assert await parked(town) == []
    async with town["police"].database.read() as tx:
        kept = list((await tx.session.execute(select(Adoption))).scalars())
        account = await find_account(tx, "inspector")
    assert {one.recorded_by for one in kept} == {account.id}
    assert str(account.id) not in await everything(town["oversight"].database), "a post, never a person"


async def test_a_mistake_in_a_form_of_protocols_stands_beside_its_field_and_loses_nothing(town: World) -> None:
    head = await at_work(town, "oversight", "head", Role.SUPERVISOR, None)
    page = await head.open("/protocols/new")
    for wrong in ("soon", "9999-12-31"):  # its last day to be adopted would be none
        page = await head.send(page.form("/protocols/new"), topic="care_first", from_on=wrong, text=TEXT)
        assert (page.status, 'id="from_on-error"' in page.text) == (422, True), wrong
    assert [line.strip() for line in page.form("/protocols/new").fields["text"][0].splitlines()] == TEXT.splitlines()
    await publish(town, "director")
    inspector = await at_work(town, "police", "inspector", Role.SUPERVISOR, CENTRAL)
    address = "/protocols/oversight/care_first"
    for action, field in (("text", "text"), ("adopt", "at")):
        page = await inspector.open(address)
        form = page.form(f"{address}/{action}")
        form.choices.clear()
        empty: dict[str, Any] = {field: ""}
        page = await inspector.send(form, **empty)
        assert (page.status, f'id="{field}-error"' in page.text) == (422, True), page.words


async def test_whoever_holds_no_post_confirms_nothing_and_a_roster_says_who_does(town: World) -> None:
    await publish(town)
    officer = await town["police"].sign_in("officer", Role.OFFICER, CENTRAL)
    address = "/protocols/oversight/care_first/1/adoptions"
    body = {"facility": CENTRAL, "post": "duty_officer"}
    with pytest.raises(Refused) as refused:
        await officer.post(address, body)
    assert refused.value.status == 403
    outlying = await town["police"].sign_in("outlying", Role.SUPERVISOR, OUTLYING)
    with pytest.raises(Refused) as refused:
        await outlying.post(address, body)
    assert refused.value.status == 404
    now = town.clock.now()
    async with town["police"].database.write() as tx:
        account = await find_account(tx, "officer")
        duty = SetDuty(
            facility=CENTRAL, post="duty_officer", account_id=account.id, from_at=now - timedelta(hours=1),
            until_at=now + timedelta(hours=7),
        )  # fmt: skip
        await set_duty(duty, tx, town["police"].here, SYSTEM)
    assert (await officer.post(address, body))["post"] == "duty_officer"
    with pytest.raises(Refused) as refused:
        await officer.post(address, {**body, "post": "minister"})
    assert refused.value.status == 409


async def test_a_place_that_lets_the_day_pass_is_told_at_both_ends_until_it_confirms_or_a_newer_version_comes(town: World) -> None:
    await publish(town)
    chief = await town["police"].sign_in("chief", Role.SUPERVISOR, None)
    address = "/protocols/oversight/care_first/1/adoptions"
    await chief.post(address, {"facility": CENTRAL, "post": "duty_officer"})
    await town.settle()
    town.clock.advance(ADOPT_WITHIN)
    await watch(town)
    for agency in ("oversight", "police"):
        assert await alarms(town, agency, "protocol_overdue") == [], "its last day is a day in time"
    town.clock.advance(timedelta(days=1))
    await watch(town)
    places = {(agency, place) for agency in SERVING for place in town[agency].here.entry.facilities} - {("police", CENTRAL)}
    told = await alarms(town, "oversight", "protocol_overdue")
    assert {(alarm.detail["peer"], alarm.detail["place"]) for alarm in told} == places
    assert {alarm.facility for alarm in await alarms(town, "police", "protocol_overdue")} == {
        place for agency, place in places if agency == "police"
    }
    head = await at_work(town, "oversight", "second", Role.SUPERVISOR, None)
    assert "A protocol is not confirmed yet" in (await head.open("/alarms")).words
    await chief.post(address, {"facility": OUTLYING, "post": town["police"].here.posts(OUTLYING)[0]})
    await town.settle()
    await watch(town)
    assert OUTLYING not in {alarm.detail["place"] for alarm in await alarms(town, "oversight", "protocol_overdue")}
    await publish(town, "third", words=f"{TEXT}\nNor for a permission.")
    await watch(town)
    assert [await alarms(town, agency, "protocol_overdue") for agency in (*SERVING, "oversight")] == [[], [], [], []]
    with pytest.raises(Refused) as refused:
        await chief.post(address, {"facility": CENTRAL, "post": "duty_officer"})
    assert refused.value.status == 409
    assert "the text of the version that stands" in str(await _refused(town, words=f"{TEXT}\nNor for a permission."))


async def _refused(town: World, **more: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        await publish(town, "fourth", **more)
    return refused.value


async def test_a_place_that_is_planned_is_asked_by_nobody_to_confirm(town: World) -> None:
    for name in ("police", "oversight"):
        one = town[name]
        police = one.here.network.agencies["police"]
        places = {**police.facilities, OUTLYING: police.facilities[OUTLYING].model_copy(update={"is_planned": True})}
        agencies = {**one.here.network.agencies, "police": police.model_copy(update={"facilities": places})}
        network = one.here.network.model_copy(update={"agencies": agencies})
        town.agencies[name] = TestAgency(replace(one.here, network=network), one.parts, one.database)
    await publish(town)
    head = await town["police"].sign_in("head", Role.SUPERVISOR, None)
    (waits,) = (await head.get("/protocols"))["items"]
    assert (CENTRAL in waits["lacking"], OUTLYING in waits["lacking"]) == (True, False)
    (one,) = (await (await town["oversight"].sign_in("director")).get("/protocols"))["items"]
    listed = {place["facility"] for place in one["places"]}
    assert (CENTRAL in listed, OUTLYING in listed) == (True, False)


# --- figures -----------------------------------------------------------------------------------------------------------------


async def told(world: World, agency: str) -> list[HeardRelease]:
    async with world["oversight"].database.read() as tx:
        query = select(HeardRelease).where(col(HeardRelease.agency) == agency)
        return list((await tx.session.execute(query.order_by(col(HeardRelease.period), col(HeardRelease.number)))).scalars())


async def test_a_quarter_is_released_when_its_time_has_come_once_and_a_correction_is_a_further_release(town: World) -> None:
    await report(town["police"], MANY)
    await later(town, "2026-04-14")
    await watch(town)
    assert "2026-Q1" not in {one.period for one in await told(town, "police")}, "a person has her turn first"
    await later(town, "2026-04-15")
    await watch(town)
    await watch(town)
    (heard,) = await told(town, "police")
    assert heard.period == "2026-Q1", "of a quarter before the agency began it knows nothing, which is not nought"
    assert heard.number == 1
    async with town["police"].database.read() as tx:
        query = select(FigureRelease).where(col(FigureRelease.period) == "2026-Q1")
        (kept,) = (await tx.session.execute(query)).scalars()
    assert heard.shown == kept.shown, "what was published is what is told"
    await report(town["police"], [(HIT, WOMAN, Sex.FEMALE, CENTRAL)] * 30, datetime.fromisoformat("2026-03-03T09:00:00+00:00"))
    chief = await at_work(town, "police", "chief", Role.SUPERVISOR, None)
    page = await chief.open("/figures?period=2026-Q1")
    await chief.send(page.form("/figures/2026-Q1/release"))
    await town.settle()
    one, two = [one for one in await told(town, "police") if one.period == "2026-Q1"]
    assert (one.number, two.number, two.shown["reports"]["values"][""]) == (1, 2, len(MANY) + 30)
    assert await parked(town) == []


async def test_what_the_oversight_body_holds_of_two_releases_withstands_the_attack(town: World) -> None:
    """Everything that it was told of a quarter, corrections included, solved as linear programmes."""
    case_id, _incident = await open_case(await town["police"].sign_in("desk", Role.OFFICER, CENTRAL))

    async def breached(name: str, **of: int) -> None:
        desk = await town["police"].sign_in(name, Role.OFFICER, CENTRAL)  # nobody is signed in for months
        for code, many in of.items():
            for n in range(many):
                body = {"code": code, "by_whom": ("health", "family")[n % 3 == 0], "occurred_at": "2026-01-05T07:00:00+00:00"}
                await desk.post(f"/cases/{case_id}/breaches", body)

    await breached("first", fee_demanded=14, police_report_demanded=5, mediation_attempted=2)
    await report(town["police"], MANY)
    await later(town, "2026-04-15")
    await watch(town, "police")
    await report(town["police"], [(HIT, WOMAN, Sex.FEMALE, OUTLYING)] * 25, datetime.fromisoformat("2026-03-03T09:00:00+00:00"))
    await breached("second", fee_demanded=13, police_report_demanded=1, mediation_attempted=15)
    chief = await at_work(town, "police", "chief", Role.SUPERVISOR, None)
    page = await chief.open("/figures?period=2026-Q1")
    await chief.send(page.form("/figures/2026-Q1/release"))
    await town.settle()
    releases = [one for one in await told(town, "police") if one.period == "2026-Q1"]
    assert len(releases) == 2
    attack, tables = Attack(), dict[str, dict[str, int | None]]()
    for release in releases:
        for table in tables_of(release.shown).values():
            if table.values is not None:
                name, before = f"{table.id} {release.number}", f"{table.id} {release.number - 1}"
                tables[name] = dict(table.values)
                attack.sees(name, table.chain, dict(table.categories), tables[name])
                if before in tables:
                    attack.grew(before, name, list(tables[name]))
    assert {name.split()[0] for name in tables} >= {"reports", "breaches"}
    assert {"breaches 1", "breaches 2"} <= tables.keys()
    assert tables["breaches 1"] != tables["breaches 2"], "what came late is told, as far as nobody can work it out"
    assert sum(number is None for table in tables.values() for number in table.values()) > 10
    withstands(attack, tables)


def with_an_ordinary_station(world: World, name: str) -> None:
    """The programme and the network as an agency knows them, with one of the police's stations made for everybody."""
    agency, kind = world[name], "one_stop_police_desk"
    programme, net = agency.here.programme, agency.here.network
    ordinary = {**programme.facilities, kind: programme.facilities[kind].model_copy(update={"is_specialist": False})}
    content = net.model_dump(mode="json", exclude_defaults=True)
    content["agencies"]["police"]["facilities"][OUTLYING]["kind"] = kind
    here = replace(
        agency.here, programme=programme.model_copy(update={"facilities": ordinary}), network=parse_network(content, "it")
    )
    world.agencies[name] = TestAgency(here, agency.parts, agency.database)


async def test_pages_show_agencies_by_quarter_with_pictures_and_the_alarm_of_isolation(town: World) -> None:
    await report(town["police"], MANY)
    desk = await town["police"].sign_in("desk", Role.OFFICER, CENTRAL)
    for _ in range(12):
        case_id, incident_id = await open_case(desk)
        await consent(desk, case_id, "health")
        await refer(desk, case_id, incident_id, "health")
        await desk.post(f"/cases/{case_id}/progress", {"code": "statement_taken"})
        await desk.post(f"/cases/{case_id}/breaches", {"code": "fee_demanded", "by_whom": "health"})
        await desk.post(f"/cases/{case_id}/progress", {"code": "pressure_to_settle"})
    await later(town, "2026-04-15")
    await watch(town, *SERVING)
    with_an_ordinary_station(town, "oversight")
    await watch(town, "oversight")
    head = await at_work(town, "oversight", "head", Role.SUPERVISOR, None)
    page = await head.open("/national?period=2026-Q1")
    assert (page.status, "Reports, not prevalence" in page.words) == (200, True)
    assert page.text.count("<svg") >= 5
    assert str(len(MANY) + 12) in page.words
    (alarm,) = await alarms(town, "oversight", "no_other_desks")
    assert alarm.detail == {"peer": "police", "quarter": "2026-Q1"}
    assert "all from specialised desks" in page.words
    one = await head.open("/national/police?period=2026-Q1")
    assert "Money was demanded" in one.words
    found = await (await town["oversight"].sign_in("other")).get("/national?period=2026-Q1")
    (police,) = [item for item in found["items"] if item["agency"] == "police"]
    assert police["is_isolated"]
    assert {stage["step"]: stage["reached"] for stage in police["attrition"]}["reported"] == len(MANY) + 12
    breaches = next(cube["numbers"] for cube in police["cubes"] if cube["cube"] == "breaches")
    assert (breaches[key(("breach", "fee_demanded"))], breaches[key(("breach", "pressure_to_settle"))]) == (12, 12)
    for path in ("/national?period=2026-01", "/national/nobody?period=2026-Q1", "/national/police?period=x"):
        assert (await head.open(path)).status in {404, 409, 422}, path


async def test_a_file_of_a_quarter_leaves_by_her_own_hand_encrypted_and_marked(town: World) -> None:
    await report(town["police"], MANY)
    await later(town, "2026-04-15")
    await watch(town)
    head = await at_work(town, "oversight", "head", Role.SUPERVISOR, None)
    she = pyrage.x25519.Identity.generate()
    wish: dict[str, Any] = {
        "purpose": "planning",
        "because": "The minister asked for the first quarter.",
        "recipient_key": str(she.to_public()),
    }
    path = "/national/2026-Q1/export"
    wrong = await head.send((await head.open(path)).form(path), **wish, pin="314159")
    assert (wrong.status, "That is not your PIN." in wrong.words) == (422, True)
    ready = await head.send((await head.open(path)).form(path), **wish, pin=PIN)
    file = (await head.client.get(f"{ready.path}/file")).content
    lines = list(csv.reader(io.StringIO(pyrage.decrypt(file, [she]).decode("utf-8-sig"))))
    assert ["police", "reports", "total", "", "", "", str(len(MANY))] in [line[:-1] for line in lines]
    assert not [line for line in lines if len(line) == 8 and line[-2].isdigit() and 0 < int(line[-2]) < 10]
    assert "The minister asked" in (await head.open("/exports")).words


# --- never a case ------------------------------------------------------------------------------------------------------------


async def a_long_story(world: World) -> Desk:
    """Cases with all that happens to them, at three agencies, and a quarter that ends."""
    await publish(world)
    desk = await world["police"].sign_in("desk", Role.OFFICER, CENTRAL)
    nurse = await world["health"].sign_in("nurse", None, CLINIC)
    for n in range(2):
        case_id, incident_id = await open_case(desk)
        given = await consent(desk, case_id, "health", "needs", "type", "fb")
        await consent(desk, case_id, "social_welfare", "needs", "prog")
        sent = await refer(desk, case_id, incident_id, "health")
        await refer(desk, case_id, incident_id, "social_welfare")
        await world.settle()
        for step in ("acknowledge", "accept", "arrive", "start"):
            await nurse.post(f"/referrals/{sent['id']}/{step}")
        await desk.post(f"/cases/{case_id}/progress", {"code": "statement_taken"})
        await desk.post(f"/cases/{case_id}/breaches", {"code": "mediation_attempted", "by_whom": "community"})
        if n == 0:
            await desk.take_back(case_id, given)
        await world.settle()
    async with world["police"].database.write() as tx:
        news = SayPlaceNews(facility=CENTRAL, is_open=True, staff=3, has_female_staff=True, waiting=7)
        await say_place_news(news, tx, world["police"].here, SYSTEM)
    await report(world["police"], MANY)
    chief = await world["police"].sign_in("chief", Role.SUPERVISOR, None)
    await chief.post("/protocols/oversight/care_first/1/adoptions", {"facility": CENTRAL, "post": "duty_officer"})
    world.clock.advance(timedelta(days=2))
    await watch(world)
    await later(world, "2026-04-15")
    await watch(world)
    for agency in world.agencies.values():
        await log_inside(agency.database, INSIDE)
    world.clock.advance(timedelta(minutes=1))  # so that everybody tells where these stand
    await world.settle()
    async with world["oversight"].database.read() as tx:
        inside = select(col(SignedHead.sender)).where(col(SignedHead.log) == Log.INSIDE.value)
        assert set((await tx.session.execute(inside)).scalars()) == {"police", "health", "social_welfare"}
    return desk


# Of the agencies' tables, what speaks of no case: the same words stand at the oversight body.
OF_NO_CASE = frozenset({"casework_protocols", "casework_adoptions", "casework_figure_releases", "casework_alarms"})
A_UUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")


def ids_in(words: str) -> set[str]:
    return {found.replace("-", "") for found in A_UUID.findall(words)}


async def ids_of_cases(world: World) -> set[str]:
    """Every id that any record of the three agencies holds, opened: cases, referrals, circles, consents, pairwise codes and the
    rest. What is exchanged is left out, because both ends hold the ids of the same words, and so are the lives of databases."""
    found, lives = set[str](), set[str]()
    for agency in SERVING:
        own = (f"{agency}_", "casework_")
        which = partial(_is_of_cases, own)
        found |= ids_in(await everything(world[agency].database, which))
        async with world[agency].database.read() as tx:
            lives |= {one.hex for one in (await tx.session.execute(select(col(Incarnation.id)))).scalars()}
    return found - lives - {NOBODY.hex}


def _is_of_cases(own: tuple[str, ...], table: str) -> bool:
    return table.startswith(own) and table not in OF_NO_CASE


async def check_nothing_of_a_case(world: World) -> None:
    database = world["oversight"].database
    ids = await ids_of_cases(world)
    assert len(ids) > 200
    async with world["police"].database.read() as tx:
        for column in (Case.id, Case.circle, Referral.id, Consent.id, CircleMember.circle):
            known = {one.hex for one in (await tx.session.execute(select(col(column)))).scalars()}
            assert known
            assert known <= ids, "the sweep sees what it looks for"
    held = await everything(database)
    assert ids_in(held) & ids == set()
    assert not [number for number in await numbers_of_cases(world) if number in held]
    async with database.read() as tx:
        tables = await (await tx.session.connection()).run_sync(lambda connection: inspect(connection).get_table_names())
        counts = {table: (await tx.session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() for table in tables}
        releases = list((await tx.session.execute(select(HeardRelease))).scalars())
        types = set((await tx.session.execute(select(col(InboxRow.type)))).scalars())
    full = {table for table, number in counts.items() if number and table.startswith("casework_")}
    assert full <= {"casework_accounts", "casework_alarms", "casework_tokens", "casework_idempotency"}, full
    assert types == {"protocol.adopted", "figures.released"}
    numbers = [n for one in releases for cube in one.shown.values() if cube for n in cube["values"].values() if n is not None]
    assert len(numbers) > 100
    assert not [n for n in numbers if 0 < n < 10]
    assert await alarm_kinds(world) <= {"protocol_overdue", "no_other_desks"}


async def numbers_of_cases(world: World) -> set[str]:
    async with world["police"].database.read() as tx:
        return {one.number for one in (await tx.session.execute(select(Case))).scalars()}


async def alarm_kinds(world: World) -> set[str]:
    async with world["oversight"].database.read() as tx:
        return set((await tx.session.execute(select(col(Alarm.kind)).distinct())).scalars())


async def test_after_a_long_story_its_whole_database_holds_no_row_of_a_case(town: World) -> None:
    await a_long_story(town)
    assert await parked(town) == []
    await check_nothing_of_a_case(town)


async def test_the_same_on_postgresql_under_row_level_security(postgres: PostgresDatabases) -> None:
    town, urls = await overseen_on_postgresql(postgres)
    try:
        await a_long_story(town)
        assert await parked(town) == []
        await check_nothing_of_a_case(town)
        head = await at_work(town, "oversight", "sees-it", Role.SUPERVISOR)  # of the office, not of the whole agency
        assert "1 of" in (await head.open("/protocols")).words
        assert str(len(MANY) + 2) in (await head.open("/national?period=2026-Q1")).words
        assert (await head.client.get("/protocols/care_first/1/text")).text.startswith("Care first.")
        async with town["oversight"].database.read() as tx:
            query = "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relname LIKE 'oversight_%'"
            assert len(set((await tx.session.execute(text(query))).scalars())) == 3
    finally:
        await town.close()
        for url in urls:
            postgres.drop_database(url.rpartition("/")[2])


async def test_it_has_no_address_for_a_case_and_no_way_to_one(town: World) -> None:
    desk, head = await town["police"].sign_in("desk"), await town["oversight"].sign_in("head")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health")
    sent = await refer(desk, case_id, incident_id, "health")
    for path in (
        "/cases", f"/cases/{case_id}", f"/cases/{case_id}/timeline", f"/cases/{case_id}/access-log", "/referrals",
        f"/referrals/{sent['id']}", "/subscriptions", "/updates", "/events/stream", "/counts?year=2026", "/breaches/figures",
    ):  # fmt: skip
        assert (await head.ask("GET", path)).status_code == 404, path
    for path in ("/cases", "/referrals", "/arrivals", f"/cases/{case_id}/progress"):
        assert (await head.ask("POST", path, {})).status_code in {404, 405}, path
    visitor = await at_work(town, "oversight", "visitor", Role.SUPERVISOR, None)
    home = await visitor.open("/")
    ways = [link for link in home.links if link.startswith("/")]
    assert {"/protocols", "/national", "/alarms"} <= set(ways)
    for path in (
        "/cases",
        f"/cases/{case_id}",
        "/work",
        "/look-up",
        "/eyes",
        "/overdue",
        "/here-now",
        "/following",
        "/figures",
        "/paper",
    ):
        assert (await visitor.open(path)).status == 404, path
        assert path not in ways
    for path in set(ways):
        assert (await visitor.open(path)).status == 200, path


async def test_nobody_is_asked_about_it_and_nothing_may_be_sent_there(town: World) -> None:
    desk = await town["police"].sign_in("desk", Role.OFFICER, CENTRAL)
    case_id, incident_id = await open_case(desk)
    with pytest.raises(Refused) as refused:
        await consent(desk, case_id, "oversight")
    assert refused.value.status == 409
    body = {"case_id": case_id, "incident_id": incident_id, "to_agency": "oversight", "to_facility": "national_office",
            "services": ["acute_care"], "urgency": "acute"}  # fmt: skip
    with pytest.raises(Refused):
        await desk.post("/referrals", body)
    officer = await at_work(town, "police", "officer-2", Role.OFFICER, CENTRAL)
    assert "answer_oversight" not in (await officer.open(f"/cases/{case_id}/consent")).text


def said_by(
    sender: str,
    seq: int,
    type_: type[events.Event],
    subject: UUID,
    data: Any,
    *,
    id_: UUID | None = None,
    after: UUID | None = None,
) -> bytes:
    """What an agency's own keys make of a word to the oversight body."""
    now = datetime(2026, 1, 5, 8, tzinfo=UTC)
    word = Event(
        id=id_ or new_id(), source=sender, type=type_.type, dataversion=type_.version, subject=subject, time=now, recordedtime=now,
        consentid=new_id(), circleversion=1, data=data, after=after,
    )  # fmt: skip
    header = Header(kind=Kind.EVENT, sender=sender, recipient="oversight", incarnation=LIFE, seq=seq, salt=b"s" * 16)
    seal = seal_of(sender)
    return seal.seal(seal.sign(header, word.to_bytes()), "oversight")


async def test_no_word_is_kept_of_what_would_wait_for_another_or_does_not_fit_its_contract(town: World) -> None:
    body, circle, first = town["oversight"], new_id(), new_id()
    data = json.loads((publish_of.SAMPLES / events.file_name(events.CaseProgress)).read_text())["data"]
    await body.hear("police", [said_by("police", 1, events.CaseProgress, circle, data, id_=first)])
    await body.hear("police", [said_by("police", 2, events.CaseProgress, circle, data, after=first)])
    await body.hear("police", [said_by("police", 3, events.CaseProgress, circle, {**data, "on_date": "never"}, after=new_id())])
    async with body.database.read() as tx:
        rows = list((await tx.session.execute(select(InboxRow))).scalars())
    assert [(row.state, row.inner) for row in rows] == [("parked", None)] * 3


async def test_whatever_else_an_agency_would_tell_it_is_parked_and_changes_nothing(town: World) -> None:
    """Every event of the published language, from every kind of agency: two are heard, and a third where it is an answer."""
    heard = {events.ProtocolAdopted, events.FiguresReleased}
    body = town["oversight"]
    for sender in SERVING:
        envelopes = []
        for seq, event in enumerate((one for one in events.EVENTS if one not in heard), start=1):
            data = json.loads((publish_of.SAMPLES / events.file_name(event)).read_text())["data"]
            envelopes.append(said_by(sender, seq, event, new_id(), data))
        before = await contents(body.database, but=KEPT_OF_PARKED)
        await body.hear(sender, envelopes)
        assert await contents(body.database, but=KEPT_OF_PARKED) == before
        async with body.database.read() as tx:
            rows = list((await tx.session.execute(select(InboxRow).where(col(InboxRow.sender) == sender))).scalars())
        assert len(rows) == len(events.EVENTS) - len(heard)
        assert {row.state for row in rows} == {"parked"}
        not_its_to_say = {row.type for row in rows if "An agency of its kind may not tell this one" in (row.reason or "")}
        assert not_its_to_say == {one.type for one in events.EVENTS if one not in {*heard, events.ExchangeRefused}}
        assert all(row.inner is None for row in rows if row.type in not_its_to_say), "that it came is kept, and no word of it"
    head = await at_work(town, "oversight", "head", Role.SUPERVISOR, None)
    page = await head.open("/parked")
    assert (page.status, "An agency of its kind may not tell this one" in page.words) == (200, True)
    shown = page.text + str(await (await body.sign_in("other", Role.SUPERVISOR)).get("/parked"))
    for event in (events.ReferralIssued, events.CaseProgress, events.MessageAsked, events.ConsentTakenBack):
        data = json.loads((publish_of.SAMPLES / events.file_name(event)).read_text())["data"]
        assert data
        assert not [word for word in leaves(data) if len(word) > LONG_ENOUGH and word in shown], event.type


LONG_ENOUGH = 8  # characters of a word that cannot stand on a page by chance


def leaves(data: Any) -> set[str]:
    """Every text in it."""
    if isinstance(data, dict):
        return {word for one in data.values() for word in leaves(one)}
    if isinstance(data, list):
        return {word for one in data for word in leaves(one)}
    return {data} if isinstance(data, str) else set()


async def test_what_is_parked_there_is_shown_without_anything_of_a_case(town: World) -> None:
    """A word of a case, and one of a newer neighbour that this version cannot read: each is told of, and can be given up."""
    body, circle, later_one = town["oversight"], new_id(), new_id()
    data = json.loads((publish_of.SAMPLES / events.file_name(events.CaseProgress)).read_text())["data"]
    newer: Any = SimpleNamespace(type=events.FiguresReleased.type, version=events.FiguresReleased.version + 1)
    words = [said_by("police", 1, events.CaseProgress, circle, data), said_by("police", 2, newer, later_one, {"case": str(circle)})]
    await body.hear("police", words)
    head = await body.sign_in("head", Role.SUPERVISOR)
    rows = (await head.get("/parked"))["items"]
    assert [(row["sender"], row["type"], row["subject"]) for row in rows] == [
        ("police", "case.progress", None), ("police", "figures.released", None),
    ]  # fmt: skip
    told_of = [one for one in (await head.get("/alarms"))["items"] if one["kind"] == "parked"]
    assert len(told_of) == 2
    visitor = await at_work(town, "oversight", "sees-it", Role.SUPERVISOR)
    shown = [(await visitor.open(path)).text for path in ("/parked", "/alarms")]
    assert "From " in shown[0]
    for text_ in (json.dumps(told_of), json.dumps(rows), *shown):
        assert str(circle) not in text_
        assert data["code"] not in text_
    assert [(await head.post(f"/parked/police/{row['event_id']}/retry"))["applied"] for row in rows] == [False, False]
    for row in (await head.get("/parked"))["items"]:
        assert (await head.ask("POST", f"/parked/police/{row['event_id']}/discard")).status_code == 204
    assert (await head.get("/parked"))["items"] == []


# What is kept of an event that is not applied: that it came, where it stands, and that somebody is told.
KEPT_OF_PARKED = {"exchange_inbox", "exchange_slots", "exchange_heads", "exchange_subjects", "casework_alarms", "exchange_activity"}
LIFE = UUID(int=7)


async def test_what_it_hears_is_of_the_senders_own_place_and_its_own_release(town: World) -> None:
    figures = json.loads((publish_of.SAMPLES / events.file_name(events.FiguresReleased)).read_text())["data"]
    adopted = json.loads((publish_of.SAMPLES / events.file_name(events.ProtocolAdopted)).read_text())["data"]
    of_health = subject_of("health", events.FiguresReleased.model_validate(figures))
    of_police = subject_of("police", events.FiguresReleased.model_validate(figures))
    small = {**figures, "cubes": [{**figures["cubes"][0], "numbers": [54, 12, 42, 32, 22, 9, 3, 23, 19]}]}
    again = {**figures, "release": 2}
    of_again = subject_of("police", events.FiguresReleased.model_validate(again))
    offers = figures["cubes"][0]
    turned = {**again, "cubes": [{**offers, "chain": offers["chain"][::-1]}]}
    to_kind = {"dimension": "to_kind", "categories": ["police", str(UUID(int=7))]}
    with_id = {**again, "cubes": [{**offers, "chain": [to_kind, offers["chain"][1]]}]}
    newer = {"dimension": "to_kind", "categories": [*offers["chain"][0]["categories"][:-1], "helpline"]}
    by_newer = {**again, "cubes": [{**offers, "chain": [newer, offers["chain"][1]]}]}
    words: list[tuple[type[events.Event], UUID, Any]] = [
        (events.FiguresReleased, of_health, figures),  # another's release
        (events.FiguresReleased, of_police, small),  # with small numbers in it
        (events.ProtocolAdopted, place_subject("health", CLINIC), adopted),  # of another's place
        (events.FiguresReleased, of_police, figures),
        (events.FiguresReleased, of_police, {**figures, "programme": "zm-vsu-ec"}),  # said twice the same
        (events.FiguresReleased, of_police, {**figures, "cubes": figures["cubes"][1:]}),  # the same release, with other numbers
        (events.FiguresReleased, of_again, turned),  # tables that no page could show
        (events.FiguresReleased, of_again, with_id),  # an id where a category is
        (events.FiguresReleased, of_again, by_newer),  # a kind that only a newer neighbour knows: counted as not known
    ]
    await town["oversight"].hear("police", [said_by("police", n, *word) for n, word in enumerate(words, start=1)])
    async with town["oversight"].database.read() as tx:
        rows = (await tx.session.execute(select(InboxRow).order_by(col(InboxRow.event_id)))).scalars()
        states = [row.state for row in rows]
    assert states == ["parked", "parked", "parked", "applied", "applied", "parked", "parked", "parked", "applied"]
    first, second = await told(town, "police")
    assert first.shown.keys() == {cube["cube"] for cube in figures["cubes"]}
    lost = offers["chain"][0]["categories"][-1]
    assert second.shown["offers"]["categories"]["to_kind"] == [*offers["chain"][0]["categories"][:-1], "unknown"]
    assert second.shown["offers"]["values"] == {
        name.replace(f"to_kind={lost}", "to_kind=unknown"): number for name, number in first.shown["offers"]["values"].items()
    }


async def test_it_signs_unread_what_agencies_do_inside_and_they_sign_what_it_does(town: World) -> None:
    desk = await town["police"].sign_in("desk")
    await open_case(desk)
    await publish(town)
    await report(town["police"], MANY)
    await later(town, "2026-04-15")
    await watch(town)
    desk_again = await town["police"].sign_in("desk-2")
    for case in (await desk_again.get("/cases"))["items"][:3]:
        await desk_again.get(f"/cases/{case['id']}")
    for _ in range(2):
        await log_inside(town["police"].database, INSIDE)
        town.clock.advance(timedelta(minutes=1))
        await town.settle()
    async with town["oversight"].database.read() as tx:
        mine = (col(SignedHead.sender) == "police", col(SignedHead.log) == Log.INSIDE.value)
        (head,) = (await tx.session.execute(select(SignedHead).where(*mine))).scalars()
    assert (head.state, head.size > 0) == (HeadState.GOOD, True)


async def test_a_restored_agency_knows_again_what_it_told_and_compares_nothing_with_it(town: World) -> None:
    await publish(town)
    await report(town["police"], MANY)
    image = await town.back_up("police")
    chief = await town["police"].sign_in("chief", Role.SUPERVISOR, None)
    await chief.post("/protocols/oversight/care_first/1/adoptions", {"facility": CENTRAL, "post": "duty_officer"})
    await later(town, "2026-04-15")
    await watch(town)
    before = [(one.period, one.number, one.shown) for one in await told(town, "police")]
    await town.restore("police", image)
    await watch(town)  # before anybody has answered: what was released is not known here yet, and nothing is released beside it
    async with town["police"].database.read() as tx:
        assert (await tx.session.execute(select(FigureRelease))).first() is None
    await town.settle_restored()
    await watch(town)
    async with town["police"].database.read() as tx:
        kept = {row.period: row for row in (await tx.session.execute(select(FigureRelease))).scalars()}
        assert kept["2026-Q1"].counted is None
        assert len(list((await tx.session.execute(select(Adoption))).scalars())) == 1
    assert [(one.period, one.number, one.shown) for one in await told(town, "police")] == before
    visitor = await at_work(town, "police", "chief-2", Role.SUPERVISOR, None)
    assert "was lost with a database" in (await visitor.open(f"/figures?period={period('2026-Q1').name}")).words
    async with town["police"].database.read() as tx:
        assert [row.version for row in (await tx.session.execute(select(Protocol))).scalars()] == [1]
