"""Yesterday's database: what peers heard comes home, referrals end as if nothing had been lost, and what is lost is listed.

`make database-restored` runs the first one and shows what it says.
"""

import asyncio
import json
import re
import shutil
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from desks import in_step, issue, open_case
from lives import check_lives, slots_of
from processes import KINDS, Process, ProcessNetwork, everyone_is_ready, until
from schema import desk_and_clinic, postgres_at_head
from servers import Kafka

from services.backup import _in_place_of, back_up
from shared.exchange.anchor import Anchor
from shared.kit.local.postgres_databases import PostgresDatabases

pytestmark = pytest.mark.timeout(600)  # half a minute when quiet

STEPS_OF_COMING_HOME = ("home.before_commit", "home.after_commit")
# As seen by the desk and by the clinic. `delivered_at` is left out: it is when the receipt came, which it does again.
SAME = ("status", "outcome_code", "issued_at", "accepted_at", "arrived_at", "closed_at", "services", "urgency", "to_facility")
Stands = Mapping[str, Mapping[str, Any]]


@dataclass(slots=True)
class Story:
    """What was told before the backup and after it, and what nobody heard of."""

    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    unheard: str = ""
    case: str = ""
    quiet_case: str = ""  # of which the clinic alone may know
    second_case: str = ""  # its number; opened after the backup, with referrals
    case_of_its_own: str = ""  # opened after the backup, told to nobody
    case_number: str = ""  # of the first
    written_before: list[datetime] = field(default_factory=list)  # when cases were opened before the backup
    written_after: list[datetime] = field(default_factory=list)  # and after it


def town(home: Path, kafka: Kafka, unique: str, urls: dict[str, str]) -> ProcessNetwork:
    network = ProcessNetwork(home, kafka, unique, urls)
    network.lay_direct_lines()
    asyncio.run(network.set_up())
    return network


def serve(clinic: Process, referral: str) -> None:
    clinic.post(f"/referrals/{referral}/accept")
    clinic.post(f"/referrals/{referral}/arrive", {"feedback": True})
    clinic.post(f"/referrals/{referral}/close", {"outcome_code": "served"})


def stands(process: Process, referrals: Collection[str]) -> Stands:
    found = {r: process.get(f"/referrals/{r}") for r in referrals}
    return {r: {name: one.get(name) for name in SAME} for r, one in found.items()}


def all_know(network: ProcessNetwork, referral: str, kinds: Collection[str] = ("health",)) -> bool:
    return all(network.facts_of(kind, referral) for kind in kinds)


def opened_at(desk: Process, case: str) -> datetime:
    return datetime.fromisoformat(desk.get(f"/cases/{case}")["opened_at"])


def before_the_backup(everyone: dict[str, Process], story: Story) -> None:
    desk, clinic = everyone["police"], everyone["health"]
    story.case, story.quiet_case = open_case(desk), open_case(desk, ["health"])
    story.before = [issue(desk, story.case) for _ in range(3)]
    desk.post(f"/cases/{story.case}/incidents", {"incident_type": "rape", "note": "Written before the backup."})
    story.case_number = desk.get(f"/cases/{story.case}")["number"]
    story.written_before = [opened_at(desk, case) for case in (story.case, story.quiet_case)]
    until(lambda: all(all_know(desk.network, r) for r in story.before), "the first referrals to arrive")
    clinic.post(f"/referrals/{story.before[0]}/accept")
    serve(clinic, story.before[1])
    until(lambda: in_step(everyone.values()), "everything to be signed for")


def after_the_backup(everyone: dict[str, Process], story: Story) -> None:
    """Referrals on a case that the backup knows and on one that it does not, answers to old ones and new ones."""
    desk, clinic = everyone["police"], everyone["health"]
    second = open_case(desk)
    story.after = [issue(desk, story.case), issue(desk, second), issue(desk, second)]
    story.second_case = desk.get(f"/cases/{second}")["number"]
    story.case_of_its_own = str(desk.post("/cases", {"note": "Written after the backup."})["id"])
    story.written_after = [opened_at(desk, case) for case in (second, story.case_of_its_own)]
    until(lambda: all(all_know(desk.network, r) for r in story.after), "the later referrals to arrive")
    clinic.post(f"/referrals/{story.before[0]}/arrive", {"feedback": True})
    clinic.post(f"/referrals/{story.before[0]}/close", {"outcome_code": "served"})
    clinic.post(f"/referrals/{story.after[0]}/accept")
    serve(clinic, story.after[1])
    until(lambda: in_step(everyone.values()), "everything to be signed for")


