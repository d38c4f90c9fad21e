"""SIGKILL at every crash point of each role by itself, and of each kind of agency: every event is applied once and both ends agree.

Security.md section 7 number 4; test_killed_between_steps.py kills whole agencies of the demo.
"""

import asyncio
import itertools
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from desks import issue, open_case
from processes import KINDS, Process, ProcessNetwork, everyone_is_ready, today, until
from schema import postgres_at_head
from servers import Kafka
from steps import STEPS, STEPS_OF_DESKS, STEPS_OF_WORKERS, die_at_each, look

import shared
from services.runtime import build
from shared.casework.accounts.commands import add_account, make_token
from shared.contracts.casework.codes import Role
from shared.kit.local.postgres_databases import PostgresDatabases

HOME = {"home.before_commit", "home.after_commit"}  # passed after a restore alone
pytestmark = pytest.mark.timeout(1_200)  # a minute each when quiet


def network_of(
    kinds: Collection[str], kafka: Kafka, postgres: PostgresDatabases, unique: str, home: Path, beside: Collection[str] = ()
) -> ProcessNetwork:
    """These kinds on PostgreSQL; the others of the demo are not at work."""
    urls = {kind: f"sqlite:///{home / kind}.db" for kind in (*KINDS, *beside)}
    urls |= {kind: postgres_at_head(postgres, kind) for kind in kinds}
    network = ProcessNetwork(home, kafka, unique, urls, beside=beside)
    asyncio.run(network.set_up())
    return network


class Referrals:
    """A story that is told over and over: a referral from the desk to another agency, served to its end."""

    def __init__(self, desk: Process, there: Process, everyone: Collection[Process]) -> None:
        self.desk, self.there, self.everyone = desk, there, everyone
        self.case = open_case(desk, [there.kind])
        self.told: list[str] = []

    def tell(self) -> None:
        self.told.append(referral := issue(self.desk, self.case, self.there.kind))
        self.desk.post(f"/referrals/{referral}/set-out", {"mode": "car", "escort": "officer"})
        until(lambda: self._arrived(referral), "the referral to arrive")
        self.there.post(f"/referrals/{referral}/accept")
        self.there.post(f"/referrals/{referral}/arrive", {"feedback": True})
        self.there.post(f"/referrals/{referral}/close", {"outcome_code": "served"})

    def _arrived(self, referral: str) -> bool:
        look(self.everyone)
        return bool(self.desk.network.facts_of(self.there.kind, referral))

    def check(self) -> None:
        """Each fact once at both ends, each writer's own in its order; the two writers' facts may cross on the way."""
        network = self.desk.network
        for referral in self.told:
            for end in (self.desk, self.there):
                assert end.get(f"/referrals/{referral}")["status"] == "closed"
                facts = network.facts_of(end.kind, referral)
                assert [f for f in facts if f != "set_out"] == ["issued", "accepted", "arrived", "closed"]
                is_told = end is self.desk or end.kind in KINDS  # others never hear how she travels
                assert facts.count("set_out") == is_told
        assert network.rows(self.there.kind, "SELECT count(*) FROM casework_referrals") == [(len(self.told),)]
        network.check_streams((self.desk.kind, self.there.kind))


def test_a_process_is_killed_at_every_crash_point_that_there_is() -> None:
    named = re.compile(r"""crash_point\("([^"]+)"\)""")
    there = {name for file in Path(shared.__path__[0]).rglob("*.py") for name in named.findall(file.read_text())}
    assert there == {*STEPS, *HOME}


@pytest.mark.long
@pytest.mark.parametrize("kind", ["police", "health"])
@pytest.mark.parametrize(("role", "steps"), [("web", STEPS_OF_DESKS), ("worker", STEPS_OF_WORKERS)], ids=["web", "worker"])
def test_a_role_killed_at_every_step_of_its_own_loses_and_doubles_nothing(
    role: str, steps: list[str], kind: str, kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    network = network_of(("police", "health"), kafka, postgres, unique, tmp_path)
    roles = tuple(itertools.product(("police", "health"), ("web", "worker")))
    with network.started(*roles) as everyone:
        everyone_is_ready(everyone)
        referrals = Referrals(everyone[0], everyone[2], everyone)
        die_at_each(everyone[roles.index((kind, role))], steps, everyone, referrals.tell)
        everyone_is_ready(everyone)
        referrals.check()
        assert [process.stop() for process in everyone] == [0] * len(everyone)


@pytest.mark.long
@pytest.mark.parametrize("victim", ["partner", "justice"])
def test_another_kind_killed_between_every_two_steps_loses_and_doubles_nothing(
    victim: str, kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    network = network_of(("police", victim), kafka, postgres, unique, tmp_path, [victim])
    with network.started(("police", "serve"), (victim, "serve")) as (desk, there):
        everyone_is_ready([desk, there])
        referrals = Referrals(desk, there, [desk, there])
        die_at_each(there, STEPS, [desk, there], referrals.tell)
        everyone_is_ready([desk, there])
        referrals.check()


class Protocols:
    """A protocol that the oversight body publishes again and again, and that a place confirms each time."""

    TOPIC = "care_first"

    def __init__(self, desk: Process, above: Process) -> None:
        self.desk, self.above, self.versions = desk, above, 0

    def tell(self) -> None:
        self.versions += 1
        text = f"Care first.\n\nThis is version {self.versions}."
        made = self.above.post("/protocols", {"topic": self.TOPIC, "text": text, "from_on": today()})
        assert made["version"] == self.versions
        until(self._heard, "the protocol to arrive")
        where = f"/protocols/{self.above.agency}/{self.TOPIC}/{self.versions}/adoptions"
        self.desk.post(where, {"facility": "ndola_central_vsu", "post": "vsu_inspector"})

    def _heard(self) -> bool:
        look([self.desk, self.above])
        found: list[dict[str, Any]] = self.desk.get("/protocols")["items"]
        return any(one["version"] == self.versions for one in found)

    def check(self) -> None:
        network = self.desk.network
        published = network.rows("oversight", "SELECT version FROM oversight_protocols ORDER BY version")
        assert published == [(number,) for number in range(1, self.versions + 1)]
        for sender, recipient, event_type in (
            ("oversight", "police", "protocol.published"), ("police", "oversight", "protocol.adopted"),
        ):  # fmt: skip
            of = f"FROM exchange_inbox WHERE sender = '{network.names[sender]}' AND type = '{event_type}' AND state = 'applied'"
            assert network.rows(recipient, f"SELECT count(*) {of}") == [(self.versions,)]
        network.check_streams(("police", "oversight"))


def put_in_charge(network: ProcessNetwork, kind: str) -> None:
    """Whoever asks this agency from now on is a supervisor: others confirm for their own post of the roster alone."""

    async def hire() -> None:
        agency = build(network.settings(kind), network.names[kind])
        async with agency.database.write() as tx:
            await add_account(tx, agency.here, "in-charge", Role.SUPERVISOR, None)
            network.tokens[kind] = await make_token(tx, "in-charge")
        await agency.database.close()

    asyncio.run(hire())


@pytest.mark.long
def test_an_oversight_body_killed_between_every_two_steps_loses_and_doubles_nothing(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    network = network_of(("police", "oversight"), kafka, postgres, unique, tmp_path, ["oversight"])
    put_in_charge(network, "police")
    with network.started(("police", "serve"), ("oversight", "serve")) as (desk, above):
        everyone_is_ready([desk, above])
        protocols = Protocols(desk, above)
        die_at_each(above, STEPS, [desk, above], protocols.tell)
        everyone_is_ready([desk, above])
        protocols.check()
