"""The broker admits each agency to its own lanes and to nothing else, and says in one sentence why it admits nobody."""

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from desks import in_step, issue, open_case, statuses
from ended import broker_that_has_ended, certificate_that_has_ended
from processes import KINDS, Process, ProcessNetwork, everyone_is_ready, until
from servers import Kafka, KafkaNodeFactory

import services.doctor
from services.broker_users import user_of
from services.certificates import RENEW_BEFORE
from services.doctor import examine
from services.settings import variables_of
from shared.contracts.wire.topics import Direction
from shared.exchange.access import Access, topics_of
from shared.exchange.rights import dismiss, keeps_rights, open_to_everybody
from shared.exchange.worker import LACKING
from shared.kit.certificates import Authority
from shared.kit.files import write_whole
from shared.kit.local.kafka_certificates import BrokerFiles

REFUSED_S = 10.0


class Town:
    """A network on a broker that keeps rights, and what its operator types."""

    def __init__(self, home: Path, kafka: Kafka, unique: str) -> None:
        self.network = ProcessNetwork(home, kafka, unique, {kind: f"sqlite:///{home / kind}.db" for kind in KINDS})
        self.names = self.network.names

    def provision(self, *arguments: str) -> list[str]:
        """What `refnet provision` says that it changed."""
        done = self.network.refnet("police", "provision", "--json", *arguments, **self.network.operators())
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        return [*answer["made"], *answer["changes"]]

    def access(self, kind: str) -> Access:
        return self.network.settings(kind).access(self.names[kind])

    def way(self, sender: str, recipient: str) -> Direction:
        return Direction(self.names[sender], self.names[recipient])


@pytest.fixture
def town(kafka: Kafka, unique: str, tmp_path: Path) -> Town:
    return Town(tmp_path, kafka, unique)


async def refused(work: Awaitable[object]) -> type[Exception] | None:
    """What a client is refused with; None where it is let."""
    try:
        async with asyncio.timeout(REFUSED_S):
            await work
    except (KafkaError, TimeoutError) as error:
        return type(error)
    return None


async def write(access: Access, topic: str) -> None:
    async with AIOKafkaProducer(acks="all", enable_idempotence=True, **access.options()) as producer:
        await producer.send_and_wait(topic, b"x")


async def read(access: Access, topic: str, group: str) -> None:
    async with AIOKafkaConsumer(topic, group_id=group, auto_offset_reset="earliest", **access.options()) as consumer:
        await consumer.getmany(timeout_ms=1_000)


def until_said(process: Process, words: str) -> None:
    """Until readiness says so of the broker."""
    until(lambda: words in str(process.health()[1].get("checks", {}).get("broker")), words)


def take_rights(operator: Access, agency: str) -> None:
    """Takes whatever an agency may do, and leaves it its user."""
    anything: Any = None
    of_agency = AclBindingFilter(
        ResourceType.ANY, anything, ResourcePatternType.ANY, f"User:{agency}", anything, AclOperation.ANY, AclPermissionType.ANY
    )
    admin = AdminClient(operator.librdkafka())
    for taken in admin.delete_acls([of_agency]).values():
        assert taken.result()


@pytest.mark.long
def test_agencies_with_users_of_their_own_work_and_a_second_provision_changes_nothing(town: Town) -> None:
    first = town.provision()
    assert {f"made the user {name}" for name in town.names.values()} <= set(first)
    assert town.provision() == []
    known = user_of(town.network.home, town.names["police"]).folder / "ca.pem"
    before = known.read_bytes()
    known.write_bytes(b"of an authority that is no more")
    assert town.provision() == []
    assert known.read_bytes() == before
    for name in town.names.values():
        assert user_of(town.network.home, name).folder.joinpath("password").stat().st_mode & 0o777 == 0o600
    asyncio.run(town.network.set_up(topics=False))
    with town.network.running([("police", "serve"), ("health", "serve")]) as processes:
        referral = issue(processes["police"], open_case(processes["police"]))
        until(lambda: statuses(processes["health"]).get(referral) == "issued", "the referral to arrive")
        processes["health"].post(f"/referrals/{referral}/accept")
        until(lambda: in_step(list(processes.values())), "everything to be signed for")
        done = town.network.refnet("police", "doctor", "--json")
        said = [finding["words"] for finding in json.loads(done.stdout)["findings"] if finding["ok"]]
        assert f"{town.names['police']}: The broker answers. Every topic is there." in said
    town.network.check_streams(("police", "health"))