def said_and_heard_by_nobody(desk: Process, story: Story) -> None:
    """A referral that has its number, and dies with the machine before it is on any wire."""
    desk.kill()
    desk.points = iter(["relay.before_send"] * 10)  # however often it is started again: it never sends
    desk.start()
    everyone_is_ready([desk])
    story.unheard = issue(desk, story.quiet_case)  # told to the clinic alone: whose words are numbered first is chance
    until(lambda: desk.is_dead, "the desk's machine to die with a numbered referral in hand")
    desk.kill()
    desk.points = iter(())


def held_by_nobody(network: ProcessNetwork) -> int:
    """How many words to the clinic have a number by the anchor and are not with the clinic."""
    marks = Anchor(network.settings("police").anchor(network.names["police"])).read()
    assert marks is not None
    held = [life for life, _ in slots_of(network, "health", "police") if life == marks.incarnation]
    return marks.sizes[network.names["health"]] - len(held)


def check_what_is_lost(network: ProcessNetwork, words: str, story: Story) -> None:
    """What was told to nobody: of what came after the backup nothing is here, of what came before nothing lacks; and it is said."""
    made = network.refnet("police", "reconcile", network.names["police"], "--json")
    unknown = json.loads(made.stdout)["recovery"]["unknown"]
    since, until = (datetime.fromisoformat(unknown[name]) for name in ("since", "until"))
    assert all(at <= since for at in story.written_before)
    assert all(since < at < until for at in story.written_after)
    said = [f"nothing is known from {since:%Y-%m-%d %H:%M} UTC to {until:%Y-%m-%d %H:%M} UTC."]
    counts = {"Cases": len(story.written_before), "What happened was recorded": len(story.before) + 1, "Notes": 1}
    said += [f"  {name}: {count}, the last of {since:%Y-%m-%d }" for name, count in counts.items()]
    for line in said:
        assert line in words, words
    (none,) = [line for line in words.splitlines() if line.startswith("  none of: ")]
    assert "; Doses; " in none
    assert "Notes" not in none
    known, thin = story.case_number, story.second_case
    assert sorted(unknown["bare_requests"]) == sorted({known, thin}), "requests come home without their incidents"
    assert unknown["bare_consents"] == [thin]


def number_of(desk: Process, referral: str) -> str:
    """The number of its case."""
    return str(desk.get(f"/cases/{desk.get(f'/referrals/{referral}')['case_id']}")["number"])


def destroy(network: ProcessNetwork, postgres: PostgresDatabases, kind: str = "police") -> None:
    name = network.urls[kind].rpartition("/")[2]
    if network.urls[kind].startswith("sqlite"):
        for left in network.home.glob(f"{kind}.db*"):
            left.unlink()
    else:
        postgres.drop_database(name)
        postgres.create_database(name)


def by_hand(network: ProcessNetwork, what: str, *arguments: str, may_fail: bool = False, kind: str = "police") -> str:
    """Types a command of an agency's operator, shows it and what it says."""
    done = network.refnet(kind, what, network.names[kind], *arguments)
    assert done.returncode == 0 or may_fail, done.stdout + done.stderr
    print(f"$ refnet {what} {network.names[kind]} {' '.join(Path(a).name for a in arguments)}")
    print("".join(f"    {line}\n" for line in (done.stdout + done.stderr).splitlines()), end="", flush=True)
    return done.stdout


def sign_in_again(network: ProcessNetwork, kind: str = "police") -> None:
    """The desk's program gets another token: whose were taken away since, a backup does not know, so all of them have ended."""
    made = network.refnet(kind, "token", network.names[kind], "--user", "one")
    assert made.returncode == 0, made.stderr
    network.tokens[kind] = made.stdout.strip()


def has_another_life(network: ProcessNetwork, desk: Process) -> bool:
    desk.look()
    return bool(network.rows("police", "SELECT because FROM exchange_recoveries"))


def check_in_step(network: ProcessNetwork, words: str, kind: str = "police") -> None:
    """What `refnet reconcile` says where nothing is missing."""
    for peer in (name for other, name in network.names.items() if other != kind):
        assert f"{peer}: in step; 0 events of its were missing here, 0 words of ours came home." in words.splitlines(), words


