"""`refnet keys` as the person who holds them uses it: made, rotated, revoked, listed, and each refusal in one sentence."""

import asyncio
import json
import stat
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from keystores import with_keys
from schema import sqlite_at_head
from stations import STATION, content_with_stations

import services.demo
from services.doctor import DESTROYED_WITHIN, examine
from services.keeper import PASSPHRASE, Keeper
from services.keys import KeyFolder, Keys, load_keyring, make_missing, make_new
from services.settings import SECRET_CHARACTERS_MIN, Settings
from services.stations import revoke
from shared.contracts.wire.directory import TOLD_MAX, Use
from shared.contracts.wire.envelope import Header, Kind, Unopenable
from shared.exchange.directory import Directory, fingerprint
from shared.exchange.keyring import X25519
from shared.exchange.retired import KEPT
from shared.exchange.seal import KeyedSeal
from shared.exchange.tables import Peer, Stream
from shared.kit.errors import RefnetError
from shared.kit.ids import new_id
from shared.kit.local.cache import held

NOW = datetime(2026, 1, 5, tzinfo=UTC)
WORD = Header(kind=Kind.EVENT, sender="police", recipient="health", incarnation=UUID(int=7), seq=1, salt=b"s" * 16)
PINS = dict.fromkeys(("police", "health", "social_welfare"))


def keeper(
    home: Path, agency: str = "police", purpose: str = "demo", asked: str = "", roots: dict[str, str] | None = None,
    now: datetime = NOW,
) -> Keeper:  # fmt: skip
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    content["purpose"] = purpose
    for name, root in (roots or {}).items():
        content["agencies"][name]["root"] = root
    home.mkdir(exist_ok=True)
    (home / "network.yaml").write_text(yaml.safe_dump(content))
    return Keeper(Settings.model_validate({"REFNET_HOME": str(home)}), agency, now, lambda _: asked)


def test_new_keys_are_files_for_this_user_alone_and_a_fingerprint_to_compare(tmp_path: Path) -> None:
    made = keeper(tmp_path).new("x25519")
    assert made["fingerprint"] in made["words"]
    private = list((tmp_path / "keys" / "police").iterdir())
    assert sorted(file.name.partition("-")[0] for file in private) == ["root.pem", "seal", "sign"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}
    public = (tmp_path / "directories" / "police.json").read_text()
    assert "private" not in public
    with pytest.raises(RefnetError, match="has keys already"):
        keeper(tmp_path).new("x25519")


def test_what_is_rotated_opens_the_old_and_the_new(tmp_path: Path) -> None:
    make_missing(tmp_path, PINS, NOW)
    police, health = (KeyedSeal(load_keyring(tmp_path, agency, PINS)) for agency in ("police", "health"))
    old = police.seal(police.sign(WORD, b"old"), "health")
    keys = Keys(tmp_path, "police", PINS)
    seal = KeyedSeal(keys.load(), keys.renewed)
    keeper(tmp_path, "health").rotate("hybrid", None)
    keeper(tmp_path, "police").rotate("x25519", None)
    seal.refresh()  # as a worker does every few seconds
    new = seal.seal(seal.sign(WORD, b"new"), "health")
    assert new[0] != old[0]
    with pytest.raises(Unopenable):
        health.open(new, "police")  # one that has not looked yet
    health = KeyedSeal(load_keyring(tmp_path, "health", PINS))
    assert [health.open(one, "police").content for one in (old, new)] == [b"old", b"new"]


def test_a_listing_says_what_has_become_of_each_key_and_what_is_pinned(tmp_path: Path) -> None:
    print_of = keeper(tmp_path).new("x25519")["fingerprint"]
    keeper(tmp_path).rotate("hybrid", None)
    keeper(tmp_path, "health").new("x25519")
    listed = keeper(tmp_path, roots={"police": print_of, "health": "0" * 64}).listed()
    assert [(one["use"], one["suite"], one["state"]) for one in listed["keys"]] == [
        ("sign", "ed25519", "old"), ("seal", "x25519", "old"), ("sign", "ed25519", "in use"), ("seal", "hybrid", "in use"),
    ]  # fmt: skip
    assert {agency: root["pinned"] for agency, root in listed["roots"].items()} == {
        "police": True, "health": False, "social_welfare": None,
    }  # fmt: skip
    assert "NOT what the network file pins" in listed["words"]


