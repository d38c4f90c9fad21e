"""`refnet hold` and `refnet shred` as they are typed: what is made, listed and opened, and each refusal in one sentence."""

import asyncio
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyrage
import pytest
import yaml
from schema import sqlite_at_head
from sqlalchemy import String, cast, select
from sqlmodel import col

import services.demo
from services import cli
from services.doctor import examine
from services.escrow import HOLDERS
from services.keeper import Keeper
from services.locks import LOCK, PASSPHRASE, _unlocked
from services.runtime import build
from services.settings import Settings, load_settings
from shared.casework.accounts.tables import CaseRead
from shared.casework.cases.commands import OpenCase, open_case
from shared.casework.cases.looks import access_log
from shared.casework.cases.tables import Note
from shared.casework.exports.tables import Export
from shared.casework.here import Actor
from shared.casework.holds.commands import PlaceHold, place_hold
from shared.casework.holds.tables import Hold
from shared.contracts.casework.codes import Role
from shared.kit.db import Database
from shared.kit.lock import MARK, make_lock
from shared.kit.sealed import as_it_lies

IN_CHARGE = Actor(uuid4(), "in charge", Role.SUPERVISOR, None)
WORD = "what the court asks about"
WHY = ("--because", "The High Court asks for it, letter 9 of 2026", "--plain")

Refnet = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of the desk's."""
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    (tmp_path / "network.yaml").write_text(yaml.safe_dump({**content, "purpose": "test"}))
    monkeypatch.setenv("REFNET_HOME", str(tmp_path))
    for name in ("REFNET_DATABASE_URL", "REFNET_NETWORK", "REFNET_ESCROW"):
        monkeypatch.delenv(name, raising=False)
    sqlite_at_head(tmp_path / "police.db", "police")
    Keeper(load_settings(), "police", datetime(2026, 1, 5, tzinfo=UTC), lambda _: "").new("x25519")
    return tmp_path


