"""An agency whose keystore is missing, another's or too old says so in a sentence, loses nothing, and goes on once it is mended."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from sqlalchemy import select, text
from sqlmodel import col

import services.demo
import services.doctor
from services.backup import back_up, restore
from services.doctor import examine
from services.escrow import HOLDERS, KEYS, deposit, erase_again, read_held, shred
from services.keeper import Keeper
from services.runtime import Agency, bring_up_to_date, build, check_database
from services.settings import Settings
from shared.casework.accounts.commands import add_account, answers_key, make_token
from shared.casework.accounts.tables import Token
from shared.casework.cases.commands import OpenCase, key_names, open_case
from shared.casework.cases.tables import Case, Note
from shared.casework.here import Actor
from shared.casework.holds.commands import PlaceHold, lift_hold, place_hold
from shared.casework.lines.readiness import readiness
from shared.contracts.casework.codes import Role
from shared.exchange.anchor import Anchor
from shared.exchange.clearing import BACKUP_WINDOW
from shared.exchange.erasing import received_key
from shared.exchange.inbox import lay_tombstone
from shared.kit.db import Transaction
from shared.kit.errors import DatabaseAway, RefnetError
from shared.kit.ids import new_id
from shared.kit.keystore import KeyDestroyed, KeyHeld, Keystore, KeystoreAway

NOW = datetime(2026, 1, 5, tzinfo=UTC)
OFFICER = Actor(uuid4(), "officer", Role.OFFICER, None)
IN_CHARGE = Actor(uuid4(), "in charge", Role.SUPERVISOR, None)


class Desk:
    """A real agency's database with its keystore, as its processes find them."""

    def __init__(self, home: Path, url: str) -> None:
        content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
        for agency in content["agencies"].values():
            agency["root"] = "0" * 64
        (home / "network.yaml").write_text(yaml.safe_dump({**content, "purpose": "production"}))
        self.home, self.url = home, url
        self.settings = Settings.model_validate(
            {"REFNET_HOME": str(home), "REFNET_SECRET_KEY": "s" * 32, "REFNET_DATABASE_URL": url}
        )

    @property
    def keystore(self) -> Path:
        return self.home / "casekeys" / "police.db"

    def process(self) -> Agency:
        """As another process has it, which has read nothing yet."""
        return build(self.settings, "police")

    async def migrate(self) -> None:
        made = self.process()
        await bring_up_to_date(made, self.settings)
        await made.database.close()

    async def write(self, note: str) -> None:
        made = self.process()
        async with made.database.write() as tx:
            await open_case(OpenCase(note=note), tx, made.here, OFFICER)
        await made.database.close()

    async def notes(self) -> list[str]:
        made = self.process()
        try:
            async with made.database.read() as tx:
                return list((await tx.session.execute(select(col(Note.text)).order_by(col(Note.id)))).scalars())
        finally:
            await made.database.close()

    async def says(self) -> str:
        """What a start says, which is what /health/ready and the doctor say; an empty text where all is well."""
        made = self.process()
        try:
            await check_database(made)
            wrong = ""
        except RefnetError as error:
            wrong = str(error)
        found = await readiness(made.database, made.parts.migrations, None, has_pages=True)
        assert found.checks["database"] == (wrong or "ok")
        assert found.code == (503 if wrong else 200)
        doctor = [one["words"] for one in await examine(self.settings) if one["words"].startswith("police: ")]
        assert any(wrong in words if wrong else "the database answers" in words for words in doctor)
        await made.database.close()
        return wrong


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> Desk:
    made = Desk(tmp_path, database_url)
    await made.migrate()
    await made.write("the first")
    return made


async def test_a_missing_keystore_is_said_and_never_made_anew(desk: Desk) -> None:
    assert await desk.says() == ""
    kept = desk.keystore.rename(desk.home / "away")
    assert "There is no keystore at" in await desk.says()
    for attempt in (desk.write("lost?"), desk.notes(), desk.migrate()):
        with pytest.raises(DatabaseAway, match="There is no keystore at"):
            await attempt
    assert not desk.keystore.exists()
    kept.rename(desk.keystore)
    assert (await desk.says(), await desk.notes()) == ("", ["the first"])


async def test_the_keystore_of_another_database_is_said(desk: Desk) -> None:
    desk.keystore.unlink()
    desk.settings.make_keystore("police")
    assert "belongs to another database" in await desk.says()