def test_a_listing_says_what_not_pinned_means_and_what_to_do(tmp_path: Path) -> None:
    print_of = keeper(tmp_path).new("x25519")["fingerprint"]
    assert "That is harmless in a demo, where nobody is real" in keeper(tmp_path).listed()["words"]
    trial = keeper(tmp_path, purpose="trial").listed()["words"]
    assert "compare each fingerprint with its holder in person, and write it into the network file as `root`" in trial
    assert "Not pinned" not in keeper(tmp_path, roots={"police": print_of}).listed()["words"]  # of others nothing is known here


def seal_file(home: Path) -> Path:
    (found,) = (home / "keys" / "police").glob("seal-*.json")
    return found


def test_a_destroyed_key_is_gone_from_its_file_and_its_day_is_listed(tmp_path: Path) -> None:
    keeper(tmp_path).new("x25519")
    old = seal_file(tmp_path)
    kept, id_ = old.read_bytes(), bytes.fromhex(old.stem.removeprefix("seal-"))
    keeper(tmp_path).rotate("x25519", None)
    folder = KeyFolder(tmp_path, "police")
    folder.destroy(id_, NOW)
    folder.destroy(id_, NOW)  # another process of this machine, at the same time
    assert not old.exists()
    private = json.loads(kept)["private"].encode()
    assert not [file for file in (tmp_path / "keys" / "police").iterdir() if private in file.read_bytes()]
    assert old.with_suffix(".destroyed").stat().st_size == len(kept)  # written over where it lay
    listed = keeper(tmp_path).listed()
    assert [(one["use"], one["state"]) for one in listed["keys"]][:2] == [("sign", "old"), ("seal", "destroyed")]
    assert "destroyed on 2026-01-05" in listed["words"]
    load_keyring(tmp_path, "police", PINS)
    old.write_bytes(kept)  # from a stick that was forgotten
    assert "destroyed on" not in keeper(tmp_path).listed()["words"]


def test_a_key_whose_destruction_was_cut_short_is_a_key_no_more(tmp_path: Path) -> None:
    keeper(tmp_path).new("x25519")
    old = seal_file(tmp_path)
    keeper(tmp_path).rotate("x25519", None)
    KeyFolder(tmp_path, "police").destroy(bytes.fromhex(old.stem.removeprefix("seal-")), NOW)
    old.with_suffix(".destroyed").rename(old)  # as a power cut left it between two steps
    assert len(KeyFolder(tmp_path, "police").opening()) == 1
    make_missing(tmp_path, PINS, NOW)
    load_keyring(tmp_path, "police", PINS)


def test_a_destruction_that_was_cut_short_is_finished_at_the_next_look(tmp_path: Path) -> None:
    sqlite_at_head(tmp_path / "police.db", "police")
    keeper(tmp_path).new("x25519")
    old = seal_file(tmp_path)
    keeper(tmp_path).rotate("x25519", None)
    KeyFolder(tmp_path, "police").destroy(bytes.fromhex(old.stem.removeprefix("seal-")), NOW)
    old.with_suffix(".destroyed").rename(old)
    assert [one["state"] for one in keeper(tmp_path).listed()["keys"]][1] == "destroyed"  # it is, whatever its file is called
    keeper(tmp_path).destroy()
    assert (old.exists(), old.with_suffix(".destroyed").exists()) == (False, True)
    assert [one["state"] for one in keeper(tmp_path).listed()["keys"]][1] == "destroyed"


def test_a_key_that_another_process_destroys_while_its_folder_is_read_is_left_out(tmp_path: Path) -> None:
    make_missing(tmp_path, PINS, NOW)
    keys = Keys(tmp_path, "police", PINS)
    (tmp_path / "keys" / "police" / "seal-00.json").symlink_to(tmp_path / "gone")  # listed, and not there when it is opened
    assert len(KeyFolder(tmp_path, "police").opening()) == 1
    Keys(tmp_path, "police", PINS).load()
    assert keys.renewed() is None  # nothing has changed


