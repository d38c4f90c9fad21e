"""Real agencies on PostgreSQL and Kafka: what is counted again is good; a superuser rewrites a row so that the database agrees with
itself; the peer refuses the next head and names it, and `refnet verify` names the row. The case's bundle checks without any of it.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyrage
import pytest
from desks import in_step, issue, open_case
from processes import Process, ProcessNetwork, everyone_is_ready, until
from schema import postgres_at_head
from servers import Kafka
from signing_in import PIN
from sqlalchemy import text

from shared.casework.accounts.commands import find_account
from shared.casework.accounts.credentials import set_own_secrets
from shared.casework.here import Actor
from shared.contracts.casework.codes import Role
from shared.contracts.wire.merkle import Frontier
from shared.kit.local.postgres_databases import PostgresDatabases

REFERRALS = 3
pytestmark = pytest.mark.timeout(600)  # half a minute when quiet


def rewrite(network: ProcessNetwork, place: int) -> None:
    """One referral's words are exchanged for others, and every leaf, root and head after them is made to fit."""
    health = network.names["health"]

    async def work() -> None:
        database = network.database("police")
        async with database.write() as tx:
            words = (
                "UPDATE exchange_outbox SET data = set_byte(data, 40, 255 - get_byte(data, 40)) WHERE recipient = :to AND seq = :at"
            )
            await tx.session.execute(text(words), {"to": health, "at": place})
            query = "SELECT position, seq, leaf FROM exchange_outbox WHERE recipient = :to AND seq IS NOT NULL ORDER BY seq"
            frontier = Frontier()
            for position, seq, leaf in (await tx.session.execute(text(query), {"to": health})).all():
                forged = bytes(reversed(leaf)) if seq == place else leaf
                frontier = frontier.append(forged)
                change = "UPDATE exchange_outbox SET leaf = :leaf, root_after = :root WHERE position = :position"
                await tx.session.execute(text(change), {"leaf": forged, "root": frontier.root(), "position": position})
            head = "UPDATE exchange_streams SET frontier = :frontier WHERE recipient = :to"
            await tx.session.execute(text(head), {"frontier": frontier.to_bytes(), "to": health})
        await database.close()

    asyncio.run(work())


async def choose_pin(network: ProcessNetwork, kind: str, name: str, role: Role) -> None:
    """As an account's owner does at her first sign-in."""
    database = network.database(kind)
    async with database.read() as tx:
        account = await find_account(tx, name)
    await set_own_secrets(database, Actor(account.id, name, role, account.facility), None, PIN)
    await database.close()


def refused(process: Process, peer: str) -> list[dict[str, Any]]:
    (line,) = [line for line in process.get("/peers")["items"] if line["agency"] == peer]
    return list(line["refused"])


def looked(network: ProcessNetwork) -> bool:
    """Whether the desk's looks are under a head that the clinic has signed."""
    unlogged = network.rows("police", "SELECT count(*) FROM casework_case_reads WHERE inside_seq IS NULL")[0][0]
    signed = network.rows("police", "SELECT coalesce(max(size), 0) FROM exchange_inside_signatures")[0][0]
    return unlogged == 0 and signed > 0


