"""Security guide, 7: 25. A station is offline for a fortnight and is then stolen, while its twin goes on.

Installed by its own command, with real keys under a passphrase; sticks carry what is said. What was synced is whole where it went,
its keys are given up, what was not synced is named at its mother station, and its disk tells nothing without the passphrase.
"""

import asyncio
import base64
import json
import os
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
import yaml
from agencies import Desk, TestAgency, World, consent, database_at, refer
from schema import sqlite_at_head
from shift import at_work
from signing_in import hide_of
from sqlalchemy import func, select, text
from sqlmodel import col
from stations import STATION, TWIN, content_with_stations

from services import cli, locks
from services.carrying import carry_in, carry_out
from services.keeper import PASSPHRASE as ROOT_PASSPHRASE
from services.keys import KeyFolder, load_keyring, make_new
from services.locks import PASSPHRASE
from services.runtime import Agency, bring_up_to_date, build
from services.settings import Settings
from services.stations import Order, held_of, install, revoke
from shared.casework.accounts.commands import add_account, make_token
from shared.casework.accounts.tables import Draft
from shared.casework.alarms.tables import Alarm
from shared.casework.directory.stations import station_subject
from shared.casework.lines.readiness import readiness
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role
from shared.contracts.wire.envelope import Header, Kind
from shared.exchange.seal import KeyedSeal, KeyGivenUp
from shared.exchange.tables import InboxRow, InboxState, OutboxRow, ReceivedSlot
from shared.exchange.worker import NO_LINE
from shared.kit.clock import ManualClock, SystemClock
from shared.kit.errors import RefnetError
from shared.kit.keystore import Keystore, WrappingKeys
from shared.kit.lock import Locked

pytestmark = pytest.mark.timeout(300)

WORDS = "six synthetic words for one station"
MARK = "cnrystolen"
FORTNIGHT = timedelta(days=14)
NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
SECRET = "s" * 40
NETWORK = "trial"  # nothing is made up for it: keys are made by those who hold them, and each agency has its own


class Place:
    """One agency in a home of its own, as on a machine of its own."""

    def __init__(self, folder: Path, name: str, clock: ManualClock) -> None:
        self.home, self.name, self.clock = folder / name, name, clock

    @property
    def settings(self) -> Settings:
        own = {} if (self.home / locks.LOCK).exists() else {"REFNET_SECRET_KEY": SECRET}
        return Settings.model_validate({"REFNET_HOME": str(self.home), "REFNET_NETWORK": str(self.home / "network.yaml"), **own})

    def build(self) -> Agency:
        made = build(self.settings, self.name)
        made.database.clock = self.clock
        return made

    async def sign_in(self, role: Role, facility: str | None = None) -> tuple[TestAgency, Desk]:
        made = self.build()
        agency = TestAgency(made.here, made.parts, made.database)
        name = f"{role}-{secrets.token_hex(3)}"
        async with agency.database.write() as tx:
            await add_account(tx, agency.here, name, role, facility)
            token = await make_token(tx, name)
        return agency, Desk(agency.client, token)

    async def write(self, file: Path, peer: str) -> dict[str, Any]:
        return await carry_out(self.settings, self.name, file, peer, None, lambda _: None)

    async def read(self, file: Path) -> dict[str, Any]:
        return await carry_in(self.settings, self.name, file, lambda _: None)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Place]]:
    """The police, the clinic and two stations, each with keys of its own that nobody else has."""
    yield make(tmp_path, monkeypatch, "police", "health", STATION, TWIN)
    locks._unlocked.cache_clear()


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Place]]:
    """The station only."""
    yield make(tmp_path, monkeypatch, STATION)
    locks._unlocked.cache_clear()


