"""Old records come again, on real Kafka: the whole of two topics from their beginning, the same sealed to a key that is destroyed,
what a thief signs with a key that was given up, and envelopes with a bit flipped. Nothing of it changes a record."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from agencies import SECRET, Desk, TestAgency, consent, database_at, open_case
from aiokafka import AIOKafkaProducer
from contents import contents
from kafka_line import broker_of, committed, until
from keys import Everyone, Holder, holder_of, seal_of
from records import ends
from schema import postgres_at_head
from servers import Kafka
from signing_in import settled_account, sign_in
from sqlalchemy import select
from sqlmodel import col
from visitor import Visitor

import services.demo
from services.kinds import parts_of
from shared.casework.directory.network import parse_network
from shared.casework.here import Here
from shared.contracts.casework import events
from shared.contracts.casework.codes import AgencyKind, Role
from shared.contracts.wire.directory import Use
from shared.contracts.wire.envelope import Event, Header, Kind
from shared.contracts.wire.topics import Direction
from shared.exchange.access import provision
from shared.exchange.broker import Courier, Receiver
from shared.exchange.keyring import X25519, Keyring
from shared.exchange.relay import Relay
from shared.exchange.seal import KeyedSeal
from shared.exchange.tables import OutboxRow, Stream, UnopenableRecord
from shared.kit.clock import ManualClock
from shared.kit.ids import new_id
from shared.kit.local.postgres_databases import PostgresDatabases
from shared.programmes.profile import load_programme

# What is noted of a peer's old letter: when one came last.
HEARD = {"exchange_peers.last_heard_at"}
# What is noted of a record that cannot be opened: where it lay and why, and one alarm for all of a peer's.
SET_ASIDE = {"exchange_unopenable", "casework_alarms", "exchange_activity"}
# Bits between those that are flipped here: 50 of an ordinary event's, others each day, each in its turn within half a year. All of
# them would take minutes and meet the same code: the seal is tried with every one (tests/unit/test_seal.py).
EVERY = 173


class Ends:
    """A desk and a clinic, each with its database, and real Kafka between them."""

    def __init__(self, kafka: Kafka, agencies: dict[str, TestAgency], clock: ManualClock) -> None:
        self.kafka, self.agencies, self.clock = kafka, agencies, clock
        self.desk, self.clinic = agencies["police"], agencies["health"]

    async def send(self) -> None:
        """Puts everything that both have to say on the broker, letters too."""
        for agency, other in ((self.desk, self.clinic), (self.clinic, self.desk)):
            peer = other.here.agency
            courier = Courier(agency.here.agency, self.kafka.operator, {peer: b"secret"})
            await courier.start()
            relay = Relay(agency.database, agency.here.agency, agency.seal, courier.send, agency.hooks)
            while await relay.cycle():
                pass
            for letter in await agency.letters.write(peer):
                await courier.send_statement(peer, letter)
            await courier.stop()

    async def hear(self, group: str) -> None:
        """Reads both directions to their end, from the beginning where the group is a new one."""
        async with AsyncExitStack() as stack:
            for agency, other in ((self.desk, self.clinic), (self.clinic, self.desk)):
                name = f"{agency.here.agency}.{group}"
                way = Direction(other.here.agency, agency.here.agency)
                broker = broker_of(self.kafka)
                receiver = Receiver(agency.database, agency.inbox, agency.seal, agency.hooks, agency.letters)
                receiver.subscribe(broker, [way.topic, way.express_topic], name)
                await broker.start()
                stack.push_async_callback(broker.stop)
                for at, end in (await ends(self.kafka.operator, way.sender, way.recipient)).items():

                    async def is_read(name: str = name, topic: str = at.topic, end: int = end) -> bool:
                        return await committed(self.kafka, name, topic) == end

                    await until(is_read)

    async def exchange(self, times: int = 1) -> None:
        for _ in range(times):
            await self.send()
            await self.hear("exchange")

    async def lay(self, records: Sequence[bytes]) -> None:
        """Lays records in the desk's lane to the clinic, as whoever has broken into the broker can."""
        way = Direction(self.desk.here.agency, self.clinic.here.agency)
        async with AIOKafkaProducer(**self.kafka.operator.options()) as producer:
            for record in records:
                await producer.send_and_wait(way.topic, record)

    async def contents(self, but: set[str]) -> dict[str, dict[str, str]]:
        return {name: await contents(agency.database, but) for name, agency in self.agencies.items()}

    async def set_aside(self) -> list[str]:
        """Why records could not be opened at the clinic."""
        async with self.clinic.database.read() as tx:
            return sorted((await tx.session.execute(select(col(UnopenableRecord.reason)))).scalars())


