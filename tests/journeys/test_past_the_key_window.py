"""Once consent was taken back, keys were changed and their window is over, nothing that lay on the broker or in a backup of a
recipient's opens with any key that is left at any agency. Keys are files here; what passes lies on a real broker."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import pytest
import yaml
from agencies import SECRET, TestAgency, consent, open_case, refer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition
from canaries import EXPECTED, LANGUAGE, among
from kafka_line import records
from schema import sqlite_at_head
from servers import Kafka
from sqlmodel import SQLModel

import services.demo
from services.backup import back_up
from services.escrow import erase_again
from services.keeper import Keeper
from services.keys import Keys, make_missing
from services.kinds import parts_of
from services.settings import Settings
from shared.casework.here import Here
from shared.contracts.casework.codes import AgencyKind, ConsentItem, Role
from shared.contracts.wire.envelope import Inner, Kind, Unopenable
from shared.exchange.inbox import heard
from shared.exchange.letters import Letters
from shared.exchange.relay import Relay
from shared.exchange.retired import KEPT, SETTLED
from shared.exchange.seal import KeyedSeal
from shared.kit.clock import ManualClock
from shared.kit.db import Database
from shared.kit.ids import new_id
from shared.kit.keystore import KeyDestroyed, Keystore, KeystoreAway
from shared.kit.sealed import NOBODY, Sealed
from shared.programmes.profile import load_programme

PINS: dict[str, str | None] = {"police": None, "health": None, "social_welfare": None}
RECIPIENTS = ("health", "social_welfare")
OWN_WORDS = "the clinic's own words"
TOLD = (LANGUAGE, EXPECTED[:-1])  # what she speaks, and when she is expected: words of the desk's, in columns of the clinic's
ROUNDS = 4  # words, what they are answered with, and a letter each way after both


class Station(TestAgency):
    """An agency on a machine of its own, whose keys are files there."""

    def __init__(self, home: Path, agency: str, clock: ManualClock) -> None:
        self.settings = Settings.model_validate({"REFNET_HOME": str(home)})
        here = Here(agency, self.settings.network(), load_programme("zm-vsu-ec"), SECRET)
        self.settings.make_keystore(agency)
        database = Database(self.settings.database(agency), clock, self.settings.keystore(agency))
        super().__init__(here, parts_of(AgencyKind(agency)), database)
        keys = Keys(home, agency, PINS)
        self.seal = KeyedSeal(keys.load(), keys.renewed)
        self.letters = Letters(database, agency, here.peers, self.seal, self.inbox, self.hooks)
        self.relay = Relay(database, agency, self.seal, self._send, self.hooks)

    @property
    def name(self) -> str:
        return self.here.agency

    def keeper(self) -> Keeper:
        """Whoever looks after its keys, now."""
        return Keeper(self.settings, self.name, self.database.clock.now(), lambda _: "")

    def reads(self, found: Iterable[tuple[str, bytes]]) -> list[Inner]:
        """What records of topics say to a process that has just read every private key that is left here."""
        seal, opened = KeyedSeal(Keys(self.settings.home, self.name, PINS).load()), list[Inner]()
        for sender, record in found:
            with suppress(Unopenable):
                opened.append(seal.open(record, sender))
        return opened

    async def lay(self, to: "Station") -> list[bytes]:
        """What this one lays on its topic."""
        await self.flush()
        events = [one.envelope for one in self.line if one.recipient == to.name]
        self.line = [one for one in self.line if one.recipient != to.name]
        return [*events, *await self.letters.write_lines(to.name), *await self.letters.write(to.name)]

    async def read(self, sender: str, record: bytes) -> None:
        """What this one does with a record of the other's."""
        inner = self.seal.open(record, sender)
        if inner.header.kind is Kind.EVENT:
            await self.inbox.receive([heard(inner)])
        elif inner.header.kind is Kind.DIRECTORY:
            await self.letters.take_any(sender, inner)
        else:
            await self.letters.take(inner)