async def test_a_keystore_older_than_the_database_is_said_and_a_newer_one_mends_it(desk: Desk) -> None:
    old, new = desk.home / "old", desk.home / "new"
    assert await asyncio.to_thread(desk.settings.keystore("police").back_up, old) > 0
    await desk.write("the second")
    await asyncio.to_thread(desk.settings.keystore("police").back_up, new)
    desk.keystore.unlink()
    desk.settings.keystore("police").take(old)
    assert "lacks a key that the database needs" in await desk.says()
    with pytest.raises(DatabaseAway, match="lacks a key"):
        await desk.notes()
    desk.settings.keystore("police").take(new)
    assert (await desk.says(), await desk.notes()) == ("", ["the first", "the second"])


async def test_a_machine_that_burnt_down_is_put_back_from_two_backups_and_the_wrapping_key(desk: Desk, tmp_path: Path) -> None:
    database, keys = tmp_path / "database.backup", tmp_path / "keys.backup"
    made = desk.process()
    async with made.database.write() as tx:
        await add_account(tx, made.here, "officer", Role.OFFICER, None)
        await make_token(tx, "officer")
    await made.database.close()
    await asyncio.to_thread(back_up, desk.url, database, desk.settings.keystore("police"), keys)
    with pytest.raises(RefnetError, match="exists already"):
        back_up(desk.url, tmp_path / "another", desk.settings.keystore("police"), keys)
    assert not (tmp_path / "another").exists()
    desk.keystore.unlink()
    made = desk.process()
    with pytest.raises(RefnetError, match="There is no keystore"):
        await restore(made, desk.settings, desk.url, database, Anchor(desk.settings.anchor("police")))
    await made.database.close()
    made = desk.process()
    await restore(made, desk.settings, desk.url, database, Anchor(desk.settings.anchor("police")), keys)
    async with made.database.read() as tx:  # whose access was taken away since, no backup knows
        assert (await tx.session.execute(select(Token))).first() is None
    await made.database.close()
    assert (await desk.says(), await desk.notes()) == ("", ["the first"])


TOMORROW = "9999_of_tomorrow"


async def stand_at(desk: Desk, statement: str) -> None:
    """Changes at which steps a desk's database says that it stands."""
    made = desk.process()
    async with made.database.write() as tx:
        await tx.session.execute(text(statement), {"step": TOMORROW})
    await made.database.close()


@pytest.mark.parametrize("wrong", ["of another kind", "of another agency", "of a newer version"])
async def test_a_backup_that_is_not_this_agencys_replaces_nothing(
    desk: Desk, request: pytest.FixtureRequest, tmp_path: Path, wrong: str
) -> None:
    copy = tmp_path / "copy"
    if wrong == "of a newer version":
        await stand_at(desk, "INSERT INTO alembic_version VALUES (:step)")
        await asyncio.to_thread(back_up, desk.url, copy)
        await stand_at(desk, "DELETE FROM alembic_version WHERE version_num = :step")
    else:
        (tmp_path / "other").mkdir()
        is_file = desk.url.startswith("sqlite")
        url = f"sqlite:///{tmp_path / 'other.db'}" if is_file else request.getfixturevalue("postgres").fresh_database()
        theirs = Desk(tmp_path / "other", url)
        its = build(theirs.settings, "health" if wrong == "of another kind" else "police")
        await bring_up_to_date(its, theirs.settings)
        await its.database.close()
        await asyncio.to_thread(back_up, url, copy)
    made = desk.process()
    with pytest.raises(RefnetError, match="the database is as it was"):
        await restore(made, desk.settings, desk.url, copy, Anchor(desk.settings.anchor("police")))
    await made.database.close()
    assert (await desk.says(), await desk.notes()) == ("", ["the first"])


