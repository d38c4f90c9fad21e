"""What nobody can read, and what this version does not know: kept apart, alarmed, signed for where it has a slot."""

import asyncio
import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from desks import in_step, issue, open_case
from processes import ProcessNetwork, everyone_is_ready, until
from records import events_in
from rewritten import Record, rewrite
from schema import desk_and_clinic
from servers import Kafka

from shared.contracts.wire.envelope import OUTER_BYTES
from shared.contracts.wire.topics import Direction
from shared.exchange.outbox import Outgoing, add, lock_subjects
from shared.kit.ids import new_id
from shared.kit.local.postgres_databases import PostgresDatabases

BOMB = 32 * 1024 * 1024  # bytes; a thousandth of that on the wire
OVERSIZE = 900 * 1024  # bytes; more than any envelope, and as much as a broker takes
HELD_UP_S_MAX = 1.0  # by one record that nobody can read: security.md section 7 number 14
ALONE, AGAIN = 3, 4  # good events of a lane with nothing bad before them, and those that may be tried again
GOOD = 11 + ALONE + AGAIN  # events of a lane: one behind each kind of poison, and these
pytestmark = pytest.mark.timeout(600)  # a quarter of a minute when quiet


@pytest.fixture
def network(kafka: Kafka, postgres: PostgresDatabases, unique: str, tmp_path: Path) -> ProcessNetwork:
    urls = desk_and_clinic(postgres, tmp_path)
    made = ProcessNetwork(tmp_path, kafka, unique, urls)
    asyncio.run(made.set_up())
    return made


def poison(chance: random.Random, sealed: bytes, inner: bytes, seal: Callable[[bytes], bytes]) -> list[bytes]:
    """Records that no agency's own code would write. `sealed` is an envelope that one did, and `inner` what it had signed, which
    `seal` seals."""
    middle = len(sealed) // 2
    return [
        b"",
        chance.randbytes(300),
        sealed[:middle],
        sealed[:-1],
        sealed + b"}",
        sealed[:middle] + bytes([sealed[middle] ^ 1]) + sealed[middle + 1 :],
        bytes([255]) + sealed[1:],  # a suite that nobody knows
        b"\0plain".ljust(OUTER_BYTES, b"\0") + inner,
        seal(inner[:-1]),  # what cannot be told before it is opened
        seal(inner.replace(b'"incarnation"', b'"incarnatiom"')),
        chance.randbytes(OVERSIZE),
    ]


async def taken_away(network: ProcessNetwork, read: set[UUID]) -> dict[str, list[Record]]:
    """The events that lie before the clinic, but for those that it has read, by topic. They lie there no more, and from now on the
    broker stamps what is laid down."""
    way, taken = Direction(network.names["police"], network.names["health"]), list[Record]()
    admin = AIOKafkaAdminClient(**network.kafka.operator.options())
    await admin.start()
    stamped = {"message.timestamp.type": "LogAppendTime"}
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic, stamped) for topic in (way.topic, way.express_topic)]
    )
    await admin.close()

    def fault(records: list[Record]) -> Sequence[Record]:
        taken.extend(records)
        return []

    await rewrite(network.kafka.operator, way.sender, way.recipient, fault)
    fresh = [record for record in taken if set(events_in(record.at.topic, record.value, network.seal)) - read]
    return {topic: [record for record in fresh if record.at.topic == topic] for topic in (way.topic, way.express_topic)}


class Lane:
    """One lane to the clinic: good events of the police's are laid down one by one, each behind poison or behind nothing."""

    def __init__(self, network: ProcessNetwork, producer: AIOKafkaProducer, good: list[Record]) -> None:
        self._network, self._producer, self._good = network, producer, iter(good)
        self.alone_s = 0.0

    async def applied_after_s(self, bad: bytes | None = None) -> float:
        """From when the broker took a good event, with something bad right before it, until the clinic had applied it: by the
        broker's stamp and the clinic's own, so that a test which looks late has no part in it."""
        good = next(self._good, None)
        assert good is not None, "what lies behind poison comes late again and again"
        if bad is not None:
            await self._producer.send(good.at.topic, bad, partition=good.at.partition)
        laid = await self._producer.send_and_wait(
            good.at.topic, good.value, good.key, partition=good.at.partition, headers=list(good.headers)
        )
        assert laid.timestamp_type == 1, "this is not the broker's own stamp"
        (event,) = events_in(good.at.topic, good.value, self._network.seal)
        query = f"SELECT settled_at FROM exchange_inbox WHERE event_id = '{event}' AND state = 'applied'"
        found: list[tuple[Any, ...]] = []

        def look() -> bool:
            found[:] = self._network.rows("health", query)
            return bool(found)

        await asyncio.to_thread(until, look, "what lies behind poison to be applied")
        return float(found[0][0].timestamp() - laid.timestamp / 1000)

    async def learn(self) -> None:
        """How long it takes with nothing bad before it: the middle of some."""
        self.alone_s = statistics.median([await self.applied_after_s() for _ in range(ALONE)])

    async def held_up_s(self, bad: bytes) -> float:
        """How much longer it takes behind something bad. Poison that holds a lane up does so each time, a machine that is busy does
        not: what took too long may have been either, and is tried again."""
        held_up = await self.applied_after_s(bad) - self.alone_s
        return held_up if held_up <= HELD_UP_S_MAX else await self.applied_after_s(bad) - self.alone_s