@pytest.fixture
def refnet(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refnet:
    """Types a command; what it says, or on an exit code other than 0 what it refuses."""

    def typed(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["refnet", *map(str, words)])
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        assert bool(code) == bool(said.err), said
        return (said.err if code else said.out).strip()

    return typed


def hold_one(settings: Settings) -> tuple[str, str]:
    """A case that a court holds: (hold, the case's number)."""

    async def go() -> tuple[str, str]:
        made = build(settings, "police")
        async with made.database.write() as tx:
            case = await open_case(OpenCase(note=WORD), tx, made.here, IN_CHARGE)
            hold = await place_hold(case.id, PlaceHold(order="High Court, 12 of 2026"), tx, made.here, IN_CHARGE)
        await made.database.close()
        return str(hold.id), case.number

    return asyncio.run(go())


def notes(settings: Settings) -> list[str]:
    async def go() -> list[str]:
        made = build(settings, "police")
        try:
            async with made.database.read() as tx:
                return [text for text in (await tx.session.execute(select(col(Note.text)))).scalars() if text]
        finally:
            await made.database.close()

    return asyncio.run(go())


ANOTHER_DISK = Path("/dev/shm")

SAME_DISK = "lies on the same disk as the keystore and the database, which goes with the machine; name a folder on another disk"


def doctor() -> list[str]:
    said = doctor_of_disks()
    return [words for words in said if SAME_DISK not in words]  # a test has one disk


def doctor_of_disks() -> list[str]:
    return [one["words"] for one in asyncio.run(examine(load_settings())) if not one["ok"] and "escrow" in one["words"]]


def test_a_hold_is_brought_into_escrow_survives_the_shredding_of_its_station_and_is_opened_by_two(
    home: Path, refnet: Refnet
) -> None:
    settings = load_settings()
    assert refnet("hold", "list", "police") == "No case is held."
    hold, number = hold_one(settings)
    listed = refnet("hold", "list", "police")
    assert f"{hold}  case {number}, held since " in listed
    assert listed.endswith(
        "NOT in escrow\nNothing more is brought into escrow before these have a key: agency, court, protection_officer."
    )
    (words,) = doctor()
    assert words == (
        f"police: a court holds a case whose keys are not in escrow (hold {hold}); make the keys of its holders with"
        " `refnet hold holder police`: agency, court, protection_officer."
    )

    (home / "sticks").mkdir()
    files = {holder: home / "sticks" / f"{holder}.key" for holder in HOLDERS}
    said = [refnet("hold", "holder", "police", holder, file) for holder, file in files.items()]
    assert said[0].endswith("Nothing is brought into escrow before these have one too: court, protection_officer.")
    assert said[2] == f"The protection officer has a key now. Hand {files['protection_officer']} over, and keep no copy of it."
    assert refnet("hold", "holder", "police", "court", home / "other.key") == (
        "refnet: The court has a key already, and nothing lies in escrow yet. Where it was lost or stolen, say --anew: court is"
        " given another, and the old one opens nothing more."
    )
    assert refnet("hold", "holder", "police", "mayor", home / "other.key") == (
        "refnet: 'mayor' holds nothing; the holders are agency, court, protection_officer."
    )
    assert refnet("hold", "holder", "nobody", "court", home / "other.key").startswith(
        "refnet: The network file has no agency 'nobody'"
    )
    (words,) = doctor()
    assert words.endswith(f"not in escrow (hold {hold}); start its worker, or run `refnet hold list police`.")
    assert refnet("hold", "list", "police").endswith(" in escrow")
    rows = json.loads(refnet("hold", "list", "police", "--json"))
    assert [(row["id"], row["case"], row["keys_in_escrow"]) for row in rows["holds"]] == [(hold, number, 1)]
    assert doctor() == []

    assert "say --yes" in refnet("shred", "police")
    assert notes(settings) == [WORD]
    assert refnet("shred", "polcie", "--yes") == f"refnet: No keys of 'polcie' are at {home}; correct the name, or REFNET_HOME."
    assert refnet("shred", "police", "--yes").startswith("The keys of police on this machine are destroyed: ")
    assert [file for folder in ("wrapping", "keys") for file in (home / folder / "police").iterdir()] == []
    assert notes(settings) == []

    with_two = ["--with", files["court"], "--with", files["agency"], *WHY]
    opened = json.loads(refnet("hold", "open", "police", hold, *with_two))["held"]
    assert {"table": "casework_notes", "column": "text", "value": json.dumps(WORD)} in opened
    one = refnet("hold", "open", "police", hold, *with_two[:2], *WHY)
    assert one == "refnet: It takes the private keys of 2 different holders of this escrow; bring them."
    assert refnet("hold", "open", "police", hold, "--with", home / "none", *with_two[2:]) == (
        f"refnet: There is no file {home / 'none'}; name the private key that a holder of this escrow has."
    )
    other = uuid4()
    assert refnet("hold", "open", "police", other, *with_two) == (
        f"refnet: Nothing is in escrow for the hold {other}; `refnet hold list` shows what is held."
    )


def test_an_escrow_on_the_machines_own_disk_is_said_while_a_court_holds_anything(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [one for one in doctor_of_disks() if SAME_DISK in one] == []  # nothing is held
    hold_one(load_settings())
    (words,) = [one for one in doctor_of_disks() if SAME_DISK in one]
    assert words.startswith(f"police: the escrow at {home / 'escrow' / 'police'} lies ")
    if not ANOTHER_DISK.is_dir() or ANOTHER_DISK.stat().st_dev == home.stat().st_dev:
        pytest.skip("this machine has one disk")
    with tempfile.TemporaryDirectory(dir=ANOTHER_DISK) as folder:
        monkeypatch.setenv("REFNET_ESCROW", folder)
        assert [one for one in doctor_of_disks() if "the same disk" in one] == []


def test_a_keystore_that_is_away_does_not_keep_the_other_keys_of_a_station_from_being_destroyed(home: Path, refnet: Refnet) -> None:
    settings = load_settings()
    hold_one(settings)
    keystore = settings.keystore("police").file
    assert keystore is not None
    away = keystore.rename(home / "away.db")
    (home / "network.yaml").unlink()
    said = refnet("shred", "police", "--yes")
    assert said == f"refnet: {keystore} could not be destroyed, while all other keys here are; destroy what is left by hand."
    assert [file for folder in ("wrapping", "keys") for file in (home / folder / "police").iterdir()] == []
    away.rename(keystore)
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    (home / "network.yaml").write_text(yaml.safe_dump({**content, "purpose": "test"}))
    with pytest.raises(Exception, match="wrapping key"):
        notes(settings)


def test_a_locked_station_is_shredded_by_whoever_does_not_know_its_passphrase(
    home: Path, refnet: Refnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, _lock = make_lock("four synthetic words here", {"time": 1, "memory_kib": 64, "lanes": 1})
    (home / LOCK).write_bytes(kept)
    monkeypatch.setenv(PASSPHRASE, "four synthetic words here")
    hold_one(load_settings())
    (wraps,) = (home / "wrapping" / "police").iterdir()
    assert wraps.read_bytes().startswith(MARK)
    monkeypatch.delenv(PASSPHRASE)
    _unlocked.cache_clear()
    assert refnet("shred", "police", "--yes").startswith("The keys of police on this machine are destroyed: ")
    assert [file for folder in ("wrapping", "keys") for file in (home / folder / "police").iterdir()] == []


def held_in_escrow(home: Path, refnet: Refnet) -> tuple[str, dict[str, Path]]:
    """A case that a court holds, its keys in escrow: (hold, the holders' files)."""
    hold, _number = hold_one(load_settings())
    files = {holder: home / f"{holder}.key" for holder in HOLDERS}
    for holder, file in files.items():
        refnet("hold", "holder", "police", holder, file)
    assert refnet("hold", "list", "police").endswith(" in escrow")
    return hold, files


def test_a_holder_who_lost_the_key_is_given_another_and_the_old_one_opens_nothing(home: Path, refnet: Refnet) -> None:
    hold, files = held_in_escrow(home, refnet)
    new = home / "court-2.key"
    assert "say --anew" in refnet("hold", "holder", "police", "court", new)
    assert not new.exists()
    said = refnet("hold", "holder", "police", "court", new, "--anew")
    assert said.endswith("The old one opens nothing more: the keys of 1 held cases were shared anew.")
    both = ["--with", new, "--with", files["agency"], *WHY]
    assert any(row["value"] == json.dumps(WORD) for row in json.loads(refnet("hold", "open", "police", hold, *both))["held"])
    old = refnet("hold", "open", "police", hold, "--with", files["court"], "--with", files["agency"], *WHY)
    assert old.startswith(f"refnet: {files['court']} does not open the share of court: ")
    assert refnet("hold", "list", "police").endswith("1 key in escrow")

    refnet("shred", "police", "--yes")  # the keys of the case are in escrow alone now
    again = refnet("hold", "holder", "police", "court", home / "court-3.key", "--anew")
    assert f"The keys of the hold {hold} are in escrow alone" in again
    assert not (home / "court-3.key").exists()
    assert json.loads(refnet("hold", "open", "police", hold, *both))["held"]


def test_a_holder_without_a_case_in_escrow_is_given_another_and_one_without_a_key_is_told_so(home: Path, refnet: Refnet) -> None:
    assert refnet("hold", "holder", "police", "court", home / "one.key", "--anew") == (
        "refnet: The court has no key yet that could be made anew; leave out --anew."
    )
    refnet("hold", "holder", "police", "court", home / "one.key")
    assert refnet("hold", "holder", "police", "court", home / "none" / "two.key", "--anew") == (
        f"refnet: There is no folder {home / 'none'}; make it, or bring the disk or stick that it is on."
    )
    assert "new key now" in refnet("hold", "holder", "police", "court", home / "two.key", "--anew")
    assert (home / "one.key").read_bytes() != (home / "two.key").read_bytes()


def test_what_is_wrong_about_a_key_that_is_brought_is_said_of_its_file(home: Path, refnet: Refnet) -> None:
    hold, files = held_in_escrow(home, refnet)
    nothing = home / "letter.txt"
    nothing.write_text("Dear court,")
    own = ["--with", files["agency"], *WHY]
    assert refnet("hold", "open", "police", hold, *own, "--with", nothing) == (
        f"refnet: {nothing} is no holder's private key; it is the file that `refnet hold holder` wrote."
    )
    assert "cannot be read (Is a directory)" in refnet("hold", "open", "police", hold, *own, "--with", home)
    assert refnet("hold", "open", "police", hold, *own, "--with", files["agency"]).endswith(
        "are both the key of the agency; it takes those of two different holders."
    )


def kept_of_opening() -> tuple[list[tuple[str, str]], list[tuple[str, str, bytes | None, str, str]]]:
    """What the records say of who opened it, to whoever has none of the station's keys."""

    async def go() -> Any:
        database = Database(load_settings().database("police"))
        try:
            async with database.read() as tx:
                looks = select(col(CaseRead.what), cast(col(CaseRead.case_id), String))
                lies = as_it_lies(col(Export.because))
                exports = select(col(Export.what), col(Export.purpose), lies, col(Export.recipient_key), col(Export.digest))
                return list((await tx.session.execute(looks)).tuples()), list((await tx.session.execute(exports)).tuples())
        finally:
            await database.close()

    return asyncio.run(go())


def test_what_the_escrow_opens_is_for_its_reader_alone_and_kept_with_the_case_where_the_station_is_gone(
    home: Path, refnet: Refnet
) -> None:
    hold, files = held_in_escrow(home, refnet)
    refnet("shred", "police", "--yes")
    reader, out = pyrage.x25519.Identity.generate(), home / "held.age"
    two = ["hold", "open", "police", hold, "--with", files["court"], "--with", files["protection_officer"], *WHY[:2]]
    for less in ([], [out], ["--to", reader.to_public()], [out, "--plain"], [out, "--to", reader.to_public(), "--plain"]):
        assert refnet(*two, *less).startswith("refnet: Name FILE and, with --to, the public key")
    assert refnet(*two, out, "--to", "age1nobody").startswith("refnet: This is no public key of age")
    assert refnet(*two[:-1], "court", out, "--to", reader.to_public()).startswith("refnet: Write in a sentence who asked")
    assert not out.exists()
    assert kept_of_opening() == ([], [])

    said = refnet(*two, out, "--to", reader.to_public())
    assert said.startswith(f"{out} holds what is held, ")
    assert WORD.encode() not in out.read_bytes()
    told = json.loads(pyrage.decrypt(out.read_bytes(), [reader]))
    assert {"table": "casework_notes", "column": "text", "value": json.dumps(WORD)} in told["held"]
    assert (told["opened_by"], told["for"], told["because"]) == (["court", "protection_officer"], "court_order", WHY[1])
    (look,), (export,) = kept_of_opening()
    assert look[0] == "escrow_court_protection_officer"
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    assert export == ("held", "court_order", None, str(reader.to_public()), digest)
    assert refnet(*two, out, "--to", reader.to_public()).startswith("refnet: ")  # a file that is there stays
    assert len(kept_of_opening()[0]) == 1


def test_she_is_told_which_two_holders_opened_what_is_held(home: Path, refnet: Refnet) -> None:
    hold, files = held_in_escrow(home, refnet)
    refnet("hold", "open", "police", hold, "--with", files["agency"], "--with", files["court"], *WHY)

    async def log() -> list[tuple[str, str, str]]:
        made = build(load_settings(), "police")
        try:
            async with made.database.read() as tx:
                case_id = (await tx.session.execute(select(col(Hold.case_id)))).scalar_one()
                rows, _more = await access_log(tx, made.here, case_id, None, 50)
                return [(row.account, row.role, row.what) for row in rows]
        finally:
            await made.database.close()

    assert asyncio.run(log()) == [("", "escrow", "escrow_agency_court")]