def recovered(desk: Process, peers: Collection[str]) -> bool:
    desk.look()
    return not any(line["is_recovering"] for line in desk.get("/peers")["items"] if line["agency"] in peers)


def check_as_if_never_lost(
    network: ProcessNetwork, everyone: dict[str, Process], story: Story, told: dict[str, Stands], slots: Any, lost: str = "police"
) -> None:
    for kind in ("police", "health"):
        assert stands(everyone[kind], told[kind]) == told[kind]
    for referral in (*story.before, *story.after):
        assert network.facts_of("police", referral) == network.facts_of("health", referral)
    heard = slots_of(network, "health" if lost == "police" else "police", lost)
    assert slots.items() <= heard.items(), "a number was given twice, or something heard was forgotten"
    if not story.unheard:
        return
    assert not network.facts_of("police", story.unheard)
    assert not network.facts_of("health", story.unheard)


def go_on(everyone: dict[str, Process], story: Story) -> None:
    """What was open when the database was lost is served to its end, and so is what is issued now."""
    desk, clinic = everyone["police"], everyone["health"]
    new = issue(desk, story.case)
    until(lambda: all_know(desk.network, new), "a new referral to arrive")
    clinic.post(f"/referrals/{story.after[0]}/arrive", {"feedback": True})
    clinic.post(f"/referrals/{story.after[0]}/close", {"outcome_code": "served"})
    for referral in (story.before[2], story.after[2], new):
        serve(clinic, referral)
    until(lambda: in_step(everyone.values()), "everything to be signed for")
    for referral in (*story.before, *story.after, new):
        until(lambda r=referral: desk.get(f"/referrals/{r}")["status"] == "closed", "the desk to know the end")  # type: ignore[misc]