class Broker:
    """The topics between stations, which keep every record."""

    def __init__(self, *stations: Station) -> None:
        self.stations = stations
        self._kept: list[tuple[str, bytes]] = []

    async def settle(self) -> None:
        for _ in range(ROUNDS):
            for one, to in permutations(self.stations, 2):
                for record in await self._carried(one, to, await one.lay(to)):
                    await to.read(one.name, record)
                await to.inbox.sweep()

    async def _carried(self, one: Station, _to: Station, laid: Sequence[bytes]) -> Sequence[bytes]:
        self._kept += [(one.name, record) for record in laid]
        return laid

    async def records(self) -> list[tuple[str, bytes]]:
        """Everything that is kept: who said it, sealed."""
        return list(self._kept)

    def opened(self, found: Sequence[tuple[str, bytes]]) -> list[bytes]:
        """What anybody at any agency reads of these records."""
        return [inner.content for reader in self.stations for inner in reader.reads(one for one in found if one[0] != reader.name)]


class OnKafka(Broker):
    """The same on a real broker: what one reads it has from there, and so has whoever looks afterwards."""

    def __init__(self, kafka: Kafka, unique: str, *stations: Station) -> None:
        super().__init__(*stations)
        self._kafka, self._topics = kafka, {(a.name, b.name): f"{unique}.{a.name}.{b.name}" for a, b in permutations(stations, 2)}
        self._producer = AIOKafkaProducer(**kafka.operator.options(), acks="all")
        self._consumer = AIOKafkaConsumer(**kafka.operator.options(), auto_offset_reset="earliest", group_id=None)

    async def __aenter__(self) -> Self:
        admin = AIOKafkaAdminClient(**self._kafka.operator.options())
        await admin.start()
        await admin.create_topics([NewTopic(topic, 1, 1) for topic in self._topics.values()])
        await admin.close()
        await self._producer.start()
        await self._consumer.start()
        self._consumer.assign([TopicPartition(topic, 0) for topic in self._topics.values()])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._producer.stop()

    async def _carried(self, one: Station, to: Station, laid: Sequence[bytes]) -> Sequence[bytes]:
        topic, came = self._topics[one.name, to.name], list[bytes]()
        for record in laid:
            await self._producer.send_and_wait(topic, record)
            came.append((await self._consumer.getone(TopicPartition(topic, 0))).value)
        return came

    async def records(self) -> list[tuple[str, bytes]]:
        return [(sender, one) for (sender, _), topic in self._topics.items() for one in await records(self._kafka, topic)]


def readable(backup: Path, keystores: Iterable[Keystore], word: str = "") -> list[str]:
    """The tables of a copy of a database, of which any of these keystores opens something with this word in it."""
    found, stores = set[str](), list(keystores)
    with closing(sqlite3.connect(backup)) as copy:
        here = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in [table for table in SQLModel.metadata.sorted_tables if table.name in here]:
            for name, sealed in [(c.name, c.type) for c in table.columns if isinstance(c.type, Sealed)]:
                about = sealed.of or "NULL"
                for value, of in copy.execute(f'SELECT "{name}", {about} FROM "{table.name}" WHERE "{name}" IS NOT NULL'):
                    bound = UUID(of or NOBODY.hex) if sealed.of else None
                    opened = [plain for store in stores if (plain := _opened(store, sealed.label, value, bound)) is not None]
                    found |= {table.name for plain in opened if word.encode() in plain}
    return sorted(found)