def denials(operator: Access, agency: str) -> list[AclBinding]:
    """What the operator forbids an agency, as the broker tells it."""
    anything: Any = None
    denied = AclBindingFilter(
        ResourceType.ANY, anything, ResourcePatternType.ANY, f"User:{agency}", anything, AclOperation.ANY, AclPermissionType.DENY
    )
    admin = AdminClient(operator.librdkafka())  # which answers as long as somebody holds it
    return list(admin.describe_acls(denied).result())


def test_what_the_operator_denies_stays_denied(town: Town) -> None:
    town.provision()
    operator, police = town.network.kafka.operator, town.names["police"]
    topic = town.way("police", "health").topic
    denied = AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{police}", "*", AclOperation.WRITE, AclPermissionType.DENY
    )
    allowed = AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{police}", "*", AclOperation.ALTER, AclPermissionType.ALLOW
    )
    admin = AdminClient(operator.librdkafka())
    for made in admin.create_acls([denied, allowed]).values():
        made.result()
    assert [words for words in town.provision() if topic in words] == [f"took {police} alter on topic {topic}"]
    assert denials(operator, police) == [denied]
    asyncio.run(dismiss(operator, police))
    assert denials(operator, police) == [denied]


def let_everybody(operator: Access, may: AclOperation, kind: ResourceType, name: str, pattern: ResourcePatternType) -> None:
    admin = AdminClient(operator.librdkafka())
    for made in admin.create_acls([AclBinding(kind, name, pattern, "User:*", "*", may, AclPermissionType.ALLOW)]).values():
        made.result()


def take_from_everybody(operator: Access, name: str) -> None:
    anything: Any = None
    of_all = AclBindingFilter(
        ResourceType.ANY, name, ResourcePatternType.ANY, "User:*", anything, AclOperation.ANY, AclPermissionType.ANY
    )
    admin = AdminClient(operator.librdkafka())
    for taken in admin.delete_acls([of_all]).values():
        taken.result()