@pytest.fixture
async def both(kafka: Kafka, postgres: PostgresDatabases, unique: str) -> AsyncIterator[Ends]:
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text())
    names = {kind: f"{kind}_{unique}" for kind in ("police", "health")}
    content["agencies"] = {name: content["agencies"][kind] for kind, name in names.items()}
    content["pairs"] = [[*names.values()]]
    network = parse_network(content | {"purpose": "test"}, "this test's")
    clock, programme = ManualClock(), load_programme("zm-vsu-ec")
    agencies = {}
    for kind, name in names.items():
        url = await asyncio.to_thread(postgres_at_head, postgres, kind)
        agencies[kind] = TestAgency(Here(name, network, programme, SECRET), parts_of(AgencyKind(kind)), database_at(url, clock))
    await provision(kafka.operator, network.topics(), 1)
    yield Ends(kafka, agencies, clock)
    for agency in agencies.values():
        await agency.close()


async def story(both: Ends) -> list[str]:
    """Three referrals, one seen and one closed, each end told and signed for; returns their ids."""
    desk, clinic = await both.desk.sign_in("desk"), await both.clinic.sign_in("clinic")
    case_id, _ = await open_case(desk)
    await consent(desk, case_id, both.clinic.here.agency, "needs", "fb", purpose="care")
    sent = [await issue(desk, both, case_id) for _ in range(3)]
    await both.exchange()
    for move in ("acknowledge", "accept", "arrive"):
        await clinic.post(f"/referrals/{sent[0]}/{move}", {"feedback": True} if move == "arrive" else {})
    await both.exchange()
    await clinic.post(f"/referrals/{sent[0]}/close", {"outcome_code": "served"})
    await clinic.post(f"/referrals/{sent[1]}/acknowledge", {})
    await desk.post(f"/referrals/{sent[2]}/cancel", {"reason_code": "she_changed_her_mind"})
    await both.exchange(times=3)
    assert [(await desk.get(f"/referrals/{id_}"))["status"] for id_ in sent] == ["closed", "acknowledged", "cancelled"]
    assert (await desk.get("/peers"))["items"][0]["undelivered"] == 0
    return sent


async def issue(desk: Desk, both: Ends, case_id: str) -> str:
    times = {"earliest_at": "2026-01-04T12:00:00Z", "latest_at": "2026-01-04T13:00:00Z"}
    incident = await desk.post(f"/cases/{case_id}/incidents", {"incident_type": "rape", **times})
    body = {"case_id": case_id, "incident_id": incident["id"], "to_agency": both.clinic.here.agency, "to_facility": "ndola_clinic",
            "services": ["acute_care"], "urgency": "acute"}  # fmt: skip
    return str((await desk.post("/referrals", body))["id"])


async def test_old_topics_read_again_from_their_beginning_change_nothing(both: Ends) -> None:
    await story(both)
    before = await both.contents(HEARD)
    both.clock.advance(timedelta(hours=1))  # all that is noted anew has another time
    for again in ("another", "and.another"):
        await both.hear(again)
    assert await both.contents(HEARD) == before