def in_the_clear(backup: Path, word: str) -> list[str]:
    """The tables of a copy of a database in which this word stands open, in any way in which a time is written."""
    with closing(sqlite3.connect(backup)) as copy:
        here = [name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [table for table in here if among([word], str(copy.execute(f'SELECT * FROM "{table}"').fetchall()))]


def _opened(store: Keystore, label: str, value: bytes, of: UUID | None) -> bytes | None:
    try:
        return store.open(label, value, of)
    except (KeystoreAway, KeyDestroyed):
        return None


@pytest.fixture
async def ends(tmp_path: Path) -> Any:
    """The desk, the clinic and the ministry's office."""
    clock = ManualClock()
    make_missing(tmp_path / "given", PINS, clock.now())
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    content |= {"purpose": "test", "agencies": {name: content["agencies"][name] for name in PINS}}
    content["pairs"] = [[*pair] for pair in combinations(PINS, 2)]
    made = []
    for name in PINS:
        home = tmp_path / name  # each with the other's directory as it was handed over
        shutil.copytree(tmp_path / "given", home)
        (home / "network.yaml").write_text(yaml.safe_dump(content))
        for other in PINS.keys() - {name}:
            shutil.rmtree(home / "keys" / other)
        await asyncio.to_thread(sqlite_at_head, home / f"{name}.db", name)
        made.append(Station(home, name, clock))
    yield made
    for one in made:
        await one.close()


async def told(police: Station, recipients: Sequence[Station], broker: Broker) -> tuple[Any, str, list[Any]]:
    """She is sent to each, which writes something of its own: (the desk, its case, what she agreed to)."""
    desk, agreed = await police.sign_in(f"desk-{new_id()}"), []
    case, incident = await open_case(desk, needs=False)
    person = {"age_band": "10-14", "sex": "female", "language": LANGUAGE}
    for one in recipients:
        items = (str(item) for item in ConsentItem if item is not ConsentItem.REQ)
        agreed.append(await consent(desk, case, one.name, *items))
        sent = await refer(desk, case, incident, one.name, urgency="routine", needs=person)
        await desk.post(f"/referrals/{sent['id']}/set-out", {"mode": "car", "escort": "officer", "expected_at": EXPECTED})
        await broker.settle()
        there = await one.sign_in(f"there-{new_id()}")
        await there.post(f"/referrals/{sent['id']}/accept")
        await there.post(f"/referrals/{sent['id']}/arrive", {"feedback": True, "note": OWN_WORDS})
        await broker.settle()
    return desk, case, agreed


async def test_with_every_key_that_is_left_neither_what_passed_nor_a_backup_tells_of_her(
    ends: list[Station], tmp_path: Path
) -> None:
    await past_the_window(Broker(*ends), ends, tmp_path)


@pytest.mark.long
async def test_with_every_key_that_is_left_neither_the_broker_nor_a_backup_tells_of_her(
    kafka: Kafka, unique: str, ends: list[Station], tmp_path: Path
) -> None:
    async with OnKafka(kafka, unique, *ends) as broker:
        await past_the_window(broker, ends, tmp_path)


async def keys_are_changed(ends: Sequence[Station]) -> None:
    for one in ends:
        await asyncio.to_thread(one.keeper().rotate, "x25519", None)
        one.seal.refresh()


async def former_keys_go(ends: Sequence[Station], *, is_over: bool) -> None:
    """Whoever looks after the keys destroys what may be; then, as a worker does each minute, words go whose keys are gone."""
    for one in ends:
        told_ = await asyncio.to_thread(one.keeper().destroy)
        assert [key["is_destroyed"] for key in told_["keys"]] == [is_over]
        if is_over:
            await erase_again(one.database)
            one.seal.refresh()


async def past_the_window(broker: Broker, ends: Sequence[Station], tmp_path: Path) -> None:
    police, *recipients = ends
    clock: Any = police.database.clock
    desk, case, agreed = await told(police, recipients, broker)
    copies, copies_of_keys = {one.name: tmp_path / f"{one.name}.backup" for one in recipients}, []
    for one in recipients:
        await asyncio.to_thread(back_up, one.database.url, copies[one.name])
    for one in ends:
        copies_of_keys.append(tmp_path / f"{one.name}.keys")
        await asyncio.to_thread(one.settings.keystore(one.name).back_up, copies_of_keys[-1])

    def wrapping() -> dict[bytes, bytes]:
        return {id_: key for one in ends for id_, key in one.settings.wrapping(one.name).read().items()}

    def in_use() -> list[Keystore]:
        return [Keystore(one.settings.keystore(one.name).file, wrapping) for one in ends]

    def backed_up() -> list[Keystore]:
        return [Keystore(file, wrapping) for file in copies_of_keys]

    for word, copy in product(TOLD, copies.values()):
        assert {"casework_referrals", "exchange_inbox", "casework_idempotency"} <= {*readable(copy, in_use(), word)}
        assert in_the_clear(copy, word) == []
    own = {name: set(readable(copy, in_use(), OWN_WORDS)) for name, copy in copies.items()}
    assert all(own.values())
    for one_of_hers in agreed:
        await desk.take_back(case, one_of_hers)
    await broker.settle()
    assert [view["erasure"] for view in (await desk.get(f"/cases/{case}/consents"))["items"]] == ["destroyed"] * len(recipients)
    before = await broker.records()
    assert {sender for sender, _ in before} == {one.name for one in ends}
    assert len(broker.opened(before)) == len(before)
    for word, copy in product(TOLD, copies.values()):
        assert any(word.encode() in content for content in broker.opened(before))
        assert readable(copy, in_use(), word) == ["casework_idempotency"]  # an answer kept for repeats, under the key of its day
        assert "casework_referrals" in readable(copy, backed_up(), word)  # why no copy of a keystore is kept longer than a week

    await keys_are_changed(ends)
    assert [readable(copy, backed_up()) for copy in copies.values()] == [[], []]  # from now on, whoever kept one
    await broker.settle()
    clock.advance(SETTLED + timedelta(minutes=1))
    await broker.settle()
    clock.advance(KEPT - SETTLED - timedelta(minutes=2))
    await broker.settle()
    await former_keys_go(ends, is_over=False)
    assert len(broker.opened(before)) == len(before)
    clock.advance(timedelta(minutes=2))
    await former_keys_go(ends, is_over=True)

    lying = await broker.records()
    assert {*before} <= {*lying}, "the broker keeps it all, and nobody opens it"
    assert broker.opened(before) == []
    left = [*in_use(), *backed_up()]
    assert [readable(copy, left, word) for word, copy in product(TOLD, copies.values())] == [[]] * 4
    for name, copy in copies.items():  # a recipient's own record of care is no copy of what it was told
        assert {*readable(copy, left, OWN_WORDS)} == own[name] - {"casework_idempotency"}
    await told(police, recipients, broker)  # and they go on speaking


def lies_in(folder: Path, word: str) -> list[str]:
    """The files under a folder in whose bytes a word stands, in any way in which a time is written: databases with their
    write-ahead logs, keystores, backups."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return [file.name for file in files if among([word], file.read_bytes().decode("latin-1"))]


@pytest.mark.long
async def test_after_a_hold_nothing_that_lies_anywhere_tells_of_her_with_any_key_that_is_left(
    ends: list[Station], tmp_path: Path
) -> None:
    """Backups from before the hold, from while it was in force and from after it; the database's file and its write-ahead log."""
    police, health, _office = ends
    broker, clock, copies, keys = Broker(*ends), health.database.clock, list[Path](), list[Path]()

    def wrapping() -> dict[bytes, bytes]:
        return {id_: key for one in ends for id_, key in one.settings.wrapping(one.name).read().items()}

    def left() -> list[Keystore]:
        files = [*keys, *(one.settings.keystore(one.name).file for one in ends)]
        return [Keystore(file, wrapping) for file in files]

    async def back_all_up(when: str) -> Path:
        copies.append(tmp_path / f"{when}.backup")
        await asyncio.to_thread(back_up, health.database.url, copies[-1])
        keys.append(tmp_path / f"{when}.keys")
        await asyncio.to_thread(health.settings.keystore(health.name).back_up, keys[-1])
        return copies[-1]

    desk, case, (agreed,) = await told(police, [health], broker)
    await back_all_up("before")
    judge = await health.sign_in("in-charge", Role.SUPERVISOR)
    there = (await judge.get("/referrals?direction=in"))["items"][0]["case_id"]
    hold = await judge.post(f"/cases/{there}/holds", {"order": "High Court, order 12 of 2026"})
    await desk.take_back(case, agreed)
    await broker.settle()
    (view,) = (await desk.get(f"/cases/{case}/consents"))["items"]
    assert view["erasure"] == "held"
    held = await back_all_up("held")
    for word in TOLD:
        assert "casework_held_copies" in readable(held, left(), word)  # kept for the court
    assert (await judge.ask("DELETE", f"/cases/{there}/holds/{hold['id']}")).status_code == 200
    await broker.settle()
    (view,) = (await desk.get(f"/cases/{case}/consents"))["items"]
    assert view["erasure"] == "destroyed"
    await back_all_up("after")
    for word in TOLD:
        assert "casework_held_copies" in readable(held, left(), word)  # with the copies of the keys, for as long as they are kept

    await keys_are_changed(ends)
    for step in (SETTLED + timedelta(minutes=1), KEPT - SETTLED):
        await broker.settle()
        clock.advance(step)  # type: ignore[attr-defined]
    await former_keys_go(ends, is_over=True)
    await back_all_up("now")
    for word in TOLD:
        assert [(copy.name, tables) for copy in copies if (tables := readable(copy, left(), word))] == []
        assert [copy.name for copy in copies if in_the_clear(copy, word)] == []
        assert lies_in(tmp_path / "health", word) == []
        assert [name for name in lies_in(tmp_path, word) if name.startswith(("before", "held", "after", "now"))] == []
    assert readable(copies[-1], left(), OWN_WORDS)  # her care goes on to be known where it was given