def test_the_keeper_is_told_what_an_old_key_waits_for(tmp_path: Path) -> None:
    sqlite_at_head(tmp_path / "police.db", "police")
    keeper(tmp_path).new("x25519")
    assert keeper(tmp_path).destroy()["words"] == "No key has been replaced."
    old = seal_file(tmp_path).stem.removeprefix("seal-")
    keeper(tmp_path).rotate("x25519", None)
    said = keeper(tmp_path).destroy()
    why = "it has not said that it knows the newer key"
    assert said["words"] == f"{old} stays: it is kept until 2026-02-09 at least; health: {why}; social_welfare: {why}."
    assert [one["is_destroyed"] for one in said["keys"]] == [False]


def test_the_doctor_names_old_keys_that_nobody_destroyed(tmp_path: Path) -> None:
    """As where a worker may not write to their folder."""
    database = with_keys(sqlite_at_head(tmp_path / "police.db", "police"))
    now = datetime.now(UTC)
    folder = KeyFolder(tmp_path, "police")
    make_new(folder, now - 3 * KEPT, None)
    folder.make_keys(folder.root(None, None), now - KEPT - DESTROYED_WITHIN, X25519, folder.own())
    keeper(tmp_path)  # its network file

    async def found(**known: int) -> list[str]:
        async with database.write() as tx:
            for peer, lines in known.items():
                tx.session.add(Peer(peer=peer, knows_lines=lines, knows_since=now - KEPT, spoke_at=now))
        findings = await examine(Settings.model_validate({"REFNET_HOME": str(tmp_path)}))
        return [one["words"] for one in findings if "replaced" in one["words"]]

    async def look() -> None:
        assert await found() == []
        (words,) = await found(health=4, social_welfare=4)
        assert "police: 1 replaced keys are still here" in words
        assert "run `refnet keys destroy police`" in words
        await database.close()

    asyncio.run(look())
    assert keeper(tmp_path, now=now).destroy()["words"].endswith(" is destroyed.")


def test_the_key_in_use_and_a_key_of_nobody_are_not_revoked(tmp_path: Path) -> None:
    keeper(tmp_path).new("x25519")
    in_use = KeyFolder(tmp_path, "police").own().newest(Use.SIGN)
    assert in_use is not None
    for key, words in ((in_use.hex(), "key in use"), ("00" * 11, "no signing key"), ("first", "no key's id")):
        with pytest.raises(RefnetError, match=words):
            keeper(tmp_path).revoke(key, None)


def test_the_next_rotation_gives_up_the_signing_key_that_was_replaced_before_from_where_the_streams_are(tmp_path: Path) -> None:
    database, life = with_keys(sqlite_at_head(tmp_path / "police.db", "police")), UUID(int=7)

    async def say_three() -> None:
        async with database.write() as tx:
            tx.session.add(Stream(recipient="health", incarnation=life, size=3))
        await database.close()

    keeper(tmp_path).new("x25519")
    folder = KeyFolder(tmp_path, "police")
    first = folder.own().newest(Use.SIGN)
    assert first is not None
    asyncio.run(say_three())
    keeper(tmp_path).rotate("x25519", None)
    assert not folder.own().is_revoked(first)  # who does not know the newer one yet is still spoken to under it
    said = keeper(tmp_path).rotate("x25519", None)["words"]
    assert f"Given up, because another had replaced it before: {first.hex()}." in said
    found = folder.own()
    assert [found.reaches(first, "health", life, seq) for seq in (3, 4)] == [True, False]
    signing = [one["state"] for one in keeper(tmp_path).listed()["keys"] if one["use"] == "sign"]
    assert signing == ["revoked", "old", "in use"]


@pytest.mark.parametrize("spoken_to", [0, 1, TOLD_MAX - 1, TOLD_MAX, TOLD_MAX + 1, 2 * TOLD_MAX + 5])
def test_every_peer_of_however_many_learns_by_letter_from_where_its_own_stream_a_key_is_given_up(
    tmp_path: Path, spoken_to: int
) -> None:
    database, life = with_keys(sqlite_at_head(tmp_path / "police.db", "police")), UUID(int=7)
    peers = {f"peer_{number:02}": number + 3 for number in range(spoken_to)}

    async def say() -> None:
        async with database.write() as tx:
            tx.session.add_all([Stream(recipient=peer, incarnation=life, size=size) for peer, size in peers.items()])
        await database.close()

    keeper(tmp_path).new("x25519")
    folder = KeyFolder(tmp_path, "police")
    first = folder.own().newest(Use.SIGN)
    assert first is not None
    asyncio.run(say())
    keeper(tmp_path).rotate("x25519", None)
    keeper(tmp_path).rotate("x25519", None)
    own = folder.own()
    for peer in (*peers, "health", "social_welfare"):  # nothing was ever said to these two, and so they are told
        place = {first: {life: peers[peer]} if peer in peers else {}}
        read = Directory("police", own.root)
        while read.take(own.told_to(peer, read.size + 1)):
            assert read.given_up(peer) in ({}, place)
        assert (read.size, read.given_up(peer)) == (own.size, place)