async def pour(network: ProcessNetwork, good: dict[str, list[Record]], bad: list[bytes]) -> None:
    options = {"max_request_size": 2 * OVERSIZE, **network.kafka.operator.options()}
    async with AIOKafkaProducer(**options) as producer:
        for topic, events in good.items():
            lane = Lane(network, producer, events)
            await lane.learn()
            held_up = [await lane.held_up_s(one) for one in bad]
            lane_words = " ".join(f"{one:.3f}" for one in held_up)
            print(f"{topic}: an event is applied after {lane.alone_s:.3f} s; behind each poison so much later: {lane_words} s")
            for one, late_s in zip(bad, held_up, strict=True):
                assert late_s <= HELD_UP_S_MAX, f"{topic} stood still for {late_s:.1f} s behind {len(one)} bytes: {one[:20]!r}"


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


@pytest.mark.long  # it counts seconds, which a quiet machine has
def test_poison_is_set_aside_and_holds_up_what_comes_behind_it_for_a_second_at_most(network: ProcessNetwork) -> None:
    police, health = network.names["police"], network.names["health"]
    keys = network.settings("police").keystore(police)
    with network.started(("police", "serve"), ("health", "serve")) as (desk, clinic):
        everyone_is_ready([desk, clinic])
        case = open_case(desk)
        known = [issue(desk, case) for _ in range(GOOD)]
        until(lambda: in_step([desk, clinic]), "the first to be signed for")
        assert clinic.stop() == 0
        fresh = [issue(desk, case) for _ in range(GOOD)]
        for referral in known:  # on the other lane, about what the clinic knows: nothing waits for anything
            desk.post(f"/referrals/{referral}/set-out", {"mode": "car", "escort": "officer"})
        unsent = f"SELECT 1 FROM exchange_outbox WHERE recipient = '{health}' AND sent_at IS NULL"
        until(lambda: not network.rows("police", unsent), "everything to lie on the broker")
        assert desk.stop() == 0
        held = network.rows("health", f"SELECT event_id FROM exchange_slots WHERE sender = '{police}'")
        good = asyncio.run(taken_away(network, {UUID(str(row[0])) for row in held}))
        assert [len(events) for events in good.values()] == [GOOD, GOOD]
        ((kept,),) = network.rows("police", "SELECT o.inner FROM exchange_outbox AS o WHERE type = 'referral.issued' LIMIT 1")
        inner = keys.open("exchange_outbox.inner", bytes(kept))
        sealed = good[Direction(police, health).topic][0].value or b""
        bad = poison(random.Random(police), sealed, inner, lambda raw: network.seal(police).seal(raw, health))
        assert len(bad) + ALONE + AGAIN == GOOD
        clinic.start()
        everyone_is_ready([clinic])
        asyncio.run(pour(network, good, bad))
        traces = f"SELECT digest FROM exchange_unopenable WHERE sender = '{police}'"
        until(lambda: len(network.rows("health", traces)) == len(bad), "every unreadable record to be kept in trace")
        (alarm,) = network.rows("health", "SELECT count(*) FROM casework_alarms WHERE kind = 'unopenable'")
        assert alarm[0] > 0
        desk.start()
        everyone_is_ready([desk, clinic])
        until(lambda: in_step([desk, clinic]), "everything to be signed for")
        for referral in known:
            assert network.facts_of("health", referral) == ["issued", "set_out"]
        for referral in fresh:
            assert network.facts_of("health", referral) == ["issued"]
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
