"""Agencies as processes: two relays and two consumers each on PostgreSQL, a broker that is away, and what a start says in words."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from desks import in_step, issue, open_case, statuses
from processes import KINDS, ProcessNetwork, everyone_is_ready, free_port, until
from schema import postgres_at_head
from servers import Kafka, KafkaNodeFactory, kafka_of

from shared.kit.local.postgres_databases import PostgresDatabases

REFERRALS = 24  # enough for both relays and both consumers of an agency to have work at the same time
pytestmark = pytest.mark.timeout(600)  # half a minute when quiet


@pytest.mark.long
def test_two_relays_and_two_consumers_an_agency_keep_streams_dense_and_double_nothing(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    network = ProcessNetwork(tmp_path, kafka, unique, {kind: postgres_at_head(postgres, kind) for kind in KINDS}, partitions=4)
    asyncio.run(network.set_up())
    with network.running([(kind, role) for kind in KINDS for role in ("serve", "worker")]) as processes:
        everyone_is_ready(processes)
        police, health = processes["police"], processes["health"]
        cases = [open_case(police) for _ in range(4)]
        with ThreadPoolExecutor(4) as desks:
            sent = list(desks.map(lambda n: issue(police, cases[n % 4]), range(REFERRALS)))
            until(lambda: set(sent) <= statuses(health).keys(), "every referral to arrive")

            def serve(referral: str) -> None:
                health.post(f"/referrals/{referral}/accept")
                health.post(f"/referrals/{referral}/arrive", {"feedback": True})
                health.post(f"/referrals/{referral}/close", {"outcome_code": "served"})

            list(desks.map(serve, sent))
        until(lambda: in_step(list(processes.values())), "everything to be signed for")
        until(lambda: set(statuses(police).values()) == {"closed"}, "the desk to know every outcome")
        for referral in sent:
            assert network.facts_of("health", referral) == ["issued", "accepted", "arrived", "closed"]
            assert network.facts_of("police", referral) == ["issued", "accepted", "arrived", "closed"]
        assert len(statuses(health)) == REFERRALS
    network.check_streams()


@pytest.mark.long  # a broker that goes and comes back is in tests/faults/test_broker_wiped.py too
def test_a_desk_goes_on_while_the_broker_is_away_and_everything_flows_when_it_returns(
    kafka_node_factory: KafkaNodeFactory, unique: str, tmp_path: Path
) -> None:
    node = kafka_node_factory()
    network = ProcessNetwork(tmp_path, kafka_of(node), unique, {kind: f"sqlite:///{tmp_path / kind}.db" for kind in KINDS})
    asyncio.run(network.set_up())
    node.kill()
    with network.running([("police", "serve"), ("health", "serve")]) as processes:
        police, health = processes["police"], processes["health"]
        case = open_case(police)
        first = issue(police, case)
        ready = police.ask("GET", "/health/ready")
        assert ready["status"] == "degraded"
        until(lambda: "No broker answers" in police.ask("GET", "/health/ready")["checks"]["broker"], "readiness to say so in words")
        assert police.get(f"/referrals/{first}")["sent_at"] is None
        until(lambda: any(x["kind"] == "referral.issued" for x in police.get(f"/cases/{case}/timeline")["items"] if x["feed_seq"]),
              "the timeline to go on without the broker")  # fmt: skip
        node.restart()
        until(lambda: statuses(health).get(first) == "issued", "the referral to arrive")
        until(lambda: police.get(f"/referrals/{first}")["delivered_at"] is not None, "it to be signed for")
        node.kill()
        second = issue(police, case)
        until(lambda: police.ask("GET", "/health/ready")["status"] == "degraded", "readiness to notice")
        node.restart()
        until(lambda: statuses(health).get(second) == "issued", "the second referral to arrive")
        assert [process.stop() for process in processes.values()] == [0, 0]


def refnet(network: ProcessNetwork, *arguments: str, **more: str) -> tuple[int, str]:
    done = network.refnet("police", *arguments, **more)
    return done.returncode, done.stderr.strip()


@pytest.mark.long
def test_what_keeps_a_program_from_starting_is_one_sentence_that_names_it(
    kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path
) -> None:
    network = ProcessNetwork(tmp_path, kafka, unique, {kind: f"sqlite:///{tmp_path / kind}.db" for kind in KINDS})
    agency = network.names["police"]
    url = postgres.fresh_database()
    ca = str(kafka.operator.ca)
    wrong = {"REFNET_KAFKA_USERNAME": "police", "REFNET_KAFKA_PASSWORD": "wrong", "REFNET_KAFKA_CA": ca}
    for arguments, environment, words in (
        (("serve", agency, "--port", str(free_port())), {}, f"run `refnet migrate {agency}`"),
        (("serve", "nobody", "--port", str(free_port())), {}, "has no agency 'nobody'"),
        (("migrate", agency), {"REFNET_DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/x"}, "No database answers"),
        (("migrate", agency), {"REFNET_DATABASE_URL": url.rpartition("/")[0] + "/no_such_database"}, "no database of that name"),
        (("migrate", agency), {"REFNET_DATABASE_URL": "mysql://x/y"}, "names the database kind 'mysql'"),
        (("provision",), {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}, "No broker answers"),
        (("provision",), wrong, "refuses the user 'police' or its password"),
        (("provision",), {"REFNET_NETWORK": str(tmp_path / "none.yaml")}, "cannot be read"),
        (("migrate", agency), {"REFNET_CLOCK": "yesterday"}, "REFNET_CLOCK is not valid"),
        (("migrate", agency), {"REFNET_SECRET_KEY": "short"}, "REFNET_SECRET_KEY is not valid"),
    ):
        code, said = refnet(network, *arguments, **environment)
        assert code == 1, (arguments, said)
        assert words in said, said
        assert said.startswith("refnet: ")
        assert len(said.splitlines()) == 1, said
        assert "Traceback" not in said


def test_a_missing_topic_makes_one_peer_not_connected_and_the_worker_goes_on(kafka: Kafka, unique: str, tmp_path: Path) -> None:
    network = ProcessNetwork(tmp_path, kafka, unique, {kind: f"sqlite:///{tmp_path / kind}.db" for kind in KINDS})
    asyncio.run(network.give_users_alone())
    asyncio.run(network.set_up(topics=False))
    with network.running([("police", "serve"), ("health", "serve")]) as processes:
        police, health = processes["police"], processes["health"]
        until(
            lambda: "its topics do not exist" in police.ask("GET", "/health/ready")["checks"]["broker"],
            "the missing topics to be named",
        )
        referral = issue(police, open_case(police))
        assert police.get(f"/referrals/{referral}")["status"] == "issued"
        code, said = refnet(network, "provision", **network.operators())
        assert code == 0, said
        until(lambda: statuses(health).get(referral) == "issued", "the referral to arrive once the topics exist")