def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> dict[str, Place]:
    """Each in a home of its own, with everybody else's directory of keys in it."""
    monkeypatch.setenv(ROOT_PASSPHRASE, "four synthetic root words")
    monkeypatch.setenv(PASSPHRASE, WORDS)
    clock = ManualClock()

    def at_the_time(settings: Settings, name: str) -> Agency:  # the command of a process of its own, on this test's day
        made = build(settings, name)
        made.database.clock = clock
        return made

    monkeypatch.setattr("services.carrying.build", at_the_time)
    content = content_with_stations(STATION, TWIN, purpose=NETWORK)
    given = tmp_path / "network.yaml"
    given.write_text(yaml.safe_dump(content))
    found = {name: Place(tmp_path, name, clock) for name in names}
    for name in names:
        if name in (STATION, TWIN):
            continue
        place = found[name]
        place.home.mkdir()
        (place.home / "network.yaml").write_text(given.read_text())
        make_new(KeyFolder(place.home, name), NOW, b"four synthetic root words")
        sqlite_at_head(place.home / f"{name}.db", name)
        place.settings.make_keystore(name)
        asyncio.run(_migrated(place))
    for name in names:
        if name not in (STATION, TWIN):
            continue
        order = Order(name, given, "supervisor", tmp_path / f"{name}.root", None, None, WORDS, "four synthetic root words")
        made = install(found[name].home, order, NOW)
        assert made["directories_lacking"] == ["health", "police", "social_welfare"]
        assert not (found[name].home / "keys" / name / "root.pem").exists()
        assert made["fingerprint"] in made["words"]
    for name, place in found.items():  # everybody's directory of keys, compared in person
        for other in found.values():
            if other is not place:
                file = KeyFolder(place.home, name).directory_file(other.name)
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(KeyFolder(other.home, other.name).directory_file(other.name).read_bytes())
    return found


async def _migrated(place: Place) -> None:
    made = place.build()
    await bring_up_to_date(made, place.settings)
    await made.database.close()


PERSON: dict[str, Any] = {
    "needs": {"age_band": "10-14", "sex": "female", "language": "bem"},
    "safety": {"safe_to_return": "no", "alone_on_phone": "no"}, "relay": {"safe_hours": "morning"},
    "child": {"assent": "yes", "safe_adult_present": "yes"}, "dependants": {"age_bands": ["0-9"]},
}  # fmt: skip
HAPPENED = {"earliest_at": "2025-12-31T21:43:05Z", "latest_at": "2025-12-31T22:43:05Z"}
# What says something of anybody: words that were typed, and what she was asked, each as it would lie there if it lay open; in
# quotes, as a field of a column's JSON, where something as short stands among ids by chance.
TELLING = (MARK, '"10-14"', "physical_assault", "2025-12-31T21:43:05", "2025-12-31 21:43:05", "safe_to_return", "safe_adult")


async def a_case(desk: Desk, planted: int) -> Any:
    """A complaint and a referral to the clinic, with words that are found wherever they lie open."""
    note = " ".join(f"{MARK}-{planted:03d}-{number}" for number in range(5))
    case = await desk.post("/cases", {**PERSON, "came_with": f"{MARK}-{planted:03d}-aunt", "note": note})
    incident = await desk.post(
        f"/cases/{case['id']}/incidents", {"incident_type": "physical_assault", "note": note, **HAPPENED}
    )  # fmt: skip
    await desk.post(f"/cases/{case['id']}/complaints", {"number": f"{MARK}-{planted:03d}".upper()})
    await consent(desk, case["id"], "health", "needs", "fb", note=note)
    return await refer(desk, case["id"], incident["id"], "health", note=note)


