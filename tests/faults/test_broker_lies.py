"""The broker forgets, repeats, reorders or swallows records while the clinic is off line: each event is applied once, in order."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from desks import in_step, issue, open_case
from processes import Process, ProcessNetwork, everyone_is_ready, until
from rewritten import Fault, Record, rewrite
from schema import desk_and_clinic
from servers import Kafka

from shared.exchange.reconcile import PERIOD_S
from shared.kit.local.postgres_databases import PostgresDatabases

WINDOW = 500  # records within which the order is lost
LOST = 0.1  # of all records, silently
SHORT, LONG = 12, 400  # referrals on their way, each with an acute record and one on the other topic
IN_STEP_S = PERIOD_S  # security.md, section 7: within one reconciliation period of both being back
pytestmark = pytest.mark.timeout(1_200)  # a quarter of a minute when quiet


def expired(_chance: random.Random) -> Fault:
    """Retention was shorter than the clinic's absence."""
    return lambda records: []


def tripled(_chance: random.Random) -> Fault:
    return lambda records: [record for record in records for _ in range(3)]


def reordered(chance: random.Random) -> Fault:
    def fault(records: list[Record]) -> Sequence[Record]:
        windows = [records[start : start + WINDOW] for start in range(0, len(records), WINDOW)]
        return [record for window in windows for record in chance.sample(window, len(window))]

    return fault


def thinned(chance: random.Random) -> Fault:
    """A tenth is swallowed, and of a short topic one at least."""

    def fault(records: list[Record]) -> Sequence[Record]:
        lost = set(chance.sample(range(len(records)), max(1, round(len(records) * LOST)))) if records else set()
        return [record for number, record in enumerate(records) if number not in lost]

    return fault


def everything(chance: random.Random) -> Fault:
    """Swallowed, tripled and out of order at once; what is left of the order differs with each run's seed."""

    def fault(records: list[Record]) -> Sequence[Record]:
        return reordered(chance)(list(tripled(chance)(list(thinned(chance)(records)))))

    return fault


def without_its_first_referral(network: ProcessNetwork) -> Fault:
    """Who knows what lies where has the clinic's keys: a broker could only guess."""
    seal, police = network.seal(network.names["health"]), network.names["police"]

    def fault(records: list[Record]) -> Sequence[Record]:
        opened = (seal.open(record.value or b"", police).content for record in records)
        found = next((number for number, content in enumerate(opened) if b'"referral.issued"' in content), None)
        return records if found is None else [*records[:found], *records[found + 1 :]]

    return fault


def tell(desk: Process, referral: str) -> None:
    desk.post(f"/referrals/{referral}/set-out", {"mode": "car", "escort": "officer"})


@pytest.mark.parametrize(
    ("lie", "count"),
    [
        pytest.param(everything, SHORT, marks=pytest.mark.long),
        *(pytest.param(lie, LONG, marks=pytest.mark.long) for lie in (expired, tripled, reordered, thinned, everything)),
    ],
)
def test_whatever_the_broker_makes_of_it_all_is_applied_once_and_in_its_order(
    lie: Callable[[random.Random], Fault], count: int, kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    chance = random.Random(unique)
    print(f"seed {unique}")
    urls = desk_and_clinic(postgres, tmp_path)
    network = ProcessNetwork(tmp_path, kafka, unique, urls)
    network.lay_direct_lines()
    asyncio.run(network.set_up())
    police, health = network.names["police"], network.names["health"]
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        case = open_case(desk)
        sent = [issue(desk, case)]
        until(lambda: in_step([desk, clinic]), "the clinic to have read something")  # it has offsets, which then lie nowhere
        assert clinic.stop() == 0
        sent += [issue(desk, case) for _ in range(count)]
        for referral in sent:
            tell(desk, referral)
        until(lambda: not network.rows("police", f"SELECT 1 FROM exchange_outbox WHERE recipient = '{health}' AND sent_at IS NULL"),
              "everything to be sent")  # fmt: skip
        assert desk.stop() == 0
        lay, lie_now = asyncio.run(rewrite(kafka.operator, police, health, lie(chance)))
        print(f"{lay} records lay on the broker, and {lie_now} do now")
        assert lay > 2 * count
        clinic.start()
        desk.start()
        everyone_is_ready([desk, clinic])
        until(lambda: in_step([desk, clinic]), "everything to be signed for", IN_STEP_S)
        for referral in sent:
            assert network.facts_of("health", referral) == ["issued", "set_out"]
        assert network.rows("health", "SELECT count(*) FROM casework_referrals") == [(len(sent),)]
        network.check_streams(("police", "health"))


@pytest.mark.long
def test_a_new_referral_is_seen_before_a_gap_in_front_of_it_closes(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    urls = desk_and_clinic(postgres, tmp_path)
    network = ProcessNetwork(tmp_path, kafka, unique, urls)
    asyncio.run(network.set_up())
    with network.started(("police", "serve")) as (desk,):
        everyone_is_ready([desk])
        sent = [issue(desk, open_case(desk)) for _ in range(3)]
        unsent = "SELECT 1 FROM exchange_outbox WHERE sent_at IS NULL AND recipient = '" + network.names["health"] + "'"
        until(lambda: not network.rows("police", unsent), "everything to be sent")
        assert desk.stop() == 0
        fault = without_its_first_referral(network)
        lay, lie_now = asyncio.run(rewrite(kafka.operator, network.names["police"], network.names["health"], fault))
        assert lie_now == lay - 1
        with network.started(("health", "serve")) as (clinic,):
            everyone_is_ready([clinic])
            seen = "SELECT count(*) FROM casework_referrals"
            until(lambda: network.rows("health", seen) == [(len(sent) - 1,)], "the others to be seen, though one is missing")
            desk.start()
            until(lambda: in_step([desk, clinic]), "the gap to close")
            assert network.rows("health", seen) == [(len(sent),)]
    network.check_streams(("police", "health"))