@pytest.mark.parametrize("clinics", [0, TOLD_MAX - 4, TOLD_MAX - 3, TOLD_MAX - 2, 2 * TOLD_MAX + 2])
def test_every_peer_of_however_many_learns_by_letter_from_where_a_stolen_stations_keys_are_given_up(
    tmp_path: Path, clinics: int
) -> None:
    """39, 40, 41 and 85 peers: three have every station, and these are clinics."""
    content, life = content_with_stations(STATION), UUID(int=7)
    for number in range(clinics):
        place = {"name": "Clinic", "district": "ndola", "services": ["acute_care"], "posts": ["duty_nurse", "clinic_in_charge"]}
        facilities = {f"clinic_{number:02}": place, f"clinic_{number:02}_2": {**place, "name": "2"}}
        content["agencies"][f"clinic_{number:02}"] = {"kind": "health", "name": "Clinics", "facilities": facilities}
        content["pairs"].append([STATION, f"clinic_{number:02}"])
    (tmp_path / "network.yaml").write_text(yaml.safe_dump(content))
    settings, folder = Settings.model_validate({"REFNET_HOME": str(tmp_path)}), KeyFolder(tmp_path, STATION)
    make_new(folder, NOW, None)
    key = folder.own().newest(Use.SIGN)
    assert key is not None
    peers = settings.network_with(STATION).peers_of(STATION)
    held_there = {peer: {life: number} for number, peer in enumerate(peers)} | {"police": {}}
    revoke(settings, STATION, folder.private / "root.pem", None, held_there, NOW)
    own = folder.own()
    assert own.newest(Use.SEAL) is None
    for peer in peers:
        read = Directory(STATION, own.root)
        while read.take(own.told_to(peer, read.size + 1)):
            assert read.given_up(peer) in ({}, {key: held_there[peer]})
        assert (read.size, read.newest(Use.SEAL), read.given_up(peer)) == (own.size, None, {key: held_there[peer]})


def test_a_rotation_where_no_database_answers_makes_keys_and_says_what_still_stands(tmp_path: Path) -> None:
    keeper(tmp_path).new("x25519")
    (first, _) = keeper(tmp_path).listed()["keys"]
    keeper(tmp_path).rotate("x25519", None)
    said = keeper(tmp_path).rotate("x25519", None)["words"]
    assert f"{first['id']} could not be given up" in said
    assert KeyFolder(tmp_path, "police").own().size == 6
    keeper(tmp_path).rotate("x25519", None)
    words = [one["words"] for one in asyncio.run(examine(Settings.model_validate({"REFNET_HOME": str(tmp_path)})))]
    assert any("3 replaced signing keys still stand" in one for one in words), words


def test_a_second_rotation_at_the_same_time_waits_for_the_first(tmp_path: Path) -> None:
    keeper(tmp_path).new("x25519")
    folder = KeyFolder(tmp_path, "police")
    with ThreadPoolExecutor(1) as other:
        with folder.locked():
            directory = folder.own()
            second = other.submit(keeper(tmp_path).rotate, "x25519", None)
            assert not wait([second], timeout=0.5).done  # one that waits for nobody is done in a tenth of that
            folder.make_keys(folder.root(None, None), NOW, X25519, directory)
        second.result()
    assert folder.own().size == 6
    assert len(folder.signing()) == 3


def test_keys_of_cases_open_after_a_rewrap_whatever_the_clock_says_and_whoever_else_does_the_same(tmp_path: Path) -> None:
    """Whatever lies under the one is destroyed with it: the records of the whole agency would be gone."""
    by = keeper(tmp_path)
    settings = Settings.model_validate({"REFNET_HOME": str(tmp_path)})
    settings.make_keystore("police")  # by a clock that is years ahead of the keeper's
    sealed = settings.keystore("police").seal(new_id(), "casework_notes.text", b"words")
    by.rewrap()
    with ThreadPoolExecutor(1) as other:
        with held(tmp_path / "keys.lock"):
            second = other.submit(keeper(tmp_path).rewrap)
            assert not wait([second], timeout=0.5).done
        second.result()
    assert settings.keystore("police").open("casework_notes.text", sealed) == b"words"
    assert len(settings.wrapping("police").read()) == 1