def forms(word: str) -> set[bytes]:
    """How a word may lie on a disk that nobody sealed: in each width of letters, in hexadecimal digits, and within base64, wherever
    in a group of three it begins. In small letters. A short one only as it is: of what is sealed some is in base64 by chance."""
    plain = word.encode()
    if len(plain) < len(MARK):
        return {plain}
    found = {plain, word.encode("utf-16-le"), word.encode("utf-16-be"), plain.hex().encode()}
    for lead in range(3):
        coded = base64.b64encode(b" " * lead + plain)
        found.add(coded[(lead * 8 + 5) // 6 : len(coded) - 4])  # without what neighbours of the word decide
    return {one.lower() for one in found}


def lies_open(folder: Path) -> set[tuple[str, str]]:
    """Telling words that are found in the raw bytes of any file beneath a folder, whatever it is: (file, word)."""
    searched = [(word, form) for word in TELLING for form in forms(word)]
    found = set()
    for file in (one for one in folder.rglob("*") if one.is_file()):
        content = file.read_bytes().lower()
        found |= {(file.name, word) for word, form in searched if form in content}
    return found


Slots = dict[UUID, tuple[UUID | None, int | None, bytes | None]]  # an event's life, number and leaf


async def said_to(agency: TestAgency, peer: str, *, is_signed_for: bool) -> Slots:
    """What a station has said to a peer, and has its signature for, or not."""
    mine = (col(OutboxRow.recipient) == peer, col(OutboxRow.delivered_at).is_not(None) == is_signed_for)
    columns = (col(OutboxRow.event_id), col(OutboxRow.incarnation), col(OutboxRow.seq), col(OutboxRow.leaf))
    async with agency.database.read() as tx:
        return dict(map(_slot, (await tx.session.execute(select(*columns).where(*mine))).tuples()))


async def held_at(agency: TestAgency, sender: str) -> Slots:
    """What a peer holds of a station, and has used."""
    used = select(col(InboxRow.event_id)).where(col(InboxRow.sender) == sender, col(InboxRow.state) == InboxState.APPLIED)
    columns = (col(ReceivedSlot.event_id), col(ReceivedSlot.incarnation), col(ReceivedSlot.seq), col(ReceivedSlot.leaf))
    query = select(*columns).where(col(ReceivedSlot.sender) == sender, col(ReceivedSlot.event_id).in_(used))
    async with agency.database.read() as tx:
        return dict(map(_slot, (await tx.session.execute(query)).tuples()))


def _slot(row: Any) -> tuple[UUID, tuple[UUID | None, int | None, bytes | None]]:
    event_id, incarnation, seq, leaf = row
    return event_id, (incarnation, seq, leaf)


async def count(agency: TestAgency, table: Any, *where: Any) -> int:
    async with agency.database.read() as tx:
        return int((await tx.session.execute(select(func.count()).select_from(table).where(*where))).scalar_one())


async def test_a_station_offline_for_a_fortnight_and_then_stolen(places: dict[str, Place], tmp_path: Path) -> None:
    station, twin, mother, clinic = (places[name] for name in (STATION, TWIN, "police", "health"))
    clock, sticks = station.clock, iter(range(1_000))

    async def carried(sender: Place, recipient: Place) -> dict[str, Any]:
        file = tmp_path / f"stick-{next(sticks)}"
        await sender.write(file, recipient.name)
        return await recipient.read(file)

    agency, desk = await station.sign_in(Role.OFFICER)
    synced = await a_case(desk, 1)
    for peer in (mother, clinic):
        assert (await carried(station, peer))["is_good"]
        assert (await carried(peer, station))["is_good"]
    register = await desk.get("/register")
    assert register["unconfirmed"] == 0
    assert {one["number"]: one["file_here_only"] for one in register["items"]} == {1: True, 2: False}  # a number is no file
    at_clinic, nurse = await clinic.sign_in(Role.CLINICIAN)
    at_mother, inspector = await mother.sign_in(Role.SUPERVISOR)

    # A fortnight without a line: it goes on working, and its twin syncs.
    unsynced = []
    twin_agency, twin_desk = await twin.sign_in(Role.OFFICER)
    for day in range(2):
        clock.advance(FORTNIGHT / 2)
        unsynced.append(await a_case(desk, 10 + day))
        await a_case(twin_desk, 20 + day)
        for peer in (mother, clinic):
            assert (await carried(twin, peer))["is_good"]
            assert (await carried(peer, twin))["is_good"]
    register = await desk.get("/register")
    assert register["unconfirmed"] == 4
    assert [one["number"] for one in register["items"] if not one["confirmed"]] == [6, 5, 4, 3]
    visitor = await at_work(cast(World, {STATION: agency}), STATION, "sergeant", Role.OFFICER)
    typed = f"/cases/{unsynced[0]['case_id']}/complaint/register"
    await visitor.send(hide_of((await visitor.open(typed)).form(typed)), number=f"{MARK}-draft")  # hidden, and never sent
    assert await count(agency, Draft) == 1
    assert await count(agency, OutboxRow, col(OutboxRow.delivered_at).is_(None)) > 0

    # What it has signatures for is held there, leaf by leaf, and used; of the rest nothing is anywhere else.
    whole = {place.name: await said_to(agency, place.name, is_signed_for=True) for place in (mother, clinic)}
    lost = {place.name: await said_to(agency, place.name, is_signed_for=False) for place in (mother, clinic)}
    assert (len(whole["police"]), len(lost["police"])) == (2, 4)  # a word for each number
    for name, there in (("police", at_mother), ("health", at_clinic)):
        assert whole[name]
        assert lost[name]
        assert await held_at(there, STATION) == whole[name]
    shown = ("services", "urgency", "issued_at", "from_facility")
    of_clinic, of_station = await nurse.get(f"/referrals/{synced['id']}"), await desk.get(f"/referrals/{synced['id']}")
    assert {name: of_clinic[name] for name in shown} == {name: of_station[name] for name in shown}

    # Stolen while it runs. What the thief has: every file, and nobody's passphrase; and the same once it was switched off.
    names = {file.name for file in station.home.rglob("*") if file.is_file()}
    assert {f"{STATION}.db", f"{STATION}.db-wal", "lock.json", f"{STATION}.secret", "env"} <= names
    assert (station.home / f"{STATION}.db-wal").stat().st_size > 0
    assert {STATION} <= {file.parent.name for file in (station.home / "carried").rglob("*")}  # answers that wait for a stick too
    assert lies_open(station.home) == set()
    await agency.close()
    assert lies_open(station.home) == set()
    for file in (one for one in station.home.rglob("*") if one.is_file()):
        assert WORDS.encode() not in file.read_bytes(), file.name
    nobodys = WrappingKeys(station.home / "wrapping" / STATION)
    with pytest.raises(Locked):
        nobodys.read()
    locks._unlocked.cache_clear()
    with pytest.MonkeyPatch.context() as thief:
        thief.setenv(PASSPHRASE, "another four synthetic words")
        with pytest.raises(Locked, match="not the passphrase"):
            build(station.settings, STATION)
        with pytest.raises(Locked):
            load_keyring(station.home, STATION, dict.fromkeys((STATION, "police", "health")))
        thief.delenv(PASSPHRASE)
        with pytest.raises(Locked, match="are locked"):
            build(station.settings, STATION)
    guessed = Keystore(station.home / "casekeys" / f"{STATION}.db", lambda: {b"x" * 8: os.urandom(32)})
    with pytest.raises(Exception, match="wrapping key"):
        guessed.seal(None, "casework_notes.text", b"x")  # no key of the keystore opens under one that is guessed

    # What was synced is whole where it went, once.
    assert (await nurse.get(f"/referrals/{synced['id']}"))["status"] == "issued"
    mine = (col(Referral.issuer) == STATION, col(Referral.direction) == "in")
    assert await count(at_clinic, Referral, *mine) == 1
    assert await count(at_clinic, Referral, col(Referral.issuer) == TWIN) == 2
    assert await count(at_clinic, InboxRow, col(InboxRow.state).in_(["waiting", "parked"])) == 0

    # What was not is named: by its silence after 72 hours, and by number when the corporal says it by phone.
    await at_mother.watcher.tick()
    silent = (col(Alarm.kind) == "station_silent", col(Alarm.about) == station_subject(STATION), col(Alarm.resolved_at).is_(None))
    assert await count(at_mother, Alarm, *silent) == 1
    assert await count(at_mother, Alarm, col(Alarm.kind) == "station_silent") == 1  # and not of its twin, which came by
    named = {one["agency"]: one for one in (await inspector.get("/stations"))["items"]}
    assert (named[STATION]["highest"], named[STATION]["missing"], named[TWIN]["highest"]) == (2, [], 4)
    # Of what it had signatures for the complaint's file was never anywhere else, and it is not said that nothing lacks.
    assert (named[STATION]["complaints"], named[STATION]["requests"]) == ([{"first": 1, "last": 1}], [{"first": 2, "last": 2}])
    page = await (await at_work(cast(World, {"police": at_mother}), "police", "chief", Role.SUPERVISOR, None)).open("/stations")
    box = page.words.split("Station police_north")[1]  # what stands between its name and the link that names it again
    complaints, requests = box.split("Requests: whoever was asked has the request, if it came there")
    assert "Complaints: each file is at the station and nowhere else" in complaints
    assert "If the station is lost or stolen, these files are gone" in complaints
    assert complaints.endswith("00001-C ")
    assert requests.split("00002-E")[0].endswith("ask the others what they received from it. ")
    assert "lacking" not in page.words
    heard = datetime.fromisoformat(named[STATION]["last_heard_at"])
    assert clock.now() - heard >= FORTNIGHT
    said = await inspector.post(f"/stations/{STATION}/stated", {"number": 6, "how": "phone"})
    assert said["missing"] == [{"first": 3, "last": 6}]
    clock.advance(timedelta(minutes=11))
    await at_mother.watcher.tick()
    assert await count(at_mother, Alarm, col(Alarm.kind) == "station_number_lacking", col(Alarm.resolved_at).is_(None)) == 1

    # Its keys are given up, from where each peer holds its words.
    held = {}
    for place in (mother, clinic):
        life = (await held_of(place.settings, place.name, STATION))["lives"][0]
        held[place.name] = {UUID(life["incarnation"]): life["upto"]}
    given_up_at = datetime.now(UTC)
    told = revoke(mother.settings, STATION, tmp_path / f"{STATION}.root", b"four synthetic root words", held, NOW)
    assert len(told["revoked"]) == 2  # what it signs with, and what is sealed to it
    assert told["unheard"] == ["social_welfare"]
    file = KeyFolder(mother.home, "police").directory_file(STATION)
    KeyFolder(clinic.home, "health").directory_file(STATION).write_bytes(file.read_bytes())
    assert datetime.now(UTC) - given_up_at < timedelta(minutes=1)

    # Nobody tells it anything more: what he may have learnt the passphrase of is the past.
    written = await clinic.write(tmp_path / "to-the-thief", STATION)
    assert (written["events"], STATION in written["not_written"]) == ({}, True)

    # The thief has learnt the passphrase after all, and speaks in its name: he is refused, and nothing that stood falls.
    locks._unlocked.cache_clear()
    forged = tmp_path / "forged"
    await station.write(forged, "health")
    taken = await clinic.read(forged)
    assert not taken["is_good"]
    assert taken["unopened"] > 0
    assert await count(at_clinic, Referral, *mine) == 1
    assert await held_at(at_clinic, STATION) == whole["health"]
    pins = dict.fromkeys(("health", STATION))
    ring = KeyedSeal(load_keyring(clinic.home, "health", pins))
    thief_seal = KeyedSeal(load_keyring(station.home, STATION, {STATION: None, "health": None}))
    header = Header(kind=Kind.STATEMENT, sender=STATION, recipient="health", incarnation=next(iter(held["health"])))
    said_by_him = thief_seal.seal(thief_seal.sign(header, b"{}"), "health")
    with pytest.raises(KeyGivenUp):
        ring.open(said_by_him, STATION)
    assert {one["id"] for one in unsynced}.isdisjoint({str(one) for one in await _referrals(at_clinic)})
    for made in (at_clinic, at_mother, twin_agency):
        await made.close()


async def _referrals(agency: TestAgency) -> list[Any]:
    async with agency.database.read() as tx:
        return list((await tx.session.execute(select(col(Referral.id)))).scalars())


def test_the_search_finds_such_a_word_where_it_lies_open(alone: dict[str, Place]) -> None:
    """Else the search above would prove nothing."""
    file = alone[STATION].home / f"{STATION}.db"
    database = database_at(f"sqlite:///{file}", alone[STATION].clock)
    asyncio.run(_plant(database))
    assert (f"{STATION}.db", MARK) in lies_open(file.parent) or (f"{STATION}.db-wal", MARK) in lies_open(file.parent)
    for number, form in enumerate((
        MARK.upper().encode(), MARK.encode("utf-16-le"), MARK.encode().hex().upper().encode(),
        *(base64.b64encode(b"?" * lead + MARK.encode() + b"?" * 3) for lead in range(3)),
    )):  # fmt: skip
        (file.parent / f"planted-{number}").write_bytes(os.urandom(77) + form + os.urandom(77))
        assert (f"planted-{number}", MARK) in lies_open(file.parent), form


async def _plant(database: Any) -> None:
    async with database.write() as tx:
        await tx.session.execute(text(f"CREATE TABLE planted AS SELECT '{MARK}-open' AS word"))
    await database.close()


async def test_a_station_works_without_any_broker_named_and_says_so(alone: dict[str, Place]) -> None:
    place = alone[STATION]
    agency = place.build()
    agency.database.clock = SystemClock()
    assert not place.settings.names_broker()
    exchange, stop = agency.exchange(place.settings), asyncio.Event()
    working = asyncio.create_task(exchange.run(stop))
    await exchange.anchored.wait()
    found = await readiness(agency.database, agency.parts.migrations, exchange, has_pages=True)
    assert (found.status, found.code, found.checks["broker"]) == ("degraded", 200, NO_LINE)
    stop.set()
    await working
    await agency.database.close()


def test_an_installation_that_fails_leaves_nothing(alone: dict[str, Place], tmp_path: Path) -> None:
    given = tmp_path / "network.yaml"
    with pytest.raises(RefnetError, match="is not empty"):
        install(alone[STATION].home, Order(STATION, given, "a", tmp_path / "r", None, None, WORDS, "w" * 16), NOW)
    fresh, spoilt = tmp_path / "fresh", tmp_path / "spoilt"
    spoilt.mkdir()
    (spoilt / "health.json").write_text("{}")  # found when the keys are made already
    for order, why in (
        (Order("police", given, "a", tmp_path / "r", None, None, WORDS, "w" * 16), "has no mother station"),
        (Order("nobody", given, "a", tmp_path / "r", None, None, WORDS, "w" * 16), "has no agency 'nobody'"),
        (Order(STATION, given, "a", tmp_path / "r", None, None, "too short", "w" * 16), "16 or more characters"),
        (Order(STATION, given, "a", None, None, None, WORDS, None), "Name with --root"),
        (Order(STATION, given, "a", tmp_path / "none" / "r", None, None, WORDS, "w" * 16), "There is no folder"),
        (Order(STATION, given, "a", tmp_path / "r", spoilt, None, WORDS, "w" * 16), "is not the directory of health"),
    ):
        with pytest.raises(RefnetError, match=why):
            install(fresh, order, NOW)
        assert not fresh.exists()
        assert not (tmp_path / "r").exists()


def test_the_commands_carry_and_say_what_came(
    places: dict[str, Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = tmp_path / "stick"

    def typed(place: Place, *words: str) -> tuple[int, str]:
        monkeypatch.setenv("REFNET_HOME", str(place.home))
        monkeypatch.setenv("REFNET_NETWORK", str(place.home / "network.yaml"))
        if (place.home / locks.LOCK).exists():
            monkeypatch.delenv("REFNET_SECRET_KEY", raising=False)
        else:
            monkeypatch.setenv("REFNET_SECRET_KEY", SECRET)
        monkeypatch.setattr(sys, "argv", ["refnet", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(cast(int, end.code))
        said = capsys.readouterr()
        return code, said.out + said.err

    async def one() -> None:
        agency, desk = await places[STATION].sign_in(Role.OFFICER)
        await a_case(desk, 1)
        await agency.close()

    asyncio.run(one())
    code, words = typed(places[STATION], "carry", "export", STATION, "--held")
    assert code == 0
    assert "health: 2 not confirmed, the oldest since " in words
    assert typed(places[STATION], "carry", "export", STATION)[0] == 2
    assert typed(places[STATION], "carry", "export", STATION, str(stick), "--held")[0] == 2
    code, words = typed(places[STATION], "carry", "export", STATION, str(stick))
    assert code == 0
    assert "health (" in words
    assert "social_welfare: not written. No key of social_welfare is known here" in words
    code, words = typed(places["health"], "carry", "import", "health", str(stick))
    assert code == 0
    assert "are used" in words
    assert "It also holds something for police" in words
    code, words = typed(places[TWIN], "carry", "import", TWIN, str(stick))
    assert code == 1
    assert "is for health (" in words
    assert "nothing was taken" in words
    back = tmp_path / "back"
    assert typed(places["health"], "carry", "export", "health", str(back), "--for", STATION)[0] == 0
    code, words = typed(places[STATION], "carry", "import", STATION, str(back), "--json")
    assert (code, json.loads(words)["stream"]["sender"]) == (0, "health")
    stick.write_bytes(stick.read_bytes()[:-50])
    code, words = typed(places["police"], "carry", "import", "police", str(stick))
    assert (code, "ends too early" in words) == (1, True)