@pytest.mark.long  # the same on PostgreSQL, without a broker, is in tests/exchange/test_peers_refuse_rewritten_words.py
def test_a_superuser_rewrites_a_referral_and_its_peer_refuses_the_head_and_verify_names_the_row(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    urls = {kind: postgres_at_head(postgres, kind) for kind in ("police", "health")}
    urls["social_welfare"] = f"sqlite:///{tmp_path}/social_welfare.db"  # is away all the while
    network = ProcessNetwork(tmp_path, kafka, unique, urls)
    asyncio.run(network.set_up())
    desk_name, clinic_name = network.names["police"], network.names["health"]
    with network.running([("police", "serve"), ("health", "serve")]) as processes:
        everyone_is_ready(processes)
        desk, clinic = processes["police"], processes["health"]
        case = open_case(desk, ["health"])
        for _ in range(REFERRALS):
            issue(desk, case)
        until(lambda: in_step([desk, clinic]), "everything to be signed for")
        desk.get(f"/cases/{case}")
        until(lambda: looked(network), "the desk's looks to be signed unread")
        for kind, name in (("police", desk_name), ("health", clinic_name)):
            counted = network.refnet(kind, "verify", name, "--json")
            assert counted.returncode == 0, counted.stdout + counted.stderr
            assert json.loads(counted.stdout)["signatures"] >= 1

        file = tmp_path / "case.bundle"
        judge = pyrage.x25519.Identity.generate()
        identity = tmp_path / "judge.key"
        identity.write_text(f"# the court's\n{judge}\n")
        wish, typed = ["--to", str(judge.to_public())], "The court in Ndola ordered it\n{}"
        asyncio.run(choose_pin(network, "police", "one", Role.OFFICER))
        written = network.refnet("police", "bundle", desk_name, case, str(file), "--by", "one", *wish, typed=typed.format(PIN))
        assert written.returncode == 1  # an officer's word is not enough
        assert "Only a supervisor" in written.stderr
        made = network.refnet("police", "users", "add", desk_name, "--name", "head", "--role", "supervisor", "--json")
        assert made.returncode == 0, made.stderr
        asyncio.run(choose_pin(network, "police", "head", Role.SUPERVISOR))
        for mistyped, words in ((PIN[::-1], "That is not the PIN"), (PIN, "no public key of age")):
            to = ["--to", "age1nobody"] if mistyped == PIN else wish
            said = typed.format(mistyped)
            refused_ = network.refnet("police", "bundle", desk_name, case, str(file), "--by", "head", *to, typed=said)
            assert (refused_.returncode, words in refused_.stderr, file.exists()) == (1, True, False), refused_.stderr
        written = network.refnet("police", "bundle", desk_name, case, str(file), "--by", "head", *wish, typed=typed.format(PIN))
        assert written.returncode == 0, written.stderr
        assert b"referral" not in file.read_bytes(), "no file leaves in the clear"
        rows = network.rows("police", "SELECT what, purpose, digest FROM casework_exports")
        assert rows == [("bundle", "court_order", hashlib.sha256(file.read_bytes()).hexdigest())]

        rewrite(network, 2)
        until(lambda: bool(refused(clinic, desk_name)), "the clinic to refuse the desk's next head")
        one = refused(clinic, desk_name)[0]
        assert (one["log"], one["place"] >= 2) == ("stream", True)
        alarms = network.rows("health", "SELECT detail FROM casework_alarms WHERE kind = 'head_refused'")
        assert [detail["peer"] for (detail,) in alarms] == [desk_name]

    counted = network.refnet("police", "verify", desk_name)
    assert counted.returncode == 1
    named = [line for line in counted.stdout.splitlines() if line.startswith(f"exchange_outbox, {desk_name}.{clinic_name}.")]
    assert any(", place 2: " in line for line in named), counted.stdout
    evidence = network.refnet("health", "verify", clinic_name)
    assert evidence.returncode == 0, evidence.stdout  # its own database is what it was
    assert f"Refused: {desk_name} signed" in evidence.stdout
    made = network.refnet("health", "users", "add", clinic_name, "--name", "chief", "--role", "supervisor", "--json")
    assert made.returncode == 0, made.stderr
    asyncio.run(choose_pin(network, "health", "chief", Role.SUPERVISOR))
    proof = tmp_path / "proof"
    written = network.refnet("health", "evidence", clinic_name, str(proof), "--by", "chief", *wish, typed=typed.format(PIN))
    assert written.returncode == 0, written.stderr

    # Offline: no settings, no database, no network file, another folder.
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("REFNET_", "KAFKA_"))}
    refnet = [sys.executable, "-m", "services.cli", "verify"]
    shown = subprocess.run(
        [*refnet, "evidence", str(proof), "--identity", str(identity)], env=bare, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert f"{desk_name}, {desk_name}.{clinic_name}, life " in shown.stdout
    command = [*refnet, "bundle", str(file)]
    shut = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)
    assert (shut.returncode, "name that person's age key" in shut.stderr) == (1, True)
    command += ["--identity", str(identity)]
    checked = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "handed out by head" in checked.stdout
    assert "The court in Ndola ordered it" in checked.stdout
    assert checked.stdout.count("referral.issued") == REFERRALS
    assert "Compare each, digit by digit" in checked.stdout
    data = bytearray(pyrage.decrypt(file.read_bytes(), [judge]))
    data[len(data) // 2] ^= 4
    file.write_bytes(bytes(data))  # as whoever could read it may keep it
    broken = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)
    assert broken.returncode == 1
    assert "The bundle is not good" in broken.stdout