@pytest.mark.parametrize("dialect", ["postgresql", pytest.param("sqlite", marks=pytest.mark.long)])
def test_a_restored_backup_ends_as_if_nothing_had_been_lost(
    dialect: str, kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    urls = {kind: f"sqlite:///{tmp_path / kind}.db" for kind in KINDS}
    if dialect == "postgresql":
        urls |= {kind: postgres_at_head(postgres, kind) for kind in ("police", "health")}
    network, story, copy = town(tmp_path, kafka, unique, urls), Story(), str(tmp_path / "yesterday")
    health = network.names["health"]
    with network.running([(kind, "serve") for kind in KINDS]) as everyone:
        everyone_is_ready(everyone)
        desk = everyone["police"]
        before_the_backup(everyone, story)
        print("\nThree agencies at work: the police's database is backed up.")
        by_hand(network, "backup", copy)
        after_the_backup(everyone, story)
        told = {kind: stands(everyone[kind], [*story.before, *story.after]) for kind in ("police", "health")}
        print(f"Since then {len(story.after)} more referrals were issued, and others accepted, served and closed.")
        slots = slots_of(network, "health", "police")
        said_and_heard_by_nobody(desk, story)
        lost = held_by_nobody(network)
        assert lost > 0
        heard = len(slots_of(network, "police", "health"))
        destroy(network, postgres)
        print("The police's machine dies with a referral that had its number and had not left, and its database is destroyed.")
        assert "Restored; a new life of the database is open." in by_hand(network, "restore", copy)
        missing = heard - len(slots_of(network, "police", "health"))
        assert missing > 0
        print("Its peers are asked by hand, and then its processes are started again.")
        fetched = by_hand(network, "reconcile", may_fail=True)
        found = re.search(rf"^{health}: .*; (\d+) events of its were missing here, (\d+) words of ours came home", fetched, re.M)
        assert found is not None, fetched
        assert 0 < int(found[1]) <= missing, "what it has said since the backup, as far as it is asked in one comparison"
        assert int(found[2]) > 0, "and what it had been told"
        sign_in_again(network)
        desk.start()
        until(lambda: recovered(desk, network.names.values()), "recovery to end")
        until(lambda: in_step(everyone.values()), "everything to be signed for")
        words = by_hand(network, "reconcile")
        check_in_step(network, words)
        check_as_if_never_lost(network, everyone, story, told, slots)
        (line,) = [line for line in words.splitlines() if "are with nobody" in line]
        assert line.startswith(f"{health}: answered ")
        assert line.endswith(f"; {lost} that were numbered are with nobody."), "what nobody heard is counted, and nothing else"
        (thin,) = [line for line in words.splitlines() if line.startswith("Known only from what was told to others")]
        on_the_card, story.second_case = story.second_case, number_of(desk, story.after[1])
        assert re.findall(r"P-\d+-\d+", thin) == [story.second_case], "the case after the backup, and no other"
        assert len(story.second_case) > len(on_the_card), "the number on her card is given to nobody else"
        check_what_is_lost(network, words, story)
        with pytest.raises(AssertionError, match="404"):
            desk.get(f"/cases/{story.case_of_its_own}")
        go_on(everyone, story)
        check_lives(network, ("police", "health"))
        print("Every referral that anybody had heard of stands where it stood, and all have been served to their end.")


@pytest.mark.long
def test_a_clinics_restored_backup_ends_as_if_nothing_had_been_lost(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    """What was sent to it comes again, and what it had answered comes home: it stands where it stood, and serves all to the end."""
    urls = desk_and_clinic(postgres, tmp_path)
    network, story, copy = town(tmp_path, kafka, unique, urls), Story(), str(tmp_path / "yesterday")
    with network.running([(kind, "serve") for kind in KINDS]) as everyone:
        everyone_is_ready(everyone)
        clinic = everyone["health"]
        before_the_backup(everyone, story)
        by_hand(network, "backup", copy, kind="health")
        after_the_backup(everyone, story)
        told = {kind: stands(everyone[kind], [*story.before, *story.after]) for kind in ("police", "health")}
        slots = slots_of(network, "police", "health")
        clinic.kill()
        destroy(network, postgres, "health")
        assert "Restored; a new life of the database is open." in by_hand(network, "restore", copy, kind="health")
        assert not network.facts_of("health", story.after[0])
        sign_in_again(network, "health")
        clinic.start()
        until(lambda: recovered(clinic, network.names.values()), "recovery to end")
        until(lambda: in_step(everyone.values()), "everything to be signed for")
        check_in_step(network, by_hand(network, "reconcile", kind="health"), "health")
        check_as_if_never_lost(network, everyone, story, told, slots, lost="health")
        go_on(everyone, story)
        check_lives(network, ("police", "health"))


def take_snapshot(url: str, target: Path) -> None:
    """While the agency works."""
    if not url.startswith("sqlite"):
        back_up(url, target)
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def put_back(url: str, snapshot: Path) -> None:
    """By hand and past `refnet restore`, which would open a new life."""
    if not url.startswith("sqlite"):
        with _in_place_of(url, snapshot):
            return
    database = Path(url.removeprefix("sqlite:///"))
    for left in database.parent.glob(f"{database.name}*"):
        left.unlink()
    shutil.copyfile(snapshot, database)


@pytest.mark.long
@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_a_database_that_is_put_back_behind_our_backs_is_noticed_at_the_start(
    dialect: str, kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    """A snapshot of the disk, put back by somebody who told nobody: the anchor knows better, and no number is given twice."""
    urls = {kind: f"sqlite:///{tmp_path / kind}.db" for kind in KINDS}
    if dialect == "postgresql":
        urls |= {kind: postgres_at_head(postgres, kind) for kind in ("police", "health")}
    network, story = town(tmp_path, kafka, unique, urls), Story()
    with network.running([("police", "serve"), ("health", "serve")]) as everyone:
        everyone_is_ready(everyone)
        desk = everyone["police"]
        before_the_backup(everyone, story)
        snapshot = tmp_path / "snapshot"
        take_snapshot(urls["police"], snapshot)
        after_the_backup(everyone, story)
        told = {kind: stands(everyone[kind], [*story.before, *story.after]) for kind in ("police", "health")}
        slots = slots_of(network, "health", "police")
        said_and_heard_by_nobody(desk, story)
        put_back(urls["police"], snapshot)
        desk.points = iter(STEPS_OF_COMING_HOME)  # and killed twice more while its words come home
        desk.start()
        until(lambda: has_another_life(network, desk), "a new life of the database")
        sign_in_again(network)
        until(lambda: recovered(desk, [network.names["health"]]) and len(desk.died_at) == 2, "recovery to end")
        assert desk.died_at == [*STEPS_OF_COMING_HOME]
        assert {row[0] for row in network.rows("police", "SELECT because FROM exchange_recoveries")} == {"anchor_ahead"}
        until(lambda: all_know(network, story.after[2], ("police",)), "the last word to come home")
        check_as_if_never_lost(network, everyone, story, told, slots)
        go_on(everyone, story)
        check_lives(network, ("police", "health"))