async def test_what_lies_under_a_key_that_is_destroyed_is_set_aside(both: Ends) -> None:
    await story(both)
    before = await both.contents(HEARD | SET_ASIDE)
    keeper = holder_of(both.clinic.here.agency)
    keeper.opening.clear()  # the old private key is no more, and what is sealed from now on is sealed to another
    keeper.new_seal(X25519)
    both.clinic.seal = seal_of(both.clinic.here.agency)
    lay = sum((await ends(both.kafka.operator, both.desk.here.agency, both.clinic.here.agency)).values())
    await both.hear("another")
    assert await both.set_aside() == ["the key that it is sealed to is not here"] * lay
    assert await both.contents(HEARD | SET_ASIDE) == before
    await is_shown(both)


async def test_a_thief_and_a_meddler_are_set_aside(both: Ends) -> None:
    """Whoever has a key that was given up says something more; whoever has the broker flips bits of what lies there."""
    police, health = both.desk.here.agency, both.clinic.here.agency
    sent = await story(both)
    before = await both.contents(HEARD | SET_ASIDE)
    async with both.desk.database.read() as tx:
        stream = (await tx.session.execute(select(Stream))).scalar_one()
        first = (await tx.session.execute(select(OutboxRow).where(col(OutboxRow.seq) == 1))).scalar_one()
    thief = a_thief(holder_of(police), health, {stream.incarnation: stream.size})
    both.clinic.seal = seal_of(health)
    forged = [
        thief.seal(thief.sign(header, a_word(both, UUID(sent[1]))), health)
        for header in (slot(police, health, stream.incarnation, stream.size + above) for above in (1, 2))
    ]
    assert first.inner is not None
    honest = both.desk.seal.seal(first.inner, health)
    begun_at = datetime.now(UTC).toordinal() % EVERY
    flipped = [with_flipped(honest, bit) for bit in range(begun_at, len(honest) * 8, EVERY)]
    await both.lay([*forged, *flipped, honest])
    await both.hear("exchange")
    reasons = await both.set_aside()
    assert (len(reasons), reasons.count("its signer's key is revoked")) == (len(forged) + len(flipped), len(forged))
    assert await both.contents(HEARD | SET_ASIDE) == before  # the last of them, unharmed, was known already
    await is_shown(both)


def a_thief(keeper: Holder, reader: str, reached: dict[UUID, int]) -> KeyedSeal:
    """Whoever has an agency's keys of this moment; then its holder gives the signing key up, from where the stream is."""
    taken = Keyring(keeper.as_read_by(keeper.agency), Everyone(keeper.agency), keeper.signing[:], keeper.opening[:])
    stolen = keeper.directory.newest(Use.SIGN)
    assert stolen is not None
    keeper.new_signer()
    keeper.revoke(stolen, {reader: reached})
    return KeyedSeal(taken)


def slot(sender: str, recipient: str, life: UUID, seq: int) -> Header:
    return Header(kind=Kind.EVENT, sender=sender, recipient=recipient, incarnation=life, seq=seq, salt=b"s" * 16)


def a_word(both: Ends, referral: UUID) -> bytes:
    """The desk's, about a referral of its own: a request to cancel."""
    now, event = both.desk.database.clock.now(), events.CancelRequested
    made = Event(id=new_id(), source=both.desk.here.agency, type=event.type, dataversion=event.version, subject=referral, time=now,
                 recordedtime=now, data={"reason_code": "entered_in_error"})  # fmt: skip
    return made.to_bytes()


def with_flipped(envelope: bytes, bit: int) -> bytes:
    flipped = bytearray(envelope)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


async def is_shown(both: Ends) -> None:
    """Whoever looks after the clinic's lines is told, once."""
    visitor = Visitor(both.clinic.app)
    await sign_in(visitor, await settled_account(both.clinic, "in-charge", Role.SUPERVISOR), "in-charge")
    assert (await visitor.open("/alarms")).text.count("<h2>A message could not be opened") == 1
