"""Once consent was taken back, keys were changed and their window is over, nothing that lay on the broker or in a backup of the
recipient's opens with any key that is left at either agency. Keys are files here, and topics are carried by hand."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from agencies import SECRET, TestAgency, consent, open_case, refer
from canaries import EXPECTED, LANGUAGE, among
from schema import sqlite_at_head
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
from shared.kit.sealed import Sealed
from shared.programmes.profile import load_programme

PINS: dict[str, str | None] = {"police": None, "health": None}
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

    def opens(self, record: bytes, sender: str) -> Inner | None:
        """What a record of a topic says, to a process that has just read every private key that is left here."""
        try:
            return KeyedSeal(Keys(self.settings.home, self.name, PINS).load()).open(record, sender)
        except Unopenable:
            return None

    async def lay(self, to: "Station") -> list[bytes]:
        """What this one lays on its topic."""
        await self.flush()
        events, self.line = [one.envelope for one in self.line], []
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
    """The topics of the two, which keep every record."""

    def __init__(self, police: Station, health: Station) -> None:
        self.both = ((police, health), (health, police))
        self.records: list[tuple[str, bytes]] = []  # who said it, sealed

    async def settle(self) -> None:
        for _ in range(ROUNDS):
            for one, to in self.both:
                for record in await one.lay(to):
                    self.records.append((one.name, record))
                    await to.read(one.name, record)
                await to.inbox.sweep()

    def opened(self, records: Iterable[tuple[str, bytes]]) -> list[bytes]:
        """What anybody at either agency reads of these records."""
        return [
            inner.content for sender, record in records for reader, _ in self.both
            if (inner := reader.opens(record, sender)) is not None
        ]  # fmt: skip


def readable(backup: Path, keystores: Iterable[Keystore], word: str = "") -> list[str]:
    """The tables of a copy of a database, of which any of these keystores opens something with this word in it."""
    found, stores = set[str](), list(keystores)
    with closing(sqlite3.connect(backup)) as copy:
        here = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in [table for table in SQLModel.metadata.sorted_tables if table.name in here]:
            for column, label in [(c.name, c.type.label) for c in table.columns if isinstance(c.type, Sealed)]:
                for (value,) in copy.execute(f'SELECT "{column}" FROM "{table.name}" WHERE "{column}" IS NOT NULL'):
                    opened = [plain for store in stores if (plain := _opened(store, label, value)) is not None]
                    found |= {table.name for plain in opened if word.encode() in plain}
    return sorted(found)


def in_the_clear(backup: Path, word: str) -> list[str]:
    """The tables of a copy of a database in which this word stands open, in any way in which a time is written."""
    with closing(sqlite3.connect(backup)) as copy:
        here = [name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [table for table in here if among([word], str(copy.execute(f'SELECT * FROM "{table}"').fetchall()))]


def _opened(store: Keystore, label: str, value: bytes) -> bytes | None:
    try:
        return store.open(label, value)
    except (KeystoreAway, KeyDestroyed):
        return None


@pytest.fixture
async def ends(tmp_path: Path) -> Any:
    """The desk and the clinic."""
    clock = ManualClock()
    make_missing(tmp_path / "given", PINS, clock.now())
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    content |= {"purpose": "test", "agencies": {name: content["agencies"][name] for name in PINS}, "pairs": [[*PINS]]}
    made = []
    for name in PINS:
        home = tmp_path / name  # each with the other's directory as it was handed over
        shutil.copytree(tmp_path / "given", home)
        (home / "network.yaml").write_text(yaml.safe_dump(content))
        shutil.rmtree(home / "keys" / next(other for other in PINS if other != name))
        await asyncio.to_thread(sqlite_at_head, home / f"{name}.db", name)
        made.append(Station(home, name, clock))
    yield made
    for one in made:
        await one.close()


async def told(police: Station, health: Station, broker: Broker) -> tuple[Any, str, Any]:
    """She is sent to the clinic, which writes something of its own: (the desk, its case, what she agreed to)."""
    desk = await police.sign_in(f"desk-{new_id()}")
    case, incident = await open_case(desk, needs=False)
    agreed = await consent(desk, case, "health", *(str(item) for item in ConsentItem if item is not ConsentItem.REQ))
    person = {"age_band": "10-14", "sex": "female", "language": LANGUAGE}
    sent = await refer(desk, case, incident, "health", urgency="routine", needs=person)
    await desk.post(f"/referrals/{sent['id']}/set-out", {"mode": "car", "escort": "officer", "expected_at": EXPECTED})
    await broker.settle()
    nurse = await health.sign_in(f"nurse-{new_id()}")
    await nurse.post(f"/referrals/{sent['id']}/accept")
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True, "note": OWN_WORDS})
    await broker.settle()
    return desk, case, agreed


async def test_with_every_key_that_is_left_neither_the_broker_nor_a_backup_tells_of_her(
    ends: list[Station], tmp_path: Path
) -> None:
    police, health = ends
    broker, clock = Broker(police, health), health.database.clock
    desk, case, agreed = await told(police, health, broker)
    copy, copies_of_keys = tmp_path / "health.backup", []
    await asyncio.to_thread(back_up, health.database.url, copy)
    for one in ends:
        copies_of_keys.append(tmp_path / f"{one.name}.keys")
        await asyncio.to_thread(one.settings.keystore(one.name).back_up, copies_of_keys[-1])

    def wrapping() -> dict[bytes, bytes]:
        return {id_: key for one in ends for id_, key in one.settings.wrapping(one.name).read().items()}

    def in_use() -> list[Keystore]:
        return [Keystore(one.settings.keystore(one.name).file, wrapping) for one in ends]

    def backed_up() -> list[Keystore]:
        return [Keystore(file, wrapping) for file in copies_of_keys]

    for word in TOLD:
        assert {"casework_referrals", "exchange_inbox", "casework_idempotency"} <= {*readable(copy, in_use(), word)}
        assert in_the_clear(copy, word) == []
    own = readable(copy, in_use(), OWN_WORDS)
    assert own
    await desk.take_back(case, agreed)
    await broker.settle()
    (view,) = (await desk.get(f"/cases/{case}/consents"))["items"]
    assert view["erasure"] == "destroyed"
    before = list(broker.records)
    assert len(broker.opened(before)) == len(before)
    for word in TOLD:
        assert any(word.encode() in content for content in broker.opened(before))
        assert readable(copy, in_use(), word) == ["casework_idempotency"]  # an answer kept for repeats, under the key of its day
        assert "casework_referrals" in readable(copy, backed_up(), word)  # why no copy of a keystore is kept longer than a week

    for one in ends:
        await asyncio.to_thread(one.keeper().rotate, "x25519", None)
        one.seal.refresh()
    assert readable(copy, backed_up()) == []  # from now on, whoever kept one
    await broker.settle()
    clock.advance(SETTLED + timedelta(minutes=1))  # type: ignore[attr-defined]
    await broker.settle()
    clock.advance(KEPT - SETTLED - timedelta(minutes=2))  # type: ignore[attr-defined]
    await broker.settle()
    for one in ends:
        assert [key["is_destroyed"] for key in (await asyncio.to_thread(one.keeper().destroy))["keys"]] == [False]
    assert len(broker.opened(before)) == len(before)
    clock.advance(timedelta(minutes=2))  # type: ignore[attr-defined]
    for one in ends:
        assert [key["is_destroyed"] for key in (await asyncio.to_thread(one.keeper().destroy))["keys"]] == [True]
        await erase_again(one.database)  # as a worker does each minute, or its first after a long night
        one.seal.refresh()

    assert broker.opened(before) == []
    left = [*in_use(), *backed_up()]
    assert [readable(copy, left, word) for word in TOLD] == [[], []]
    assert {*readable(copy, left, OWN_WORDS)} == {*own} - {
        "casework_idempotency"
    }  # the clinic's own record of care is no copy of what it was told
    await told(police, health, broker)  # and the two go on speaking


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
    police, health = ends
    broker, clock, copies, keys = Broker(police, health), health.database.clock, list[Path](), list[Path]()

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

    desk, case, agreed = await told(police, health, broker)
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

    for one in ends:
        await asyncio.to_thread(one.keeper().rotate, "x25519", None)
        one.seal.refresh()
    for step in (SETTLED + timedelta(minutes=1), KEPT - SETTLED):
        await broker.settle()
        clock.advance(step)  # type: ignore[attr-defined]
    for one in ends:
        await asyncio.to_thread(one.keeper().destroy)
        await erase_again(one.database)
        one.seal.refresh()
    await back_all_up("now")
    for word in TOLD:
        assert [(copy.name, tables) for copy in copies if (tables := readable(copy, left(), word))] == []
        assert [copy.name for copy in copies if in_the_clear(copy, word)] == []
        assert lies_in(tmp_path / "health", word) == []
        assert [name for name in lies_in(tmp_path, word) if name.startswith(("before", "held", "after", "now"))] == []
    assert readable(copies[-1], left(), OWN_WORDS)  # her care goes on to be known where it was given
