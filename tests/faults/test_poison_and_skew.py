"""What nobody can read, and what this version does not know: kept apart, alarmed, signed for where it has a slot."""

import asyncio
import random
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from desks import in_step, issue, open_case
from processes import ProcessNetwork, everyone_is_ready, until
from servers import Kafka

from shared.contracts.wire.topics import Direction
from shared.exchange.outbox import Outgoing, add, lock_subjects
from shared.kit.ids import new_id
from shared.kit.local.postgres_databases import PostgresDatabases

BOMB = 32 * 1024 * 1024  # bytes; a thousandth of that on the wire
OVERSIZE = 900 * 1024  # bytes; more than any envelope, and as much as a broker takes
pytestmark = pytest.mark.timeout(600)  # a quarter of a minute when quiet


@pytest.fixture
def network(kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path) -> ProcessNetwork:
    urls = {kind: postgres.fresh_database() for kind in ("police", "health")} | {"social_welfare": f"sqlite:///{tmp_path / 'w.db'}"}
    made = ProcessNetwork(tmp_path, kafka, unique, urls)
    asyncio.run(made.set_up())
    return made


def poison(chance: random.Random, real: bytes) -> list[bytes]:
    """Records that no agency's own code would write; `real` is an envelope that one did."""
    return [
        b"",
        chance.randbytes(300),
        real[: len(real) // 2],
        real[:-1],
        real + b"}",
        bytes([255]) + real[1:],  # a suite that nobody knows
        real.replace(b'"incarnation"', b'"incarnatiom"'),
        chance.randbytes(OVERSIZE),
    ]


async def pour(network: ProcessNetwork, values: list[bytes]) -> None:
    way = Direction(network.names["police"], network.names["health"])
    async with AIOKafkaProducer(max_request_size=2 * OVERSIZE, **network.kafka.operator.options()) as producer:
        for topic in (way.topic, way.express_topic):
            for value in values:
                await producer.send_and_wait(topic, value)


async def bomb(network: ProcessNetwork) -> list[str]:
    """Small on the wire, more than a reader should ever unpack: how each lane's broker refuses it."""
    way, refusals = Direction(network.names["police"], network.names["health"]), []
    how = {"compression_type": "gzip", "max_request_size": 2 * BOMB, "request_timeout_ms": 60_000}
    async with AIOKafkaProducer(**network.kafka.operator.options(), **how) as producer:
        for topic in (way.topic, way.express_topic):
            with pytest.raises(KafkaError) as refused:
                await producer.send_and_wait(topic, bytes(BOMB))
            refusals.append(type(refused.value).__name__)
    return refusals


def test_a_bomb_never_reaches_a_reader(network: ProcessNetwork) -> None:
    assert asyncio.run(bomb(network)) == ["MessageSizeTooLargeError"] * 2
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        sent = issue(desk, open_case(desk))
        until(lambda: network.facts_of("health", sent) == ["issued"], "what comes behind it to arrive")
        assert network.rows("health", "SELECT count(*) FROM exchange_unopenable") == [(0,)]


def test_poison_is_set_aside_and_what_comes_behind_it_is_served(network: ProcessNetwork) -> None:
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        case = open_case(desk)
        sent = [issue(desk, case)]
        until(lambda: in_step([desk, clinic]), "the first to be signed for")
        (kept,) = network.rows("police", "SELECT o.inner FROM exchange_outbox AS o WHERE type = 'referral.issued'")
        real = network.settings("police").keystore(network.names["police"]).open("exchange_outbox.inner", bytes(kept[0]))
        bad = poison(random.Random(network.names["police"]), b"\0plain".ljust(12, b"\0") + real)
        asyncio.run(pour(network, bad))
        sent += [issue(desk, case) for _ in range(3)]
        for referral in sent:
            until(lambda r=referral: network.facts_of("health", r) == ["issued"], "what lies behind poison to arrive")  # type: ignore[misc]
        traces = "SELECT digest FROM exchange_unopenable WHERE sender = '" + network.names["police"] + "'"
        until(lambda: len(network.rows("health", traces)) == len(bad), "every unreadable record to be kept in trace")
        until(lambda: in_step([desk, clinic]), "everything to be signed for")
        (alarm,) = network.rows("health", "SELECT count(*) FROM casework_alarms WHERE kind = 'unopenable'")
        assert alarm[0] > 0
        network.check_streams(("police", "health"))


async def say(network: ProcessNetwork, sender: str, recipient: str, event_type: str, version: int) -> None:
    """What a newer version of an agency would say."""
    database, subject = network.database(sender), new_id()
    async with database.write() as tx:
        await lock_subjects(tx, [subject])
        data = {"field_of_tomorrow": "code"}
        await add(tx, Outgoing(network.names[recipient], event_type, version, subject, subject, data, tx.clock.now()))
    await database.close()


def test_words_of_a_newer_version_are_kept_signed_for_and_shown_as_unknown_in_both_directions(network: ProcessNetwork) -> None:
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        for sender, recipient in (("police", "health"), ("health", "police")):
            asyncio.run(say(network, sender, recipient, "referral.foreseen", 1))
            asyncio.run(say(network, sender, recipient, "referral.issued", 2))
        sent = issue(desk, open_case(desk))
        until(lambda: network.facts_of("health", sent) == ["issued"], "what this version knows to arrive behind it")
        until(lambda: in_step([desk, clinic]), "all of it to be signed for")
        for kind in ("police", "health"):
            done = network.refnet(kind, "parked", "list", network.names[kind])
            assert done.returncode == 0, done.stderr
            assert done.stdout.count("is not known here; update this agency's software.") == 2
            for words in ("referral.foreseen v1", "referral.issued v2"):
                assert words in done.stdout