def test_what_everybody_may_do_with_a_lane_is_taken_or_provision_refuses(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.provision()
    operator, network = town.network.kafka.operator, town.network
    topic, group = town.way("police", "health").topic, f"{town.names['health']}.exchange"
    let_everybody(operator, AclOperation.READ, ResourceType.TOPIC, topic, ResourcePatternType.LITERAL)
    let_everybody(operator, AclOperation.READ, ResourceType.GROUP, group, ResourcePatternType.LITERAL)
    office = town.access("social_welfare")
    assert asyncio.run(refused(read(office, topic, f"{town.names['social_welfare']}.other"))) is None
    assert set(town.provision()) == {f"took everybody may read on topic {topic}", f"took everybody may read on group {group}"}
    assert asyncio.run(refused(read(office, topic, f"{town.names['social_welfare']}.other"))) is TopicAuthorizationFailedError

    prefix = topic[:-1]  # as wide as it may be on a broker that other tests share
    let_everybody(operator, AclOperation.ALL, ResourceType.TOPIC, prefix, ResourcePatternType.PREFIXED)
    given = f"{town.names['health']}.reports"  # another application's, which only begins like ours
    let_everybody(operator, AclOperation.READ, ResourceType.GROUP, given, ResourcePatternType.LITERAL)
    let_everybody(operator, AclOperation.DESCRIBE, ResourceType.TOPIC, prefix, ResourcePatternType.PREFIXED)
    police = town.names["police"]
    asyncio.run(dismiss(operator, police))  # what an agency needs comes all the same, though it ends with a refusal
    try:
        done = network.refnet("police", "provision", **network.operators())
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert asyncio.run(topics_of(town.access("police"))) >= {topic}
        assert asyncio.run(refused(write(town.access("police"), town.way("police", "social_welfare").topic))) is None
        assert f"everybody may all on topic {prefix}…, which opens this network's lanes and more" in done.stderr
        said = [finding["words"] for finding in asyncio.run(examine(network.settings("social_welfare"))) if not finding["ok"]]
        assert any(f"topics of other agencies, such as {topic}: everybody may" in words for words in said), said
        assert asyncio.run(keeps_rights(town.access("police")))  # which is told nothing more

        async def none(_access: Access) -> bool:  # as a broker without an authorizer answers, where this network may have one
            return False

        monkeypatch.setattr(services.doctor, "keeps_rights", none)
        said = [(one["ok"], one["words"]) for one in asyncio.run(examine(network.settings("social_welfare")))]
        assert [ok for ok, words in said if "keeps no rights" in words] == [True]
        assert not any("topics of other agencies" in words for _ok, words in said)
        words = asyncio.run(open_to_everybody(operator, (topic,)))
        assert words == [f"everybody may all on topic {prefix}…"]
    finally:
        take_from_everybody(operator, prefix)
    try:
        let_everybody(operator, AclOperation.DESCRIBE, ResourceType.TOPIC, prefix, ResourcePatternType.PREFIXED)
        assert town.provision() == []  # neither is refused, nor taken
        done = network.refnet("police", "provision", **network.operators())
        for right in (f"everybody may describe on topic {prefix}…", f"everybody may read on group {given}"):
            assert f"{right}, which is not this network's to take" in done.stdout
    finally:
        take_from_everybody(operator, prefix)
        take_from_everybody(operator, given)
    assert town.provision() == []


async def test_each_lane_takes_its_sender_and_its_recipient_alone(town: Town) -> None:
    await asyncio.to_thread(town.provision)
    for sender in KINDS:
        for recipient in (kind for kind in KINDS if kind != sender):
            way = town.way(sender, recipient)
            for topic in (way.topic, way.express_topic):
                for kind in KINDS:
                    access, group = town.access(kind), f"{town.names[kind]}.other"
                    may_write, may_read = kind == sender, kind == recipient
                    no = None if may_write else TopicAuthorizationFailedError
                    assert await refused(write(access, topic)) is no, (kind, topic)
                    no = None if may_read else TopicAuthorizationFailedError
                    assert await refused(read(access, topic, group)) is no, (kind, topic)
    of_police = {t for p in ("health", "social_welfare") for w in (town.way("police", p), town.way(p, "police"))
                 for t in (w.topic, w.express_topic)}  # fmt: skip
    assert await topics_of(town.access("police")) == of_police  # that others have lanes too is not told
    topic, foreign = town.way("police", "health").topic, f"{town.names['police']}.exchange"
    assert await refused(read(town.access("health"), topic, foreign)) is GroupAuthorizationFailedError
    stranger = replace(town.access("health"), username=None, password=None)
    assert await refused(write(stranger, topic)) is not None


def test_who_may_not_work_is_told_so_in_one_sentence_and_goes_on_when_it_may(town: Town) -> None:
    town.provision()
    network, police, health = town.network, town.names["police"], town.names["health"]
    asyncio.run(network.set_up(topics=False))
    access = town.access("police")
    network.more["police"] = {
        "REFNET_KAFKA_USERNAME": police, "REFNET_KAFKA_PASSWORD": "wrong", "REFNET_KAFKA_CA": str(access.ca),
    }  # fmt: skip
    done = network.refnet("police", "provision")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"refuses the user '{police}' or its password; correct REFNET_KAFKA_USERNAME" in done.stderr
    network.more["police"]["REFNET_KAFKA_PASSWORD"] = str(access.password)
    done = network.refnet("police", "provision")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "lets only its operator make topics, users and rights" in done.stderr
    network.more["police"]["REFNET_KAFKA_PASSWORD"] = "wrong"
    with network.running([("police", "serve"), ("health", "serve")]) as processes:
        desk = processes["police"]

        def broker_says() -> str:
            return str(desk.health()[1].get("checks", {}).get("broker"))

        until(lambda: f"refuses the user '{police}' or its password" in broker_says(), "the wrong password to be named")
        referral = issue(desk, open_case(desk))  # a desk works on
        desk.stop()
        network.more.clear()
        took = town.provision("--dismiss", "nobody_at_all")
        assert took == []
        done = network.refnet("police", "provision", "--dismiss", police, **network.operators())
        assert (done.returncode, "is in the network file" in done.stderr) == (1, True)
        assert town.provision("--renew", police) == [f"set the new password of the user {police}"]
        assert town.access("police").password != access.password
        desk.start()
        until(lambda: statuses(processes["health"]).get(referral) == "issued", "the referral to arrive with the new password")
    assert health in town.names.values()


def test_every_reason_not_to_be_let_in_is_one_sentence_at_start_and_in_doctor(
    town: Town, kafka_node_factory: KafkaNodeFactory, tmp_path: Path
) -> None:
    town.provision()
    network, police = town.network, town.names["police"]
    asyncio.run(network.set_up(topics=False))
    ours, ended = town.access("police"), broker_that_has_ended(kafka_node_factory, tmp_path)
    stranger = BrokerFiles(tmp_path / "stranger")
    stranger.make()
    for words, way in {
        f"refuses the user '{police}' or its password": replace(ours, password="wrong"),
        f"shows a certificate that {stranger.ca} does not vouch for": replace(ours, ca=stranger.ca),
        "old.pem ended on ": certificate_that_has_ended(network.kafka.operator, tmp_path),
        f"The certificate of the broker at {ended.bootstrap_servers} has ended": replace(
            ours, bootstrap_servers=ended.bootstrap_servers, ca=ended.files.ca
        ),
    }.items():
        network.more["police"] = variables_of(way)
        with network.running([("police", "serve")]) as processes:
            desk = processes["police"]
            until_said(desk, words)
            assert "line_trouble" in desk.last_words()
            assert words in desk.last_words()
            assert desk.get("/referrals") is not None  # a desk works on
            assert desk.stop() == 0
        done = network.refnet("police", "provision")
        assert (done.returncode, len(done.stderr.splitlines()), words in done.stderr) == (1, 1, True), done.stderr
        done = network.refnet("police", "doctor", "--json")
        said = [finding["words"] for finding in json.loads(done.stdout)["findings"] if not finding["ok"]]
        assert any(words in one and one.startswith(f"{police}: ") for one in said), said


async def test_the_doctor_names_a_certificate_before_it_ends(town: Town, tmp_path: Path) -> None:
    await asyncio.to_thread(town.provision)
    police, now = town.names["police"], datetime.now(UTC)
    ours, soon = town.access("police"), RENEW_BEFORE - timedelta(days=1)
    write_whole(tmp_path / "soon.pem", Authority.make("whoever", now, soon).pair.cert)
    said = {finding["words"]: finding["ok"] for finding in await examine(town.network.settings("police"))}
    assert not any(" ends on " in words for words in said)
    town.network.more["police"] = variables_of(replace(ours, ca=tmp_path / "soon.pem"))
    said = {finding["words"]: finding["ok"] for finding in await examine(town.network.settings("police"))}
    words = f"{police}: {tmp_path / 'soon.pem'} ends on {now + soon:%Y-%m-%d}; have the broker's operator make a new one before."
    assert said[words] is False


def test_a_broker_that_forgot_its_users_is_given_them_again_with_the_same_passwords(town: Town) -> None:
    town.provision()
    asyncio.run(town.network.set_up(topics=False))
    before = {kind: town.access(kind) for kind in KINDS}
    for kind in KINDS:
        asyncio.run(dismiss(town.network.kafka.operator, town.names[kind]))
    with town.network.running([("police", "serve"), ("health", "serve")]) as processes:
        clinic = processes["health"]
        until(lambda: "refuses the user" in str(clinic.health()[1].get("checks", {}).get("broker")), "the lost user to be named")
        referral = issue(processes["police"], open_case(processes["police"]))
        assert f"made the user {town.names['health']}" in town.provision()
        until(lambda: statuses(clinic).get(referral) == "issued", "the referral to arrive with the users back")
    assert {kind: town.access(kind) for kind in KINDS} == before


def test_an_agency_that_lost_its_rights_says_who_gives_them(town: Town) -> None:
    town.provision()
    asyncio.run(town.network.set_up(topics=False))
    with town.network.running([("police", "serve"), ("health", "serve")]) as processes:
        everyone_is_ready(processes)
        clinic = processes["health"]
        clinic.stop()
        take_rights(town.network.kafka.operator, town.names["health"])
        clinic.start()
        until(lambda: LACKING in str(clinic.health()[1].get("checks", {}).get("broker")), "the lack of rights to be told")
        assert "line_trouble" in clinic.last_words()
        assert LACKING in clinic.last_words()
        done = town.network.refnet("health", "doctor", "--json")
        said = [finding["words"] for finding in json.loads(done.stdout)["findings"] if not finding["ok"]]
        assert any(words.startswith(f"{town.names['health']}: The broker answers, but 8 topics") for words in said), said
        referral = issue(processes["police"], open_case(processes["police"]))
        assert all("User:" not in words and words.startswith("gave") for words in town.provision())
        until(lambda: statuses(clinic).get(referral) == "issued", "the referral to arrive with the rights back")