async def test_nothing_is_restored_under_processes_that_work(desk: Desk, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    await asyncio.to_thread(back_up, desk.url, copy)
    working, made = desk.process(), desk.process()
    async with working.database.write():
        with pytest.raises(RefnetError, match="stop the agency's processes, then restore"):
            await restore(made, desk.settings, desk.url, copy, Anchor(desk.settings.anchor("police")))
    for one in (working, made):
        await one.database.close()
    assert (await desk.says(), await desk.notes()) == ("", ["the first"])


async def test_a_backup_is_on_its_disk_before_it_is_said_to_be_written(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, sync = dict[Path, int](), os.fsync

    def watched(handle: int) -> None:
        sync(handle)
        synced[Path(f"/proc/self/fd/{handle}").readlink()] = os.fstat(handle).st_size

    monkeypatch.setattr(os, "fsync", watched)
    copy = tmp_path / "stick" / "copy"
    copy.parent.mkdir()
    size, _ = await asyncio.to_thread(back_up, desk.url, copy)
    assert list(synced) == [copy.with_name(".copy.part"), copy.parent], "the file, and then under its name"
    assert (synced[copy.with_name(".copy.part")], copy.stat().st_size) == (size, size), "all of it"


async def test_a_file_is_put_back_where_what_follows_on_a_copy_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, f"sqlite:///{tmp_path / 'police.db'}")
    await desk.migrate()
    await desk.write("the first")
    copy = tmp_path / "copy"
    await asyncio.to_thread(back_up, desk.url, copy)
    await desk.write("the second")

    async def no_disk(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("services.backup.bring_up_to_date", no_disk)
    made = desk.process()
    with pytest.raises(OSError, match="no space left"):
        await restore(made, desk.settings, desk.url, copy, Anchor(desk.settings.anchor("police")))
    await made.database.close()
    assert (await desk.says(), await desk.notes()) == ("", ["the first", "the second"])
    assert not list(tmp_path.glob("*.replaced*"))


async def test_a_newer_versions_database_is_not_migrated_and_the_sentence_says_why(desk: Desk) -> None:
    await stand_at(desk, "INSERT INTO alembic_version VALUES (:step)")
    with pytest.raises(RefnetError, match=f"'{TOMORROW}', which is not known here"):
        await desk.migrate()


async def test_a_new_wrapping_key_changes_nothing_for_whoever_reads(desk: Desk) -> None:
    before = set(desk.settings.wrapping("police").read())
    keeper = Keeper(desk.settings, "police", datetime.now(UTC), lambda _: "")
    said = keeper.rewrap()
    assert said["keys"] > 0
    assert before.isdisjoint(desk.settings.wrapping("police").read())
    await desk.write("the second")
    assert (await desk.says(), await desk.notes()) == ("", ["the first", "the second"])
    for file in (desk.home / "wrapping" / "police").iterdir():
        file.unlink()
    assert "wrapping key" in await desk.says()


async def test_a_case_whose_keys_are_destroyed_is_read_by_nobody_and_the_others_are(desk: Desk) -> None:
    made = desk.process()
    async with made.database.write() as tx:
        case = await open_case(OpenCase(note="to be erased"), tx, made.here, OFFICER)
        names = await key_names(tx, case.id)
    assert {case.id, case.circle} <= names
    assert tx.keys.destroy(names, NOW) == 1  # one key for the whole case
    query = select(col(Note.text)).where(col(Note.case_id) == case.id)
    async with made.database.read() as tx:
        assert not any((await tx.session.execute(query)).scalars())
        rest = select(col(Note.text)).where(col(Note.case_id) != case.id)
        assert (await tx.session.execute(rest)).scalars().all() == ["the first"]
    await made.database.close()


async def test_a_seized_station_reads_nothing_and_the_court_reads_what_it_holds(desk: Desk) -> None:
    """A hold and a shred do not collide: the station's own keys go, and the escrow stays."""
    await desk.write("of no interest to the court")
    escrow, files = desk.settings.escrow("police"), {holder: desk.home / f"{holder}.key" for holder in HOLDERS}
    made = desk.process()
    async with made.database.write() as tx:
        case = (await tx.session.execute(select(Case).order_by(col(Case.id)))).scalars().first()
        assert case is not None
        hold = await place_hold(case.id, PlaceHold(order="of a court"), tx, made.here, IN_CHARGE)
    assert await deposit(made.database, escrow) == [hold.id]  # nobody holds a key yet
    for holder, file in files.items():
        escrow.make_holder(holder, file)
    assert await deposit(made.database, escrow) == []
    private = desk.home / "keys" / "police"
    private.mkdir(parents=True)
    (private / "seal-aa.json").write_bytes(b"secret")
    keys = desk.settings.keystore("police")
    assert shred(keys, desk.settings.wrapping("police"), private, NOW) >= 2
    await made.database.close()

    made = desk.process()
    assert [*private.iterdir(), *desk.settings.wrapping("police").folder.glob("*.json")] == []
    async with made.database.read() as tx:
        assert not any((await tx.session.execute(select(col(Note.text)))).scalars())
        for two in permutations(files.values(), 2):
            opened = await read_held(tx, escrow.open(hold.id, two))
            assert '"the first"' in {one["value"] for one in opened}
            assert "of no interest" not in str(opened)
    for too_few in ([], [files["court"]], [files["court"]] * 2):
        with pytest.raises(RefnetError, match="two|2 different holders"):
            escrow.open(hold.id, too_few)
    assert await deposit(made.database, escrow) == []
    assert len(escrow.open(hold.id, [files["court"], files["protection_officer"]])) >= 1  # what was shredded here stays there
    await made.database.close()


async def test_when_the_hold_is_lifted_nobody_opens_it_any_more(desk: Desk) -> None:
    escrow, files = desk.settings.escrow("police"), [desk.home / f"{holder}.key" for holder in HOLDERS]
    for holder, file in zip(HOLDERS, files, strict=True):
        escrow.make_holder(holder, file)
    made = desk.process()
    async with made.database.write() as tx:
        (case,) = (await tx.session.execute(select(Case))).scalars()
        hold = await place_hold(case.id, PlaceHold(order="of a court"), tx, made.here, IN_CHARGE)
        names = await key_names(tx, case.id)
    await deposit(made.database, escrow)
    lies = (escrow.folder / str(hold.id) / KEYS).read_bytes()
    with pytest.raises(KeyHeld):
        await tx.keys.destroyed(names, NOW)
    async with made.database.write() as tx:
        await lift_hold(case.id, hold.id, tx, made.here, IN_CHARGE)
    tx.keys.hold(hold.id, names)  # by a look that began before it was lifted
    await deposit(made.database, escrow)
    assert await tx.keys.destroyed(names, NOW) == 1
    with pytest.raises(RefnetError, match="Nothing is in escrow"):
        escrow.open(hold.id, files[:2])
    assert [file for file in escrow.folder.rglob("*") if file.is_file() and lies[-40:] in file.read_bytes()] == []
    async with made.database.read() as tx:
        assert not any((await tx.session.execute(select(col(Note.text)))).scalars())
    await made.database.close()


async def test_an_older_keystore_does_not_bring_back_what_was_destroyed(desk: Desk) -> None:
    consent, keys = new_id(), desk.settings.keystore("police")
    key = received_key("health", consent)
    sealed = keys.seal(key, "a.column", b"told")
    keys.back_up(desk.home / "older")
    made = desk.process()
    async with made.database.write() as tx:
        await lay_tombstone(tx, "health", consent)
    keys.destroy([key], NOW)
    keys.close()
    await made.database.close()
    desk.keystore.unlink()
    keys.take(desk.home / "older")
    assert keys.open("a.column", sealed) == b"told"
    made = desk.process()
    assert [await erase_again(made.database) for _ in range(2)] == [1, 0]
    await made.database.close()
    with pytest.raises(KeyDestroyed):
        desk.settings.keystore("police").open("a.column", sealed)


async def test_one_that_is_held_keeps_no_other_from_being_destroyed_again(desk: Desk) -> None:
    keys, consents = desk.settings.keystore("police"), [new_id(), new_id()]
    told = [received_key("health", consent) for consent in consents]
    sealed = [keys.seal(name, "a.column", b"told") for name in told]
    keys.back_up(desk.home / "older")
    made = desk.process()
    async with made.database.write() as tx:
        for consent in consents:
            await lay_tombstone(tx, "health", consent)
    keys.destroy(told, NOW)
    keys.close()
    await made.database.close()
    desk.keystore.unlink()
    keys.take(desk.home / "older")
    hold = new_id()
    keys.hold(hold, told[:1])
    made = desk.process()
    assert [await erase_again(made.database) for _ in range(2)] == [1, 0]
    fresh = desk.settings.keystore("police")
    assert fresh.open("a.column", sealed[0]) == b"told"
    with pytest.raises(KeyDestroyed):
        fresh.open("a.column", sealed[1])
    fresh.let_go(hold)
    assert await erase_again(made.database) == 1
    await made.database.close()


async def test_answers_are_erased_also_where_the_machine_was_off_for_months(desk: Desk) -> None:
    made = desk.process()
    now = made.database.clock.now()
    keys = desk.settings.keystore("police")
    old, kept = [keys.seal(answers_key(now - timedelta(days=days)), "a.column", b"answer") for days in (120, 0)]
    await erase_again(made.database)
    await made.database.close()
    fresh = desk.settings.keystore("police")
    assert fresh.open("a.column", kept) == b"answer"
    with pytest.raises(KeyDestroyed):
        fresh.open("a.column", old)


def _no_room(*_: object) -> None:
    raise OSError("no space left")


async def test_an_escrow_outlives_a_power_cut_and_records_that_do_not_know_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    escrow, files = desk.settings.escrow("police"), [desk.home / f"{holder}.key" for holder in HOLDERS]
    for holder, file in zip(HOLDERS, files, strict=True):
        escrow.make_holder(holder, file)
    made, other = desk.process(), new_id()
    async with made.database.write() as tx:
        (case,) = (await tx.session.execute(select(Case))).scalars()
        hold = await place_hold(case.id, PlaceHold(order="of a court"), tx, made.here, IN_CHARGE)
    escrow.put(other, {b"i" * 16: b"k" * 32})  # of a hold that is younger than the backup that was put back
    await deposit(made.database, escrow)
    lies = escrow.folder / str(hold.id) / KEYS
    lies.write_bytes(b" " * lies.stat().st_size)  # the power went while it was being written over
    assert await deposit(made.database, escrow) == []
    assert len(escrow.open(hold.id, files[:2])) >= 1
    assert escrow.open(other, files[1:]) == {b"i" * 16: b"k" * 32}
    with monkeypatch.context() as full:
        full.setattr("services.escrow.write_whole", _no_room)
        with pytest.raises(OSError, match="no space left"):
            escrow.put(other, {b"j" * 16: b"l" * 32})
    assert escrow.open(other, files[1:]) == {b"i" * 16: b"k" * 32}  # what lay there lies there
    escrow.put(other, {b"j" * 16: b"l" * 32})
    assert (escrow.open(other, files[1:]), escrow.ids()) == ({b"j" * 16: b"l" * 32}, {hold.id, other})
    await made.database.close()


async def test_the_doctor_says_until_when_copies_of_the_keystore_open_what_was_erased(desk: Desk) -> None:
    consent, keys = new_id(), desk.settings.keystore("police")

    async def says() -> list[str]:
        return [one["words"] for one in await examine(desk.settings) if "still open what was erased" in one["words"]]

    key = received_key("health", consent)
    sealed = keys.seal(key, "a.column", b"told")
    keys.back_up(desk.home / "copy")
    made = desk.process()
    async with made.database.write() as tx:
        await lay_tombstone(tx, "health", consent)
    assert await says() == []
    now = made.database.clock.now()
    keys.destroy([key], now)
    (words,) = await says()
    assert words == (
        f"police: copies of its keystore from before {now:%Y-%m-%d %H:%M} UTC still open what was erased; that ends on"
        f" {now + BACKUP_WINDOW:%Y-%m-%d}, when the last of them must be destroyed, or now with `refnet keys rewrap police`."
    )
    copy = Keystore(desk.home / "copy", desk.settings.wrapping("police").read)
    assert copy.open("a.column", sealed) == b"told"  # as it says
    copy.close()
    Keeper(desk.settings, "police", now + timedelta(seconds=1), lambda _: "").rewrap()
    assert await says() == []
    copy = Keystore(desk.home / "copy", desk.settings.wrapping("police").read)
    with pytest.raises(KeystoreAway):
        copy.open("a.column", sealed)
    copy.close()
    await made.database.close()


async def test_the_doctor_names_an_anchor_that_does_not_cover_what_was_sent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which that is: tests/exchange/test_anchors_of_two_machines.py."""
    file, found = desk.settings.anchor("police"), list[str]()

    async def uncovered(_tx: Transaction, anchor: Anchor) -> list[str]:
        assert anchor.read() is None
        return found

    async def says() -> list[str]:
        return [one["words"] for one in await examine(desk.settings) if str(file) in one["words"] and not one["ok"]]

    monkeypatch.setattr(services.doctor, "uncovered", uncovered)
    assert await says() == []
    found.append("health")
    (words,) = await says()
    assert words.startswith(f"police: more was sent to health than the anchor {file} covers")