def test_a_made_up_agencys_secret_is_whole_for_every_process(tmp_path: Path) -> None:
    settings = Settings.model_validate({"REFNET_HOME": str(tmp_path)})
    (tmp_path / "police.secret").touch()  # by a process that has not come to writing it, or never will
    with ThreadPoolExecutor(4) as processes:
        found = set(processes.map(lambda _: settings.secret("police", "demo"), range(8)))
    assert len(found) == 1
    assert len(found.pop()) >= SECRET_CHARACTERS_MIN
    assert stat.S_IMODE((tmp_path / "police.secret").stat().st_mode) == 0o600


def test_a_root_is_kept_under_a_passphrase_wherever_people_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = dict.fromkeys(PINS, "0" * 64)
    with pytest.raises(RefnetError, match="16 or more characters"):
        keeper(tmp_path, purpose="production", asked="short", roots=pins).new("x25519")
    keeper(tmp_path, purpose="production", asked="four words of a song", roots=pins).new("x25519")
    with pytest.raises(RefnetError, match="passphrase"):
        keeper(tmp_path, purpose="production", asked="another song altogether", roots=pins).rotate("x25519", None)
    monkeypatch.setenv(PASSPHRASE, "four words of a song")
    assert keeper(tmp_path, purpose="production", roots=pins).rotate("x25519", None)["sign"]
    root = tmp_path / "keys" / "police" / "root.pem"
    away = root.rename(tmp_path / "stick.pem")  # into the drawer
    with pytest.raises(RefnetError, match="bring it"):
        keeper(tmp_path, purpose="production", roots=pins).rotate("x25519", None)
    assert keeper(tmp_path, purpose="production", roots=pins).rotate("x25519", away)["sign"]


def test_anothers_root_writes_no_line_here(tmp_path: Path) -> None:
    for agency in ("police", "health"):
        keeper(tmp_path, agency).new("x25519")
    with pytest.raises(RefnetError, match="not the root of police"):
        keeper(tmp_path).rotate("x25519", tmp_path / "keys" / "health" / "root.pem")


def test_a_directory_under_another_root_than_the_pinned_is_refused_at_start(tmp_path: Path) -> None:
    make_missing(tmp_path, PINS, NOW)
    known = KeyFolder(tmp_path, "police").read("health")
    assert known is not None
    good = {"police": None, "health": fingerprint(known.root), "social_welfare": None}
    load_keyring(tmp_path, "police", good)
    (tmp_path / "directories" / "health.json").unlink()
    make_missing(tmp_path / "elsewhere", ["health"], NOW)
    (tmp_path / "elsewhere" / "directories" / "health.json").rename(tmp_path / "directories" / "health.json")
    with pytest.raises(RefnetError, match="compare its fingerprint"):
        load_keyring(tmp_path, "police", good)


@pytest.mark.parametrize("damage", ["not json", '{"root": "AA==", "lines": []}', "flip"])
def test_a_damaged_directory_is_named_and_never_half_used(tmp_path: Path, damage: str) -> None:
    make_missing(tmp_path, PINS, NOW)
    file = tmp_path / "directories" / "health.json"
    if damage == "flip":
        said = json.loads(file.read_text())
        signed = said["lines"][0]["signed"]
        said["lines"][0]["signed"] = ("B" if signed[0] == "A" else "A") + signed[1:]
        damage = json.dumps(said)
    file.write_text(damage)
    with pytest.raises(RefnetError, match="not the directory of health"):
        load_keyring(tmp_path, "police", PINS)


def test_an_agency_without_keys_is_told_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(RefnetError, match="refnet keys new police"):
        load_keyring(tmp_path, "police", PINS)


def test_a_production_network_pins_every_root(tmp_path: Path) -> None:
    with pytest.raises(RefnetError, match="fingerprint of every agency's root"):
        keeper(tmp_path, purpose="production", roots={"police": "0" * 64})
